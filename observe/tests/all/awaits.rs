//! The lesson `awaits`: its experiments, and what they do not show.

use crate::support::{
    assert_questions_can_be_answered, module_replying, observe, reinstall, stage, text,
};
use candid::CandidType;
use observe::lessons::awaits::LESSON;
use observe::network::timeline::{Ending, Event, Step};
use observe::network::{Delivery, Kind, WaitingMessage};
use observe::stage::{Stage, accepted};
use serde::Deserialize;

#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
enum LockState {
    Open,
    Held,
    LeftBehind,
}

#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
struct Account {
    balance: u64,
    receipts: u64,
    lock: LockState,
}

#[derive(CandidType)]
enum Task {
    Protected,
    Weak,
    Migratory,
}

type Outcome = Result<(), String>;

fn open(stage: &mut Stage) -> u64 {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ()).unwrap();
    opened.unwrap()
}

fn account(stage: &mut Stage, account: u64) -> Account {
    let found: Option<Account> = stage
        .query(stage.caller, "get_account", (account,))
        .unwrap();
    found.unwrap()
}

fn orders(stage: &mut Stage, account: u64) -> u64 {
    let arguments = (stage.caller, account);
    stage.query(stage.callee, "get_orders", arguments).unwrap()
}

fn call(stage: &mut Stage, method: &str, account: u64) -> Outcome {
    stage.reply(stage.caller, method, (account,)).unwrap()
}

fn is_answer(message: &WaitingMessage) -> bool {
    message.kind == Kind::Response
}

/// An order that traps when the callee has taken it.
fn trap_after_order(stage: &mut Stage, account: u64) {
    stage.hold().unwrap();
    let order = stage.send(stage.caller, "order", (account,)).unwrap();
    stage.deliver_call("order").unwrap();
    stage.deliver_call("take_order").unwrap();
    stage.deliver(is_answer, Delivery::Trap).unwrap();
    stage.release().unwrap();
    stage.answer(&order).unwrap().expect_err("it trapped");
}

