//! The lesson `journal`.

mod support;

use candid::CandidType;
use serde::Deserialize;
use support::faults::{FAULTS, Fault, Scenario, World, try_all};

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

#[derive(CandidType, Debug, Deserialize, PartialEq)]
struct Account {
    balance: u64,
    receipts: u64,
}

/// The accounts of a run: one in canister1 with 100, and the one in canister2 that 40 go to.
struct Accounts {
    from: u64,
    to: u64,
}

const NO_SUCH_ACCOUNT: u64 = 999;

fn transfer(world: &mut World, accounts: &Accounts) {
    let id = TransferId {
        account: accounts.from,
        number: 1,
    };
    let arguments = (id, accounts.to, 40u64, TrapAt::Nowhere);
    world.send(world.canister1, "journal_transfer", arguments);
}

/// A user who tries again until the transfer has ended.
fn scenario(to_open_account: bool) -> Scenario<Accounts> {
    Scenario {
        prepare: match to_open_account {
            true => |world| Accounts {
                from: world.call(world.canister1, "journal_open", (100u64,)),
                to: world.call(world.canister2, "journal_open", ()),
            },
            false => |world| Accounts {
                from: world.call(world.canister1, "journal_open", (100u64,)),
                to: NO_SUCH_ACCOUNT,
            },
        },
        act: transfer,
        recover: transfer,
        check: |world, accounts| {
            let account: Option<Account> =
                world.query(world.canister1, "journal_get_account", (accounts.from,));
            let received: Option<u64> =
                world.query(world.canister2, "journal_get_balance", (accounts.to,));
            let account = account.ok_or("it is gone")?;
            let found = (account.balance, account.receipts, received);
            match found {
                (60, 1, Some(40)) | (100, 0, None) => Ok(()),
                _ => Err(format!("{found:?}")),
            }
        },
    }
}

#[test]
fn x1() {
    let start = std::time::Instant::now();
    let runs = try_all(&scenario(true), FAULTS, 1);
    println!("{runs} in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let runs = try_all(&scenario(false), FAULTS, 1);
    println!("{runs} in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let runs = try_all(&scenario(true), &[Fault::UpgradeInFlight], 1);
    println!("{runs} in {:?}", start.elapsed());
}

#[test]
fn x2() {
    let start = std::time::Instant::now();
    let runs = try_all(&scenario(true), FAULTS, 2);
    println!("{runs} in {:?}", start.elapsed());
}
