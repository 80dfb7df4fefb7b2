//! The lesson `journal`: its experiment, and what the table does not show.

use std::time::Duration;

use crate::support::{observe, silence, stage, text};
use candid::CandidType;
use observe::lessons::journal::LESSON;
use observe::network::Delivery;
use observe::stage::Stage;
use serde::Deserialize;

#[derive(Clone, Copy, CandidType, Deserialize)]
struct TransferId {
    account: u64,
    number: u64,
}

#[derive(CandidType, Debug, Deserialize, PartialEq)]
enum Progress {
    Intended,
    Added,
    Finished,
    Refused(String),
}

#[derive(CandidType, Clone, Copy, Deserialize)]
enum TrapAt {
    Nowhere,
    BeforeCall,
    AfterCall,
    AfterOutcome,
    BeforeReply,
}

#[derive(CandidType, Clone, Copy, Deserialize)]
struct Account {
    balance: u64,
    receipts: u64,
}

/// An account in the caller with 100, and an account in the callee.
struct Accounts {
    from: u64,
    to: u64,
}

/// The account, which there was room for.
fn opened(account: Result<u64, String>) -> u64 {
    account.expect("there is room")
}

impl Accounts {
    fn transfer(&self) -> TransferId {
        TransferId {
            account: self.from,
            number: 1,
        }
    }
}

/// An account that the callee does not have.
const NO_ACCOUNT: u64 = 999;

#[test]
fn the_lesson_is_as_predicted_and_the_exit_status_is_0() {
    let output = observe(&["journal"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n4 of 4 as predicted.\n"));
}

// ---- What the table does not show --------------------------------------------------------------

fn open(stage: &mut Stage) -> Accounts {
    Accounts {
        from: opened(stage.reply(stage.caller, "open", (100u64,)).unwrap()),
        to: opened(stage.reply(stage.callee, "open", (stage.caller,)).unwrap()),
    }
}

/// Begins a transfer of 40 that traps in its callback, after the callee has added them.
fn begin(stage: &mut Stage, accounts: &Accounts) {
    let arguments = (accounts.transfer(), accounts.to, 40u64, TrapAt::AfterCall);
    let answer = stage.call(stage.caller, "transfer", arguments);
    answer.unwrap().expect_err("it trapped");
    assert_eq!(progress(stage, accounts), Some(Progress::Intended));
}

fn progress(stage: &mut Stage, accounts: &Accounts) -> Option<Progress> {
    let id = (accounts.transfer(),);
    stage.query(stage.caller, "get_progress", id).unwrap()
}

/// What both accounts have.
fn balances(stage: &mut Stage, accounts: &Accounts) -> (u64, u64) {
    let (from, to) = ((accounts.from,), (accounts.to,));
    let account: Option<Account> = stage.query(stage.caller, "get_account", from).unwrap();
    let received: Option<u64> = stage.query(stage.callee, "get_balance", to).unwrap();
    (account.unwrap().balance, received.unwrap())
}

#[test]
fn an_upgrade_keeps_the_journal_and_sets_the_timer_again() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    begin(&mut stage, &accounts);
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(progress(&mut stage, &accounts), Some(Progress::Intended));
    stage.hold().unwrap();
    stage.advance_time(Duration::from_secs(60)).unwrap();
    stage.deliver_all().unwrap();
    assert_eq!(progress(&mut stage, &accounts), Some(Progress::Finished));
    assert_eq!(balances(&mut stage, &accounts), (60, 40));
}

#[test]
fn a_stranger_can_use_up_no_id_and_finish_nothing_early() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    let add = (accounts.transfer(), accounts.to, 0u64);
    let added = stage.call(stage.callee, "add", add).unwrap();
    let refused = added.unwrap_err().message;
    assert!(
        refused.contains("only a canister may call this"),
        "{refused}"
    );
    begin(&mut stage, &accounts);
    let finish = (accounts.transfer(), TrapAt::Nowhere);
    stage.call(stage.caller, "finish", finish).unwrap().unwrap();
    assert_eq!(progress(&mut stage, &accounts), Some(Progress::Intended));
    assert_eq!(balances(&mut stage, &accounts), (60, 40));
}

