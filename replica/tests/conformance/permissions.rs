//! Canister interface, "Overview of imports": which function can be called from where. The table
//! is typed from the specification here once more, and then every function is called from
//! everywhere.

use std::collections::BTreeMap;

use candid::Principal;
use local_replica::message::ErrorCode;
use local_replica::system_api::{EntryPoint, functions};
use local_replica::timeline::Ending;
use local_replica::wasm::{HostFunction, ValueType};

use crate::harness::{World, import};

/// The functions, and the letters that the specification has behind them. `TQ` (a transformation
/// of an HTTPS outcall) is left out, because a local replica has none.
const SPECIFIED: &str = "
msg_arg_data_size I U RQ NRQ CQ Ry CRy F
mint_cycles128 U Ry Rt T
msg_arg_data_copy I U RQ NRQ CQ Ry CRy F
msg_caller_size *
msg_caller_copy *
msg_caller_info_data_size U RQ NRQ CQ Ry Rt CRy CRt C CC F
msg_caller_info_data_copy U RQ NRQ CQ Ry Rt CRy CRt C CC F
msg_caller_info_signer_size U RQ NRQ CQ Ry Rt CRy CRt C CC F
msg_caller_info_signer_copy U RQ NRQ CQ Ry Rt CRy CRt C CC F
msg_reject_code Ry Rt CRy CRt C
msg_reject_msg_size Rt CRt
msg_reject_msg_copy Rt CRt
msg_deadline U Q CQ Ry Rt CRy CRt
msg_reply_data_append U RQ NRQ CQ Ry Rt CRy CRt
msg_reply U RQ NRQ CQ Ry Rt CRy CRt
msg_reject U RQ NRQ CQ Ry Rt CRy CRt
msg_cycles_available128 U RQ Rt Ry
msg_cycles_refunded128 Rt Ry
msg_cycles_accept128 U RQ Rt Ry
cycles_burn128 I G U RQ Ry Rt C T
canister_self_size *
canister_self_copy *
canister_cycle_balance128 *
canister_liquid_cycle_balance128 *
canister_status *
canister_version *
subnet_self_size *
subnet_self_copy *
msg_method_name_size F
msg_method_name_copy F
accept_message F
call_new U CQ Ry Rt CRy CRt T
call_on_cleanup U CQ Ry Rt CRy CRt T
call_data_append U CQ Ry Rt CRy CRt T
call_with_best_effort_response U CQ Ry Rt CRy CRt T
call_cycles_add128 U Ry Rt T
call_perform U CQ Ry Rt CRy CRt T
stable64_size * s
stable64_grow * s
stable64_write * s
stable64_read * s
root_key_size I G U RQ Ry Rt C T
root_key_copy I G U RQ Ry Rt C T
certified_data_set I G U Ry Rt T
data_certificate_present *
data_certificate_size NRQ CQ
data_certificate_copy NRQ CQ
time *
global_timer_set I G U Ry Rt C T
performance_counter * s
is_controller * s
in_replicated_execution * s
cost_call * s
cost_create_canister * s
cost_http_request * s
cost_http_request_v2 * s
cost_sign_with_ecdsa * s
cost_sign_with_schnorr * s
cost_vetkd_derive_key * s
env_var_count *
env_var_name_size *
env_var_name_copy *
env_var_name_exists *
env_var_value_size *
env_var_value_copy *
debug_print * s
trap * s
msg_cycles_available U RQ Rt Ry
msg_cycles_refunded Rt Ry
msg_cycles_accept U RQ Rt Ry
canister_cycle_balance *
call_cycles_add U Ry Rt T
stable_size * s
stable_grow * s
stable_write * s
stable_read * s
";

/// What a letter stands for.
fn entry_points(letter: &str) -> Vec<EntryPoint> {
    use EntryPoint::*;
    match letter {
        "I" => vec![Init, PostUpgrade],
        "G" => vec![PreUpgrade],
        "U" => vec![Update],
        "Q" => vec![ReplicatedQuery, Query],
        "RQ" => vec![ReplicatedQuery],
        "NRQ" => vec![Query],
        "CQ" => vec![CompositeQuery],
        "Ry" => vec![ReplyCallback],
        "Rt" => vec![RejectCallback],
        "CRy" => vec![CompositeReplyCallback],
        "CRt" => vec![CompositeRejectCallback],
        "C" => vec![Cleanup],
        "CC" => vec![CompositeCleanup],
        "s" => vec![Start],
        "F" => vec![InspectMessage],
        "T" => vec![SystemTask],
        "*" => "I G U RQ NRQ CQ Ry Rt CRy CRt C CC F T"
            .split(' ')
            .flat_map(entry_points)
            .collect(),
        letter => panic!("{letter}?"),
    }
}

