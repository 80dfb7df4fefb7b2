//! Rust and Motoko can take each other's place, as caller and as callee.

use candid::IDLArgs;
use candid_parser::utils::{CandidSource, service_compatible, service_equal};
use local_replica::message::Reject;

use crate::pair::{Counters, Language, Pair};

const COMBINATIONS: [(Language, Language); 4] = [
    (Language::Rust, Language::Rust),
    (Language::Rust, Language::Motoko),
    (Language::Motoko, Language::Rust),
    (Language::Motoko, Language::Motoko),
];

const CANISTER1: &str = include_str!("../../../candid/canister1.did");
const CANISTER2: &str = include_str!("../../../candid/canister2.did");
const MOTOKO_CANISTER1: &str = include_str!("../../../canisters/motoko/canister1.did");

/// The methods of an interface that change something.
fn updates(interface: &str) -> Vec<&str> {
    let methods = interface.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(" : (")?;
        name.starts_with("increment").then_some(name)
    });
    methods.collect()
}

/// What a method did, as far as it can be compared between languages.
#[derive(Debug, PartialEq)]
struct Seen {
    grown: Counters,
    answer: Result<IDLArgs, Reject>,
    steps: Vec<String>,
}

/// What these methods do in each combination, each on one pair.
fn seen(methods: &[&str]) -> [Vec<Seen>; 4] {
    COMBINATIONS.map(|(caller, callee)| {
        let mut pair = Pair::deploy(caller, callee);
        let seen = methods.iter().map(|method| {
            let story = pair.story(method);
            Seen {
                grown: story.grown,
                answer: story
                    .answer
                    .map(|reply| IDLArgs::from_bytes(&reply).unwrap()),
                steps: story.steps,
            }
        });
        seen.collect()
    })
}

#[test]
fn all_four_combinations_give_the_same_answer_to_the_question_of_the_article() {
    let methods = ["increment_both", "increment_both_then_trap"];
    let [rust, others @ ..] = seen(&methods);
    let [returns_err, traps] = &rust[..] else {
        unreachable!("there are two methods");
    };
    for seen in &rust {
        assert_eq!((seen.grown.canister1, seen.grown.canister2), (1, 1));
    }
    assert!(returns_err.answer.is_ok());
    assert_eq!(
        traps.answer.as_ref().unwrap_err().error_code.to_string(),
        "IC0503"
    );
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
    let [rust, others @ ..] = seen(&methods);
    for (other, combination) in others.iter().zip(&COMBINATIONS[1..]) {
        for ((rust, other), method) in rust.iter().zip(other).zip(&methods) {
            assert_eq!(rust, other, "{method}, {combination:?}");
        }
    }
}

#[test]
fn the_compiled_interfaces_are_the_written_ones_and_public() {
    let pair = Pair::deploy(Language::Motoko, Language::Motoko);
    for (canister, written) in [
        (pair.canister1, MOTOKO_CANISTER1),
        (pair.canister2, CANISTER2),
    ] {
        let code = pair.replica.canister(&canister).unwrap().code.as_ref();
        let compiled = &code.unwrap().module.metadata["candid:service"];
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

#[test]
fn every_failing_method_that_only_motoko_has_is_a_row_of_these_tests() {
    let rust = updates(CANISTER1);
    let tests = include_str!("rows.rs");
    for method in updates(MOTOKO_CANISTER1) {
        let tested = tests.contains(&format!("story(\"{method}\")"));
        assert!(tested || rust.contains(&method), "{method}");
    }
}