#[test]
fn the_lesson_is_as_predicted() {
    let output = observe(&["awaits"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.ends_with("\n10 of 10 as predicted.\n"), "{printed}");
}

#[test]
fn every_question_has_the_right_answer_among_its_choices() {
    assert_questions_can_be_answered(&LESSON);
}

// ---- A borrow across an await --------------------------------------------------------------------

/// Lets an order begin that waits with the books of a new account borrowed.
fn wait_with_borrow(stage: &mut Stage) -> u64 {
    let account = open(stage);
    stage.hold().unwrap();
    let method = "order_while_borrowed";
    stage.send(stage.caller, method, (account,)).unwrap();
    stage.deliver_call(method).unwrap();
    account
}

#[test]
fn whoever_borrows_meanwhile_panics_and_other_accounts_do_not() {
    let mut stage = stage(&LESSON);
    let other = open(&mut stage);
    let borrowed = wait_with_borrow(&mut stage);
    let mut deposit = |account: u64| {
        let arguments = (account, 5u32);
        stage
            .call_alone(stage.caller, "deposit", arguments)
            .unwrap()
    };
    let panic = deposit(borrowed).unwrap_err().message;
    assert!(panic.contains("already borrowed"), "{panic}");
    deposit(other).unwrap();
    let query: Result<Option<Account>, _> = stage.query(stage.caller, "get_account", (borrowed,));
    let panic = query.unwrap_err().to_string();
    assert!(panic.contains("already mutably borrowed"), "{panic}");
}

#[test]
fn an_upgrade_while_the_books_are_borrowed_is_refused() {
    let mut stage = stage(&LESSON);
    let account = wait_with_borrow(&mut stage);
    let refused = stage.upgrade(stage.caller).unwrap().unwrap_err().message;
    assert!(refused.contains("already mutably borrowed"), "{refused}");
    stage.release().unwrap();
    accepted(stage.upgrade(stage.caller).unwrap()).unwrap();
    assert_eq!(self::account(&mut stage, account).receipts, 1);
}

#[test]
fn a_trap_ends_the_borrow_as_cleanup_drops_it() {
    let mut stage = stage(&LESSON);
    let account = wait_with_borrow(&mut stage);
    stage.deliver_call("take_order").unwrap();
    stage.deliver(is_answer, Delivery::Trap).unwrap();
    let deposit: Outcome = stage
        .reply(stage.caller, "deposit", (account, 5u32))
        .unwrap();
    assert_eq!(deposit, Ok(()));
}

// ---- Tasks ---------------------------------------------------------------------------------------

/// An order in a task, and one in the method itself.
const OF_TASK: usize = 0;
const OWN: usize = 1;

/// Orders for two accounts, of which the first is in a task. One of the two traps when its answer has
/// come. Returns the accounts, what the user got, and how the messages with an answer ended.
fn trap_in(
    which: usize,
    stage: &mut Stage,
    task: Task,
) -> ([u64; 2], Result<(), String>, Vec<String>) {
    let accounts = [open(stage), open(stage)];
    stage.begin_scene().unwrap();
    stage.hold().unwrap();
    let method = "order_for_all_in_tasks";
    let sent = stage.send(stage.caller, method, (accounts.to_vec(), task));
    stage.deliver_call(method).unwrap();
    stage.deliver_call("take_order").unwrap();
    stage.deliver_call("take_order").unwrap();
    let answers = stage.waiting().unwrap();
    // The method's own call was sent first.
    let trapping = answers[1 - which].name;
    stage
        .deliver(|message| message.name == trapping, Delivery::Trap)
        .unwrap();
    stage.release().unwrap();
    let answer = stage.answer(&sent.unwrap()).unwrap();
    let got = answer.map(drop).map_err(|reject| reject.message);
    (accounts, got, stage.events().filter_map(callback).collect())
}

fn callback(event: &Event) -> Option<String> {
    match (&event.step, &event.ending) {
        (Step::Callback { .. }, Ending::Committed) => Some("kept".to_owned()),
        (Step::Callback { .. }, Ending::Undone(reject)) => Some(reject.message.clone()),
        _ => None,
    }
}

#[test]
fn the_method_of_a_task_that_traps_is_canceled_and_its_user_gets_another_trap() {
    let mut stage = stage(&LESSON);
    let (accounts, got, callbacks) = trap_in(OF_TASK, &mut stage, Task::Protected);
    let got = got.unwrap_err();
    assert!(got.contains("Call already trapped"), "{got}");
    assert_eq!(callbacks.len(), 2);
    assert!(!callbacks[0].contains("Call already trapped"));
    assert!(callbacks[1].contains("Call already trapped"));
    for one in accounts {
        assert_eq!(orders(&mut stage, one), 1);
        let Account { receipts, lock, .. } = account(&mut stage, one);
        assert_eq!((receipts, lock), (0, LockState::LeftBehind));
    }
}

#[test]
fn the_method_of_a_migratory_task_that_traps_goes_on() {
    let mut stage = stage(&LESSON);
    let ([of_task, own], got, callbacks) = trap_in(OF_TASK, &mut stage, Task::Migratory);
    assert_eq!(got, Ok(()));
    assert_eq!(callbacks[1], "kept");
    assert_eq!(account(&mut stage, own).lock, LockState::Open);
    assert_eq!(account(&mut stage, own).receipts, 1);
    assert_eq!(account(&mut stage, of_task).lock, LockState::LeftBehind);
}

#[test]
fn a_trap_of_the_method_itself_cancels_its_tasks_and_no_migratory_one() {
    let mut stage = stage(&LESSON);
    for (task, receipts, lock) in [
        (Task::Protected, 0, LockState::LeftBehind),
        (Task::Weak, 0, LockState::LeftBehind),
        (Task::Migratory, 1, LockState::Open),
    ] {
        let (accounts, got, _) = trap_in(OWN, &mut stage, task);
        got.unwrap_err();
        let own = account(&mut stage, accounts[OWN]);
        assert_eq!((own.receipts, own.lock), (0, LockState::LeftBehind));
        let of_task = account(&mut stage, accounts[OF_TASK]);
        assert_eq!((of_task.receipts, of_task.lock), (receipts, lock));
    }
}

#[test]
fn a_reply_does_not_wait_for_tasks_and_their_traps_are_told_to_nobody() {
    let mut stage = stage(&LESSON);
    let [of_task, own] = [open(&mut stage), open(&mut stage)];
    stage.hold().unwrap();
    let method = "order_for_all_in_tasks";
    let arguments = (vec![of_task, own], Task::Protected);
    let sent = stage.send(stage.caller, method, arguments).unwrap();
    stage.deliver_call(method).unwrap();
    stage.deliver_call("take_order").unwrap();
    stage.deliver_response("take_order").unwrap();
    let answer = stage.answer_so_far(&sent).unwrap();
    assert!(answer.expect("it has its own answer").is_ok());
    stage.deliver_call("take_order").unwrap();
    stage.deliver(is_answer, Delivery::Trap).unwrap();
    stage.release().unwrap();
    assert!(stage.answer(&sent).unwrap().is_ok());
    assert_eq!(account(&mut stage, own).receipts, 1);
    assert_eq!(account(&mut stage, of_task).lock, LockState::LeftBehind);
}

#[test]
fn a_protected_task_that_outlives_its_method_says_so() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let mut outlive = |task| {
        let answer = stage.call(stage.caller, "outlive", (account, task));
        answer.unwrap()
    };
    let trap = outlive(Task::Protected).unwrap_err().message;
    assert!(trap.contains("task outlived its canister method"), "{trap}");
    let refused: Outcome = candid::decode_one(&outlive(Task::Migratory).unwrap()).unwrap();
    assert!(refused.unwrap_err().contains("for ever"));
}