#[test]
fn transfers_that_cannot_be_are_refused_with_the_reason_and_take_nothing() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    let mut transfer = |account, to, amount: u64| {
        let id = TransferId { account, number: 1 };
        let arguments = (id, to, amount, TrapAt::Nowhere);
        let answer: Result<Progress, String> =
            stage.reply(stage.caller, "transfer", arguments).unwrap();
        answer
    };
    let (from, to) = (accounts.from, accounts.to);
    let too_much = format!("account {from} has 100, less than 101");
    assert_eq!(transfer(from, to, 101), Err(too_much));
    let missing = format!("you have no account {NO_ACCOUNT}");
    assert_eq!(transfer(NO_ACCOUNT, to, 1), Err(missing));
    let unknown = Progress::Refused(format!("the callee has no account {NO_ACCOUNT}"));
    assert_eq!(transfer(from, NO_ACCOUNT, 1), Ok(unknown));
    let other = "another transfer has this number".to_owned();
    assert_eq!(transfer(from, to, 1), Err(other));
    assert_eq!(balances(&mut stage, &accounts), (100, 0));
}

/// Asks for a transfer from an account.
fn transfer(
    stage: &mut Stage,
    accounts: &Accounts,
    number: u64,
    amount: u64,
) -> Result<Progress, String> {
    let account = accounts.from;
    let id = TransferId { account, number };
    let arguments = (id, accounts.to, amount, TrapAt::Nowhere);
    stage.reply(stage.caller, "transfer", arguments).unwrap()
}

#[test]
fn only_the_owner_moves_the_money_of_an_account() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    let (from, to) = (accounts.from, accounts.to);
    stage.become_user(1).unwrap();
    let refused = Err(format!("you have no account {from}"));
    assert_eq!(transfer(&mut stage, &accounts, 1, 40), refused);
    let arguments = (from, to, 40u64, TrapAt::Nowhere);
    let method = "transfer_without_journal";
    let got: Result<(), String> = stage.reply(stage.caller, method, arguments).unwrap();
    assert_eq!(got, refused.map(|_| ()));
    assert_eq!(balances(&mut stage, &accounts), (100, 0));
}

#[test]
fn an_account_in_the_callee_takes_money_only_from_its_payer() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    stage.become_user(1).unwrap();
    let added = (accounts.to, u64::MAX);
    let got: Result<(), String> = stage.reply(stage.callee, "add_without_id", added).unwrap();
    let refused = format!("account {} takes nothing from you", accounts.to);
    assert_eq!(got, Err(refused));
    stage.become_user(0).unwrap();
    assert_eq!(
        transfer(&mut stage, &accounts, 1, 40),
        Ok(Progress::Finished)
    );
}

#[test]
fn no_number_blocks_an_account() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    for number in [u64::MAX, 0, 2] {
        let refused = Err("the next transfer has the number 1".to_owned());
        assert_eq!(transfer(&mut stage, &accounts, number, 1), refused);
    }
    for number in [1, 2] {
        let done = transfer(&mut stage, &accounts, number, 1);
        assert_eq!(done, Ok(Progress::Finished));
    }
    let refused = Err("the next transfer has the number 3".to_owned());
    assert_eq!(transfer(&mut stage, &accounts, 1, 1), refused);
    assert_eq!(balances(&mut stage, &accounts), (98, 2));
}

#[test]
fn the_next_transfer_begins_when_the_last_has_ended() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    begin(&mut stage, &accounts);
    let refused = Err("transfer 1 has not ended; ask for it again".to_owned());
    assert_eq!(transfer(&mut stage, &accounts, 2, 1), refused);
    for number in [1, 2] {
        let done = transfer(&mut stage, &accounts, number, 40);
        assert_eq!(done, Ok(Progress::Finished));
    }
    assert_eq!(balances(&mut stage, &accounts), (20, 80));
}

#[test]
fn a_thousand_transfers_of_others_have_no_outcome_forgotten() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    begin(&mut stage, &accounts);
    stage.become_user(1).unwrap();
    let theirs = open(&mut stage);
    for number in 1..=1000 {
        let done = transfer(&mut stage, &theirs, number, 0);
        assert_eq!(done, Ok(Progress::Finished));
    }
    stage.become_user(0).unwrap();
    let done = transfer(&mut stage, &accounts, 1, 40);
    assert_eq!(done, Ok(Progress::Finished));
    assert_eq!(balances(&mut stage, &accounts), (60, 40));
}

