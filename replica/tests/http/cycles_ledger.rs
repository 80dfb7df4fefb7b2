//! The cycles ledger: users create canisters with their cycles, as the tools do, and move cycles
//! to and from canisters. None are lost.

use candid::{CandidType, Deserialize, Nat, Principal, decode_one, encode_one};
use ic_agent::Agent;
use ic_agent::agent::{AgentError, RejectResponse};
use ic_agent::identity::AnonymousIdentity;
use ic_management_canister_types::{CanisterIdRecord, CanisterSettings, CanisterStatusResult};
use icrc_ledger_types::icrc1::account::Account;

use crate::canisters::PAYER;
use crate::harness::{MANAGEMENT, Network, certified, create, install};
use crate::system_canisters::{CYCLES_FEE, T, balance, cycles_ledger, query, update};

/// What the creation of a canister costs.
const CREATION_FEE: u64 = 500_000_000_000;

#[derive(CandidType)]
struct CreateCanisterArgs {
    from_subaccount: Option<Vec<u8>>,
    created_at_time: Option<u64>,
    amount: Nat,
    creation_args: Option<CreationArgs>,
}

#[derive(CandidType)]
struct CreationArgs {
    settings: Option<CanisterSettings>,
    subnet_selection: Option<SubnetSelection>,
}

#[derive(CandidType)]
enum SubnetSelection {
    Subnet { subnet: Principal },
}

#[derive(Debug, CandidType, Deserialize)]
struct Created {
    block_id: Nat,
    canister_id: Principal,
}

#[derive(Debug, CandidType, Deserialize)]
enum CreateCanisterError {
    InsufficientFunds {
        balance: Nat,
    },
    FailedToCreate {
        fee_block: Option<Nat>,
        refund_block: Option<Nat>,
        error: String,
    },
}

fn creation(amount: u64, network: &Network) -> CreateCanisterArgs {
    CreateCanisterArgs {
        from_subaccount: None,
        created_at_time: None,
        amount: Nat::from(amount),
        creation_args: Some(CreationArgs {
            settings: Some(CanisterSettings::default()),
            subnet_selection: Some(SubnetSelection::Subnet {
                subnet: network.subnet,
            }),
        }),
    }
}

#[tokio::test]
async fn cycles_ledger_creates_canisters_of_the_caller() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let mine = Account::from(Principal::anonymous());
    let before = balance(&agent, cycles_ledger(), mine).await;
    let args = (creation(2 * T, &network),);
    let created: Result<Created, CreateCanisterError> =
        update(&agent, cycles_ledger(), "create_canister", args).await;
    let canister = created.unwrap().canister_id;
    let after = balance(&agent, cycles_ledger(), mine).await;
    assert_eq!(before - after, Nat::from(2 * T + CYCLES_FEE));
    let controllers = agent
        .read_state_canister_controllers(canister)
        .await
        .unwrap();
    assert_eq!(controllers, [Principal::anonymous()]);
    assert_eq!(cycles(&agent, canister).await, 2 * T - CREATION_FEE);
    network.expect_no_cycles_lost().await;
}

#[tokio::test]
async fn cycles_ledger_creates_nothing_for_too_few_cycles() {
    let network = Network::start().await;
    let poor = network.user().await;
    let args = (creation(2 * T, &network),);
    let created: Result<Created, CreateCanisterError> =
        update(&poor, cycles_ledger(), "create_canister", args).await;
    let Err(CreateCanisterError::InsufficientFunds { balance: poor }) = created else {
        panic!("{created:?}");
    };
    assert_eq!(poor, Nat::from(0u64));

    let rich = network.agent(AnonymousIdentity).await;
    let mine = Account::from(Principal::anonymous());
    let before = balance(&rich, cycles_ledger(), mine).await;
    let created: Result<Created, CreateCanisterError> = update(
        &rich,
        cycles_ledger(),
        "create_canister",
        (creation(1, &network),),
    )
    .await;
    assert!(
        matches!(created, Err(CreateCanisterError::FailedToCreate { .. })),
        "{created:?}"
    );
    assert_eq!(balance(&rich, cycles_ledger(), mine).await, before);
}

#[derive(CandidType)]
struct DepositArgs {
    to: Account,
    memo: Option<Vec<u8>>,
}

#[derive(Debug, CandidType, Deserialize)]
struct Deposited {
    block_index: Nat,
    balance: Nat,
}

#[derive(CandidType)]
struct WithdrawArgs {
    amount: Nat,
    from_subaccount: Option<Vec<u8>>,
    to: Principal,
    created_at_time: Option<u64>,
}

#[derive(Debug, PartialEq, CandidType, Deserialize)]
enum WithdrawError {
    InsufficientFunds { balance: Nat },
    InvalidReceiver { receiver: Principal },
}

/// The cycles of a canister.
async fn cycles(controller: &Agent, canister: Principal) -> u64 {
    let record = CanisterIdRecord {
        canister_id: canister,
    };
    // A query costs the canister nothing.
    let reply = controller
        .query(&MANAGEMENT, "canister_status")
        .with_effective_canister_id(canister)
        .with_arg(encode_one(record).unwrap())
        .await
        .unwrap();
    let status: CanisterStatusResult = decode_one(&reply).unwrap();
    u64::try_from(status.cycles.0).unwrap()
}

/// Has the canister pay into an account.
async fn deposit(
    agent: &Agent,
    payer: Principal,
    amount: u64,
    to: Account,
) -> Result<Vec<u8>, AgentError> {
    let args = encode_one(DepositArgs { to, memo: None }).unwrap();
    let arg = [&amount.to_le_bytes()[..], &args].concat();
    agent.update(&payer, "deposit").with_arg(arg).await
}

