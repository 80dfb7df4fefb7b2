//! The lesson `journal`: its experiment, every fault at every message, and what the table does not
//! show.

use std::time::Duration;

use crate::support::faults::{FAULTS, Fault, Scenario, World, try_all};
use crate::support::{observe, stage, text};
use candid::CandidType;
use observe::lessons::journal::LESSON;
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

// ---- Every fault at every message --------------------------------------------------------------

/// A user who transfers 40 of 100, and tries again as long as there are faults.
fn scenario(
    prepare: fn(&mut World) -> Accounts,
    check: fn(&mut World, &Accounts) -> Result<(), String>,
) -> Scenario<Accounts> {
    let transfer = |world: &mut World, accounts: &Accounts| {
        let arguments = (accounts.transfer(), accounts.to, 40u64, TrapAt::Nowhere);
        world.send(world.caller, "transfer", arguments);
    };
    Scenario {
        lesson: &LESSON,
        prepare,
        act: transfer,
        recover: transfer,
        check,
    }
}

fn accepted() -> Scenario<Accounts> {
    let prepare = |world: &mut World| Accounts {
        from: world.call(world.caller, "open", (100u64,)),
        to: world.call(world.callee, "open", ()),
    };
    scenario(prepare, |world, accounts| {
        let received: Option<u64> = world.query(world.callee, "get_balance", (accounts.to,));
        match (paid(world, accounts), received) {
            ((60, 1, Some(Progress::Finished)), Some(40)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
}

fn refused() -> Scenario<Accounts> {
    let prepare = |world: &mut World| Accounts {
        from: world.call(world.caller, "open", (100u64,)),
        to: NO_ACCOUNT,
    };
    scenario(prepare, |world, accounts| match paid(world, accounts) {
        (100, 0, Some(Progress::Refused(_))) => Ok(()),
        other => Err(format!("{other:?}")),
    })
}

/// What the caller has in the account, how many receipts, and how far the transfer has come.
fn paid(world: &mut World, accounts: &Accounts) -> (u64, u64, Option<Progress>) {
    let caller = world.caller;
    let account: Option<Account> = world.query(caller, "get_account", (accounts.from,));
    let account = account.expect("it has the account");
    let progress = world.query(caller, "get_progress", (accounts.transfer(),));
    (account.balance, account.receipts, progress)
}

#[test]
fn any_two_faults_leave_exactly_one_transfer() {
    let runs = try_all(&accepted(), FAULTS, 2);
    println!("{runs} runs");
    assert!(runs > 500, "only {runs} runs");
}

#[test]
fn any_fault_leaves_a_refused_transfer_given_back_once() {
    let runs = try_all(&refused(), FAULTS, 1);
    println!("{runs} runs");
    assert!(runs > 15, "only {runs} runs");
}

#[test]
#[should_panic(expected = "with [(2, Trap)]: (20, 1, Some(80))")]
fn without_a_journal_a_trap_in_the_callback_pays_twice() {
    // A user who sees a receipt does not try again.
    let transfer = |world: &mut World, accounts: &Accounts| {
        let (_, receipts, _) = paid(world, accounts);
        if receipts == 0 {
            let arguments = (accounts.from, accounts.to, 40u64, TrapAt::Nowhere);
            let method = "transfer_without_journal";
            world.send(world.caller, method, arguments);
        }
    };
    let scenario = Scenario {
        act: transfer,
        recover: transfer,
        check: |world, accounts| {
            let received: Option<u64> = world.query(world.callee, "get_balance", (accounts.to,));
            match (paid(world, accounts), received) {
                ((60, 1, None), Some(40)) => Ok(()),
                ((balance, receipts, _), received) => {
                    Err(format!("{:?}", (balance, receipts, received)))
                }
            }
        },
        ..accepted()
    };
    try_all(&scenario, &[Fault::Trap], 1);
}

/// Seen, not promised: the answers that were under way meet code that never asked.
#[test]
fn an_upgrade_in_flight_leaves_exactly_one_transfer_too() {
    try_all(&accepted(), &[Fault::UpgradeInFlight], 1);
}

// ---- What the table does not show --------------------------------------------------------------

fn open(stage: &mut Stage) -> Accounts {
    Accounts {
        from: stage.reply(stage.caller, "open", (100u64,)).unwrap(),
        to: stage.reply(stage.callee, "open", ()).unwrap(),
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
    let missing = format!("the caller has no account {NO_ACCOUNT}");
    assert_eq!(transfer(NO_ACCOUNT, to, 1), Err(missing));
    let unknown = Progress::Refused(format!("the callee has no account {NO_ACCOUNT}"));
    assert_eq!(transfer(from, NO_ACCOUNT, 1), Ok(unknown));
    let other = "another transfer has this number; take a new one".to_owned();
    assert_eq!(transfer(from, to, 1), Err(other));
    assert_eq!(balances(&mut stage, &accounts), (100, 0));
}

#[test]
fn no_open_entry_is_dropped_for_a_new_one() {
    const MAX_OPEN: u64 = 100;
    let mut stage = stage(&LESSON);
    let accounts = open(&mut stage);
    let mut transfer = |number, trap_at| {
        let account = accounts.from;
        let arguments = (TransferId { account, number }, accounts.to, 1u64, trap_at);
        stage.call(stage.caller, "transfer", arguments).unwrap()
    };
    for number in 0..MAX_OPEN {
        transfer(number, TrapAt::AfterCall).expect_err("it trapped");
    }
    let refused = transfer(MAX_OPEN, TrapAt::Nowhere).unwrap();
    let refused: Result<Progress, String> = candid::decode_one(&refused).unwrap();
    assert!(refused.unwrap_err().contains("`resume` carries them on"));
    stage.call(stage.caller, "resume", ()).unwrap().unwrap();
    assert_eq!(balances(&mut stage, &accounts), (0, 100));
}
