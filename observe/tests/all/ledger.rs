//! The lesson `ledger`: whatever fails, the ledger pays once, and the canister has what it owes.

use std::time::Duration;

use crate::support::{assert_questions_can_be_answered, found, observe, stage, text};
use candid::{Nat, Principal};
use observe::lessons::ledger::LESSON;
use observe::lessons::ledger::interface::{
    self, Account, Outcome, Progress, TransferArg, TransferError, Transferred,
};
use observe::network::{Delivery, Kind, WaitingMessage};
use observe::stage::{Stage, accepted};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn nat(number: u64) -> Nat {
    Nat::from(number)
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Progress::Done(_)))
}

fn assert_err(outcome: &Outcome, expected: &str) {
    let error = outcome.as_ref().unwrap_err();
    assert!(error.contains(expected), "{error}");
}

// ---- What a user does ----------------------------------------------------------------------------

fn transfer(stage: &mut Stage, to: Account, amount: u64) -> Transferred {
    interface::transfer(stage, &TransferArg::new(to, amount)).unwrap()
}

fn get_tokens(stage: &mut Stage) -> Result<Nat, String> {
    stage.reply(stage.callee, "get_tokens", ()).unwrap()
}

fn put_into_deposit_account(stage: &mut Stage, amount: u64) {
    let account: Account = stage
        .query(stage.caller, "get_deposit_account", ())
        .unwrap();
    transfer(stage, account, amount).unwrap();
}

fn deposit(stage: &mut Stage, number: u64, amount: u64) -> Outcome {
    let arguments = (number, nat(amount));
    stage.reply(stage.caller, "deposit", arguments).unwrap()
}

fn withdraw(stage: &mut Stage, number: u64, amount: u64) -> Outcome {
    let arguments = (number, nat(amount));
    stage.reply(stage.caller, "withdraw", arguments).unwrap()
}

fn progress(stage: &mut Stage, number: u64) -> Outcome {
    interface::progress(stage, number).unwrap()
}

fn settle(stage: &mut Stage, user: Principal, number: u64, block: Option<Nat>) -> Outcome {
    let arguments = (user, number, block);
    stage.reply(stage.caller, "settle", arguments).unwrap()
}

fn balance(stage: &mut Stage, user: Principal) -> Nat {
    stage.query(stage.caller, "get_balance", (user,)).unwrap()
}

fn tokens(stage: &mut Stage, owner: Principal) -> Nat {
    let arguments = (Account::of(owner),);
    stage
        .query(stage.callee, "icrc1_balance_of", arguments)
        .unwrap()
}

/// What the canister owes to the user, what it has, and what the user has at the ledger.
fn books(stage: &mut Stage) -> [Nat; 3] {
    let (user, caller) = (stage.user(), stage.caller);
    [
        balance(stage, user),
        tokens(stage, caller),
        tokens(stage, user),
    ]
}

/// The user's transfer 1: a deposit of 500. It leaves 480 at the ledger.
fn deposit_500(stage: &mut Stage) {
    get_tokens(stage).unwrap();
    put_into_deposit_account(stage, 510);
    assert!(is_done(&deposit(stage, 1, 500)));
}

/// A stage where the user has deposited 500.
fn with_deposit() -> Stage {
    let mut stage = stage(&LESSON);
    deposit_500(&mut stage);
    assert_eq!(books(&mut stage), [nat(500), nat(500), nat(480)]);
    stage
}

fn is_request(message: &WaitingMessage) -> bool {
    message.kind == Kind::Request
}

fn is_response(message: &WaitingMessage) -> bool {
    message.kind == Kind::Response
}

/// Withdraws 100, and loses what this calls the ledger, or the answer.
fn lose(stage: &mut Stage, number: u64, lost: Kind) {
    stage.hold().unwrap();
    let arguments = (number, nat(100));
    let sent = stage.send(stage.caller, "withdraw", arguments).unwrap();
    stage.deliver_call("withdraw").unwrap();
    if lost == Kind::Response {
        stage.deliver(is_request, Delivery::Normally).unwrap();
    }
    stage
        .deliver(|message| message.kind == lost, Delivery::Lose)
        .unwrap();
    stage.advance_time(Duration::from_secs(60)).unwrap();
    stage.release().unwrap();
    let answer = stage.answer(&sent).unwrap().unwrap();
    let outcome: Outcome = candid::decode_one(&answer).unwrap();
    assert_eq!(outcome, Ok(Progress::Open));
}

