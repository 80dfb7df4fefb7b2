//! A transfer that traps at each of its points.
//!
//! The code that is observed: `lessons/07-journal`.

mod explorations;

use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use candid::CandidType;
use serde::Deserialize;

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way,
};
use crate::stage::Stage;

pub const LESSON: Lesson = Lesson {
    name: "journal",
    about: "A trap in a callback forgets what was under way, unless you wrote it down.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// `TransferId` in the caller's interface.
#[derive(CandidType, Clone, Copy, Deserialize)]
struct TransferId {
    account: u64,
    number: u64,
}

/// `TrapAt` in the caller's interface.
#[derive(CandidType, Clone, Copy, Deserialize)]
enum TrapAt {
    Nowhere,
    BeforeCall,
    AfterCall,
    AfterOutcome,
    BeforeReply,
}

/// `Progress` in the caller's interface.
#[derive(CandidType, Debug, Deserialize)]
enum Progress {
    Intended,
    Added,
    Finished,
    Refused(String),
}

/// An account in the caller, as it tells it.
#[derive(CandidType, Deserialize)]
struct Account {
    balance: u64,
    receipts: u64,
}

/// What the account in the caller has at first, and how much of it is to be transferred.
const BALANCE: u64 = 100;
const AMOUNT: u64 = 40;

/// An account that the callee does not have.
const NO_ACCOUNT: u64 = u64::MAX;

/// Two accounts, new for each transfer: one in the caller with 100, an empty one in the callee.
struct Accounts {
    from: u64,
    to: u64,
}

impl Accounts {
    fn open(stage: &mut Stage) -> Result<Self> {
        let from: Result<u64, String> = stage.reply(stage.caller, "open", (BALANCE,))?;
        let to: Result<u64, String> = stage.reply(stage.callee, "open", (stage.caller,))?;
        let (from, to) = (from.map_err(Error::msg)?, to.map_err(Error::msg)?);
        stage.watch(stage.caller, "get_account", (from,))?;
        stage.watch(stage.callee, "get_balance", (to,))?;
        Ok(Accounts { from, to })
    }

    /// Their balances, and how many receipts were counted.
    fn show(&self, stage: &mut Stage) -> Result<String> {
        let (from, to) = (stage.caller, stage.callee);
        let account: Option<Account> = stage.query(from, "get_account", (self.from,))?;
        let account = account.context("the caller has forgotten the account")?;
        let received: Option<u64> = stage.query(to, "get_balance", (self.to,))?;
        let received = received.context("the callee has forgotten the account")?;
        Ok(in_words(account.balance, received, account.receipts))
    }

    /// The first transfer between them, or that one again. Returns what the user got.
    fn transfer(&self, stage: &mut Stage, trap_at: TrapAt) -> Result<String> {
        let id = self.first_transfer();
        stage.watch(stage.caller, "get_progress", (id,))?;
        let arguments = (id, self.to, AMOUNT, trap_at);
        let answer = stage.call(stage.caller, "transfer", arguments)?;
        let Ok(reply) = &answer else {
            return Ok(Got::read(&answer).words());
        };
        let progress: Result<Progress, String> = candid::decode_one(reply)?;
        Ok(format!("reply: {progress:?}"))
    }

    fn first_transfer(&self) -> TransferId {
        TransferId {
            account: self.from,
            number: 1,
        }
    }

    fn progress(&self, stage: &mut Stage) -> Result<String> {
        let id = self.first_transfer();
        let canister1 = stage.caller;
        let progress: Option<Progress> = stage.query(canister1, "get_progress", (id,))?;
        Ok(progress.map_or("unknown".to_owned(), |progress| format!("{progress:?}")))
    }
}

fn in_words(balance: u64, received: u64, receipts: u64) -> String {
    format!("{balance} here, {received} there, receipts: {receipts}")
}

fn experiments() -> Vec<Experiment> {
    vec![
        mistake(
            "transfer_without_journal",
            "traps in the callback, and the user tries again",
            forget_what_was_done,
        )
        .asks(Question::new(
            "The user transfers 40 of 100. The first try traps in its callback. The user gets a \
             reject and tries again, and that succeeds. Where are the 100 then?",
            [
                in_words(60, 40, 1),
                in_words(20, 80, 1),
                in_words(20, 40, 1),
                in_words(60, 40, 2),
            ],
            AFTER_SECOND_TRY,
            "The trap undid the callback, not the transfer: the callee had committed its part. \
             Nothing in the caller says so, and the second try is a second transfer.",
        )),
        right_way(
            "transfer",
            "traps at one point after the other, and the user tries again each time",
            trap_everywhere,
        )
        .asks(Question::new(
            "With a journal: after the user has tried again, at how many points does a trap lead to \
             anything but one transfer?",
            ["none", "one: after the call", "all"],
            "points with another end",
            "The second try has the same number. It finds the journal's entry and does what is left \
             to do. The callee knows the number too.",
        )),
        right_way(
            "resume",
            "traps in the callback; the user is gone, and somebody else resumes",
            resume,
        ),
        right_way(
            "finish",
            "traps after the outcome is known; nobody does anything, and a minute passes",
            let_the_timer_resume,
        )
        .on_local_replica(),
    ]
}

const AFTER_SECOND_TRY: &str = "after the second try";

fn forget_what_was_done(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (lost, accounts) = (Accounts::open(stage)?, Accounts::open(stage)?);
    stage.begin_scene()?;
    let transfer = |stage: &mut Stage, from: u64, to: u64, trap_at| -> Result<String> {
        let method = "transfer_without_journal";
        let answer = stage.call(stage.caller, method, (from, to, AMOUNT, trap_at))?;
        Ok(Got::read(&answer).words())
    };
    let refused = transfer(stage, lost.from, NO_ACCOUNT, TrapAt::AfterCall)?;
    let after_refusal = lost.show(stage)?;

    let first = transfer(stage, accounts.from, accounts.to, TrapAt::AfterCall)?;
    let after_first = accounts.show(stage)?;
    let second = transfer(stage, accounts.from, accounts.to, TrapAt::Nowhere)?;
    let after_second = accounts.show(stage)?;
    Ok(vec![
        fact("the callee refuses, trap", "reject 5, IC0503", refused),
        fact("the 40 are lost", in_words(60, 0, 0), after_refusal),
        fact("the callee adds, trap", "reject 5, IC0503", first),
        fact("after the first try", in_words(60, 40, 0), after_first),
        fact("the user tries again", "reply: Ok", second),
        fact(AFTER_SECOND_TRY, in_words(20, 80, 1), after_second),
    ])
}

fn trap_everywhere(stage: &mut Stage) -> Result<Vec<Fact>> {
    let points = [
        ("before the call", TrapAt::BeforeCall, "unknown"),
        ("after the call", TrapAt::AfterCall, "Intended"),
        ("after the outcome", TrapAt::AfterOutcome, "Added"),
        ("before the reply", TrapAt::BeforeReply, "Finished"),
    ];
    let opened: Result<Vec<Accounts>> = points.iter().map(|_| Accounts::open(stage)).collect();
    let opened = opened?;
    stage.begin_scene()?;
    let mut facts = Vec::new();
    let mut other_ends = 0;
    for ((point, trap_at, then), accounts) in points.into_iter().zip(opened) {
        accounts.transfer(stage, trap_at)?;
        let kept = accounts.progress(stage)?;
        accounts.transfer(stage, TrapAt::Nowhere)?;
        let end = accounts.show(stage)?;
        if end != in_words(60, 40, 1) {
            other_ends += 1;
        }
        let predicted = format!("{then}, then {}", in_words(60, 40, 1));
        facts.push(fact(point, predicted, format!("{kept}, then {end}")));
    }
    let other_ends = match other_ends {
        0 => "none".to_owned(),
        number => number.to_string(),
    };
    facts.push(fact("points with another end", "none", other_ends));
    Ok(facts)
}

fn resume(stage: &mut Stage) -> Result<Vec<Fact>> {
    let accounts = Accounts::open(stage)?;
    stage.begin_scene()?;
    let got = accounts.transfer(stage, TrapAt::AfterCall)?;
    let (kept, meanwhile) = (accounts.progress(stage)?, accounts.show(stage)?);
    stage.become_user(1)?;
    let resumed = stage.call(stage.caller, "resume", ())?;
    ensure!(resumed.is_ok(), "resume was rejected");
    Ok(vec![
        fact("the user got", "reject 5, IC0503", got),
        fact("the journal then", "Intended", kept),
        fact("meanwhile", in_words(60, 40, 0), meanwhile),
        fact("the journal at last", "Finished", accounts.progress(stage)?),
        fact("at last", in_words(60, 40, 1), accounts.show(stage)?),
    ])
}

fn let_the_timer_resume(stage: &mut Stage) -> Result<Vec<Fact>> {
    let accounts = Accounts::open(stage)?;
    stage.begin_scene()?;
    let got = accounts.transfer(stage, TrapAt::AfterOutcome)?;
    let (kept, meanwhile) = (accounts.progress(stage)?, accounts.show(stage)?);
    stage.hold()?;
    stage.advance_time(Duration::from_secs(60))?;
    stage.deliver_all()?;
    Ok(vec![
        fact("the user got", "reply: Ok(Added)", got),
        fact("the journal then", "Added", kept),
        fact("meanwhile", in_words(60, 40, 0), meanwhile),
        fact("the journal at last", "Finished", accounts.progress(stage)?),
        fact("at last", in_words(60, 40, 1), accounts.show(stage)?),
    ])
}
