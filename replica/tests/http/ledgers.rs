//! What retries and payments rely on: transactions with a time are made once, and a spender takes no
//! more than was approved (the token standards ICRC-1 and ICRC-2).

use candid::{CandidType, Deserialize, Nat, Principal};
use ic_agent::identity::AnonymousIdentity;
use ic_agent::{Agent, Identity};
use ic_ledger_types::{
    AccountIdentifier, DEFAULT_SUBACCOUNT, Memo, Timestamp, Tokens, TransferArgs,
    TransferError as IcpTransferError,
};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use icrc_ledger_types::icrc2::allowance::{Allowance, AllowanceArgs};
use icrc_ledger_types::icrc2::approve::{ApproveArgs, ApproveError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};
use local_replica::owner::now;

use crate::harness::{Network, certified};
use crate::identities::ed25519;
use crate::system_canisters::{T, balance, cycles_ledger, icp_ledger, query, update};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;

/// The ledgers, and their fees.
fn ledgers() -> [(Principal, u64); 2] {
    [(cycles_ledger(), 100_000_000), (icp_ledger(), 10_000)]
}

fn account(number: u8) -> Account {
    Account::from(ed25519(number).sender().unwrap())
}

fn transfer(created_at_time: Option<u64>, memo: Option<u64>) -> TransferArg {
    TransferArg {
        from_subaccount: None,
        to: account(1),
        fee: None,
        created_at_time,
        memo: memo.map(Into::into),
        amount: Nat::from(T),
    }
}

async fn send(agent: &Agent, ledger: Principal, arg: TransferArg) -> Result<Nat, TransferError> {
    update(agent, ledger, "icrc1_transfer", (arg,)).await
}

#[tokio::test]
async fn transfer_with_a_time_is_made_once() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    for (ledger, _) in ledgers() {
        let at = now();
        let first = send(&agent, ledger, transfer(Some(at), None))
            .await
            .unwrap();
        for _ in 0..2 {
            assert_eq!(
                send(&agent, ledger, transfer(Some(at), None)).await,
                Err(TransferError::Duplicate {
                    duplicate_of: first.clone()
                })
            );
        }
        // Another one is another one, whatever differs.
        send(&agent, ledger, transfer(Some(at + 1), None))
            .await
            .unwrap();
        send(&agent, ledger, transfer(Some(at), Some(7)))
            .await
            .unwrap();
        // Without a time, the same is made again.
        send(&agent, ledger, transfer(None, None)).await.unwrap();
        send(&agent, ledger, transfer(None, None)).await.unwrap();
        assert_eq!(balance(&agent, ledger, account(1)).await, Nat::from(5 * T));
    }
}

#[tokio::test]
async fn transfer_from_another_time_is_refused() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    for (ledger, _) in ledgers() {
        let old = now() - DAY - 60 * SECOND;
        let refused = send(&agent, ledger, transfer(Some(old), None)).await;
        assert_eq!(refused, Err(TransferError::TooOld));
        let early = now() + 120 * SECOND;
        let refused = send(&agent, ledger, transfer(Some(early), None)).await;
        assert!(
            matches!(refused, Err(TransferError::CreatedInFuture { ledger_time }) if ledger_time < early)
        );
        assert_eq!(balance(&agent, ledger, account(1)).await, Nat::from(0u8));
    }
}

#[tokio::test]
async fn transfer_that_was_refused_may_be_made_later() {
    let network = Network::start().await;
    let (rich, user) = (network.agent(AnonymousIdentity).await, network.user().await);
    let ledger = cycles_ledger();
    let arg = TransferArg {
        to: account(2),
        ..transfer(Some(now()), None)
    };
    let refused = send(&user, ledger, arg.clone()).await;
    assert!(matches!(
        refused,
        Err(TransferError::InsufficientFunds { .. })
    ));
    for _ in 0..2 {
        send(&rich, ledger, transfer(None, None)).await.unwrap();
    }
    send(&user, ledger, arg).await.unwrap();
}

