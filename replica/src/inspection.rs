//! Whether a canister takes in a message from a user (Interface Specification, "Ingress message
//! inspection").

use candid::Principal;

use crate::canister::Canister;
use crate::environment::Environment;
use crate::message::{Cycles, ErrorCode, Reject};
use crate::non_replicated::{put_back, run_in_place};
use crate::rejects::no_module_to_take_in;
use crate::system_api::{EntryPoint, SystemApi, Trap, View, reject_of_fault};
use crate::wasm::{Entry, Fault};

/// Asks `canister_inspect_message` whether a message from a user is accepted.
pub(crate) fn inspect(
    environment: &mut Environment,
    canister: &mut Canister,
    sender: Principal,
    method: &str,
    argument: &[u8],
) -> Result<(), Reject> {
    const HOOK: &str = "canister_inspect_message";
    let Some(code) = &canister.code else {
        return Err(no_module_to_take_in());
    };
    if !code.module.has_hook(HOOK) {
        return canister.find_method(method).map(|_| ());
    }
    let entry_point = EntryPoint::InspectMessage;
    let mut view = environment.bare_view(canister, entry_point, sender, argument.to_vec());
    view.method = method.to_owned();
    view.replicated = false;
    let limit = environment.limits.inspect_instructions;
    let balance = canister.balance;
    let (api, result, _) = run_and_discard(
        environment,
        canister,
        Entry::Export(HOOK),
        view,
        balance,
        limit,
    );
    result.map_err(|fault| reject_of_fault(canister.id, &fault, None))?;
    match api.effects.accepted {
        true => Ok(()),
        false => Err(Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!("Canister {} rejected the message", canister.id),
        )),
    }
}

/// Runs something on a canister and puts everything back.
fn run_and_discard(
    environment: &mut Environment,
    canister: &mut Canister,
    entry: Entry<'_>,
    view: View,
    balance: Cycles,
    limit: u64,
) -> (SystemApi, Result<(), Fault<Trap>>, u64) {
    let Some(code) = &mut canister.code else {
        unreachable!("only canisters with code are inspected");
    };
    let mut before = std::mem::take(&mut environment.checkpoint);
    code.instance.begin(&mut before);
    let ended = run_in_place(canister, entry, view, balance, limit);
    put_back(canister, &before);
    environment.checkpoint = before;
    ended
}
