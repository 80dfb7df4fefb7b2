//! Hostile calls: strangers call every method of a lesson's canisters with whatever its interface allows.
//! Afterwards the canisters can be stopped and upgraded, and every experiment of the lesson comes out as
//! predicted, as on new ones.

use std::path::PathBuf;

use candid::types::value::{IDLField, IDLValue, VariantValue};
use candid::types::{Type, TypeEnv, TypeInner};
use candid::utils::ArgumentEncoder;
use candid::{Principal, ser::IDLBuilder};
use candid_parser::utils::CandidSource;
use observe::lesson::Lesson;
use observe::lessons::LESSONS;
use observe::network::timeline::Step;
use observe::stage::{Stage, accepted};

use crate::pages::rooms;
use crate::support::{project, stage};

/// Every method is called so often, each time by another stranger.
const ROUNDS: u64 = 50;

/// A single message of a stranger's call may take so many instructions at most: 1/40 of what is allowed.
const MOST_INSTRUCTIONS: u64 = 1_000_000_000;

#[test]
fn after_hostile_calls_every_experiment_is_as_predicted() {
    for (lesson, (_, room)) in LESSONS.iter().zip(rooms()) {
        let mut stage = stage(lesson);
        let canisters = canisters(&stage, lesson, &room);
        call_all(&mut stage, lesson, &canisters);
        for (canister, _) in &canisters {
            for command in ["stop_canister", "upgrade", "start_canister"] {
                let answer = match command {
                    "upgrade" => stage.upgrade(*canister),
                    _ => stage.command(*canister, command),
                };
                accepted(answer.unwrap()).unwrap_or_else(|why| panic!("{room}: {command}: {why}"));
            }
        }
        for experiment in (lesson.experiments)() {
            let finding = experiment.observe(lesson.name, &mut stage).unwrap();
            assert_eq!(finding.as_predicted, Some(true), "{finding:?}");
        }
    }
}

/// The canisters of a lesson, and their interfaces.
fn canisters(stage: &Stage, lesson: &Lesson, room: &str) -> Vec<(Principal, PathBuf)> {
    let in_room = |part: &str| project().join(format!("lessons/{room}/{part}.did"));
    let of_pair = |name: &str| project().join(format!("candid/{name}.did"));
    let parts = lesson.canisters.in_room();
    if parts.is_empty() {
        let pair = [(stage.caller, "canister1"), (stage.callee, "canister2")];
        return pair
            .map(|(canister, name)| (canister, of_pair(name)))
            .into();
    }
    let canister = |part: &str| match part {
        "caller" => stage.caller,
        "callee" => stage.callee,
        _ => stage.proxy().unwrap(),
    };
    let found = parts.iter().map(|part| (canister(part), in_room(part)));
    found.collect()
}

/// Calls all methods of these canisters, in rounds, and checks what each message takes.
fn call_all(stage: &mut Stage, lesson: &Lesson, canisters: &[(Principal, PathBuf)]) {
    let owner = stage.user();
    let mut stranger = 0;
    for round in 0..ROUNDS {
        for (canister, interface) in canisters {
            let (types, service) = CandidSource::File(interface).load().unwrap();
            let service = service.expect("it has a service");
            for (method, signature) in types.as_service(&service).unwrap() {
                stranger += 1;
                stage.become_user(stranger).unwrap();
                stage.begin_scene().unwrap();
                let principals = [owner, stage.user(), stage.caller, stage.callee];
                let mut chance = Chance(round * 1000 + stranger as u64);
                let kinds = &types.as_func(signature).unwrap().args;
                let values = kinds
                    .iter()
                    .map(|kind| value(&types, kind, &principals, &mut chance));
                let arguments = Arguments {
                    values: values.collect(),
                    types: types.clone(),
                    kinds: kinds.clone(),
                };
                let _however_it_ends = stage.call(*canister, method, arguments).unwrap();
                for event in stage.events() {
                    let own = matches!(&event.step, Step::Method { .. } | Step::Callback { .. });
                    assert!(
                        !own || event.instructions < MOST_INSTRUCTIONS,
                        "{} {method}: {event:?}",
                        lesson.name
                    );
                }
            }
        }
    }
    stage.become_user(0).unwrap();
}

/// Numbers that look like chance and are the same in every run.
struct Chance(u64);

impl Chance {
    /// One of so many.
    fn pick(&mut self, of: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % of
    }
}

/// A value of a type: small, at the edge, or long.
fn value(types: &TypeEnv, kind: &Type, principals: &[Principal], chance: &mut Chance) -> IDLValue {
    let edges = |most: u64, chance: &mut Chance| {
        let numbers = [0, 1, 2, 7, 80, 100, most - 1, most];
        IDLValue::Number(numbers[chance.pick(numbers.len())].to_string())
    };
    let kind = types.trace_type(kind).unwrap();
    match kind.as_ref() {
        TypeInner::Null => IDLValue::Null,
        TypeInner::Bool => IDLValue::Bool(chance.pick(2) == 0),
        TypeInner::Nat8 => edges(u8::MAX.into(), chance),
        TypeInner::Nat32 => edges(u32::MAX.into(), chance),
        TypeInner::Nat64 => edges(u64::MAX, chance),
        TypeInner::Nat => match chance.pick(3) {
            0 => IDLValue::Number(u128::MAX.to_string() + &"9".repeat(1000)),
            _ => edges(u64::MAX, chance),
        },
        TypeInner::Text => IDLValue::Text("x".repeat([0, 5, 100_000][chance.pick(3)])),
        TypeInner::Principal => IDLValue::Principal(principals[chance.pick(principals.len())]),
        TypeInner::Opt(inner) => match chance.pick(3) {
            0 => IDLValue::None,
            _ => IDLValue::Opt(Box::new(value(types, inner, principals, chance))),
        },
        TypeInner::Vec(inner) => {
            // 32 is what a subaccount has.
            let length = [0, 1, 3, 32, 2000][chance.pick(5)];
            let items = (0..length).map(|_| value(types, inner, principals, chance));
            IDLValue::Vec(items.collect())
        }
        TypeInner::Record(fields) => {
            let fields = fields.iter().map(|field| IDLField {
                id: field.id.as_ref().clone(),
                val: value(types, &field.ty, principals, chance),
            });
            IDLValue::Record(fields.collect())
        }
        TypeInner::Variant(fields) => {
            let picked = chance.pick(fields.len());
            let field = IDLField {
                id: fields[picked].id.as_ref().clone(),
                val: value(types, &fields[picked].ty, principals, chance),
            };
            IDLValue::Variant(VariantValue(Box::new(field), picked as u64))
        }
        other => panic!("no value for {other:?}"),
    }
}

/// Arguments of whatever types.
struct Arguments {
    values: Vec<IDLValue>,
    types: TypeEnv,
    kinds: Vec<Type>,
}

impl ArgumentEncoder for Arguments {
    fn encode(self, builder: &mut IDLBuilder) -> candid::Result<()> {
        self.encode_ref(builder)
    }

    fn encode_ref(&self, builder: &mut IDLBuilder) -> candid::Result<()> {
        for (value, kind) in self.values.iter().zip(&self.kinds) {
            builder.value_arg_with_type(value, &self.types, kind)?;
        }
        Ok(())
    }
}
