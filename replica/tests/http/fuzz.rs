//! Bodies that nobody thought of: the answer says what is wrong, and the server lives on. The
//! cases are the same at every run.

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::AnonymousIdentity;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_cbor::Value;
use tokio::runtime::Runtime;

use crate::harness::{Network, counter, get};
use crate::identities::{ed25519, secp256k1};
use crate::requests::{Label, call, query, read, signed, with_nonce};

/// How many bodies each test sends.
const CASES: u32 = 300;

const KINDS: [&str; 7] = [
    "v2/canister/ID/call",
    "v3/canister/ID/call",
    "v4/canister/ID/call",
    "v2/canister/ID/query",
    "v3/canister/ID/query",
    "v3/canister/ID/read_state",
    "v3/subnet/SUBNET/read_state",
];

struct World {
    runtime: Runtime,
    network: Network,
    counter: Principal,
}

impl World {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (network, counter) = runtime.block_on(async {
            let network = Network::start().await;
            let counter = counter(&network.user().await).await;
            (network, counter)
        });
        World {
            runtime,
            network,
            counter,
        }
    }

    /// Sends bodies that are drawn, and checks each answer.
    fn send<S: Strategy>(&self, bodies: &S, bytes: impl Fn(&World, S::Value) -> Vec<u8>) {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let kinds = proptest::sample::select(&KINDS[..]);
        let outcome = runner.run(&(kinds, bodies), |(kind, body)| {
            let body = bytes(self, body);
            let path = kind
                .replace("SUBNET", &self.network.subnet.to_text())
                .replace("ID", &self.counter.to_text());
            let path = format!("/api/{path}");
            let answer = self.runtime.block_on(self.network.post(&path, &body));
            let status = answer.status;
            prop_assert!((200..500).contains(&status), "{status}: {}", answer.text());
            if status >= 400 {
                prop_assert!(answer.text().ends_with('\n'), "{}", answer.text());
            }
            Ok(())
        });
        outcome.unwrap();
        self.runtime.block_on(async {
            self.network.check().await;
            get(&self.network.user().await, self.counter).await;
        });
    }

    /// A request that is right, of one of several kinds.
    fn right(&self, kind: u8) -> Vec<u8> {
        let identity: Box<dyn Identity> = match kind % 3 {
            0 => Box::new(AnonymousIdentity),
            1 => Box::new(ed25519(1)),
            _ => Box::new(secp256k1(1)),
        };
        let sender = identity.sender().unwrap();
        let content = match kind / 3 {
            0 => with_nonce(call(sender, self.counter, "add", b"argument"), b"nonce"),
            1 => query(sender, self.counter, "get", b"argument"),
            _ => {
                let canister = Label::from_bytes(self.counter.as_slice());
                let path = vec!["canister".into(), canister, "module_hash".into()];
                read(sender, vec![path, vec!["time".into()]])
            }
        };
        signed(content, &identity)
    }
}

#[test]
fn random_bytes_kill_nobody() {
    World::start().send(&vec(any::<u8>(), 0..400), |_, bytes| bytes);
}

/// A small change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    CutOff(Index),
    Repeat(Index, Index),
}

impl Change {
    fn any() -> impl Strategy<Value = Change> {
        let index = any::<Index>;
        prop_oneof![
            4 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
            2 => (index(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
            2 => index().prop_map(Change::Remove),
            1 => index().prop_map(Change::CutOff),
            1 => (index(), index()).prop_map(|(from, to)| Change::Repeat(from, to)),
        ]
    }

    fn make(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Change::Set(at, byte) => bytes[at.index(length)] = *byte,
            Change::Insert(at, byte) => bytes.insert(at.index(length), *byte),
            Change::Remove(at) => {
                bytes.remove(at.index(length));
            }
            Change::CutOff(at) => bytes.truncate(at.index(length)),
            Change::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let again = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(again);
            }
        }
    }
}

#[test]
fn changed_requests_kill_nobody() {
    let changed = (0u8..9, vec(Change::any(), 1..6));
    World::start().send(&changed, |world, (kind, changes)| {
        let mut bytes = world.right(kind);
        changes.iter().for_each(|change| change.make(&mut bytes));
        bytes
    });
}

/// Any value, and often one that could be right.
fn value() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 13] = [
        "call",
        "query",
        "read_state",
        "add",
        "get",
        "canister",
        "subnet",
        "request_status",
        "time",
        "metadata",
        "controllers",
        "canister_ranges",
        "queries",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(|number| Value::Integer(number.into())),
        any::<i64>().prop_map(|number| Value::Integer(number.into())),
        any::<f64>().prop_map(Value::Float),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        Just(Value::Bytes(vec![4])),
        proptest::sample::select(&WORDS[..]).prop_map(|word| Value::Bytes(word.into())),
        proptest::sample::select(&WORDS[..]).prop_map(|word| Value::Text(word.to_owned())),
        ".{0,12}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..6).prop_map(Value::Array),
            1 => vec((name(), inner), 0..6).prop_map(record),
        ]
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            "content",
            "sender_pubkey",
            "sender_sig",
            "sender_delegation",
            "request_type",
            "sender",
            "nonce",
            "ingress_expiry",
            "canister_id",
            "method_name",
            "arg",
            "paths",
            "delegation",
            "pubkey",
            "expiration",
            "targets",
            "permissions",
            "signature",
            "sender_info",
            "signer",
        ][..],
    )
}

fn record(fields: Vec<(&'static str, Value)>) -> Value {
    let field = |(name, value): (&str, Value)| (Value::Text(name.to_owned()), value);
    Value::Map(fields.into_iter().map(field).collect())
}

#[test]
fn envelopes_with_other_values_kill_nobody() {
    let changed = (0u8..9, vec((any::<bool>(), name(), value()), 1..4));
    World::start().send(&changed, |world, (kind, fields)| {
        let mut envelope: Value = serde_cbor::from_slice(&world.right(kind)).unwrap();
        for (outside, name, value) in fields {
            let Value::Map(map) = &mut envelope else {
                panic!("an envelope is a record");
            };
            let name = Value::Text(name.to_owned());
            match (outside, map.get_mut(&Value::Text("content".to_owned()))) {
                (false, Some(Value::Map(content))) => content.insert(name, value),
                _ => map.insert(name, value),
            };
        }
        serde_cbor::to_vec(&envelope).unwrap()
    });
}

#[test]
fn other_values_for_the_controls_kill_nobody() {
    let world = World::start();
    let (bodies, rng) = (
        "[ -~]{0,40}",
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new_with_rng(config, rng).run(&bodies, |text| {
        let body = text.as_bytes();
        let post = world.network.post("/local-replica/advance_time", body);
        let status = world.runtime.block_on(post).status;
        prop_assert!(matches!(status, 200 | 400), "{status}");
        let query: String = body.iter().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("/local-replica/timeline?since={query}");
        let status = world.runtime.block_on(world.network.fetch(&path)).status;
        prop_assert!(matches!(status, 200 | 400), "{status}");
        Ok(())
    });
    outcome.unwrap();
    world.runtime.block_on(world.network.check());
}
