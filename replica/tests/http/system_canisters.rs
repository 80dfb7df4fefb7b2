//! The stand-ins for the canisters that tools expect of every network.

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Nat, Principal, encode_args};
use ic_agent::identity::AnonymousIdentity;
use ic_agent::{Agent, Identity};
use ic_ledger_types::{
    AccountBalanceArgs, AccountIdentifier, DEFAULT_SUBACCOUNT, Memo, Tokens, TransferArgs,
    TransferError as IcpTransferError,
};
use ic_management_canister_types::{CanisterInstallMode, ProvisionalCreateCanisterWithCyclesArgs};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use serde::de::DeserializeOwned;

use crate::canisters::COUNTER;
use crate::deploying::{CREATE, MANAGEMENT, created, creation};
use crate::harness::{Network, add, certified, get, install_code, uncertified};
use crate::identities::ed25519;

pub const T: u64 = 1_000_000_000_000;
pub const CYCLES_FEE: u64 = 100_000_000;
const ICP_FEE: u64 = 10_000;

fn cycles_minting() -> Principal {
    Principal::from_text("rkp4c-7iaaa-aaaaa-aaaca-cai").unwrap()
}

pub fn cycles_ledger() -> Principal {
    Principal::from_text("um5iw-rqaaa-aaaaq-qaaba-cai").unwrap()
}

pub fn icp_ledger() -> Principal {
    Principal::from_text("ryjl3-tyaaa-aaaaa-aaaba-cai").unwrap()
}

pub async fn query<T: CandidType + DeserializeOwned>(
    agent: &Agent,
    canister: Principal,
    method: &str,
    args: impl ArgumentEncoder,
) -> T {
    let query = agent
        .query(&canister, method)
        .with_arg(encode_args(args).unwrap());
    candid::decode_one(&query.await.unwrap()).unwrap()
}

pub async fn update<T: CandidType + DeserializeOwned>(
    agent: &Agent,
    canister: Principal,
    method: &str,
    args: impl ArgumentEncoder,
) -> T {
    let update = agent
        .update(&canister, method)
        .with_arg(encode_args(args).unwrap());
    candid::decode_one(&update.await.unwrap()).unwrap()
}

pub async fn balance(agent: &Agent, ledger: Principal, account: Account) -> Nat {
    query(agent, ledger, "icrc1_balance_of", (account,)).await
}

fn user() -> Account {
    Account::from(ed25519(1).sender().unwrap())
}

fn transfer(to: Account, amount: u64) -> TransferArg {
    TransferArg {
        from_subaccount: None,
        to,
        fee: None,
        created_at_time: None,
        memo: None,
        amount: Nat::from(amount),
    }
}

#[tokio::test]
async fn default_subnet_is_the_only_one() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let subnets: Vec<Principal> = query(&agent, cycles_minting(), "get_default_subnets", ()).await;
    assert_eq!(subnets, [network.subnet]);
    let subnets: Vec<Principal> = update(&agent, cycles_minting(), "get_default_subnets", ()).await;
    assert_eq!(subnets, [network.subnet]);
}

#[tokio::test]
async fn cycles_go_from_one_user_to_another() {
    let network = Network::start().await;
    let (rich, agent) = (network.agent(AnonymousIdentity).await, network.user().await);
    let ledger = cycles_ledger();
    let sent: Result<Nat, TransferError> =
        update(&rich, ledger, "icrc1_transfer", (transfer(user(), 5 * T),)).await;
    sent.unwrap();
    assert_eq!(balance(&agent, ledger, user()).await, Nat::from(5 * T));

    let mut savings = user();
    savings.subaccount = Some([7; 32]);
    let mut arg = transfer(savings, T);
    arg.fee = Some(Nat::from(CYCLES_FEE));
    let sent: Result<Nat, TransferError> = update(&agent, ledger, "icrc1_transfer", (arg,)).await;
    sent.unwrap();
    assert_eq!(balance(&agent, ledger, savings).await, Nat::from(T));
    let left = balance(&agent, ledger, user()).await;
    assert_eq!(left, Nat::from(4 * T - CYCLES_FEE));
}

#[tokio::test]
async fn transfer_with_too_little_or_a_wrong_fee_moves_nothing() {
    let network = Network::start().await;
    let (rich, agent) = (network.agent(AnonymousIdentity).await, network.user().await);
    let anonymous = Account::from(Principal::anonymous());
    for (ledger, fee) in [(cycles_ledger(), CYCLES_FEE), (icp_ledger(), ICP_FEE)] {
        let sent: Result<Nat, TransferError> =
            update(&rich, ledger, "icrc1_transfer", (transfer(user(), 1000),)).await;
        sent.unwrap();
        // The fee is missing.
        let arg = (transfer(anonymous, 1000),);
        let sent: Result<Nat, TransferError> = update(&agent, ledger, "icrc1_transfer", arg).await;
        let error = TransferError::InsufficientFunds {
            balance: Nat::from(1000u64),
        };
        assert_eq!(sent.unwrap_err(), error);
        let mut arg = transfer(user(), 1);
        arg.fee = Some(Nat::from(fee + 1));
        let sent: Result<Nat, TransferError> =
            update(&rich, ledger, "icrc1_transfer", (arg,)).await;
        let error = TransferError::BadFee {
            expected_fee: Nat::from(fee),
        };
        assert_eq!(sent.unwrap_err(), error);
        // More than there can be.
        let mut arg = transfer(user(), 1);
        arg.amount = Nat::parse(b"99999999999999999999999999999999999999999999999999").unwrap();
        let sent: Result<Nat, TransferError> =
            update(&rich, ledger, "icrc1_transfer", (arg,)).await;
        assert!(
            matches!(sent, Err(TransferError::InsufficientFunds { .. })),
            "{sent:?}"
        );
        assert_eq!(balance(&agent, ledger, user()).await, Nat::from(1000u64));
    }
}

