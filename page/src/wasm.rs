//! The door to the worker: what the WebAssembly module exports.

use std::cell::RefCell;

use local_replica::exploring::wire::Progress;

use super::Desk;

#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// Says how far an exploration is; 0 ends it.
    safe fn progress(faults: u32, deliveries: f64) -> u32;
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
    static REQUEST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where a request with so many bytes is to be written.
#[unsafe(no_mangle)]
extern "C" fn room(length: usize) -> *mut u8 {
    REQUEST.with_borrow_mut(|request| {
        *request = vec![0; length];
        request.as_mut_ptr()
    })
}

/// Answers the request that was written. The answer stays until the next request.
#[unsafe(no_mangle)]
extern "C" fn ask() -> *const u8 {
    let request = REQUEST.take();
    let mut watch = |now: Progress| progress(now.faults as u32, now.deliveries as f64) != 0;
    let answer = DESK.with_borrow_mut(|desk| desk.answer(&request, &mut watch));
    ANSWER.with_borrow_mut(|kept| {
        *kept = answer;
        kept.as_ptr()
    })
}

/// How many bytes the answer has.
#[unsafe(no_mangle)]
extern "C" fn length() -> usize {
    ANSWER.with_borrow(Vec::len)
}
