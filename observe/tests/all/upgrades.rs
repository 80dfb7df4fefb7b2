//! The lesson `upgrades`: what an upgrade in the middle of a call does, and what stopping and
//! a journal save.

use crate::support::{folders, observe, stage, text, wasm};
use candid::{CandidType, Deserialize, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, ProvisionalCreateCanisterWithCyclesArgs, UpgradeFlags,
};
use local_replica::{Config, Replica};
use observe::answer::Got;
use observe::deployment::install_args;
use observe::lesson::Side;
use observe::lessons::callees;
use observe::lessons::upgrades::LESSON;
use observe::stage::Stage;

const UNKNOWN: &str = "you have no such order; `open` opens one";

#[derive(CandidType, Debug, Deserialize, PartialEq)]
struct OrderStatus {
    order: Order,
    locked_in_memory: bool,
}

#[derive(CandidType, Debug, Deserialize, PartialEq)]
struct Order {
    locked: bool,
    seen_done: u64,
    journal: Step,
}

#[derive(CandidType, Debug, Deserialize, PartialEq)]
enum Step {
    New,
    Sent,
    Done,
}

fn try_open(stage: &mut Stage) -> Result<u64, String> {
    stage.reply(stage.caller, "open", ()).unwrap()
}

fn open(stage: &mut Stage) -> u64 {
    try_open(stage).unwrap()
}

fn call(stage: &mut Stage, method: &str, order: u64) -> Got {
    Got::read(&stage.call(stage.caller, method, (order,)).unwrap())
}

fn look(stage: &mut Stage, order: u64) -> OrderStatus {
    let status: Result<OrderStatus, String> = stage.query(stage.caller, "look", (order,)).unwrap();
    status.unwrap()
}

fn journal(stage: &mut Stage, order: u64) -> Step {
    look(stage, order).order.journal
}

fn done(stage: &mut Stage, order: u64) -> u64 {
    let caller = stage.caller;
    stage.query(stage.callee, "done", (caller, order)).unwrap()
}

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["upgrades"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n7 of 7 as predicted.\n"));
}

#[test]
fn each_experiment_is_as_predicted_on_canisters_that_did_nothing_before() {
    for experiment in (LESSON.experiments)() {
        let finding = experiment
            .observe(LESSON.name, &mut stage(&LESSON))
            .unwrap();
        assert_eq!(finding.as_predicted, Some(true), "{finding:?}");
    }
}

#[test]
fn a_mistake_is_made_and_avoided_at_the_same_moment() {
    let experiments = (LESSON.experiments)();
    for method in ["order", "order_slow"] {
        for side in [Side::Mistake, Side::RightWay] {
            let mut same = experiments.iter().filter(|e| e.method == method);
            assert!(same.any(|experiment| experiment.side == side), "{method}");
        }
    }
}

#[test]
fn after_the_answer_to_a_call_of_the_old_instance_the_new_one_works_on() {
    let mut stage = stage(&LESSON);
    let (interrupted, next) = (open(&mut stage), open(&mut stage));
    stage.hold().unwrap();
    stage.send(stage.caller, "order", (interrupted,)).unwrap();
    stage.deliver_call("order").unwrap();
    stage.upgrade(stage.caller).unwrap().unwrap();
    stage.release().unwrap();

    assert_eq!(call(&mut stage, "order", next), Got::ReplyOk);
    let expected = OrderStatus {
        order: Order {
            locked: false,
            seen_done: 1,
            journal: Step::New,
        },
        locked_in_memory: false,
    };
    assert_eq!(look(&mut stage, next), expected);
    assert_eq!(done(&mut stage, next), 1);
}

#[test]
fn both_sides_of_the_orders_survive_an_upgrade() {
    let mut stage = stage(&LESSON);
    let order = open(&mut stage);
    assert_eq!(call(&mut stage, "order", order), Got::ReplyOk);
    let journaled = open(&mut stage);
    let method = "order_with_journal";
    assert_eq!(call(&mut stage, method, journaled), Got::ReplyOk);
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(look(&mut stage, order).order.seen_done, 1);
    assert_eq!(journal(&mut stage, journaled), Step::Done);
    assert_eq!(
        (done(&mut stage, order), done(&mut stage, journaled)),
        (1, 1)
    );
    assert!(![order, journaled].contains(&open(&mut stage)));
}