#[test]
fn with_methods_of_their_own_all_orders_are_placed_and_failures_named() {
    let mut stage = stage(&LESSON);
    let accounts = [open(&mut stage), open(&mut stage), open(&mut stage)];
    let method = "order_for_all";
    let arguments = (accounts.to_vec(),);
    let all: Outcome = stage
        .reply(stage.caller, method, arguments.clone())
        .unwrap();
    assert_eq!(all, Ok(()));
    trap_after_order(&mut stage, accounts[1]);
    let rest: Outcome = stage.reply(stage.caller, method, arguments).unwrap();
    let named = format!("no receipt for [{}]", accounts[1]);
    assert!(rest.unwrap_err().starts_with(&named));
    let receipts = accounts.map(|one| account(&mut stage, one).receipts);
    assert_eq!(receipts, [2, 1, 2]);
}

// ---- The lock ------------------------------------------------------------------------------------

#[test]
fn a_lock_that_was_left_behind_survives_an_upgrade_and_opens_when_it_is_settled() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    trap_after_order(&mut stage, number);
    for canister in [stage.caller, stage.callee] {
        accepted(stage.upgrade(canister).unwrap()).unwrap();
    }
    assert_eq!(account(&mut stage, number).lock, LockState::LeftBehind);
    assert_eq!(call(&mut stage, "settle", number), Ok(()));
    assert_eq!(call(&mut stage, "order", number), Ok(()));
    let Account { receipts, lock, .. } = account(&mut stage, number);
    assert_eq!((receipts, lock), (2, LockState::Open));
    assert_eq!(orders(&mut stage, number), 2);
}

#[test]
fn an_order_that_fails_without_a_trap_opens_its_lock() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    accepted(stage.command(stage.callee, "stop_canister").unwrap()).unwrap();
    call(&mut stage, "order", number).expect_err("the callee is stopped");
    assert_eq!(account(&mut stage, number).lock, LockState::Open);
    accepted(stage.command(stage.callee, "start_canister").unwrap()).unwrap();
    assert_eq!(orders(&mut stage, number), 0);
}

#[test]
fn an_order_whose_reply_cannot_be_read_leaves_its_lock_behind() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    let callee = stage.callee;
    reinstall(
        &mut stage,
        callee,
        module_replying("take_order", b"no Candid"),
    );
    let answer = stage.call(stage.caller, "order", (number,)).unwrap();
    answer.expect_err("nobody knows whether the order was taken");
    assert_eq!(account(&mut stage, number).lock, LockState::LeftBehind);
}

#[test]
fn a_settlement_without_an_answer_leaves_the_lock_behind() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    trap_after_order(&mut stage, number);
    accepted(stage.command(stage.callee, "stop_canister").unwrap()).unwrap();
    call(&mut stage, "settle", number).expect_err("the callee is stopped");
    assert_eq!(account(&mut stage, number).lock, LockState::LeftBehind);
    accepted(stage.command(stage.callee, "start_canister").unwrap()).unwrap();
    assert_eq!(call(&mut stage, "settle", number), Ok(()));
    assert_eq!(account(&mut stage, number).receipts, 1);
}

