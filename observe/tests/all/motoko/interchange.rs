//! Rust and Motoko can take each other's place, as caller and as callee.

use std::fs;

use candid_parser::utils::{CandidSource, service_compatible, service_equal};
use local_replica::module::CanisterModule;
use local_replica::system_api;
use local_replica::wasm::Engine;
use observe::answer::Got;
use observe::stage::Language;

use crate::support::{Story, motoko, stage_in, story_on};

const COMBINATIONS: [(Language, Language); 4] = [
    (Language::Rust, Language::Rust),
    (Language::Rust, Language::Motoko),
    (Language::Motoko, Language::Rust),
    (Language::Motoko, Language::Motoko),
];

const CANISTER1: &str = include_str!("../../../../candid/canister1.did");
const CANISTER2: &str = include_str!("../../../../candid/canister2.did");
const MOTOKO_CANISTER1: &str = include_str!("../../../../canisters/motoko/canister1.did");

/// The methods of an interface that change something.
fn updates(interface: &str) -> Vec<&str> {
    let methods = interface.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(" : (")?;
        name.starts_with("increment").then_some(name)
    });
    methods.collect()
}

/// What these methods do in each combination, each on one pair.
fn stories(methods: &[&str]) -> [Vec<Story>; 4] {
    COMBINATIONS.map(|(caller, callee)| {
        let mut stage = stage_in(caller, callee);
        let stories = methods.iter().map(|method| story_on(&mut stage, method));
        stories.collect()
    })
}

#[test]
fn all_four_combinations_give_the_same_answer_to_the_question_of_the_article() {
    let methods = ["increment_both", "increment_both_then_trap"];
    let [rust, others @ ..] = stories(&methods);
    let [returns_err, traps] = &rust[..] else {
        unreachable!("there are two methods");
    };
    for story in &rust {
        assert_eq!((story.grown.canister1, story.grown.canister2), (1, 1));
    }
    assert!(matches!(returns_err.got, Got::ReplyErr(_)));
    assert_eq!(traps.got.words(), "reject 5, IC0503");
    for other in others {
        assert_eq!(other, rust);
    }
}

#[test]
fn every_method_of_the_rust_pair_does_the_same_in_motoko() {
    let mut methods = updates(CANISTER1);
    // Here the languages differ: a Motoko caller traps.
    methods.retain(|method| *method != "increment_then_call_with_too_many_cycles");
    assert!(methods.len() > 10);
    let [rust, others @ ..] = stories(&methods);
    for (other, combination) in others.iter().zip(&COMBINATIONS[1..]) {
        for ((rust, other), method) in rust.iter().zip(other).zip(&methods) {
            assert_eq!(rust, other, "{method}, {combination:?}");
        }
    }
}

#[test]
fn the_compiled_interfaces_are_the_written_ones_and_public() {
    let engine = Engine::new("ic0", system_api::functions());
    for (canister, written) in [
        ("canister1.wasm", MOTOKO_CANISTER1),
        ("canister2.wasm", CANISTER2),
    ] {
        let wasm = fs::read(motoko().join(canister)).unwrap();
        let module = CanisterModule::new(&engine, &wasm).unwrap();
        let compiled = &module.metadata["candid:service"];
        assert!(compiled.public);
        let compiled = std::str::from_utf8(&compiled.content).unwrap();
        service_equal(CandidSource::Text(compiled), CandidSource::Text(written)).unwrap();
    }
}

#[test]
fn who_can_call_the_rust_canister1_can_call_the_motoko_one() {
    let motoko = CandidSource::Text(MOTOKO_CANISTER1);
    service_compatible(motoko, CandidSource::Text(CANISTER1)).unwrap();
}
