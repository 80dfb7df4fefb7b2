//! Canister interface, "Time", "Performance counter", "Controller check", "Replicated execution check", "Environment variables",
//! "Certified data" and "Ingress message inspection".

#[cfg(feature = "certificates")]
use ic_certification::{Certificate, LookupResult};
use ic_management_canister_types::{CanisterSettings, EnvironmentVariable};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{STRANGER, USER, World, expect_reject, module, number, numbers};
use crate::puppet::{call, call_method, script};

const SECOND: u64 = 1_000_000_000;

#[test]
fn time_is_the_replica_s_clock_and_stands_still_within_it() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let start = world.replica.time();
    let twice = script().get("time", 0).call(
        call(b, script().reply()).on_reply(
            script()
                .get("time", 1)
                .append_cell(0)
                .append_cell(1)
                .reply(),
        ),
    );
    assert_eq!(
        numbers(&world.run(a, twice.clone()).unwrap()),
        [start, start]
    );
    world.advance(7);
    let later = start + 7 * SECOND;
    assert_eq!(numbers(&world.run(a, twice).unwrap()), [later, later]);
    assert_eq!(
        number(&world.ask(a, script().get("time", 0).reply_cell(0)).unwrap()),
        later
    );
}

#[test]
fn performance_counters_grow_and_the_second_counts_the_whole_call() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let look = |cell| {
        script()
            .get_of("counter", cell, 0)
            .get_of("counter", cell + 1, 1)
    };
    let then = look(4)
        .append_cell(0)
        .append_cell(1)
        .append_cell(2)
        .append_cell(3)
        .append_cell(4)
        .append_cell(5);
    let first = look(0)
        .spin(1000)
        .get_of("counter", 2, 0)
        .get_of("counter", 3, 1);
    let reply = world.run(
        a,
        first.call(call(b, script().reply()).on_reply(then.reply())),
    );
    let [m0, c0, m1, c1, m2, c2] = numbers(&reply.unwrap())[..] else {
        panic!("six numbers");
    };
    assert!(m0 <= c0 && m1 > m0 + 1000 && c1 > c0 + 1000);
    assert!(
        m2 < m1 && c2 > c1,
        "a callback counts anew, its call goes on: {m2} {c2}"
    );
    let other = world.run(a, script().get_of("counter", 0, 2).reply());
    expect_reject(other, CanisterError, CanisterContractViolation);
}

#[test]
fn is_controller_knows_the_controllers() {
    let mut world = World::new();
    let id = world.puppet();
    let look = script()
        .ask_controller(0, USER)
        .ask_controller(1, STRANGER)
        .ask_controller(2, id);
    let reply = world.run(
        id,
        look.append_cell(0).append_cell(1).append_cell(2).reply(),
    );
    assert_eq!(numbers(&reply.unwrap()), [1, 0, 0]);
}

#[test]
fn canister_knows_whether_its_execution_is_replicated() {
    let mut world = World::new();
    let id = world.puppet();
    let look = script().get("replicated", 0).reply_cell(0);
    assert_eq!(number(&world.run(id, look.clone()).unwrap()), 1);
    assert_eq!(number(&world.call(id, "ask", &look.0).unwrap()), 1);
    assert_eq!(number(&world.ask(id, look.clone()).unwrap()), 0);
    assert_eq!(number(&world.query(id, "compose", &look.0).unwrap()), 0);
}

