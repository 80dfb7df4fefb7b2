//! The lesson `loops`: circles, how they end, and what a proxy does and does not do.

use crate::support::{
    assert_questions_can_be_answered, module_replying, observe, reinstall, stage, text,
};
use candid::{CandidType, Principal, encode_one};
use observe::lessons::loops::LESSON;
use observe::network::timeline::{Event, Step};
use observe::network::{Delivery, Kind, WaitingMessage};
use observe::stage::{Stage, accepted};

type Outcome = Result<(), String>;
type Forwarded = Result<Vec<u8>, String>;

fn call(stage: &mut Stage, method: &str) -> Outcome {
    stage.reply(stage.caller, method, ()).unwrap()
}

fn is_free(stage: &mut Stage, user: Principal) -> bool {
    stage.query(stage.caller, "is_free", (user,)).unwrap()
}

fn confirmed(stage: &mut Stage) -> u64 {
    stage.query(stage.caller, "get_confirmed", ()).unwrap()
}

/// What is forwarded by the proxy, for a controller.
fn forward(stage: &mut Stage, to: Principal, method: &str, argument: Vec<u8>) -> Forwarded {
    let proxy = stage.proxy().unwrap();
    stage
        .reply(proxy, "forward", (to, method, argument))
        .unwrap()
}

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["loops"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n4 of 4 as predicted.\n"));
}

#[test]
fn every_question_has_its_answer_among_the_choices() {
    assert_questions_can_be_answered(&LESSON);
}

// ---- Circles -------------------------------------------------------------------------------------

#[test]
fn the_circle_here_ends_after_100_rounds_and_confirms_nothing() {
    let mut stage = stage(&LESSON);
    let user = stage.user();
    let refused = call(&mut stage, "order_in_circle").unwrap_err();
    assert!(refused.contains("not free, 100 times"), "{refused}");
    let asks =
        |event: &&Event| matches!(&event.step, Step::Method { name, .. } if name == "is_free");
    assert_eq!(stage.events().filter(asks).count(), 100);
    assert!(is_free(&mut stage, user));
    assert_eq!(confirmed(&mut stage), 0);
}

#[test]
fn who_has_an_order_under_way_begins_no_other_and_is_not_in_the_way_of_others() {
    let mut stage = stage(&LESSON);
    stage.hold().unwrap();
    let sent = stage.send(stage.caller, "order", ()).unwrap();
    stage.deliver_call("order").unwrap();
    for method in [
        "order_in_circle",
        "order",
        "order_with_deadline",
        "order_by_proxy",
    ] {
        let refused = stage.call_alone(stage.caller, method, ()).unwrap();
        let refused: Outcome = candid::decode_one(&refused.unwrap()).unwrap();
        assert_eq!(refused, Err("an order of yours is under way".to_owned()));
    }
    stage.become_user(1).unwrap();
    assert_eq!(call(&mut stage, "order"), Ok(()));
    stage.release().unwrap();
    stage.answer(&sent).unwrap().unwrap();
    assert_eq!(confirmed(&mut stage), 2);
}

#[test]
fn a_trap_after_the_await_frees_the_user_all_the_same() {
    let mut stage = stage(&LESSON);
    let user = stage.user();
    for method in ["order", "order_by_proxy"] {
        stage.hold().unwrap();
        let sent = stage.send(stage.caller, method, ()).unwrap();
        let caller = stage.caller;
        let answers =
            move |message: &WaitingMessage| message.kind == Kind::Response && message.to == caller;
        while !stage.waiting().unwrap().iter().any(answers) {
            assert!(stage.deliver_next().unwrap());
        }
        stage.deliver(answers, Delivery::Trap).unwrap();
        stage.release().unwrap();
        stage.answer(&sent).unwrap().unwrap_err();
        assert!(is_free(&mut stage, user));
        assert_eq!(call(&mut stage, method), Ok(()));
    }
}

#[test]
fn what_was_confirmed_survives_an_upgrade() {
    let mut stage = stage(&LESSON);
    assert_eq!(call(&mut stage, "order"), Ok(()));
    assert_eq!(call(&mut stage, "order_by_proxy"), Ok(()));
    let (caller, callee, proxy) = (stage.caller, stage.callee, stage.proxy().unwrap());
    for canister in [caller, callee, proxy] {
        accepted(stage.upgrade(canister).unwrap()).unwrap();
    }
    assert_eq!(confirmed(&mut stage), 2);
    for orderer in [caller, proxy] {
        let count: u64 = stage.query(callee, "get_confirmed", (orderer,)).unwrap();
        assert_eq!(count, 1);
    }
}

// ---- The proxy -----------------------------------------------------------------------------------

#[test]
fn the_proxy_passes_on_a_reply_as_it_is() {
    let mut stage = stage(&LESSON);
    let (callee, proxy) = (stage.callee, stage.proxy().unwrap());
    let argument = encode_one(proxy).unwrap();
    let reply = forward(&mut stage, callee, "get_confirmed", argument).unwrap();
    assert_eq!(reply, encode_one(0u64).unwrap());
}