#[test]
fn a_thousand_strangers_take_neither_an_account_nor_the_next_transfer_of_it() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    begin(&mut stage, &accounts);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let (caller, callee) = (stage.caller, stage.callee);
        // Some open accounts, and leave transfers open. Where there is no room they are refused.
        let _refused = stage.call(callee, "open", (caller,)).unwrap();
        let opened: Result<u64, String> = stage.reply(caller, "open", (1u64,)).unwrap();
        for (account, number) in [(opened.unwrap_or(0), 1), (accounts.from, u64::MAX)] {
            let id = TransferId { account, number };
            let arguments = (id, accounts.to, 1u64, TrapAt::AfterCall);
            let _refused = stage.call(caller, "transfer", arguments).unwrap();
        }
        let add = (accounts.to, u64::MAX);
        let _refused = stage.call(callee, "add_without_id", add).unwrap();
        let finish = (accounts.transfer(), TrapAt::AfterOutcome);
        let _trapped = stage.call(caller, "finish", finish).unwrap();
    }
    stage.become_user(0).unwrap();
    let received = balances(&mut stage, &accounts).1;
    assert_eq!(progress(&mut stage, &accounts), Some(Progress::Intended));
    for number in [1, 2] {
        let done = transfer(&mut stage, &accounts, number, 40);
        assert_eq!(done, Ok(Progress::Finished));
    }
    assert_eq!(balances(&mut stage, &accounts), (20, received + 40));
}

#[test]
fn one_user_has_at_most_100_accounts() {
    let mut stage = stage(&LESSON);
    let callee = (stage.callee, "open", stage.caller);
    for _ in 0..100 {
        open(&mut stage);
    }
    let refused = Err("you have 100 accounts, and can't have more".to_owned());
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", (1u64,)).unwrap();
    assert_eq!(opened, refused);
    let opened: Result<u64, String> = stage.reply(callee.0, callee.1, (callee.2,)).unwrap();
    assert_eq!(opened, refused);
    stage.become_user(1).unwrap();
    open(&mut stage);
}

/// How many calls of `add` wait to be delivered.
fn asked(stage: &mut Stage) -> usize {
    let waiting = stage.waiting().unwrap();
    waiting.iter().filter(|one| one.method == "add").count()
}

#[test]
fn resume_does_nothing_while_it_is_under_way() {
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    begin(&mut stage, &accounts);
    stage.hold().unwrap();
    for _ in 0..2 {
        stage.send(stage.caller, "resume", ()).unwrap();
        stage.deliver_call("resume").unwrap();
    }
    assert_eq!(asked(&mut stage), 1);
    stage
        .deliver(|one| one.method == "add", Delivery::Normally)
        .unwrap();
    // A trap ends it, and it can begin again.
    stage
        .deliver(|one| one.method == "add", Delivery::Trap)
        .unwrap();
    stage.release().unwrap();
    stage.call(stage.caller, "resume", ()).unwrap().unwrap();
    assert_eq!(progress(&mut stage, &accounts), Some(Progress::Finished));
}

#[test]
fn resume_carries_on_10_transfers_and_then_the_next_10() {
    let mut stage = stage(&LESSON);
    let opened: Vec<Accounts> = (0..20).map(|_| open(&mut stage)).collect();
    for accounts in &opened {
        begin(&mut stage, accounts);
    }
    for finished in [10, 20] {
        stage.call(stage.caller, "resume", ()).unwrap().unwrap();
        let ends = opened.iter().map(|one| progress(&mut stage, one));
        let ends = ends.filter(|end| *end == Some(Progress::Finished));
        assert_eq!(ends.count(), finished);
    }
}

#[test]
fn a_run_of_resume_ends_before_the_system_gives_its_timer_up() {
    let mut stage = stage(&LESSON);
    for _ in 0..20 {
        let accounts = open(&mut stage);
        begin(&mut stage, &accounts);
    }
    stage.hold().unwrap();
    let run = stage.send(stage.caller, "resume", ()).unwrap();
    stage.deliver_call("resume").unwrap();
    let seconds = silence(&mut stage);
    assert!((150..300).contains(&seconds), "{seconds} seconds");
    stage.answer(&run).unwrap().unwrap();
}
