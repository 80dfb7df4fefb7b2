//! What users and canisters read when something fails: word for word as on the network.

use ic_management_canister_types::CanisterSettings;
use local_replica::Config;
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{STRANGER, T, USER, World, config, expect_reject, rejected};
use crate::puppet::{call, call_method, script, tell_reject};

const DOCUMENTATION: &str = "https://internetcomputer.org/docs/current/references/execution-errors";

const TRAP_ADVICE: &str = "Consider gracefully handling failures from this canister or altering the \
     canister to handle exceptions. See documentation:";

/// A replica that does not say where messages trap: see `backtraces.rs`.
fn world() -> World {
    World::with(Config {
        backtraces: false,
        ..config()
    })
}

/// What a puppet sees when its call of another one is rejected.
fn seen(world: &mut World, callee: candid::Principal, argument: crate::puppet::Script) -> String {
    let caller = world.puppet();
    let made = call(callee, argument).on_reject(tell_reject());
    rejected(world.run(caller, script().call(made))).1
}

#[test]
fn trap_is_explained_to_users_and_to_canisters() {
    let mut world = world();
    let id = world.puppet();
    let reject = world.run(id, script().trap("boom")).unwrap_err();
    let text = format!(
        "Error from Canister {id}: Canister called `ic0.trap` with message: 'boom'.\n{TRAP_ADVICE} \
         {DOCUMENTATION}#trapped-explicitly"
    );
    assert_eq!(reject.message, text);
    let told = seen(&mut world, id, script().trap("boom"));
    assert_eq!(told, format!("IC0503: {text}"));
}

#[test]
fn trap_in_cleanup_is_told_after_the_first() {
    let mut world = world();
    let (a, b) = (world.puppet(), world.puppet());
    let made = call(b, script().reply())
        .on_reply(script().trap("one"))
        .cleanup(script().trap("two"));
    let reject = world.run(a, script().call(made)).unwrap_err();
    assert_eq!(
        reject.message,
        format!(
            "Error from Canister {a}: Canister called `ic0.trap` with message: 'one'\n\n\
             call_on_cleanup also failed:\n\n\
             Canister called `ic0.trap` with message: 'two'"
        )
    );
}

#[test]
fn instruction_that_traps_is_explained() {
    let mut world = world();
    let id = world.canister("(memory 1) (func (export \"canister_update run\") unreachable)");
    let reject = world.call(id, "run", b"").unwrap_err();
    assert_eq!(
        reject.message,
        format!(
            "Error from Canister {id}: Canister trapped: unreachable.\n{TRAP_ADVICE} \
             {DOCUMENTATION}#trapped"
        )
    );
}

