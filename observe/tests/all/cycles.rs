//! The lesson `cycles`: what its table shows; and that the replica's own account of all cycles agrees
//! with what the canisters say.

use std::time::Duration;

use crate::support::{assert_questions_can_be_answered, folders, observe, stage, text, wasm};
use candid::utils::ArgumentEncoder;
use candid::{CandidType, Decode, Deserialize, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, EnvironmentVariable,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use local_replica::hold::{Delivery, Kind};
use local_replica::{Config, CyclesAccount, IngressStatus, Replica, fees};
use observe::deployment::install_args;
use observe::lessons::cycles::LESSON;

#[derive(CandidType, Clone, Copy, Deserialize)]
enum Work {
    Succeeds,
    Rejects,
    Traps,
}

#[derive(CandidType, Deserialize)]
struct Report {
    back: u128,
}

#[derive(CandidType, Deserialize)]
struct Account {
    accepted: u128,
    served: u64,
}

/// The callee's methods that are paid for.
const PAID: [&str; 4] = [
    "accept_then_trap",
    "accept_then_reject",
    "accept_then_await_then_trap",
    "work_then_accept",
];

#[test]
fn every_question_has_the_right_answer_among_its_choices() {
    assert_questions_can_be_answered(&LESSON);
}

#[test]
fn every_row_is_as_predicted() {
    let output = observe(&["cycles"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(printed.matches("\n✓ mistake: ").count(), 5, "{printed}");
    assert_eq!(printed.matches("\n✓ right way: ").count(), 6, "{printed}");
    assert!(printed.ends_with("\n16 of 16 as predicted.\n"), "{printed}");
}

#[test]
fn the_work_is_done_exactly_where_it_is_paid() {
    for (method, work, expected) in [
        ("call_careful_callee", Work::Succeeds, (400, 1)),
        ("call_careful_callee", Work::Rejects, (0, 0)),
        ("call_careful_callee", Work::Traps, (0, 0)),
        ("call_with_too_few", Work::Succeeds, (0, 0)),
        ("call_rejecting_callee", Work::Succeeds, (400, 0)),
        ("call_awaiting_callee", Work::Succeeds, (400, 0)),
    ] {
        let mut stage = stage(&LESSON);
        stage.call(stage.caller, method, (work,)).unwrap().unwrap();
        let account: Account = stage
            .query(stage.callee, "account", (stage.caller,))
            .unwrap();
        assert_eq!((account.accepted, account.served), expected, "{method}");
    }
}

#[test]
fn accounts_survive_an_upgrade() {
    let mut stage = stage(&LESSON);
    let arguments = (Work::Succeeds,);
    stage
        .call(stage.caller, "call_careful_callee", arguments)
        .unwrap()
        .unwrap();
    stage.upgrade(stage.callee).unwrap().unwrap();
    let account: Account = stage
        .query(stage.callee, "account", (stage.caller,))
        .unwrap();
    assert_eq!(account.accepted, 400);
}

#[test]
fn the_callee_works_for_canisters_alone() {
    let mut stage = stage(&LESSON);
    for method in PAID {
        let answer = stage.call(stage.callee, method, (Work::Succeeds,));
        let message = answer.unwrap().unwrap_err().message;
        assert!(message.contains("only a canister"), "{method}: {message}");
    }
}

#[test]
fn a_thousand_strange_canisters_have_nothing_forgotten() {
    let mut world = World::new();
    let method = "call_careful_callee";
    let before = world.call(method, (Work::Succeeds,), &[]);
    world.fill_the_callee();
    let after = world.call(method, (Work::Succeeds,), &[]);
    assert_eq!((before.back, after.back), (600, 600));
    let account = world.account();
    assert_eq!((account.accepted, account.served), (800, 2));
}

#[test]
fn a_thousand_strange_users_add_nothing_to_what_the_callee_keeps() {
    let mut stage = stage(&LESSON);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let method = PAID[stranger % PAID.len()];
        let answer = stage.call(stage.callee, method, (Work::Succeeds,));
        answer.unwrap().unwrap_err();
    }
    let method = "call_careful_callee";
    let arguments = (Work::Succeeds,);
    let answer = stage.call(stage.caller, method, arguments);
    answer.unwrap().unwrap();
    let account: Account = stage
        .query(stage.callee, "account", (stage.caller,))
        .unwrap();
    assert_eq!((account.accepted, account.served), (400, 1));
}

#[test]
fn where_there_is_no_room_for_its_account_a_canister_pays_nothing() {
    let mut world = World::new();
    world.fill_the_callee();
    for method in [
        "call_rejecting_callee",
        "call_awaiting_callee",
        "call_careful_callee",
    ] {
        let ended = world.call(method, (Work::Succeeds,), &[]);
        assert_eq!((ended.back, ended.lost), (1000, 0), "{method}");
    }
    assert_eq!(world.account().accepted, 0);
}

// ---- The replica's own account -----------------------------------------------------------------

/// A replica with the caller and the callee, without a network in between.
struct World {
    replica: Replica,
    caller: Principal,
    callee: Principal,
}

/// How one call ended, by the replica's account.
struct Ended {
    /// What the caller says came back.
    back: u128,
    /// What the callee's balance has grown by, without the fees that it paid.
    gained: i128,
    /// What the replica says was lost.
    lost: u128,
}

/// What is done to the messages of the caller's call.
type Treatment<'a> = &'a [(Kind, Delivery)];

const USER: Principal = Principal::anonymous();

impl World {
    fn new() -> Self {
        let mut world = World {
            replica: Replica::new(Config::default()),
            caller: USER,
            callee: USER,
        };
        world.callee = world.create(None);
        let variable = EnvironmentVariable {
            name: "PUBLIC_CANISTER_ID:cycles_callee".to_owned(),
            value: world.callee.to_text(),
        };
        world.caller = world.create(Some(variable));
        let modules = LESSON.modules(&folders(wasm()));
        for (canister, file) in [
            (world.caller, modules.caller),
            (world.callee, modules.callee),
        ] {
            let module = std::fs::read(file).unwrap();
            let args = install_args(canister, module, CanisterInstallMode::Install).unwrap();
            world.manage("install_code", (args,));
        }
        world
    }

    fn create(&mut self, variable: Option<EnvironmentVariable>) -> Principal {
        let args = ProvisionalCreateCanisterWithCyclesArgs::default();
        let reply = self.manage("provisional_create_canister_with_cycles", (args,));
        let canister_id = Decode!(&reply, CanisterIdRecord).unwrap().canister_id;
        let settings = CanisterSettings {
            environment_variables: Some(variable.into_iter().collect()),
            ..CanisterSettings::default()
        };
        let args = UpdateSettingsArgs {
            canister_id,
            settings,
            sender_canister_version: None,
        };
        self.manage("update_settings", (args,));
        canister_id
    }

    fn manage(&mut self, method: &str, arguments: impl ArgumentEncoder) -> Vec<u8> {
        let management = Principal::management_canister();
        let argument = candid::encode_args(arguments).unwrap();
        let answer = self.replica.call(USER, management, method, &argument);
        answer.unwrap().unwrap()
    }

    /// The caller's account with the callee.
    fn account(&mut self) -> Account {
        let argument = candid::encode_one(self.caller).unwrap();
        let answer = self.replica.query(USER, self.callee, "account", &argument);
        Decode!(&answer.unwrap(), Account).unwrap()
    }

    /// Calls the callee in the name of a thousand canisters, until there is no room for another one.
    fn fill_the_callee(&mut self) {
        let method = "accept_then_await_then_trap";
        let argument = candid::encode_args(()).unwrap();
        let mut message = String::new();
        for number in 1..=1001u16 {
            let [high, low] = number.to_be_bytes();
            let stranger = Principal::from_slice(&[high, low, 1]);
            let answer = self.replica.call(stranger, self.callee, method, &argument);
            message = answer.unwrap().unwrap_err().message;
        }
        assert!(message.contains("there is no room for more"), "{message}");
        // What is left to do after the answers, such as cleanup.
        self.replica.run(100);
    }

    /// Has the caller make a call, and checks that every cycle is accounted for.
    fn call(
        &mut self,
        method: &str,
        arguments: impl ArgumentEncoder,
        treatment: Treatment,
    ) -> Ended {
        let before = self.replica.cycles();
        let balance_before = self.callee_balance();
        let first_event = self.replica.timeline().next_number();

        let argument = candid::encode_args(arguments).unwrap();
        self.replica.hold_messages(true);
        let call = self.replica.submit(USER, self.caller, method, &argument);
        for (kind, delivery) in treatment {
            self.deliver_next(*kind, *delivery);
        }
        if !treatment.is_empty() {
            self.replica.advance_time(Duration::from_secs(31));
        }
        self.replica.hold_messages(false);
        self.replica.run(100);
        let answer = self.replica.ingress_status(call.unwrap());
        let Some(IngressStatus::Answered(Ok(reply))) = answer else {
            panic!("{method} was not replied to: {answer:?}");
        };
        let Report { back } = Decode!(reply, Report).unwrap();

        let after = self.replica.cycles();
        assert!(after.is_balanced(), "{method}: {after:?}");
        let spent = CyclesAccount {
            balances: before.balances - after.balances,
            consumed: after.consumed - before.consumed,
            lost: after.lost - before.lost,
            ..after
        };
        // Nothing is left on its way, nothing came out of nothing, and what the balances have no
        // more is in fees or lost.
        assert_eq!((after.in_flight, after.minted), (0, before.minted));
        assert_eq!(after.burned, before.burned);
        assert_eq!(spent.balances, spent.consumed + spent.lost, "{method}");

        let events = self.replica.timeline().since(first_event);
        let executed = events.filter(|event| event.canister == self.callee);
        let fees: u128 = executed
            .map(|event| fees::execution(event.instructions, false))
            .sum();
        Ended {
            back,
            gained: self.callee_balance() as i128 - balance_before as i128 + fees as i128,
            lost: spent.lost,
        }
    }

    /// Delivers messages until one of this kind may go, and delivers that in this way.
    fn deliver_next(&mut self, kind: Kind, how: Delivery) {
        loop {
            let waiting = self.replica.waiting_messages();
            if let Some(message) = waiting.iter().find(|message| message.kind == kind) {
                return self.replica.deliver_message(message.name, how).unwrap();
            }
            let next = waiting.first().expect("a message waits").name;
            self.replica
                .deliver_message(next, Delivery::Normally)
                .unwrap();
        }
    }

    fn callee_balance(&self) -> u128 {
        self.replica.canister(&self.callee).unwrap().balance
    }
}

#[test]
fn what_the_callee_says_it_accepted_is_what_its_balance_gained() {
    let mut world = World::new();
    for (method, expected) in [
        ("call_free_method", 0),
        ("call_trapping_callee", 0),
        ("call_rejecting_callee", 400),
    ] {
        let ended = world.call(method, (), &[]);
        assert_eq!(ended.gained, expected, "{method}");
        assert_eq!(ended.back as i128, 1000 - expected, "{method}");
        assert_eq!(ended.lost, 0, "{method}");
    }
}

#[test]
fn every_cycle_is_in_a_balance_or_a_fee_or_lost_in_a_bounded_wait() {
    let lost_request: Treatment = &[(Kind::Request, Delivery::Lose)];
    // The first response is that to the callee's call of itself, which can't get lost.
    let lost_answer: Treatment = &[
        (Kind::Response, Delivery::Normally),
        (Kind::Response, Delivery::Lose),
    ];
    let late_answer: Treatment = &[(Kind::Request, Delivery::Normally)];
    let mut world = World::new();
    for (method, treatment, back, lost) in [
        ("call_free_method", &[][..], 1000, 0),
        ("call_missing_method", &[], 1000, 0),
        ("call_with_too_many", &[], u128::MAX, 0),
        ("call_trapping_callee", &[], 1000, 0),
        ("call_rejecting_callee", &[], 600, 0),
        ("call_awaiting_callee", &[], 600, 0),
        ("call_careful_callee", &[], 600, 0),
        ("call_careful_callee", late_answer, 600, 0),
        ("call_with_too_few", &[], 300, 0),
        ("call_bounded_wait", &[], 600, 0),
        ("call_bounded_wait", lost_request, 0, 1000),
        ("call_bounded_wait", lost_answer, 0, 600),
        ("call_bounded_wait", late_answer, 0, 600),
        ("call_bounded_wait_with_the_price", lost_request, 0, 400),
        ("call_bounded_wait_with_the_price", lost_answer, 0, 0),
    ] {
        let ended = world.call(method, (Work::Succeeds,), treatment);
        assert_eq!((ended.back, ended.lost), (back, lost), "{method}");
    }
}

#[test]
fn a_call_that_waits_unbounded_cannot_get_lost() {
    let mut stage = stage(&LESSON);
    stage.hold().unwrap();
    let method = "call_careful_callee";
    stage.send(stage.caller, method, (Work::Succeeds,)).unwrap();
    stage.deliver_call(method).unwrap();
    let refused = stage.deliver(|message| message.kind == Kind::Request, Delivery::Lose);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("only a bounded-wait call"), "{error}");
}