#[tokio::test]
async fn icp_s_own_transfer_is_made_once_too() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let send = async |created: u64| -> Result<u64, IcpTransferError> {
        let args = TransferArgs {
            memo: Memo(1),
            amount: Tokens::from_e8s(500),
            fee: Tokens::from_e8s(10_000),
            from_subaccount: None,
            to: AccountIdentifier::new(&ed25519(1).sender().unwrap(), &DEFAULT_SUBACCOUNT),
            created_at_time: Some(Timestamp {
                timestamp_nanos: created,
            }),
        };
        update(&agent, icp_ledger(), "transfer", (args,)).await
    };
    let at = now();
    let block = send(at).await.unwrap();
    assert_eq!(
        send(at).await,
        Err(IcpTransferError::TxDuplicate {
            duplicate_of: block
        })
    );
    let too_old = IcpTransferError::TxTooOld {
        allowed_window_nanos: DAY,
    };
    assert_eq!(send(at - 2 * DAY).await, Err(too_old));
    assert_eq!(
        send(at + DAY).await,
        Err(IcpTransferError::TxCreatedInFuture)
    );
}

fn approval(spender: Account, amount: u64) -> ApproveArgs {
    ApproveArgs {
        from_subaccount: None,
        spender,
        amount: Nat::from(amount),
        expected_allowance: None,
        expires_at: None,
        fee: None,
        memo: None,
        created_at_time: None,
    }
}

async fn approve(agent: &Agent, ledger: Principal, args: ApproveArgs) -> Result<Nat, ApproveError> {
    update(agent, ledger, "icrc2_approve", (args,)).await
}

async fn allowance(agent: &Agent, ledger: Principal) -> (Nat, Option<u64>) {
    let args = AllowanceArgs {
        account: account(1),
        spender: account(2),
    };
    let found: Allowance = query(agent, ledger, "icrc2_allowance", (args,)).await;
    (found.allowance, found.expires_at)
}

async fn spend(
    agent: &Agent,
    ledger: Principal,
    amount: u64,
    created_at_time: Option<u64>,
) -> Result<Nat, TransferFromError> {
    let args = TransferFromArgs {
        spender_subaccount: None,
        from: account(1),
        to: account(3),
        amount: Nat::from(amount),
        fee: None,
        memo: None,
        created_at_time,
    };
    update(agent, ledger, "icrc2_transfer_from", (args,)).await
}

/// The owner, who has two trillion, and the spender.
async fn owner_and_spender(network: &Network, ledger: Principal) -> (Agent, Agent) {
    let rich = network.agent(AnonymousIdentity).await;
    for _ in 0..2 {
        send(&rich, ledger, transfer(None, None)).await.unwrap();
    }
    (
        network.agent(ed25519(1)).await,
        network.agent(ed25519(2)).await,
    )
}

#[tokio::test]
async fn spender_takes_what_was_approved_and_no_more() {
    let network = Network::start().await;
    for (ledger, fee) in ledgers() {
        let (owner, spender) = owner_and_spender(&network, ledger).await;
        let none = spend(&spender, ledger, 1, None).await;
        assert_eq!(
            none,
            Err(TransferFromError::InsufficientAllowance {
                allowance: Nat::from(0u8)
            })
        );
        approve(&owner, ledger, approval(account(2), 1000 + 2 * fee))
            .await
            .unwrap();
        assert_eq!(
            allowance(&owner, ledger).await,
            (Nat::from(1000 + 2 * fee), None)
        );
        spend(&spender, ledger, 600, None).await.unwrap();
        assert_eq!(
            allowance(&owner, ledger).await,
            (Nat::from(400 + fee), None)
        );
        let much = spend(&spender, ledger, 401, None).await;
        assert_eq!(
            much,
            Err(TransferFromError::InsufficientAllowance {
                allowance: Nat::from(400 + fee)
            })
        );
        spend(&spender, ledger, 400, None).await.unwrap();
        assert_eq!(allowance(&owner, ledger).await, (Nat::from(0u8), None));
        assert_eq!(
            balance(&owner, ledger, account(3)).await,
            Nat::from(1000u64)
        );
        // The owner paid for the approval and for both transfers.
        let left = balance(&owner, ledger, account(1)).await;
        assert_eq!(left, Nat::from(2 * T - 1000 - 3 * fee));
    }
    let account = network
        .owner
        .with(|node| node.replica.cycles())
        .await
        .unwrap();
    assert!(account.is_balanced(), "{account:?}");
}

