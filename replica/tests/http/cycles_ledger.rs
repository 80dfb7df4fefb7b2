//! The cycles ledger as the tools use it to create canisters.

use candid::{CandidType, Deserialize, Nat, Principal};
use ic_agent::identity::AnonymousIdentity;
use ic_management_canister_types::CanisterSettings;
use icrc_ledger_types::icrc1::account::Account;

use crate::harness::Network;
use crate::system_canisters::{CYCLES_FEE, T, balance, cycles_ledger, update};

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
