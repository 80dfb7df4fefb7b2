//! The same request in all the ways that clients encode it: CBOR leaves many choices open.

use candid::Principal;
use ic_agent::Identity;
use ic_transport_types::{Envelope, EnvelopeContent, TransportCallResponse};
use sha2::{Digest, Sha256};

use crate::cbor::{Cbor, Style, styles};
use crate::harness::{Network, counter, get};
use crate::identities::{ed25519, secp256k1};
use crate::raw::Answer;
use crate::requests::{Label, call, envelope, query, read, with_nonce};

fn text(text: &str) -> Cbor {
    Cbor::Text(text.to_owned())
}

fn principal(id: Principal) -> Cbor {
    Cbor::Bytes(id.as_slice().to_vec())
}

fn content(content: &EnvelopeContent) -> Cbor {
    match content.clone() {
        EnvelopeContent::Call {
            nonce,
            ingress_expiry,
            sender,
            canister_id,
            method_name,
            arg,
            ..
        }
        | EnvelopeContent::Query {
            nonce,
            ingress_expiry,
            sender,
            canister_id,
            method_name,
            arg,
            ..
        } => {
            let kind = match content {
                EnvelopeContent::Call { .. } => "call",
                _ => "query",
            };
            Cbor::Record(vec![
                ("request_type", text(kind)),
                ("nonce", nonce.map_or(Cbor::Null, Cbor::Bytes)),
                ("ingress_expiry", Cbor::Number(ingress_expiry)),
                ("sender", principal(sender)),
                ("canister_id", principal(canister_id)),
                ("method_name", Cbor::Text(method_name)),
                ("arg", Cbor::Bytes(arg)),
            ])
        }
        EnvelopeContent::ReadState {
            ingress_expiry,
            sender,
            paths,
        } => {
            let label = |label: &Label| Cbor::Bytes(label.as_bytes().to_vec());
            let path = |path: &Vec<Label>| Cbor::List(path.iter().map(label).collect());
            Cbor::Record(vec![
                ("request_type", text("read_state")),
                ("ingress_expiry", Cbor::Number(ingress_expiry)),
                ("sender", principal(sender)),
                ("paths", Cbor::List(paths.iter().map(path).collect())),
            ])
        }
    }
}

fn whole(envelope: &Envelope<'_>) -> Cbor {
    let bytes = |bytes: &Option<Vec<u8>>| bytes.clone().map_or(Cbor::Null, Cbor::Bytes);
    Cbor::Record(vec![
        ("content", content(&envelope.content)),
        ("sender_pubkey", bytes(&envelope.sender_pubkey)),
        ("sender_sig", bytes(&envelope.sender_sig)),
        ("sender_delegation", Cbor::List(vec![])),
    ])
}

/// The network, a counter, and its doors for calls, queries and reads.
async fn world() -> (Network, Principal, [String; 3]) {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let doors = [
        "v4/canister/ID/call",
        "v3/canister/ID/query",
        "v3/canister/ID/read_state",
    ];
    let door = |door: &str| format!("/api/{}", door.replace("ID", &counter.to_text()));
    (network, counter, doors.map(door))
}

#[track_caller]
fn expect_replied(answer: &Answer, style: Style) {
    assert_eq!(answer.status, 200, "{style:?}: {}", answer.text());
    let answer: TransportCallResponse = answer.cbor();
    let replied = matches!(answer, TransportCallResponse::Replied { .. });
    assert!(replied, "{style:?}: {answer:?}");
}

#[tokio::test]
async fn call_is_understood_in_every_encoding() {
    let (network, counter, [door, ..]) = world().await;
    let user = secp256k1(3);
    let mut expected = 0;
    for style in styles() {
        let content = call(
            user.sender().unwrap(),
            counter,
            "add",
            b"some longer argument",
        );
        for content in [content.clone(), with_nonce(content, b"a nonce")] {
            let body = style.envelope(&whole(&envelope(content, &user)));
            expect_replied(&network.post(&door, &body).await, style);
            expected += 1;
        }
    }
    assert_eq!(get(&network.user().await, counter).await, expected);
}

