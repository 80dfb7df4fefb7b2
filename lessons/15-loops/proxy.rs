//! A proxy: it calls those whom its owner does not trust. It keeps nothing, so it can be uninstalled
//! at any moment, also while it waits, and installed again.

use candid::Principal;
use ic_cdk::{
    api::{is_controller, msg_caller},
    call::Call,
};
use ic_cdk_macros::update;

/// How many bytes of a reply, and of an error's text, are passed on at most.
const LONGEST: usize = 1000;

/// Calls a method of a canister, and passes on what it replies.
#[update(guard = "by_controller")]
async fn forward(
    canister: Principal,
    method: String,
    argument: Vec<u8>,
) -> Result<Vec<u8>, String> {
    let call = Call::unbounded_wait(canister, &method).take_raw_args(argument);
    // COMMIT POINT: the call is sent. There is no state that could be left half changed.
    match call.await {
        Ok(reply) if reply.len() <= LONGEST => Ok(reply.into_bytes()),
        Ok(reply) => Err(format!("the reply has {} bytes", reply.len())),
        Err(error) => Err(error.to_string().chars().take(LONGEST).collect()),
    }
}

/// Its owner is made one of its controllers. To serve anybody would be to lend them its name.
fn by_controller() -> Result<(), String> {
    match is_controller(&msg_caller()) {
        true => Ok(()),
        false => Err("only a controller may do this".to_string()),
    }
}

ic_cdk::export_candid!();

fn main() {}
