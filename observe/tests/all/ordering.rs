//! The lesson `ordering`: what its experiments show, and what they don't: bad arguments, upgrades.

use crate::support::{assert_questions_can_be_answered, observe, stage, text};
use observe::answer::Got;
use observe::lessons::ordering::LESSON;
use observe::network::{Delivery, Kind, WaitingMessage};
use observe::stage::Stage;

const APPENDING: [&str; 3] = [
    "append_in_a_loop",
    "append_in_parallel",
    "append_as_a_batch",
];

fn open_list(stage: &mut Stage) -> u64 {
    stage.reply(stage.callee, "open_list", ()).unwrap()
}

fn entries(stage: &mut Stage, list: u64) -> Option<Vec<u64>> {
    stage.query(stage.callee, "list", (list,)).unwrap()
}

fn append(stage: &mut Stage, method: &str, list: u64, count: u64) -> Got {
    let arguments = (list, count);
    Got::read(&stage.call(stage.caller, method, arguments).unwrap())
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
    assert!(printed.ends_with("\n6 of 6 as predicted.\n"), "{printed}");
}

#[test]
fn if_nothing_fails_all_three_ways_come_to_the_same() {
    let mut stage = stage(&LESSON);
    for method in APPENDING {
        for count in [0, 1, 100] {
            let list = open_list(&mut stage);
            assert_eq!(append(&mut stage, method, list, count), Got::ReplyOk);
            let expected: Vec<u64> = (1..=count).collect();
            assert_eq!(entries(&mut stage, list), Some(expected), "{method}");
        }
    }
}

#[test]
fn parallel_calls_arrive_in_order_whatever_the_order_of_the_responses() {
    let mut stage = stage(&LESSON);
    let list = open_list(&mut stage);
    stage.hold().unwrap();
    let method = "append_in_parallel";
    let sent = stage.send(stage.caller, method, (list, 5u64)).unwrap();
    stage.deliver_call(method).unwrap();
    for _ in 0..5 {
        stage.deliver_call("append").unwrap();
    }
    let mut responses: Vec<WaitingMessage> = stage.waiting().unwrap();
    assert_eq!(responses.len(), 5);
    while let Some(last) = responses.pop() {
        assert_eq!(last.kind, Kind::Response);
        assert!(stage.answer_so_far(&sent).unwrap().is_none());
        stage
            .deliver(|message| message.number == last.number, Delivery::Normally)
            .unwrap();
    }
    stage.release().unwrap();
    assert_eq!(Got::read(&stage.answer(&sent).unwrap()), Got::ReplyOk);
    assert_eq!(entries(&mut stage, list), Some(vec![1, 2, 3, 4, 5]));
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let mut stage = stage(&LESSON);
    let list = open_list(&mut stage);
    for method in APPENDING {
        let told = append(&mut stage, method, list, 101);
        let refused = "at most 100 entries at once, not 101".to_owned();
        assert_eq!(told, Got::ReplyErr(refused), "{method}");

        let Got::ReplyErr(error) = append(&mut stage, method, 77, 3) else {
            panic!("{method} appends to a list that is not there");
        };
        assert!(error.contains("there is no list 77"), "{error}");
    }
    assert_eq!(entries(&mut stage, list), Some(vec![]));
    assert_eq!(entries(&mut stage, 77), None);

    let answer = stage.call(stage.callee, "price", ("plum",));
    let message = answer.unwrap().unwrap_err().message;
    assert!(message.contains("there is no price of 'plum'"), "{message}");
}

#[test]
fn a_list_has_room_for_a_thousand_entries() {
    let mut stage = stage(&LESSON);
    let list = open_list(&mut stage);
    let many: Vec<u64> = (0..1000).collect();
    let full = (list, many);
    let answer = stage.call(stage.callee, "append_all", full);
    answer.unwrap().unwrap();
    for method in APPENDING {
        let Got::ReplyErr(error) = append(&mut stage, method, list, 1) else {
            panic!("{method} appends to a list that is full");
        };
        assert!(error.contains("at most 1000 entries"), "{error}");
    }
}

#[test]
fn lists_survive_an_upgrade() {
    let mut stage = stage(&LESSON);
    let list = open_list(&mut stage);
    append(&mut stage, "append_as_a_batch", list, 3);
    stage.upgrade(stage.callee).unwrap().unwrap();
    assert_eq!(entries(&mut stage, list), Some(vec![1, 2, 3]));
    let another = open_list(&mut stage);
    assert_ne!(list, another);
}