#[tokio::test]
async fn query_and_read_state_are_understood_in_every_encoding() {
    let (network, counter, [_, ask, look]) = world().await;
    let user = ed25519(3);
    let sender = user.sender().unwrap();
    for style in styles() {
        let content = query(sender, counter, "get", b"");
        let body = style.envelope(&whole(&envelope(content, &user)));
        let answer = network.post(&ask, &body).await;
        assert_eq!(answer.status, 200, "{style:?}: {}", answer.text());
        let canister = Label::from_bytes(counter.as_slice());
        let paths = vec![
            vec!["canister".into(), canister, "module_hash".into()],
            vec!["time".into()],
        ];
        let body = style.envelope(&whole(&envelope(read(sender, paths), &user)));
        let answer = network.post(&look, &body).await;
        assert_eq!(answer.status, 200, "{style:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn anonymous_fields_may_be_null_or_absent() {
    let (network, counter, [door, ..]) = world().await;
    let anonymous = ic_agent::identity::AnonymousIdentity;
    let content = call(Principal::anonymous(), counter, "add", b"");
    let with_nulls = whole(&envelope(content.clone(), &anonymous));
    let bare = Cbor::Record(vec![("content", self::content(&content))]);
    for value in [with_nulls, bare] {
        let style = Style::default();
        expect_replied(&network.post(&door, &style.envelope(&value)).await, style);
    }
    // Both are the same request.
    assert_eq!(get(&network.user().await, counter).await, 1);
}

/// The specification gives `read_state` a nonce, too; it is a part of what is signed.
#[tokio::test]
async fn signed_read_state_may_have_a_nonce() {
    let (network, _, [.., door]) = world().await;
    let user = ed25519(3);
    for length in [8, 32, 33] {
        let nonce = vec![5; length];
        let plain = read(user.sender().unwrap(), vec![vec!["time".into()]]);
        let Cbor::Record(mut fields) = content(&plain) else {
            panic!("it is a record");
        };
        fields.insert(1, ("nonce", Cbor::Bytes(nonce.clone())));
        let id = request_id_of_read(&plain, &nonce);
        let signature = user.sign_arbitrary(&[b"\x0Aic-request".as_slice(), &id].concat());
        let value = Cbor::Record(vec![
            ("content", Cbor::Record(fields)),
            ("sender_pubkey", Cbor::Bytes(user.public_key().unwrap())),
            (
                "sender_sig",
                Cbor::Bytes(signature.unwrap().signature.unwrap()),
            ),
        ]);
        let answer = network
            .post(&door, &Style::default().envelope(&value))
            .await;
        match length {
            33 => answer.expect(400, "nonce is longer than 32"),
            _ => assert_eq!(answer.status, 200, "{}", answer.text()),
        }
    }
}

/// The id of a request to read the time that has a nonce, as the specification's section
/// "Representation-independent hashing" has it.
fn request_id_of_read(content: &EnvelopeContent, nonce: &[u8]) -> [u8; 32] {
    let hash = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
    let mut expiry = Vec::new();
    let mut left = content.ingress_expiry();
    while left >= 0x80 {
        expiry.push(left as u8 | 0x80);
        left >>= 7;
    }
    expiry.push(left as u8);
    let mut fields = [
        ("request_type", hash(b"read_state")),
        ("ingress_expiry", hash(&expiry)),
        ("sender", hash(content.sender().as_slice())),
        ("nonce", hash(nonce)),
        // A list of one path of one label.
        ("paths", hash(&hash(&hash(b"time")))),
    ]
    .map(|(name, value)| [hash(name.as_bytes()), value].concat());
    fields.sort();
    hash(&fields.concat())
}

#[tokio::test]
async fn what_cbor_allows_and_the_interface_not_is_refused() {
    let (network, counter, [door, ..]) = world().await;
    let content = self::content(&call(Principal::anonymous(), counter, "add", b""));
    let Cbor::Record(fields) = content else {
        panic!("it is a record");
    };
    let with = |name: &'static str, value: Cbor| {
        let mut fields = fields.clone();
        fields.iter_mut().find(|field| field.0 == name).unwrap().1 = value;
        vec![("content", Cbor::Record(fields))]
    };
    let twice = |name: &'static str| {
        let mut fields = fields.clone();
        fields.push(fields.iter().find(|field| field.0 == name).unwrap().clone());
        vec![("content", Cbor::Record(fields))]
    };
    let float = Cbor::Raw([&[0xfb], 1e18f64.to_be_bytes().as_slice()].concat());
    let content = Cbor::Record(fields.clone());
    let long = Cbor::Bytes(vec![1; 30]);
    for fields in [
        with("ingress_expiry", float),
        with("ingress_expiry", Cbor::Raw(vec![0x20])),
        with("ingress_expiry", text("soon")),
        with("sender", long),
        with("sender", Cbor::Null),
        with("canister_id", Cbor::Number(4)),
        with("method_name", Cbor::Number(4)),
        with("method_name", Cbor::Raw(vec![0x62, 0xff, 0xfe])),
        with("arg", Cbor::Null),
        with("nonce", Cbor::Number(1)),
        with("request_type", text("install")),
        with("request_type", Cbor::Null),
        twice("arg"),
        twice("sender"),
        twice("request_type"),
        vec![],
        vec![("content", Cbor::Null)],
        vec![("content", content.clone()), ("content", content.clone())],
        vec![
            ("content", content.clone()),
            ("sender_sig", Cbor::Number(1)),
        ],
        vec![("content", content), ("sender_delegation", Cbor::Number(1))],
    ] {
        let body = Style::default().envelope(&Cbor::Record(fields));
        network
            .post(&door, &body)
            .await
            .expect(400, "the body is no envelope");
    }
    assert_eq!(get(&network.user().await, counter).await, 0);
}