#[test]
fn environment_variables_are_found_by_name_and_index_with_both_widths() {
    let variable = |name: &str, value: &str| EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let settings = CanisterSettings {
        environment_variables: Some(vec![variable("zoo", "tiger"), variable("ab", "c")]),
        ..Default::default()
    };
    for (memory64, i) in [(false, "i32"), (true, "i64")] {
        let mut world = World::new();
        let id = world.create_with(crate::harness::T * 10, settings.clone());
        let wide = |call: &str| {
            if memory64 {
                call.to_owned()
            } else {
                format!("(i64.extend_i32_u {call})")
            }
        };
        let text = format!(
            r#"(module {imports} (memory {width} 1) (data ({i}.const 0) "zoonope")
                 (func $say (param $n i64)
                   (i64.store ({i}.const 200) (local.get $n))
                   (call $msg_reply_data_append ({i}.const 200) ({i}.const 8)))
                 (func (export "canister_query look")
                   (call $say {count})
                   (call $say (i64.extend_i32_u (call $env_var_name_exists ({i}.const 0) ({i}.const 3))))
                   (call $say (i64.extend_i32_u (call $env_var_name_exists ({i}.const 3) ({i}.const 4))))
                   (call $say {size})
                   (call $say {name_size})
                   (call $env_var_value_copy ({i}.const 0) ({i}.const 3) ({i}.const 300) ({i}.const 1) ({i}.const 4))
                   (call $env_var_name_copy ({i}.const 0) ({i}.const 304) ({i}.const 0) ({i}.const 2))
                   (i64.store8 ({i}.const 306) (i64.const 0x21))
                   (i64.store8 ({i}.const 307) (i64.const 0x21))
                   (call $msg_reply_data_append ({i}.const 300) ({i}.const 8))
                   (call $msg_reply))
                 (func (export "canister_query missing")
                   (drop (call $env_var_value_size ({i}.const 3) ({i}.const 4))))
                 (func (export "canister_query beyond") (drop (call $env_var_name_size ({i}.const 2)))))"#,
            imports = crate::harness::imports(memory64),
            width = if memory64 { "i64" } else { "" },
            count = wide("(call $env_var_count)"),
            size = wide(&format!(
                "(call $env_var_value_size ({i}.const 0) ({i}.const 3))"
            )),
            name_size = wide(&format!("(call $env_var_name_size ({i}.const 1))")),
        );
        world
            .install(id, &wat::parse_str(text).unwrap(), b"")
            .unwrap();
        let told = numbers(&world.query(id, "look", b"").unwrap());
        assert_eq!(told, [2, 1, 0, 5, 3, u64::from_le_bytes(*b"igerab!!")]);
        for method in ["missing", "beyond"] {
            expect_reject(
                world.query(id, method, b""),
                CanisterError,
                CanisterContractViolation,
            );
        }
    }
}

#[test]
#[cfg(feature = "certificates")]
fn data_certificate_of_a_query_verifies_under_the_root_key() {
    let mut world = World::new();
    let id = world.puppet();
    world
        .run(
            id,
            script().certify(b"thirty-two bytes at the most").reply(),
        )
        .unwrap();
    let bytes = world
        .ask(id, script().op("append_certificate").reply())
        .unwrap();
    let certificate: Certificate = serde_cbor::from_slice(&bytes).unwrap();
    let path: [&[u8]; 3] = [b"canister", id.as_slice(), b"certified_data"];
    let found = certificate.tree.lookup_path(path);
    assert_eq!(found, LookupResult::Found(b"thirty-two bytes at the most"));
    let mut message = b"\x0dic-state-root".to_vec();
    message.extend_from_slice(&certificate.tree.digest());
    // The key is the last 96 bytes of its DER encoding.
    let der = world.replica.root_key();
    let key = &der[der.len() - 96..];
    ic_verify_bls_signature::verify_bls_signature(&certificate.signature, &message, key).unwrap();
    let root_key = world.run(id, script().op("append_root_key").reply());
    assert_eq!(root_key.as_deref(), Ok(world.replica.root_key()));
}

#[test]
#[cfg(feature = "certificates")]
fn data_certificate_is_there_in_queries_only() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let look = || script().get("certificate_present", 0).reply_cell(0);
    assert_eq!(number(&world.ask(a, look()).unwrap()), 1);
    assert_eq!(number(&world.query(a, "compose", &look().0).unwrap()), 1);
    assert_eq!(number(&world.run(a, look()).unwrap()), 0);
    assert_eq!(number(&world.call(a, "ask", &look().0).unwrap()), 0);
    let inner = script().call(call_method(b, "ask", &look().0));
    assert_eq!(number(&world.query(a, "compose", &inner.0).unwrap()), 0);
    let after = call_method(b, "ask", &script().reply().0).on_reply(look());
    assert_eq!(
        number(&world.query(a, "compose", &script().call(after).0).unwrap()),
        0
    );
}