// ---- The lesson ----------------------------------------------------------------------------------

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["ledger"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n9 of 9 as predicted.\n"));
}

#[test]
fn every_question_has_its_answer_among_the_choices() {
    assert_questions_can_be_answered(&LESSON);
}

#[test]
fn without_a_time_or_with_a_new_one_or_believing_too_old_the_canister_pays_what_it_does_not_have() {
    for method in [
        "withdraw_without_time",
        "withdraw_with_new_time",
        "carry_on_believing_refusals",
    ] {
        let facts = found(&mut stage(&LESSON), &LESSON, method);
        let missing = "missing in the canister's account: 110".to_owned();
        assert_eq!(facts.last(), Some(&missing), "{method}");
    }
    let facts = found(&mut stage(&LESSON), &LESSON, "withdraw");
    let missing = facts.iter().filter(|fact| fact.starts_with("missing"));
    assert!(missing.into_iter().all(|fact| fact.ends_with(" 0")));
}

// ---- Whatever fails ------------------------------------------------------------------------------

#[test]
fn an_open_withdrawal_survives_an_upgrade_of_both_and_is_paid_once() {
    for lost in [Kind::Response, Kind::Request] {
        let mut stage = with_deposit();
        lose(&mut stage, 2, lost);
        for canister in [stage.caller, stage.callee] {
            accepted(stage.upgrade(canister).unwrap()).unwrap();
        }
        assert!(is_done(&withdraw(&mut stage, 2, 100)));
        assert_eq!(books(&mut stage), [nat(390), nat(390), nat(580)]);
    }
}

// ---- What an answer proves -----------------------------------------------------------------------

/// Takes what the canister has, so that it can't pay: with the mistake, which a controller may try.
fn empty_the_canister(stage: &mut Stage) {
    stage.hold().unwrap();
    let method = "withdraw_without_time";
    stage.send(stage.caller, method, (nat(240),)).unwrap();
    stage.deliver_call(method).unwrap();
    stage.deliver(is_request, Delivery::Normally).unwrap();
    stage.deliver(is_response, Delivery::Lose).unwrap();
    stage.advance_time(Duration::from_secs(60)).unwrap();
    stage.release().unwrap();
    assert_eq!(books(stage), [nat(250), nat(0), nat(960)]);
}

#[test]
fn a_refusal_of_the_only_attempt_gives_back_and_says_why() {
    let mut stage = with_deposit();
    empty_the_canister(&mut stage);
    let refused = withdraw(&mut stage, 2, 100);
    assert!(
        matches!(&refused, Ok(Progress::Refused(why)) if why.contains("enough funds")),
        "{refused:?}"
    );
    assert_eq!(books(&mut stage), [nat(250), nat(0), nat(960)]);
    // It is the end of this one.
    transfer_to_caller(&mut stage, 250);
    assert_eq!(withdraw(&mut stage, 2, 100), refused);
    assert!(is_done(&withdraw(&mut stage, 3, 100)));
    assert_eq!(books(&mut stage)[..2], [nat(140), nat(140)]);
}

fn transfer_to_caller(stage: &mut Stage, amount: u64) {
    let to = Account::of(stage.caller);
    transfer(stage, to, amount).unwrap();
}

#[test]
fn a_refusal_proves_nothing_while_another_attempt_is_in_doubt() {
    let mut stage = with_deposit();
    empty_the_canister(&mut stage);
    lose(&mut stage, 2, Kind::Request);
    // The ledger refuses this one. Of the first the canister knows nothing.
    assert_eq!(withdraw(&mut stage, 2, 100), Ok(Progress::Open));
    assert_eq!(books(&mut stage)[..2], [nat(140), nat(0)]);
    transfer_to_caller(&mut stage, 250);
    assert!(is_done(&withdraw(&mut stage, 2, 100)));
    assert_eq!(books(&mut stage)[..2], [nat(140), nat(140)]);
}

/// A canister can have so many calls under way to another.
const MOST_CALLS: usize = 500;