#[tokio::test]
async fn icp_goes_from_one_user_to_another_by_both_kinds_of_transfer() {
    let network = Network::start().await;
    let (rich, agent) = (network.agent(AnonymousIdentity).await, network.user().await);
    let account = AccountIdentifier::new(&user().owner, &DEFAULT_SUBACCOUNT);
    let args = |fee| TransferArgs {
        memo: Memo(0),
        amount: Tokens::from_e8s(500),
        fee: Tokens::from_e8s(fee),
        from_subaccount: None,
        to: account,
        created_at_time: None,
    };
    let sent: Result<u64, IcpTransferError> =
        update(&rich, icp_ledger(), "transfer", (args(ICP_FEE),)).await;
    sent.unwrap();
    let sent: Result<Nat, TransferError> = update(
        &rich,
        icp_ledger(),
        "icrc1_transfer",
        (transfer(user(), 20),),
    )
    .await;
    sent.unwrap();
    let tokens: Tokens = query(
        &agent,
        icp_ledger(),
        "account_balance",
        (AccountBalanceArgs { account },),
    )
    .await;
    assert_eq!(tokens.e8s(), 520);
    assert_eq!(
        balance(&agent, icp_ledger(), user()).await,
        Nat::from(520u64)
    );
    let sent: Result<u64, IcpTransferError> =
        update(&rich, icp_ledger(), "transfer", (args(0),)).await;
    assert!(
        matches!(sent, Err(IcpTransferError::BadFee { .. })),
        "{sent:?}"
    );
    let sent: Result<u64, IcpTransferError> =
        update(&agent, icp_ledger(), "transfer", (args(ICP_FEE),)).await;
    assert!(
        matches!(sent, Err(IcpTransferError::InsufficientFunds { .. })),
        "{sent:?}"
    );
}

#[tokio::test]
async fn ledgers_describe_themselves() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    for (ledger, symbol, decimals, fee) in [
        (cycles_ledger(), "TCYCLES", 12, CYCLES_FEE),
        (icp_ledger(), "ICP", 8, ICP_FEE),
    ] {
        assert_eq!(
            query::<String>(&agent, ledger, "icrc1_symbol", ()).await,
            symbol
        );
        assert_eq!(
            query::<u8>(&agent, ledger, "icrc1_decimals", ()).await,
            decimals
        );
        assert_eq!(query::<Nat>(&agent, ledger, "icrc1_fee", ()).await, fee);
        assert!(query::<Nat>(&agent, ledger, "icrc1_total_supply", ()).await > 0u64);
        assert!(
            !query::<String>(&agent, ledger, "icrc1_name", ())
                .await
                .is_empty()
        );
    }
}

/// A query that moves something would move it for anybody who only asks.
#[tokio::test]
async fn query_changes_no_balance() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    for ledger in [cycles_ledger(), icp_ledger()] {
        let arg = encode_args((transfer(user(), 5000),)).unwrap();
        let _refused = agent.query(&ledger, "icrc1_transfer").with_arg(arg).await;
        assert_eq!(balance(&agent, ledger, user()).await, Nat::from(0u64));
    }
}

#[tokio::test]
async fn method_or_argument_that_is_not_there_is_said() {
    let network = Network::start().await;
    let agent = network.user().await;
    for canister in [cycles_minting(), cycles_ledger(), icp_ledger()] {
        let reject = certified(agent.update(&canister, "absent").await);
        assert_eq!(reject.error_code.as_deref(), Some("IC0536"));
        let words = "has no method 'absent'";
        assert!(reject.reject_message.contains(words), "{reject:?}");
        assert!(reject.reject_message.contains("stand-in"), "{reject:?}");
        let reject = uncertified(agent.query(&canister, "absent").await);
        assert_eq!(reject.error_code.as_deref(), Some("IC0536"));
    }
    let call = agent
        .update(&cycles_ledger(), "icrc1_transfer")
        .with_arg(b"not candid");
    let reject = certified(call.await);
    assert!(reject.reject_message.contains("candid"), "{reject:?}");
}

#[tokio::test]
async fn canister_with_the_id_of_a_stand_in_takes_its_place() {
    let network = Network::start().await;
    let agent = network.user().await;
    let args = ProvisionalCreateCanisterWithCyclesArgs {
        specified_id: Some(cycles_ledger()),
        ..Default::default()
    };
    let reply = agent
        .update(&MANAGEMENT, CREATE)
        .with_effective_canister_id(cycles_ledger())
        .with_arg(creation(args))
        .await
        .unwrap();
    assert_eq!(created(&reply), cycles_ledger());
    let mode = CanisterInstallMode::Install;
    install_code(&agent, cycles_ledger(), COUNTER, mode).await;
    assert_eq!(add(&agent, cycles_ledger()).await, 1);
    assert_eq!(get(&agent, cycles_ledger()).await, 1);
    let reject = uncertified(agent.query(&cycles_ledger(), "icrc1_fee").await);
    assert!(!reject.reject_message.contains("stand-in"), "{reject:?}");
    let account = network.owner.with(|node| node.replica.cycles()).await;
    assert!(account.unwrap().is_balanced());
    // The others are still there.
    let _: Nat = query(&agent, icp_ledger(), "icrc1_fee", ()).await;
}