async fn withdraw(
    agent: &Agent,
    amount: impl Into<Nat>,
    from_subaccount: Option<Vec<u8>>,
    to: Principal,
) -> Result<Nat, WithdrawError> {
    let args = WithdrawArgs {
        amount: amount.into(),
        from_subaccount,
        to,
        created_at_time: None,
    };
    update(agent, cycles_ledger(), "withdraw", (args,)).await
}

impl Network {
    /// Checks that all cycles are somewhere.
    async fn expect_no_cycles_lost(&self) {
        let account = self.owner.with(|node| node.replica.cycles()).await.unwrap();
        assert!(account.is_balanced(), "{account:?}");
        assert_eq!(account.lost, 0);
    }
}

#[tokio::test]
async fn deposit_of_a_canister_is_in_the_account_less_the_fee() {
    let network = Network::start().await;
    let agent = network.user().await;
    let payer = install(&agent, PAYER).await;
    let mine = Account {
        owner: agent.get_principal().unwrap(),
        subaccount: Some([9; 32]),
    };
    let mut expected = 0;
    for amount in [3 * T, CYCLES_FEE + 1] {
        let before = cycles(&agent, payer).await;
        let reply = deposit(&agent, payer, amount, mine).await.unwrap();
        expected += amount - CYCLES_FEE;
        let deposited: Deposited = decode_one(&reply).unwrap();
        assert_eq!(deposited.balance, Nat::from(expected));
        let found = balance(&agent, cycles_ledger(), mine).await;
        assert_eq!(found, Nat::from(expected));
        // It paid for the execution of its call, too.
        let paid = before - cycles(&agent, payer).await;
        assert!((amount..amount + CYCLES_FEE).contains(&paid), "{paid}");
        network.expect_no_cycles_lost().await;
    }
}

#[tokio::test]
async fn deposit_of_no_more_than_the_fee_goes_back() {
    let network = Network::start().await;
    let agent = network.user().await;
    let payer = install(&agent, PAYER).await;
    let mine = Account::from(agent.get_principal().unwrap());
    for amount in [0, CYCLES_FEE] {
        let before = cycles(&agent, payer).await;
        let reject = certified(deposit(&agent, payer, amount, mine).await);
        expect_too_little(&reject);
        let paid = before - cycles(&agent, payer).await;
        assert!(paid < CYCLES_FEE, "{paid}");
        assert_eq!(balance(&agent, cycles_ledger(), mine).await, 0u64);
        network.expect_no_cycles_lost().await;
    }
}

#[tokio::test]
async fn deposit_of_a_user_has_no_cycles() {
    let network = Network::start().await;
    let agent = network.user().await;
    let to = Account::from(agent.get_principal().unwrap());
    let args = encode_one(DepositArgs { to, memo: None }).unwrap();
    let call = agent.update(&cycles_ledger(), "deposit").with_arg(args);
    expect_too_little(&certified(call.await));
}

#[track_caller]
fn expect_too_little(reject: &RejectResponse) {
    let words = "more cycles attached than the fee";
    assert!(reject.reject_message.contains(words), "{reject:?}");
}

#[tokio::test]
async fn withdrawal_goes_to_the_canister_and_the_account_pays_the_fee() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let canister = create(&agent).await;
    let mine = Account::from(Principal::anonymous());
    let account = balance(&agent, cycles_ledger(), mine).await;
    let before = cycles(&agent, canister).await;
    withdraw(&agent, 2 * T, None, canister).await.unwrap();
    assert_eq!(cycles(&agent, canister).await, before + 2 * T);
    let left = balance(&agent, cycles_ledger(), mine).await;
    assert_eq!(account - left, Nat::from(2 * T + CYCLES_FEE));
    network.expect_no_cycles_lost().await;
}

#[tokio::test]
async fn withdrawal_of_more_than_there_is_moves_nothing() {
    let network = Network::start().await;
    let (rich, poor) = (network.agent(AnonymousIdentity).await, network.user().await);
    let canister = create(&poor).await;
    let account = Account::from(Principal::anonymous());
    let all = balance(&rich, cycles_ledger(), account).await;
    let huge = Nat::parse(b"999999999999999999999999999999999999999999").unwrap();
    for (agent, subaccount, amount, has) in [
        // The fee is missing.
        (&rich, None, all.clone(), all.clone()),
        (&rich, None, huge, all.clone()),
        (&rich, Some(vec![1; 32]), Nat::from(1u64), Nat::from(0u64)),
        (&poor, None, Nat::from(1u64), Nat::from(0u64)),
    ] {
        let before = cycles(&poor, canister).await;
        let withdrawn = withdraw(agent, amount, subaccount, canister).await;
        let expected = WithdrawError::InsufficientFunds { balance: has };
        assert_eq!(withdrawn.unwrap_err(), expected);
        assert_eq!(cycles(&poor, canister).await, before);
        assert_eq!(balance(&rich, cycles_ledger(), account).await, all);
    }
    network.expect_no_cycles_lost().await;
}

#[tokio::test]
async fn withdrawal_to_what_is_no_canister_moves_nothing() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let supply = || query::<Nat>(&agent, cycles_ledger(), "icrc1_total_supply", ());
    let before = supply().await;
    let nobody = Principal::from_slice(b"nowhere!\x01\x01");
    for receiver in [nobody, Principal::anonymous(), MANAGEMENT, cycles_ledger()] {
        let withdrawn = withdraw(&agent, T, None, receiver).await;
        let expected = WithdrawError::InvalidReceiver { receiver };
        assert_eq!(withdrawn.unwrap_err(), expected);
        assert_eq!(supply().await, before);
    }
    network.expect_no_cycles_lost().await;
}