#[test]
fn a_withdrawal_that_could_not_be_sent_is_given_back_and_others_are_done() {
    let mut stage = with_deposit();
    stage.become_user(1).unwrap();
    deposit_500(&mut stage);
    stage.hold().unwrap();
    for _ in 0..MOST_CALLS {
        let arguments = (2u64, nat(1));
        stage.send(stage.caller, "withdraw", arguments).unwrap();
        stage.deliver_call("withdraw").unwrap();
    }
    stage.become_user(0).unwrap();
    let arguments = (2u64, nat(100));
    let answer = stage.call_alone(stage.caller, "withdraw", arguments);
    let outcome: Outcome = candid::decode_one(&answer.unwrap().unwrap()).unwrap();
    let unavailable = "the ledger is temporarily unavailable".to_owned();
    assert_eq!(outcome, Ok(Progress::Refused(unavailable)));
    let user = stage.user();
    assert_eq!(balance(&mut stage, user), nat(500));
    while stage.deliver_next().unwrap() {}
    assert!(is_done(&withdraw(&mut stage, 3, 100)));
    stage.become_user(1).unwrap();
    let user = stage.user();
    assert_eq!(
        [balance(&mut stage, user), tokens(&mut stage, user)],
        [nat(489), nat(481)]
    );
}

#[test]
fn two_attempts_that_are_both_refused_give_back_once() {
    let mut stage = with_deposit();
    empty_the_canister(&mut stage);
    stage.hold().unwrap();
    for _ in 0..2 {
        let arguments = (2u64, nat(100));
        stage.send(stage.caller, "withdraw", arguments).unwrap();
        stage.deliver_call("withdraw").unwrap();
    }
    stage.release().unwrap();
    assert!(matches!(progress(&mut stage, 2), Ok(Progress::Refused(_))));
    assert_eq!(books(&mut stage)[..2], [nat(250), nat(0)]);
}

#[test]
fn two_withdrawals_that_are_alike_and_of_the_same_time_are_two() {
    let mut stage = with_deposit();
    assert!(is_done(&withdraw(&mut stage, 2, 100)));
    assert!(is_done(&withdraw(&mut stage, 3, 100)));
    assert_eq!(books(&mut stage), [nat(280), nat(280), nat(680)]);
}

#[test]
fn after_the_window_it_is_unknown_and_stays_so_until_a_controller_settles_it() {
    for (lost, was_paid) in [(Kind::Response, true), (Kind::Request, false)] {
        let mut stage = with_deposit();
        let user = stage.user();
        lose(&mut stage, 2, lost);
        assert_err(
            &settle(&mut stage, user, 2, None),
            "this transfer is not unknown",
        );
        stage.advance_time(23 * HOUR).unwrap();
        for _ in 0..2 {
            assert_eq!(withdraw(&mut stage, 2, 100), Ok(Progress::Unknown));
        }
        accepted(stage.upgrade(stage.caller).unwrap()).unwrap();
        assert_err(&withdraw(&mut stage, 3, 100), "transfer 2 has not ended");
        assert_err(&settle(&mut stage, user, 2, None), "too early");
        stage.advance_time(2 * HOUR).unwrap();
        let block = was_paid.then(|| nat(2));
        settle(&mut stage, user, 2, block).unwrap();
        let settled = match was_paid {
            true => [nat(390), nat(390), nat(580)],
            false => [nat(500), nat(500), nat(480)],
        };
        assert_eq!(books(&mut stage), settled);
        assert_err(
            &settle(&mut stage, user, 2, None),
            "this transfer is not unknown",
        );
        assert_eq!(books(&mut stage), settled);
        assert!(is_done(&withdraw(&mut stage, 3, 100)));
    }
}

#[test]
fn what_was_not_put_into_the_deposit_account_is_not_credited() {
    let mut stage = with_deposit();
    let refused = deposit(&mut stage, 2, 100);
    assert!(matches!(refused, Ok(Progress::Refused(_))), "{refused:?}");
    assert_eq!(books(&mut stage), [nat(500), nat(500), nat(480)]);
}

// ---- Who may do what -----------------------------------------------------------------------------

#[test]
fn a_number_names_one_transfer_and_none_is_left_out() {
    let mut stage = with_deposit();
    assert_err(
        &withdraw(&mut stage, 3, 100),
        "the next transfer has the number 2",
    );
    assert_err(
        &withdraw(&mut stage, u64::MAX, 100),
        "the next transfer has the number 2",
    );
    lose(&mut stage, 2, Kind::Response);
    assert_err(
        &withdraw(&mut stage, 2, 99),
        "another transfer has this number",
    );
    assert_err(
        &deposit(&mut stage, 2, 100),
        "another transfer has this number",
    );
    assert_err(&withdraw(&mut stage, 3, 100), "transfer 2 has not ended");
    assert!(is_done(&withdraw(&mut stage, 2, 100)));
    assert_err(
        &withdraw(&mut stage, 1, 100),
        "the next transfer has the number 3",
    );
}