#[test]
fn what_is_under_way_or_open_is_not_settled() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    call(&mut stage, "settle", number).expect_err("its lock is open");
    stage.hold().unwrap();
    stage.send(stage.caller, "order", (number,)).unwrap();
    stage.deliver_call("order").unwrap();
    for method in ["settle", "order"] {
        let refused = stage.call_alone(stage.caller, method, (number,)).unwrap();
        let refused: Outcome = candid::decode_one(&refused.unwrap()).unwrap();
        assert!(refused.unwrap_err().contains("its lock is Held"));
    }
    stage.release().unwrap();
    assert_eq!(account(&mut stage, number).receipts, 1);
}

// ---- Who may do what -----------------------------------------------------------------------------

#[test]
fn one_user_alone_cannot_take_all_accounts() {
    let mut stage = stage(&LESSON);
    for _ in 0..100 {
        open(&mut stage);
    }
    let refused: Result<u64, String> = stage.reply(stage.caller, "open", ()).unwrap();
    assert!(refused.unwrap_err().contains("100 accounts already"));
    stage.become_user(1).unwrap();
    open(&mut stage);
}

#[test]
fn a_stranger_can_order_and_settle_nothing_and_nobody_for_too_many() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    let many: Vec<u64> = [number; 11].to_vec();
    let refused: Outcome = stage.reply(stage.caller, "order_for_all", (many,)).unwrap();
    assert!(refused.unwrap_err().contains("at most"));
    stage.become_user(1).unwrap();
    for method in [
        "order",
        "order_while_borrowed",
        "order_with_lock_that_opens",
        "settle",
    ] {
        let refused = call(&mut stage, method, number).unwrap_err();
        assert!(
            refused.contains("belongs to another"),
            "{method}: {refused}"
        );
    }
    for (method, refused) in [
        (
            "order_for_all",
            stage.call(stage.caller, "order_for_all", (vec![number],)),
        ),
        (
            "order_for_all_in_tasks",
            stage.call(
                stage.caller,
                "order_for_all_in_tasks",
                (vec![number], Task::Protected),
            ),
        ),
        (
            "outlive",
            stage.call(stage.caller, "outlive", (number, Task::Protected)),
        ),
    ] {
        let refused: Outcome = candid::decode_one(&refused.unwrap().unwrap()).unwrap();
        assert!(
            refused.unwrap_err().contains("belongs to another"),
            "{method}"
        );
    }
    let refused = stage.call(stage.callee, "take_order", (number,)).unwrap();
    assert!(refused.unwrap_err().message.contains("only a canister"));
    assert_eq!(orders(&mut stage, number), 0);
}

#[test]
fn a_thousand_strangers_lock_no_account_and_order_nothing_for_it() {
    let mut stage = stage(&LESSON);
    let number = open(&mut stage);
    call(&mut stage, "order", number).unwrap();
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let (caller, callee) = (stage.caller, stage.callee);
        let own: Result<u64, String> = stage.reply(caller, "open", ()).unwrap();
        let own = own.unwrap_or(number);
        // With its own account, if there is room for one, and with that of the user.
        for account in [own, number] {
            let few = vec![account; 3];
            let _however_it_ends = match stranger % 7 {
                0 => stage.call(caller, "order", (account,)),
                1 => stage.call(caller, "order_while_borrowed", (account,)),
                2 => stage.call(caller, "order_with_lock_that_opens", (account,)),
                3 => stage.call(caller, "order_for_all", (few,)),
                4 => stage.call(caller, "order_for_all_in_tasks", (few, Task::Migratory)),
                5 => stage.call(caller, "outlive", (account, Task::Weak)),
                _ => stage.call(caller, "settle", (account,)),
            };
        }
        let _refused = stage.call(callee, "take_order", (number,)).unwrap();
    }
    stage.become_user(0).unwrap();
    for orders_before in [1, 2] {
        let Account { receipts, lock, .. } = account(&mut stage, number);
        assert_eq!((receipts, lock), (orders_before, LockState::Open));
        assert_eq!(orders(&mut stage, number), orders_before);
        call(&mut stage, "order", number).unwrap();
        for canister in [stage.caller, stage.callee] {
            accepted(stage.upgrade(canister).unwrap()).unwrap();
        }
    }
}
