//! The lesson `callees`: waiting with and without a deadline, and replies that are made to harm.

use std::time::Duration;

use crate::support::{observe, stage, text};
use candid::{CandidType, Deserialize};
use observe::answer::Got;
use observe::lessons::callees::LESSON;
use observe::network::timeline::{Event, Step};
use observe::network::{Answer, Delivery, Kind, WaitingMessage};
use observe::stage::{Stage, decode};

#[derive(CandidType, Deserialize)]
enum NameReply {
    Honest,
    WrongType,
    Huge,
    Bomb,
}

const UNKNOWN: &str = "you have no such account; `open` opens one";

fn try_open(stage: &mut Stage) -> Result<u64, String> {
    stage.reply(stage.caller, "open", ()).unwrap()
}

fn open(stage: &mut Stage) -> u64 {
    try_open(stage).unwrap()
}

fn ask(stage: &mut Stage, method: &str, account: u64, reply: NameReply) -> Answer {
    stage.call(stage.caller, method, (account, reply)).unwrap()
}

fn waits(stage: &mut Stage, account: u64) -> Result<bool, String> {
    stage.query(stage.caller, "waits", (account,)).unwrap()
}

fn error(answer: &Answer) -> String {
    let name: Result<String, String> = candid::decode_one(answer.as_ref().unwrap()).unwrap();
    name.unwrap_err()
}

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["callees"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n5 of 5 as predicted.\n"));
}

#[test]
fn only_the_call_with_a_deadline_lets_the_caller_stop() {
    let mut stage = stage(&LESSON);
    let mut stopped = |method: &str| {
        let experiments = (LESSON.experiments)();
        let experiment = experiments.iter().find(|e| e.method == method).unwrap();
        let finding = experiment.observe(LESSON.name, &mut stage).unwrap();
        let fact = |what: &str| finding.facts.iter().find(|fact| fact.what == what).unwrap();
        fact("stop_canister, after 5 minutes").observed.clone()
    };
    assert_eq!(stopped("wait_for_ever"), "reject 2, IC0206");
    assert_eq!(stopped("wait_with_deadline"), "the caller has stopped");
}

#[test]
fn a_callee_that_is_uninstalled_has_its_open_calls_rejected_and_so_frees_its_caller() {
    let mut stage = stage(&LESSON);
    let (caller, callee) = (stage.caller, stage.callee);
    stage.hold().unwrap();
    let sent = stage.send(caller, "wait_for_ever", ()).unwrap();
    stage.deliver_call("wait_for_ever").unwrap();
    stage.deliver_call("dawdle").unwrap();
    let stop = stage.send_command(caller, "stop_canister").unwrap();

    let uninstalled = stage.command(callee, "uninstall_code").unwrap();
    uninstalled.unwrap();
    stage.deliver_response("dawdle").unwrap();

    stage.answer(&stop).unwrap().unwrap();
    let got = Got::read(&stage.answer(&sent).unwrap());
    assert_eq!(got.words(), "reply: saw reject 4");
}

#[test]
fn the_callee_dawdles_for_a_few_messages_and_not_for_ever() {
    let mut stage = stage(&LESSON);
    stage.call(stage.callee, "dawdle", ()).unwrap().unwrap();
    let rests = |event: &&Event| matches!(&event.step, Step::Method { name, .. } if name == "rest");
    assert_eq!(stage.events().filter(rests).count(), 3);
    let counter: u128 = stage.query(stage.callee, "get", ()).unwrap();
    assert_eq!(counter, 1);
}

#[test]
fn a_quota_ends_the_decoding_of_a_bomb_after_a_thousandth_of_the_work() {
    let mut stage = stage(&LESSON);
    let mut instructions = |method: &str| {
        let account = open(&mut stage);
        stage.begin_scene().unwrap();
        let _answer = ask(&mut stage, method, account, NameReply::Bomb);
        let is_callback = |event: &&Event| matches!(event.step, Step::Callback { .. });
        stage.events().find(is_callback).unwrap().instructions
    };
    let careful = instructions("ask_careful");
    let trusting = instructions("ask_trusting");
    assert!(careful * 1000 < trusting, "{careful} and {trusting}");
}

#[test]
fn an_account_that_waits_takes_no_other_call_until_an_upgrade() {
    let mut stage = stage(&LESSON);
    let (stuck, free) = (open(&mut stage), open(&mut stage));
    ask(&mut stage, "ask_trusting", stuck, NameReply::WrongType).unwrap_err();
    assert_eq!(waits(&mut stage, stuck), Ok(true));
    assert_eq!(waits(&mut stage, free), Ok(false));
    for method in ["ask_trusting", "ask_careful"] {
        let answer = ask(&mut stage, method, stuck, NameReply::WrongType);
        assert_eq!(error(&answer), "this account still waits for a reply");
    }
    stage.upgrade(stage.caller).unwrap().unwrap();
    let answer = ask(&mut stage, "ask_careful", stuck, NameReply::Honest);
    answer.unwrap();
    assert_eq!(waits(&mut stage, stuck), Ok(false));
    assert!(![stuck, free].contains(&open(&mut stage)));
}