#[test]
fn nobody_withdraws_more_than_there_is() {
    let mut stage = with_deposit();
    for amount in [491, u64::MAX] {
        assert_err(&withdraw(&mut stage, 2, amount), "you have 500, less than");
    }
    let most: Outcome = stage
        .reply(stage.caller, "withdraw", (2u64, Nat::from(u128::MAX)))
        .unwrap();
    assert_err(&most, "you have 500, less than");
    assert!(is_done(&withdraw(&mut stage, 2, 490)));
    assert_eq!(books(&mut stage), [nat(0), nat(0), nat(970)]);
}

#[test]
fn a_stranger_can_try_no_mistake_settle_nothing_and_see_no_transfer_of_another() {
    let mut stage = with_deposit();
    let user = stage.user();
    stage.become_user(1).unwrap();
    let calls = [
        stage.call(stage.caller, "withdraw_without_time", (nat(1),)),
        stage.call(stage.caller, "withdraw_with_new_time", (nat(1),)),
        stage.call(stage.caller, "carry_on_believing_refusals", ()),
        stage.call(stage.caller, "settle", (user, 1u64, None::<Nat>)),
    ];
    for answer in calls {
        let message = answer.unwrap().unwrap_err().message;
        assert!(message.contains("only a controller"), "{message}");
    }
    for outcome in [withdraw(&mut stage, 2, 1), progress(&mut stage, 1)] {
        assert!(outcome.is_err(), "{outcome:?}");
    }
    let refused = deposit(&mut stage, 1, 1);
    assert!(matches!(refused, Ok(Progress::Refused(_))), "{refused:?}");
    stage.become_user(0).unwrap();
    assert_eq!(books(&mut stage), [nat(500), nat(500), nat(480)]);
}

#[test]
fn a_thousand_strangers_harm_no_balance_and_no_open_transfer() {
    let mut stage = with_deposit();
    lose(&mut stage, 2, Kind::Response);
    let caller = stage.caller;
    let mut refused = 0;
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let has_tokens = get_tokens(&mut stage).is_ok();
        let outcome = deposit(&mut stage, 1, 500);
        match stranger % 4 {
            _ if !has_tokens => refused += usize::from(outcome.is_err() || !is_done(&outcome)),
            0 => transfer_to_caller(&mut stage, 1),
            1 => {
                let to: Account = stage.query(caller, "get_deposit_account", ()).unwrap();
                // Maybe there is no room for another account.
                let _put = transfer(&mut stage, to, 510);
                let _outcome = deposit(&mut stage, 2, 500);
                let _outcome = withdraw(&mut stage, 3, 100);
            }
            _ => assert!(!is_done(&withdraw(&mut stage, 2, 100))),
        }
    }
    assert!(refused > 0, "the ledger took all");
    stage.become_user(0).unwrap();
    assert!(is_done(&withdraw(&mut stage, 2, 100)));
    let user = stage.user();
    assert_eq!(balance(&mut stage, user), nat(390));
    assert_eq!(tokens(&mut stage, user), nat(580));
    assert!(is_done(&withdraw(&mut stage, 3, 380)));
    // The canister has what it owes, and what strangers gave it.
    let owed: Nat = (0..=1000)
        .map(|number| {
            stage.become_user(number).unwrap();
            let user = stage.user();
            balance(&mut stage, user)
        })
        .fold(nat(0), |sum, one| sum + one);
    assert!(tokens(&mut stage, caller) >= owed);
}

#[test]
fn a_ledger_without_room_refuses_new_accounts_and_moves_nothing() {
    let mut stage = stage(&LESSON);
    get_tokens(&mut stage).unwrap();
    for stranger in 1..1000 {
        stage.become_user(stranger).unwrap();
        get_tokens(&mut stage).unwrap();
    }
    stage.become_user(1000).unwrap();
    assert!(get_tokens(&mut stage).unwrap_err().contains("no room"));
    let (late, user) = (stage.user(), 0);
    stage.become_user(user).unwrap();
    let refused = transfer(&mut stage, Account::of(late), 1).unwrap_err();
    assert!(matches!(refused, TransferError::GenericError { .. }));
    let user = stage.user();
    assert_eq!(tokens(&mut stage, user), nat(1000));
}