#[test]
fn log_says_of_a_trap_only_what_the_canister_said() {
    let mut world = world();
    let id = world.puppet();
    world.run(id, script().trap("boom")).unwrap_err();
    world.run(id, script().trap("")).unwrap_err();
    assert_eq!(world.log(id), ["[TRAP]: boom", "[TRAP]: (no message)"]);
    let id = world.canister(
        "(memory 1)
         (func (export \"canister_update unreachable\") unreachable)
         (func (export \"canister_update stable\")
           (call $stable64_write (i64.const 9) (i64.const 0) (i64.const 1)))
         (func (export \"canister_update loop\") (loop (br 0)))
         (func (export \"canister_update wrong\") (call $accept_message))",
    );
    for method in ["unreachable", "stable", "loop", "wrong"] {
        world.call(id, method, b"").unwrap_err();
    }
    // What is no trap leaves no line.
    assert_eq!(
        world.log(id),
        ["[TRAP]: unreachable", "[TRAP]: stable memory out of bounds"]
    );
}

#[test]
fn limit_of_instructions_is_explained() {
    let mut world = world();
    let id = world.canister("(memory 1) (func (export \"canister_update run\") (loop (br 0)))");
    let reject = world.call(id, "run", b"").unwrap_err();
    assert_eq!(
        reject.message,
        format!(
            "Error from Canister {id}: Canister exceeded the limit of 10000000 instructions for \
             single message execution..\nTry optimizing this method to consume fewer instructions \
             or split the work across multiple messages. See documentation: \
             {DOCUMENTATION}#instruction-limit-exceeded"
        )
    );
}

#[test]
fn broken_contract_points_at_the_toolchain() {
    let mut world = world();
    let id = world.puppet();
    let reject = world.run(id, script().reply().append(b"x")).unwrap_err();
    assert_eq!(
        reject.message,
        format!(
            "Error from Canister {id}: Canister violated contract: ic0.msg_reply_data_append: the \
             call is already replied.\nIf you are running this canister in a test environment \
             (e.g., dfx), make sure the test environment is up to date. Otherwise, this is likely \
             an error with the compiler/CDK toolchain being used to build the canister. Please \
             report the error to IC devs on the forum: https://forum.dfinity.org and include which \
             language/CDK was used to create the canister."
        )
    );
}

#[test]
fn function_called_from_where_it_cannot_be_is_explained() {
    let mut world = world();
    let id =
        world.canister("(memory 1) (func (export \"canister_update run\") (call $accept_message))");
    let reject = world.call(id, "run", b"").unwrap_err();
    assert_eq!(
        reject.message,
        format!(
            "Error from Canister {id}: Canister violated contract: \"ic0.accept_message\" cannot be \
             executed in update mode.\nCheck the ICP documentation to make sure APIs are being \
             called in the correct message types. See documentation: \
             {DOCUMENTATION}#calling-a-system-api-from-the-wrong-mode"
        )
    );
}

#[test]
fn missing_method_is_explained() {
    let mut world = world();
    let id = world.puppet();
    let text = |kind| {
        format!(
            "Error from Canister {id}: Canister has no {kind} method 'nope'..\nCheck that the method \
             being called is exported by the target canister. See documentation: \
             {DOCUMENTATION}#method-not-found"
        )
    };
    let reject = world.call(id, "nope", b"").unwrap_err();
    assert_eq!(reject.message, text("update"));
    let reject = world.query(id, "nope", b"").unwrap_err();
    assert_eq!(reject.message, text("query"));
    let caller = world.puppet();
    let made = call_method(id, "nope", b"").on_reject(tell_reject());
    let (code, told) = rejected(world.run(caller, script().call(made)));
    assert_eq!((code, told), (5, format!("IC0536: {}", text("update"))));
}

#[test]
fn system_s_own_rejects_have_no_error_code_in_front_for_canisters() {
    let mut world = world();
    let silent = world.puppet();
    assert_eq!(seen(&mut world, silent, script()), "No response");
    let nobody = candid::Principal::from_slice(&[0x80, 0, 0, 0, 0, 0x77, 0, 0, 1, 1]);
    assert_eq!(
        seen(&mut world, nobody, script()),
        format!("Canister {nobody} not found")
    );
    let stopped = world.puppet();
    world.command("stop_canister", stopped).unwrap();
    assert_eq!(
        seen(&mut world, stopped, script()),
        format!("Canister {stopped} is stopped")
    );
}

#[test]
fn user_is_told_which_canister_did_not_reply() {
    let mut world = world();
    let id = world.puppet();
    let reject = expect_reject(world.run(id, script()), CanisterError, CanisterDidNotReply);
    assert_eq!(
        reject.message,
        format!("Canister {id} did not reply to the call")
    );
}

#[test]
fn deadline_has_no_error_code_in_front() {
    let mut world = world();
    let (caller, callee) = (world.puppet(), world.puppet());
    let later = call(callee, script().reply()).timeout(1);
    let id = world.submit(caller, script().call(later.on_reject(tell_reject())));
    world.step();
    world.advance(2);
    world.settle();
    let (code, told) = rejected(world.answer(id).unwrap());
    assert_eq!((code, told.as_str()), (6, "Call deadline has expired."));
}

#[test]
fn empty_canister_is_told_in_the_network_s_words() {
    let mut world = world();
    let empty = world.create();
    let advice = format!(
        "Error from Canister {empty}: Attempted to execute a message, but the canister contains no \
         Wasm module..\nPlease install code to this canister before calling it. See documentation: \
         {DOCUMENTATION}#wasm-module-not-found"
    );
    let reject = expect_reject(
        world.call(empty, "run", b""),
        CanisterError,
        CanisterWasmModuleNotFound,
    );
    assert_eq!(reject.message, "Requested canister has no wasm module");
    let reject = world.query(empty, "ask", b"").unwrap_err();
    assert_eq!(reject.message, advice);
    assert_eq!(
        seen(&mut world, empty, script()),
        format!("IC0537: {advice}")
    );
}

#[test]
fn empty_canister_without_cycles_is_out_of_cycles_first() {
    let mut world = world();
    let empty = world.create_with(0, CanisterSettings::default());
    expect_reject(
        world.call(empty, "run", b""),
        SysTransient,
        CanisterOutOfCycles,
    );
    let told = seen(&mut world, empty, script());
    assert!(told.starts_with("IC0207: "), "{told}");
}

#[test]
fn controllers_alone_are_told_how_many_cycles_are_missing() {
    let mut world = world();
    let id = world.create_with(1_000_000, CanisterSettings::default());
    let fee = fees::ingress(fees::envelope_size("run", b""));
    let missing = world.state(id).freezing_limit() + fee - 1_000_000;
    let as_who = |world: &mut World, who| world.call_as(who, id, "run", b"").unwrap_err().message;
    assert_eq!(
        as_who(&mut world, USER),
        format!(
            "Canister {id} is out of cycles: please top up the canister with at least {missing} \
             additional cycles"
        )
    );
    assert_eq!(
        as_who(&mut world, STRANGER),
        format!("Canister {id} is out of cycles")
    );
    world.top_up(id, missing - 1);
    world.call(id, "run", b"").unwrap_err();
    world.top_up(id, 1);
    let reject = world.call(id, "run", b"").unwrap_err();
    assert_eq!(reject.error_code, CanisterWasmModuleNotFound);
}

#[test]
fn frozen_canister_answers_no_queries_and_says_why() {
    let mut world = world();
    let id = world.puppet();
    world.bind(id, 1000 * T);
    let reject = expect_reject(
        world.ask(id, script().reply()),
        SysTransient,
        CanisterOutOfCycles,
    );
    assert_eq!(
        reject.message,
        format!(
            "Canister {id} is unable to process query calls because it's frozen. Please top up the \
             canister with cycles and try again."
        )
    );
}

#[test]
fn strangers_are_told_who_controls() {
    let mut world = world();
    let id = world.puppet();
    let args = ic_management_canister_types::CanisterIdRecord { canister_id: id };
    let reject = world
        .manage_as(STRANGER, "stop_canister", &args)
        .unwrap_err();
    assert_eq!(
        reject.message,
        format!(
            "Only the controllers of the canister {id} can control it.\nCanister's controllers: \
             {USER}\nSender's ID: {STRANGER}\nExecute this call from a controller of the target \
             canister or add the current caller as a controller. See documentation: \
             {DOCUMENTATION}#invalid-controller"
        )
    );
}