fn specified() -> BTreeMap<&'static str, Vec<EntryPoint>> {
    let lines = SPECIFIED.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, letters) = line.split_once(' ').unwrap();
            (name, letters.split(' ').flat_map(entry_points).collect())
        })
        .collect()
}

#[test]
fn table_of_functions_is_the_specification_s() {
    let specified = specified();
    let names: Vec<&str> = functions().iter().map(|f| f.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, specified.keys().copied().collect::<Vec<_>>());
    for function in functions() {
        for point in EntryPoint::ALL {
            let allowed = specified[function.name].contains(&point);
            let name = function.name;
            assert_eq!(
                function.permission.contains(point),
                allowed,
                "{name} in {point}"
            );
        }
    }
    let only32: Vec<_> = functions()
        .iter()
        .filter(|f| !f.in_memory64)
        .map(|f| f.name)
        .collect();
    assert_eq!(
        only32,
        [
            "msg_cycles_available",
            "msg_cycles_refunded",
            "msg_cycles_accept",
            "canister_cycle_balance",
            "call_cycles_add",
            "stable_size",
            "stable_grow",
            "stable_write",
            "stable_read"
        ]
    );
}

type Function = HostFunction<local_replica::system_api::SystemApi>;

/// A module that calls a function, with zeros, from one entry point. Byte 0 of its memory is then
/// 1 before the call and 2 after it; where a state is discarded, a reply or an answer tells it.
fn caller(own: Principal, function: &Function, point: EntryPoint, memory64: bool) -> Vec<u8> {
    let pointer = if memory64 { "i64" } else { "i32" };
    let mut imports = import(function, memory64);
    for name in [
        "msg_reply",
        "call_new",
        "call_on_cleanup",
        "call_perform",
        "accept_message",
        "msg_reject",
        "msg_reply_data_append",
    ] {
        if name != function.name {
            let helper = functions().iter().find(|f| f.name == name).unwrap();
            imports += &import(helper, memory64);
        }
    }
    let zeros: String = function
        .parameters
        .iter()
        .map(|ty: &ValueType| match ty.is_64_bit(memory64) {
            true => "(i64.const 0)",
            false => "(i32.const 0)",
        })
        .collect();
    let call = format!("(call ${} {zeros})", function.name);
    let call = match function.result {
        Some(_) => format!("(drop {call})"),
        None => call,
    };
    let action = call;
    // Calls this canister; callbacks are at 0 (the action) and 1 (a trap).
    let outgoing = |method: (u32, u32), reply: u32, reject: u32, cleanup: Option<u32>| {
        let cleanup = cleanup.map_or(String::new(), |index| {
            format!("(call $call_on_cleanup ({pointer}.const {index}) ({pointer}.const 0))")
        });
        let (at, size) = method;
        let numbers = [16, 10, at, size, reply, 0, reject, 0];
        let numbers: String = numbers
            .iter()
            .map(|n| format!("({pointer}.const {n})"))
            .collect();
        format!("(call $call_new {numbers}) {cleanup} (drop (call $call_perform))")
    };
    // "ok" replies, "no" rejects; each as a query method, which all callers can call.
    let (ok, no) = ((32, 2), (34, 2));
    let entry = |export: &str| format!(r#"(func (export "{export}") {action})"#);
    let make = |export: &str, calls: &[String]| {
        format!(r#"(func (export "{export}") {})"#, calls.concat())
    };
    let entries = match point {
        EntryPoint::Start => format!("(func $start {action}) (start $start)"),
        EntryPoint::Init => entry("canister_init"),
        EntryPoint::PostUpgrade => entry("canister_post_upgrade"),
        EntryPoint::PreUpgrade => entry("canister_pre_upgrade"),
        EntryPoint::Update => entry("canister_update go"),
        EntryPoint::ReplicatedQuery | EntryPoint::Query => entry("canister_query go"),
        EntryPoint::CompositeQuery => entry("canister_composite_query go"),
        EntryPoint::InspectMessage => {
            entry("canister_inspect_message") + r#"(func (export "canister_update go"))"#
        }
        EntryPoint::SystemTask => entry("canister_heartbeat"),
        EntryPoint::ReplyCallback => make("canister_update go", &[outgoing(ok, 0, 1, None)]),
        EntryPoint::RejectCallback => make("canister_update go", &[outgoing(no, 1, 0, None)]),
        EntryPoint::Cleanup => make("canister_update go", &[outgoing(ok, 1, 1, Some(0))]),
        EntryPoint::CompositeReplyCallback => {
            make("canister_composite_query go", &[outgoing(ok, 0, 1, None)])
        }
        EntryPoint::CompositeRejectCallback => {
            make("canister_composite_query go", &[outgoing(no, 1, 0, None)])
        }
        EntryPoint::CompositeCleanup => unreachable!("nothing that happens in it can be seen"),
    };
    let text = format!(
        r#"(module {imports} (memory {width} 1)
             (data ({pointer}.const 16) "{own}")
             (data ({pointer}.const 32) "okno")
             (table 2 funcref) (elem (i32.const 0) func $act $fail)
             (func $act (param {pointer}) {action})
             (func $fail (param {pointer}) unreachable)
             (func (export "canister_query ok") (call $msg_reply))
             (func (export "canister_query no") (call $msg_reject ({pointer}.const 32) ({pointer}.const 0)))
             {entries})"#,
        own = own
            .as_slice()
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect::<String>(),
        width = if memory64 { "i64" } else { "" },
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// How an execution at an entry point ended: the fault, if there was one.
fn reach(
    world: &mut World,
    function: &Function,
    point: EntryPoint,
    memory64: bool,
) -> Result<(), String> {
    let id = world.create();
    let wasm = caller(id, function, point, memory64);
    let ended = reach_in(world, id, &wasm, point);
    // It has no heartbeat any more.
    world.command("uninstall_code", id).unwrap();
    ended
}

fn reach_in(
    world: &mut World,
    id: Principal,
    wasm: &[u8],
    point: EntryPoint,
) -> Result<(), String> {
    let fault = |reject: local_replica::message::Reject| match reject.error_code {
        // The entry point itself did not answer.
        ErrorCode::CanisterDidNotReply | ErrorCode::CanisterRejectedMessage => None,
        _ => Some(reject.message),
    };
    let installed = world.install(id, wasm, b"");
    if matches!(point, EntryPoint::Start | EntryPoint::Init) {
        return installed.map(|_| ()).map_err(|reject| reject.message);
    }
    installed.unwrap();
    let result = match point {
        EntryPoint::PostUpgrade | EntryPoint::PreUpgrade => world.upgrade(id, wasm, b""),
        EntryPoint::SystemTask => {
            world.advance(1);
            world.settle();
            match world.last_event().ending {
                Ending::Committed => Ok(vec![]),
                Ending::Undone(reject) => Err(reject),
            }
        }
        EntryPoint::Query
        | EntryPoint::CompositeQuery
        | EntryPoint::CompositeReplyCallback
        | EntryPoint::CompositeRejectCallback => world.query(id, "go", b""),
        EntryPoint::Cleanup => {
            world.call(id, "go", b"").unwrap_err();
            match world.last_event().ending {
                Ending::Committed => Ok(vec![]),
                Ending::Undone(reject) => Err(reject),
            }
        }
        _ => world.call(id, "go", b""),
    };
    result
        .map(|_| ())
        .or_else(|reject| fault(reject).map_or(Ok(()), Err))
}

fn check_all(memory64: bool) {
    let specified = specified();
    let mut world = World::new();
    for function in functions().iter().filter(|f| f.in_memory64 || !memory64) {
        // What happens in the cleanup of a composite query can't be seen from outside: the query
        // is rejected in any case. For it the comparison with the specification must do.
        let visible = |point: &EntryPoint| *point != EntryPoint::CompositeCleanup;
        for point in EntryPoint::ALL.into_iter().filter(visible) {
            let name = function.name;
            let here = format!("ic0.{name} in {point}");
            let refusal = format!("\"ic0.{name}\" cannot be executed in {point} mode");
            let ended = reach(&mut world, function, point, memory64);
            let allowed = specified[name].contains(&point);
            match ended {
                Ok(()) => assert!(allowed, "{here} was allowed"),
                Err(fault) => assert_eq!(fault.contains(&refusal), !allowed, "{here}: {fault}"),
            }
        }
    }
}

#[test]
fn every_function_is_refused_exactly_where_the_specification_refuses_it() {
    check_all(false);
}

#[test]
fn every_function_is_refused_exactly_there_with_64_bit_memory_too() {
    check_all(true);
}

#[test]
fn refusal_has_the_error_code_of_a_contract_violation_and_names_both() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (func (export "canister_query q")
             (drop (call $global_timer_set (i64.const 1))) (call $msg_reply))"#,
    );
    for (result, mode) in [
        (world.query(id, "q", b""), "non-replicated query"),
        (world.call(id, "q", b""), "replicated query"),
    ] {
        let reject = result.unwrap_err();
        assert_eq!(reject.error_code, ErrorCode::CanisterContractViolation);
        let begin = format!(
            "Error from Canister {id}: Canister violated contract: \"ic0.global_timer_set\" cannot \
             be executed in {mode} mode.\n"
        );
        assert!(reject.message.starts_with(&begin), "{reject}");
    }
}