#[test]
fn the_proxy_passes_on_no_long_reply() {
    #[derive(CandidType)]
    struct Args {
        canister_id: Principal,
        num_requested_changes: Option<u64>,
    }
    let mut stage = stage(&LESSON);
    let callee = stage.callee;
    for _ in 0..15 {
        accepted(stage.upgrade(callee).unwrap()).unwrap();
    }
    let mut info = |changes: u64| {
        let args = Args {
            canister_id: callee,
            num_requested_changes: Some(changes),
        };
        let management = Principal::management_canister();
        forward(
            &mut stage,
            management,
            "canister_info",
            encode_one(args).unwrap(),
        )
    };
    assert!(info(1).is_ok());
    let refused = info(15).unwrap_err();
    assert!(refused.starts_with("the reply has "), "{refused}");
}

#[test]
fn the_proxy_tells_that_a_call_failed() {
    let mut stage = stage(&LESSON);
    let callee = stage.callee;
    let refused = forward(&mut stage, callee, "no_such_method", Vec::new()).unwrap_err();
    assert!(refused.contains("no_such_method"), "{refused}");
    assert!(refused.len() <= 1000);
}

#[test]
fn the_proxy_is_for_its_controllers_alone() {
    let mut stage = stage(&LESSON);
    let (callee, proxy) = (stage.callee, stage.proxy().unwrap());
    let argument = encode_one(stage.user()).unwrap();
    stage.become_user(1).unwrap();
    let answer = stage.call(proxy, "forward", (callee, "confirm", argument));
    let message = answer.unwrap().unwrap_err().message;
    assert!(message.contains("only a controller"), "{message}");
    let count: u64 = stage.query(callee, "get_confirmed", (proxy,)).unwrap();
    assert_eq!(count, 0);
}

#[test]
fn without_its_proxy_the_caller_orders_nothing_and_says_so() {
    let mut stage = stage(&LESSON);
    let proxy = stage.proxy().unwrap();
    accepted(stage.command(proxy, "uninstall_code").unwrap()).unwrap();
    let refused = call(&mut stage, "order_by_proxy").unwrap_err();
    assert!(refused.contains("it may be confirmed or not"), "{refused}");
    let user = stage.user();
    assert!(is_free(&mut stage, user));
}

/// `Ok`, and behind it a list of four billion nulls, which is short to send and long to read.
const BOMB: &[u8] = b"DIDL\x02\x6b\x01\xbc\x8a\x01\x7f\x6d\x7f\x02\0\x01\0\xff\xff\xff\xff\x0f";

#[test]
fn a_hostile_reply_is_an_error_and_no_trap_and_frees_the_user() {
    let mut stage = stage(&LESSON);
    let (user, callee) = (stage.user(), stage.callee);
    for reply in [BOMB, b"no Candid"] {
        reinstall(&mut stage, callee, module_replying("confirm", reply));
        for method in ["order", "order_by_proxy"] {
            call(&mut stage, method).unwrap_err();
            assert!(is_free(&mut stage, user));
        }
    }
    assert_eq!(confirmed(&mut stage), 0);
}

// ---- Who may do what -----------------------------------------------------------------------------

#[test]
fn a_stranger_sets_no_circle_going() {
    let mut stage = stage(&LESSON);
    stage.become_user(1).unwrap();
    for method in ["order_in_circle", "order_with_deadline"] {
        let answer = stage.call(stage.caller, method, ()).unwrap();
        let message = answer.unwrap_err().message;
        assert!(message.contains("only a controller"), "{message}");
    }
    let user = stage.user();
    for method in ["confirm", "confirm_asking_back"] {
        let answer = stage.call(stage.callee, method, (user,)).unwrap();
        let message = answer.unwrap_err().message;
        assert!(message.contains("only a canister"), "{message}");
    }
}

#[test]
fn a_thousand_strangers_are_in_nobodys_way() {
    let mut stage = stage(&LESSON);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let method = ["order", "order_by_proxy"][stranger % 2];
        assert_eq!(call(&mut stage, method), Ok(()));
    }
    stage.become_user(0).unwrap();
    let user = stage.user();
    assert!(is_free(&mut stage, user));
    assert_eq!(call(&mut stage, "order"), Ok(()));
    assert_eq!(confirmed(&mut stage), 1001);
}

/// A canister can have so many calls under way to another.
const MOST_CALLS: usize = 500;

#[test]
fn where_no_more_calls_can_be_under_way_the_next_order_is_refused_and_its_user_free() {
    let mut stage = stage(&LESSON);
    stage.hold().unwrap();
    for stranger in 1..=MOST_CALLS {
        stage.become_user(stranger).unwrap();
        stage.send(stage.caller, "order", ()).unwrap();
        stage.deliver_call("order").unwrap();
    }
    stage.become_user(0).unwrap();
    let refused = stage.call_alone(stage.caller, "order", ()).unwrap();
    let refused: Outcome = candid::decode_one(&refused.unwrap()).unwrap();
    refused.unwrap_err();
    let user = stage.user();
    assert!(is_free(&mut stage, user));
    while stage.deliver_next().unwrap() {}
    assert_eq!(call(&mut stage, "order"), Ok(()));
    assert_eq!(confirmed(&mut stage), MOST_CALLS as u64 + 1);
}