#[test]
fn a_caller_that_is_installed_anew_is_told_that_orders_with_the_same_numbers_are_done() {
    let mut stage = stage(&LESSON);
    let method = "order_with_journal";
    let order = open(&mut stage);
    assert_eq!(call(&mut stage, method, order), Got::ReplyOk);
    let module = std::fs::read(&LESSON.modules(&folders(wasm())).caller).unwrap();
    let args = install_args(stage.caller, module, CanisterInstallMode::Reinstall).unwrap();
    let installed = stage.manage(stage.caller, "install_code", (args,));
    installed.unwrap().unwrap();
    assert_eq!(open(&mut stage), order);
    assert_eq!(call(&mut stage, method, order), Got::ReplyOk);
    assert_eq!(done(&mut stage, order), 1);
}

#[test]
fn only_a_controller_may_have_pre_upgrade_trap() {
    let mut stage = stage(&LESSON);
    stage.become_user(1).unwrap();
    let method = "trap_in_pre_upgrade";
    let answer = stage.call(stage.caller, method, (true,)).unwrap();
    let message = answer.unwrap_err().message;
    assert!(
        message.contains("only a controller may do this"),
        "{message}"
    );
    stage.become_user(0).unwrap();
    stage.upgrade(stage.caller).unwrap().unwrap();
}

#[test]
fn to_skip_pre_upgrade_gets_past_a_trap_and_loses_what_came_after_the_last_upgrade() {
    let mut stage = stage(&LESSON);
    let caller = stage.caller;
    let saved = open(&mut stage);
    stage.upgrade(caller).unwrap().unwrap();
    let lost = open(&mut stage);
    let method = "trap_in_pre_upgrade";
    stage.call(caller, method, (true,)).unwrap().unwrap();
    stage.upgrade(caller).unwrap().unwrap_err();
    look(&mut stage, lost);

    let flags = UpgradeFlags {
        skip_pre_upgrade: Some(true),
        wasm_memory_persistence: None,
    };
    stage.upgrade_with(caller, Some(flags)).unwrap().unwrap();
    look(&mut stage, saved);
    let status: Result<OrderStatus, String> = stage.query(caller, "look", (lost,)).unwrap();
    assert_eq!(status, Err(UNKNOWN.to_owned()));
    stage.upgrade(caller).unwrap().unwrap();
}

#[test]
fn resuming_what_is_still_in_flight_does_no_harm() {
    let mut stage = stage(&LESSON);
    let order = open(&mut stage);
    stage.hold().unwrap();
    let first = stage
        .send(stage.caller, "order_with_journal", (order,))
        .unwrap();
    stage.deliver_call("order_with_journal").unwrap();
    assert_eq!(journal(&mut stage, order), Step::Sent);
    assert_eq!(call(&mut stage, "resume", order), Got::ReplyOk);
    assert_eq!(Got::read(&stage.answer(&first).unwrap()), Got::ReplyOk);
    assert_eq!(journal(&mut stage, order), Step::Done);
    assert_eq!(done(&mut stage, order), 1);
}

#[test]
fn a_stopping_canister_refuses_its_own_calls_of_itself() {
    // The callee of another lesson calls itself.
    let mut stage = stage(&callees::LESSON);
    let callee = stage.callee;
    stage.hold().unwrap();
    let sent = stage.send(callee, "dawdle", ()).unwrap();
    stage.deliver_call("dawdle").unwrap();
    let stop = stage.send_command(callee, "stop_canister").unwrap();
    stage.deliver_all().unwrap();
    let Got::Reject { message, .. } = Got::read(&stage.answer(&sent).unwrap()) else {
        panic!("it was not rejected");
    };
    assert!(message.contains("the callee can't rest"), "{message}");
    assert!(message.contains("is stopping"), "{message}");
    stage.answer(&stop).unwrap().unwrap();
}

#[test]
fn the_callee_works_for_canisters_alone() {
    let mut stage = stage(&LESSON);
    let order = open(&mut stage);
    for method in ["do_work", "do_work_once", "do_work_slowly"] {
        let answer = stage.call(stage.callee, method, (order,)).unwrap();
        let message = answer.unwrap_err().message;
        assert!(message.contains("only a canister"), "{method}: {message}");
    }
}

#[test]
fn an_order_is_there_for_its_owner_alone() {
    let mut stage = stage(&LESSON);
    let order = open(&mut stage);
    stage.become_user(1).unwrap();
    for method in ["order", "order_slow", "order_with_journal", "resume"] {
        let got = call(&mut stage, method, order);
        assert_eq!(got, Got::ReplyErr(UNKNOWN.to_owned()), "{method}");
    }
    let status: Result<OrderStatus, String> = stage.query(stage.caller, "look", (order,)).unwrap();
    assert_eq!(status, Err(UNKNOWN.to_owned()));
    assert_eq!(done(&mut stage, order), 0);
}

