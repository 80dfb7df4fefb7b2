//! The callee of the lesson `callees`: it is to know the names of the holders of accounts. It behaves
//! as a caller should expect of a canister that it doesn't know: it answers when it likes, and with
//! what it likes.

use std::cell::RefCell;
use std::marker::PhantomData;

use candid::{CandidType, Nat, encode_one};
use ic_cdk::{
    api::{canister_self, msg_reply},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

thread_local! {
    static COUNTER: RefCell<Nat> = RefCell::new(Nat::from(0u8));
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&COUNTER);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&COUNTER);
}

fn add_one() {
    COUNTER.with_borrow_mut(|counter| *counter += 1u8);
}

/// The counter.
#[query]
fn get() -> Nat {
    COUNTER.with_borrow(Nat::clone)
}

/// How often `dawdle` rests before it answers. A hostile callee would rest for ever.
const RESTS: u32 = 3;

/// Calls itself again and again; only then it adds 1 and answers.
#[update]
async fn dawdle() {
    for _ in 0..RESTS {
        // COMMIT POINT: and while this call is open, so is that of the caller.
        if let Err(error) = Call::unbounded_wait(canister_self(), "rest").await {
            trap(format!("the callee can't rest: {error}"));
        }
    }
    add_one();
    // COMMIT POINT: the 1 is kept, whether the caller still waits or not.
}

/// Does nothing.
#[update]
fn rest() {}

/// What this canister gives as the name of an account's holder.
#[derive(CandidType, Deserialize)]
enum NameReply {
    /// A name.
    Honest,
    /// A number.
    WrongType,
    /// A name of a million letters.
    Huge,
    /// A name, and behind it a list that is tiny to send and endless to read.
    Bomb,
}

/// Replies what it is asked for. Its interface promises a text; nothing holds it to that.
#[update(manual_reply = true)]
fn name(reply: NameReply) -> PhantomData<String> {
    let encoded = match reply {
        NameReply::Honest => encode_one("Isabel"),
        NameReply::WrongType => encode_one(2u64),
        NameReply::Huge => encode_one("a".repeat(1_000_000)),
        NameReply::Bomb => Ok(bomb()),
    };
    match encoded {
        Ok(bytes) => msg_reply(bytes),
        Err(error) => trap(format!("the reply can't be encoded: {error}")),
    }
    PhantomData
}

/// A text, then a `vec null` with more than four billion elements. A null takes no bytes, so
/// all of it fits in 22; but the decoder visits every element.
fn bomb() -> Vec<u8> {
    const TYPES: &[u8] = b"DIDL\x01\x6d\x7f\x02\x71\x00";
    const NAME: &[u8] = b"\x06Isabel";
    const LENGTH: &[u8] = b"\xff\xff\xff\xff\x0f";
    [TYPES, NAME, LENGTH].concat()
}

ic_cdk::export_candid!();

fn main() {}