#[test]
fn certified_data_has_at_most_32_bytes() {
    let mut world = World::new();
    let id = world.puppet();
    world.run(id, script().certify(&[1; 32]).reply()).unwrap();
    let result = world.run(id, script().certify(&[2; 33]).reply());
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(world.state(id).certified_data, [1; 32]);
}

#[test]
fn inspect_message_decides_which_messages_of_users_are_taken() {
    let mut world = World::new();
    let b = world.puppet();
    let id = world.create();
    let wasm = module(
        r#"(memory 1)
           (func (export "canister_inspect_message")
             (i64.store (i32.const 1000) (i64.const 1))
             (call $msg_method_name_copy (i32.const 0) (i32.const 0) (i32.const 1))
             (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 97)) (then (call $accept_message)))
             (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 116)) (then unreachable))
             (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 50))
               (then (call $accept_message) (call $accept_message))))
           (func $reply (call $reply_number (i64.load (i32.const 1000))))
           (export "canister_update accepted" (func $reply))
           (export "canister_update refused" (func $reply))
           (export "canister_update trapped" (func $reply))
           (export "canister_update 2" (func $reply))
           (export "canister_query query" (func $reply))"#,
    );
    world.install(id, &wasm, b"").unwrap();
    assert_eq!(
        number(&world.call(id, "accepted", b"").unwrap()),
        0,
        "its changes are discarded"
    );
    let balance = world.state(id).balance;
    expect_reject(
        world.call(id, "refused", b""),
        CanisterReject,
        CanisterRejectedMessage,
    );
    expect_reject(
        world.call(id, "trapped", b""),
        CanisterError,
        CanisterTrapped,
    );
    expect_reject(
        world.call(id, "2", b""),
        CanisterError,
        CanisterContractViolation,
    );
    assert_eq!(
        world.state(id).balance,
        balance,
        "what is not taken in costs nothing"
    );
    // Neither queries nor calls of canisters are inspected.
    world.query(id, "query", b"").unwrap();
    let reply = world.run(b, script().call(call_method(id, "refused", b"")));
    assert_eq!(number(&reply.unwrap()), 0);
}

#[test]
fn subnet_has_an_id_and_it_is_not_the_canister_s() {
    let mut world = World::new();
    let id = world.puppet();
    let subnet = world.run(id, script().op("append_subnet").reply()).unwrap();
    let own = world.run(id, script().op("append_self").reply()).unwrap();
    assert_eq!(own, id.as_slice());
    assert_eq!(subnet, world.replica.subnet_id().as_slice());
    #[cfg(feature = "certificates")]
    assert_eq!(
        world.replica.subnet_id(),
        candid::Principal::self_authenticating(world.replica.root_key())
    );
}

#[test]
#[cfg(not(feature = "certificates"))]
fn replica_without_certificates_has_no_root_key_and_certifies_nothing() {
    let mut world = World::new();
    let id = world.puppet();
    world.run(id, script().certify(b"data").reply()).unwrap();
    let look = script().get("certificate_present", 0).reply_cell(0);
    assert_eq!(number(&world.ask(id, look).unwrap()), 0);
    let result = world.ask(id, script().op("append_certificate").reply());
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(world.replica.root_key(), b"");
    let root_key = world.run(id, script().op("append_root_key").reply());
    assert_eq!(root_key, Ok(vec![]));
    let other = World::with(local_replica::Config {
        seed: b"another".to_vec(),
        ..crate::harness::config()
    });
    assert_ne!(other.replica.subnet_id(), world.replica.subnet_id());
}