#[test]
fn neither_a_trap_nor_an_upgrade_leaves_an_account_of_the_careful_waiting() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    for upgraded in [false, true] {
        stage.hold().unwrap();
        let arguments = (account, NameReply::Honest);
        let method = "ask_careful";
        let sent = stage.send(stage.caller, method, arguments).unwrap();
        stage.deliver_call(method).unwrap();
        stage.deliver_call("name").unwrap();
        let how = match upgraded {
            true => {
                stage.upgrade(stage.caller).unwrap().unwrap();
                Delivery::Normally
            }
            false => Delivery::Trap,
        };
        let is_answer = |message: &WaitingMessage| message.kind == Kind::Response;
        stage.deliver(is_answer, how).unwrap();
        stage.release().unwrap();
        stage.answer(&sent).unwrap().unwrap_err();
        assert_eq!(waits(&mut stage, account), Ok(false));
    }
}

#[test]
fn a_refused_reply_leaves_the_account_as_it_was_before() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    for _ in 0..2 {
        let answer = ask(&mut stage, "ask_careful", account, NameReply::WrongType);
        assert!(error(&answer).starts_with("no name: "));
        assert_eq!(waits(&mut stage, account), Ok(false));
    }
}

#[test]
fn an_account_that_nobody_opened_is_named_as_the_error() {
    let mut stage = stage(&LESSON);
    let answer = ask(&mut stage, "ask_careful", 7, NameReply::WrongType);
    assert_eq!(error(&answer), UNKNOWN);
    assert_eq!(waits(&mut stage, 7), Err(UNKNOWN.to_owned()));
}

#[test]
fn an_account_is_there_for_its_owner_alone() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.become_user(1).unwrap();
    let answer = ask(&mut stage, "ask_careful", account, NameReply::Honest);
    assert_eq!(error(&answer), UNKNOWN);
    assert_eq!(waits(&mut stage, account), Err(UNKNOWN.to_owned()));
}

#[test]
fn no_stranger_has_the_caller_use_up_its_instructions_on_a_bomb() {
    let mut stage = stage(&LESSON);
    stage.become_user(1).unwrap();
    let account = open(&mut stage);
    let answer = ask(&mut stage, "ask_trusting", account, NameReply::Bomb);
    let message = answer.unwrap_err().message;
    assert!(
        message.contains("only a controller may do this"),
        "{message}"
    );
    assert_eq!(waits(&mut stage, account), Ok(false));
}

#[test]
fn one_owner_has_at_most_a_hundred_accounts() {
    let mut stage = stage(&LESSON);
    let opened: Vec<_> = (0..101).map(|_| try_open(&mut stage)).collect();
    assert!(opened[..100].iter().all(Result::is_ok));
    let refused = "you have 100 accounts, and nobody may have more".to_owned();
    assert_eq!(opened[100], Err(refused));
    stage.become_user(1).unwrap();
    open(&mut stage);
}

#[test]
fn a_thousand_strangers_take_no_account_from_who_has_one() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let _own = try_open(&mut stage);
        let answer = ask(&mut stage, "ask_careful", account, NameReply::Bomb);
        assert_eq!(error(&answer), UNKNOWN);
    }
    let full = "there is no room for more; nothing was done".to_owned();
    assert_eq!(try_open(&mut stage), Err(full));
    stage.become_user(0).unwrap();
    assert_eq!(waits(&mut stage, account), Ok(false));
    let answer = ask(&mut stage, "ask_careful", account, NameReply::Honest);
    let name: Result<String, String> = candid::decode_one(&answer.unwrap()).unwrap();
    assert_eq!(name, Ok("Isabel".to_owned()));
}

#[test]
fn a_callee_that_never_gives_its_name_keeps_no_account_of_the_careful() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.hold().unwrap();
    let method = "ask_careful";
    let asked = (account, NameReply::Honest);
    let sent = stage.send(stage.caller, method, asked).unwrap();
    stage.deliver_call(method).unwrap();
    stage.advance_time(Duration::from_secs(60)).unwrap();
    stage.deliver_all().unwrap();
    assert_eq!(waits(&mut stage, account), Ok(false));
    let error = error(&stage.answer(&sent).unwrap());
    assert!(error.contains("rejected: 6"), "{error}");
}

#[test]
fn a_bomb_is_read_here_within_limits_too() {
    let mut stage = stage(&LESSON);
    let answer = stage
        .call(stage.callee, "name", (NameReply::Bomb,))
        .unwrap();
    assert_eq!(Got::read(&answer), Got::ReplyOther);
    let read: anyhow::Result<String> = decode("name", &answer);
    read.unwrap_err();
}

#[test]
fn a_huge_name_is_made_of_letters() {
    let mut stage = stage(&LESSON);
    let name: String = stage
        .reply(stage.callee, "name", (NameReply::Huge,))
        .unwrap();
    assert_eq!(name.len(), 1_000_000);
    assert!(name.chars().all(char::is_alphabetic));
}
