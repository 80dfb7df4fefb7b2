//! The lesson `ordering`: what its experiments show, and what they don't: bad arguments, upgrades.

use crate::support::{assert_questions_can_be_answered, observe, stage, text};
use candid::Principal;
use observe::answer::Got;
use observe::lessons::ordering::LESSON;
use observe::network::{Delivery, Kind, WaitingMessage};
use observe::stage::{Stage, decode};

const PUTTING: [&str; 3] = ["put_in_a_loop", "put_in_parallel", "put_as_a_batch"];

/// Begins a basket of the user's, into which the caller may put items.
fn open_basket(stage: &mut Stage) -> Result<(), String> {
    stage
        .reply(stage.callee, "open_basket", (stage.caller,))
        .unwrap()
}

fn items(stage: &mut Stage) -> Option<Vec<u64>> {
    stage
        .query(stage.callee, "basket", (stage.user(),))
        .unwrap()
}

fn put(stage: &mut Stage, method: &str, count: u64) -> Got {
    Got::read(&stage.call(stage.caller, method, (count,)).unwrap())
}

#[test]
fn every_question_has_the_right_answer_among_its_choices() {
    assert_questions_can_be_answered(&LESSON);
}

#[test]
fn everything_is_as_predicted() {
    let output = observe(&["ordering"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(printed.matches("The mistake: ").count(), 2, "{printed}");
    assert_eq!(printed.matches("The right way: ").count(), 2, "{printed}");
    assert!(printed.ends_with("\n8 of 8 as predicted.\n"), "{printed}");
}

#[test]
fn if_nothing_fails_all_three_ways_come_to_the_same() {
    let mut stage = stage(&LESSON);
    for method in PUTTING {
        for count in [0, 1, 100] {
            open_basket(&mut stage).unwrap();
            assert_eq!(put(&mut stage, method, count), Got::ReplyOk);
            let expected: Vec<u64> = (1..=count).collect();
            assert_eq!(items(&mut stage), Some(expected), "{method}");
        }
    }
}

#[test]
fn parallel_calls_arrive_in_order_whatever_the_order_of_the_responses() {
    let mut stage = stage(&LESSON);
    open_basket(&mut stage).unwrap();
    stage.hold().unwrap();
    let method = "put_in_parallel";
    let sent = stage.send(stage.caller, method, (5u64,)).unwrap();
    stage.deliver_call(method).unwrap();
    for _ in 0..5 {
        stage.deliver_call("put").unwrap();
    }
    let mut responses: Vec<WaitingMessage> = stage.waiting().unwrap();
    assert_eq!(responses.len(), 5);
    while let Some(last) = responses.pop() {
        assert_eq!(last.kind, Kind::Response);
        assert!(stage.answer_so_far(&sent).unwrap().is_none());
        stage
            .deliver(|message| message.name == last.name, Delivery::Normally)
            .unwrap();
    }
    stage.release().unwrap();
    assert_eq!(Got::read(&stage.answer(&sent).unwrap()), Got::ReplyOk);
    assert_eq!(items(&mut stage), Some(vec![1, 2, 3, 4, 5]));
}

#[test]
fn requests_to_two_callees_are_executed_in_either_order() {
    let mut stage = stage(&LESSON);
    let method = "ask_two_callees";
    let (caller, callee) = (stage.caller, stage.callee);
    for first in [caller, callee] {
        stage.hold().unwrap();
        let sent = stage.send(caller, method, ()).unwrap();
        stage.deliver_call(method).unwrap();
        stage
            .deliver(|message| message.to == first, Delivery::Normally)
            .unwrap();
        stage.release().unwrap();
        let answer = stage.answer(&sent).unwrap();
        let prices: Result<Vec<u64>, String> = decode(method, &answer).unwrap();
        assert_eq!(prices, Ok(vec![10, 11]));
    }
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let mut stage = stage(&LESSON);
    open_basket(&mut stage).unwrap();
    for method in PUTTING {
        let told = put(&mut stage, method, 101);
        let refused = "at most 100 items at once, not 101".to_owned();
        assert_eq!(told, Got::ReplyErr(refused), "{method}");
    }
    assert_eq!(items(&mut stage), Some(vec![]));

    stage.become_user(1).unwrap();
    for method in PUTTING {
        let Got::ReplyErr(error) = put(&mut stage, method, 3) else {
            panic!("{method} puts items into a basket that is not there");
        };
        assert!(error.contains("there is no such basket"), "{error}");
    }
    assert_eq!(items(&mut stage), None);

    let answer = stage.call(stage.callee, "price", ("plum",));
    let message = answer.unwrap().unwrap_err().message;
    assert!(message.contains("there is no price of 'plum'"), "{message}");
}

#[test]
fn a_basket_has_room_for_a_thousand_items() {
    let mut stage = stage(&LESSON);
    open_basket(&mut stage).unwrap();
    let many: Vec<u64> = (0..1000).collect();
    let full = (stage.user(), many);
    let answer = stage.call(stage.callee, "put_all", full);
    answer.unwrap().unwrap();
    for method in PUTTING {
        let Got::ReplyErr(error) = put(&mut stage, method, 1) else {
            panic!("{method} puts items into a basket that is full");
        };
        assert!(error.contains("at most 1000 items"), "{error}");
    }
}

/// A canister can have so many calls under way to another.
const MOST_CALLS: u64 = 500;

#[test]
fn where_500_calls_are_under_way_to_the_callee_the_next_is_not_sent() {
    let mut stage = stage(&LESSON);
    open_basket(&mut stage).unwrap();
    stage.hold().unwrap();
    let method = "put_in_parallel";
    for _ in 0..MOST_CALLS / 100 {
        stage.send(stage.caller, method, (100u64,)).unwrap();
        stage.deliver_call(method).unwrap();
    }
    let is_call = |message: &&WaitingMessage| message.kind == Kind::Request;
    let waiting = stage.waiting().unwrap();
    assert_eq!(waiting.iter().filter(is_call).count() as u64, MOST_CALLS);
    for method in PUTTING {
        let refused = stage.call_alone(stage.caller, method, (1u64,)).unwrap();
        let Got::ReplyErr(error) = Got::read(&refused) else {
            panic!("{method} has sent a call");
        };
        assert!(error.ends_with("call perform failed"), "{error}");
    }
    while stage.deliver_next().unwrap() {}
    let all: Vec<u64> = (1..=100).cycle().take(500).collect();
    assert_eq!(items(&mut stage), Some(all));
}

#[test]
fn baskets_survive_an_upgrade() {
    let mut stage = stage(&LESSON);
    open_basket(&mut stage).unwrap();
    put(&mut stage, "put_as_a_batch", 3);
    stage.upgrade(stage.callee).unwrap().unwrap();
    assert_eq!(items(&mut stage), Some(vec![1, 2, 3]));
    put(&mut stage, "put_as_a_batch", 1);
    assert_eq!(items(&mut stage), Some(vec![1, 2, 3, 1]));
}

#[test]
fn only_its_owner_and_the_canister_that_the_owner_named_put_items_into_a_basket() {
    let mut stage = stage(&LESSON);
    let owner = stage.user();
    open_basket(&mut stage).unwrap();
    put(&mut stage, "put_as_a_batch", 2);
    let own = stage.call(stage.callee, "put", (owner, 9u64));
    own.unwrap().unwrap();

    stage.become_user(1).unwrap();
    let strange = stage.call(stage.callee, "put", (owner, 8u64));
    let message = strange.unwrap().unwrap_err().message;
    assert!(
        message.contains("only its owner and its buyer"),
        "{message}"
    );

    // Through the caller, too, where another canister is named.
    let nobody = Principal::management_canister();
    let opened: Result<(), String> = stage.reply(stage.callee, "open_basket", (nobody,)).unwrap();
    opened.unwrap();
    for method in PUTTING {
        let Got::ReplyErr(error) = put(&mut stage, method, 3) else {
            panic!("{method} puts where it may not");
        };
        assert!(error.contains("only its owner and its buyer"), "{error}");
    }
    assert_eq!(items(&mut stage), Some(vec![]));
    stage.become_user(0).unwrap();
    assert_eq!(items(&mut stage), Some(vec![1, 2, 9]));
}

#[test]
fn a_thousand_strangers_leave_a_basket_as_it_is_and_usable() {
    let mut stage = stage(&LESSON);
    let owner = stage.user();
    open_basket(&mut stage).unwrap();
    put(&mut stage, "put_in_a_loop", 3);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let _own = open_basket(&mut stage);
        put(&mut stage, PUTTING[stranger % 3], 2);
        let strange = stage.call(stage.callee, "put_all", (owner, vec![8u64]));
        strange.unwrap().unwrap_err();
    }
    let full = "there is no room for more; nothing was done".to_owned();
    assert_eq!(open_basket(&mut stage), Err(full));

    stage.become_user(0).unwrap();
    assert_eq!(items(&mut stage), Some(vec![1, 2, 3]));
    for method in PUTTING {
        open_basket(&mut stage).unwrap();
        assert_eq!(put(&mut stage, method, 2), Got::ReplyOk);
        assert_eq!(items(&mut stage), Some(vec![1, 2]));
    }
}