#[tokio::test]
async fn approval_ends_changes_and_is_made_once() {
    let network = Network::start().await;
    let ledger = cycles_ledger();
    let (owner, spender) = owner_and_spender(&network, ledger).await;
    let past = ApproveArgs {
        expires_at: Some(now() - SECOND),
        ..approval(account(2), T)
    };
    assert!(matches!(
        approve(&owner, ledger, past).await,
        Err(ApproveError::Expired { .. })
    ));
    let until = now() + 3600 * SECOND;
    let hour = ApproveArgs {
        expires_at: Some(until),
        created_at_time: Some(now()),
        ..approval(account(2), T)
    };
    let block = approve(&owner, ledger, hour.clone()).await.unwrap();
    assert_eq!(allowance(&owner, ledger).await, (Nat::from(T), Some(until)));
    let again = approve(&owner, ledger, hour).await;
    assert_eq!(
        again,
        Err(ApproveError::Duplicate {
            duplicate_of: block
        })
    );
    let other = ApproveArgs {
        expected_allowance: Some(Nat::from(7u8)),
        ..approval(account(2), 9)
    };
    assert_eq!(
        approve(&owner, ledger, other).await,
        Err(ApproveError::AllowanceChanged {
            current_allowance: Nat::from(T)
        })
    );
    // The payment is made once, too.
    let at = Some(now());
    let paid = spend(&spender, ledger, 5, at).await.unwrap();
    assert_eq!(
        spend(&spender, ledger, 5, at).await,
        Err(TransferFromError::Duplicate { duplicate_of: paid })
    );
    network.advance(3601).await;
    assert_eq!(allowance(&owner, ledger).await, (Nat::from(0u8), None));
    assert!(matches!(
        spend(&spender, ledger, 6, None).await,
        Err(TransferFromError::InsufficientAllowance { .. })
    ));
}

#[tokio::test]
async fn approval_of_oneself_or_of_nothing_to_pay_the_fee_with_is_refused() {
    let network = Network::start().await;
    let owner = network.agent(ed25519(1)).await;
    for (ledger, _) in ledgers() {
        let poor = approve(&owner, ledger, approval(account(2), 1)).await;
        assert!(matches!(poor, Err(ApproveError::InsufficientFunds { .. })));
        let args = candid::encode_args((approval(account(1), 1),)).unwrap();
        let reject = certified(owner.update(&ledger, "icrc2_approve").with_arg(args).await);
        assert!(
            reject.reject_message.contains("self approval"),
            "{reject:?}"
        );
    }
}

#[derive(CandidType)]
struct CreateCanisterArgs {
    amount: Nat,
    created_at_time: Option<u64>,
}

#[derive(Debug, CandidType, Deserialize)]
struct Created {
    block_id: Nat,
    canister_id: Principal,
}

#[derive(Debug, CandidType, Deserialize)]
enum CreateCanisterError {
    Duplicate {
        duplicate_of: Nat,
        canister_id: Option<Principal>,
    },
}

#[tokio::test]
async fn canister_is_created_once_and_found_again() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let at = now();
    let create = async || -> Result<Created, CreateCanisterError> {
        let args = CreateCanisterArgs {
            amount: Nat::from(2 * T),
            created_at_time: Some(at),
        };
        update(&agent, cycles_ledger(), "create_canister", (args,)).await
    };
    let created = create().await.unwrap();
    let Err(CreateCanisterError::Duplicate {
        duplicate_of,
        canister_id,
    }) = create().await
    else {
        panic!("it was created twice");
    };
    assert_eq!(duplicate_of, created.block_id);
    assert_eq!(canister_id, Some(created.canister_id));
}