#[test]
fn one_owner_has_at_most_a_hundred_orders() {
    let mut stage = stage(&LESSON);
    let opened: Vec<_> = (0..101).map(|_| try_open(&mut stage)).collect();
    assert!(opened[..100].iter().all(Result::is_ok));
    let refused = "you have 100 orders, and nobody may have more".to_owned();
    assert_eq!(opened[100], Err(refused));
    stage.become_user(1).unwrap();
    open(&mut stage);
}

#[test]
fn a_thousand_strangers_have_no_order_forgotten_on_either_side() {
    let mut stage = stage(&LESSON);
    let (finished, waiting) = (open(&mut stage), open(&mut stage));
    let method = "order_with_journal";
    assert_eq!(call(&mut stage, method, finished), Got::ReplyOk);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        if let Ok(order) = try_open(&mut stage) {
            call(&mut stage, method, order);
        }
        for method in ["order", "resume"] {
            call(&mut stage, method, waiting);
        }
    }
    let full = "there is no room for more; nothing was done".to_owned();
    assert_eq!(try_open(&mut stage), Err(full));
    stage.become_user(0).unwrap();
    assert_eq!(journal(&mut stage, finished), Step::Done);
    assert_eq!(done(&mut stage, finished), 1);
    assert_eq!(call(&mut stage, method, waiting), Got::ReplyOk);
    assert_eq!(done(&mut stage, waiting), 1);
}

#[test]
fn a_canister_that_fills_its_room_in_the_callee_has_nothing_forgotten_and_hinders_no_other() {
    let mut replica = Replica::new(Config::default());
    let user = Principal::anonymous();
    let management = Principal::management_canister();
    let args = candid::encode_one(ProvisionalCreateCanisterWithCyclesArgs::default()).unwrap();
    let method = "provisional_create_canister_with_cycles";
    let created = replica.call(user, management, method, &args).unwrap();
    let callee = candid::decode_one::<CanisterIdRecord>(&created.unwrap()).unwrap();
    let callee = callee.canister_id;
    let module = std::fs::read(LESSON.modules(&folders(wasm())).callee).unwrap();
    let args = install_args(callee, module, CanisterInstallMode::Install).unwrap();
    let args = candid::encode_one(args).unwrap();
    let installed = replica.call(user, management, "install_code", &args);
    installed.unwrap().unwrap();

    let [greedy, other] = [1, 2].map(|n| Principal::from_slice(&[n, 1]));
    let mut do_once = |canister: Principal, order: u64| {
        let argument = candid::encode_one(order).unwrap();
        replica
            .call(canister, callee, "do_work_once", &argument)
            .unwrap()
    };
    for order in 0..1000 {
        do_once(greedy, order).unwrap();
    }
    let message = do_once(greedy, 1000).unwrap_err().message;
    assert!(message.contains("there is no room for more"), "{message}");
    do_once(greedy, 0).unwrap();
    do_once(other, 0).unwrap();
    let mut done = |canister: Principal, order: u64| {
        let argument = candid::encode_args((canister, order)).unwrap();
        let reply = replica.query(user, callee, "done", &argument).unwrap();
        candid::decode_one::<u64>(&reply).unwrap()
    };
    assert_eq!(
        (done(greedy, 0), done(greedy, 999), done(other, 0)),
        (1, 1, 1)
    );
}

#[test]
fn what_cannot_be_ordered_or_resumed_is_said() {
    let mut stage = stage(&LESSON);
    let order = open(&mut stage);
    let nothing = "nothing of this order is in flight";
    for (method, order, expected) in [
        ("order", order + 1, UNKNOWN),
        ("order_with_journal", order + 1, UNKNOWN),
        ("resume", order + 1, UNKNOWN),
        ("resume", order, nothing),
    ] {
        let got = call(&mut stage, method, order);
        assert_eq!(got, Got::ReplyErr(expected.to_owned()), "{method}");
    }
    let method = "order_with_journal";
    assert_eq!(call(&mut stage, method, order), Got::ReplyOk);
    for (method, expected) in [(method, "it was ordered before"), ("resume", nothing)] {
        let got = call(&mut stage, method, order);
        assert_eq!(got, Got::ReplyErr(expected.to_owned()), "{method}");
    }
}
