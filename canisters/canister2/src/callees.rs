//! What the lesson `callees` needs: a callee as a caller should imagine one that it doesn't know.
//! It answers when it likes, and with what it likes.

use std::marker::PhantomData;

use candid::{CandidType, encode_one};
use ic_cdk::{
    api::{canister_self, msg_reply},
    call::Call,
    trap,
};
use ic_cdk_macros::update;
use serde::Deserialize;

use crate::add_one;

/// How often `callees_dawdle` rests before it answers. A hostile callee would rest for ever.
const RESTS: u32 = 3;

/// Calls itself again and again; only then it adds 1 and answers.
#[update]
async fn callees_dawdle() {
    for _ in 0..RESTS {
        // COMMIT POINT: and while this call is open, so is that of canister1.
        if let Err(error) = Call::unbounded_wait(canister_self(), "callees_rest").await {
            trap(format!("canister2 can't rest: {error}"));
        }
    }
    add_one();
    // COMMIT POINT: the 1 is kept, whether canister1 still waits or not.
}

/// Does nothing.
#[update]
fn callees_rest() {}

/// What canister2 gives as its name.
#[derive(CandidType, Deserialize)]
pub enum NameReply {
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
fn callees_name(reply: NameReply) -> PhantomData<String> {
    let encoded = match reply {
        NameReply::Honest => encode_one("canister2"),
        NameReply::WrongType => encode_one(2u64),
        NameReply::Huge => encode_one("2".repeat(1_000_000)),
        NameReply::Bomb => Ok(bomb()),
    };
    match encoded {
        Ok(bytes) => msg_reply(bytes),
        Err(error) => trap(format!("the reply can't be encoded: {error}")),
    }
    PhantomData
}

/// A text, then a `vec null` with more than four billion elements. A null takes no bytes, so
/// all of it fits in 25; but who decodes it visits every element.
fn bomb() -> Vec<u8> {
    const TYPES: &[u8] = b"DIDL\x01\x6d\x7f\x02\x71\x00";
    const NAME: &[u8] = b"\x09canister2";
    const LENGTH: &[u8] = b"\xff\xff\xff\xff\x0f";
    [TYPES, NAME, LENGTH].concat()
}
