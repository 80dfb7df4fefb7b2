//! What survives a restart: everything.

use std::process::Command;

use candid::{Nat, Principal, encode_one};
use ic_agent::Agent;
use ic_agent::agent::CallResponse;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterSettings, CanisterStatusResult, CanisterStatusType,
    UpdateSettingsArgs,
};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use serde_json::{Value, json};

use crate::canisters::COUNTER;
use crate::harness::{
    Folder, MANAGEMENT, Running, add, compacting_in, get, install, manage, number, program,
    program_in, update,
};

const DAY: u64 = 24 * 60 * 60;

fn cycles_ledger() -> Principal {
    Principal::from_text("um5iw-rqaaa-aaaaq-qaaba-cai").unwrap()
}

async fn balance(agent: &Agent, of: Principal) -> Nat {
    let argument = encode_one(Account::from(of)).unwrap();
    let query = agent.query(&cycles_ledger(), "icrc1_balance_of");
    candid::decode_one(&query.with_arg(argument).await.unwrap()).unwrap()
}

async fn status(agent: &Agent, canister_id: Principal) -> CanisterStatusResult {
    let query = agent
        .query(&MANAGEMENT, "canister_status")
        .with_effective_canister_id(canister_id)
        .with_arg(encode_one(CanisterIdRecord { canister_id }).unwrap());
    candid::decode_one(&query.await.unwrap()).unwrap()
}

fn timeline(program: &Running) -> Value {
    program.control("GET", "timeline", &Value::Null)
}

fn advance(program: &Running, seconds: u64) -> u64 {
    let answer = program.control("POST", "advance_time", &json!({ "seconds": seconds }));
    answer["time"].as_u64().unwrap()
}

/// Does many things, ends the program in this way, and looks what is left.
async fn everything_survives(
    folder: &Folder,
    start: impl Fn(&Folder) -> Command,
    end: impl Fn(Running),
) {
    let program = Running::start(start(folder));
    let agent = program.agent().await;
    let (counter, stopped) = (
        install(&agent, COUNTER).await,
        install(&agent, COUNTER).await,
    );
    add(&agent, counter).await;
    add(&agent, counter).await;
    agent.update(&counter, "trap").await.unwrap_err();
    agent.update(&counter, "add_later").await.unwrap();
    let settings = CanisterSettings {
        freezing_threshold: Some(Nat::from(5 * DAY)),
        controllers: Some(vec![Principal::anonymous(), counter]),
        ..CanisterSettings::default()
    };
    let args = UpdateSettingsArgs {
        canister_id: stopped,
        settings,
        sender_canister_version: None,
    };
    manage(&agent, "update_settings", stopped, args).await;
    let canister_id = stopped;
    manage(
        &agent,
        "stop_canister",
        stopped,
        CanisterIdRecord { canister_id },
    )
    .await;
    let transfer = TransferArg {
        from_subaccount: None,
        to: Account::from(counter),
        fee: None,
        created_at_time: None,
        memo: None,
        amount: Nat::from(12_345u64),
    };
    let sent: Result<Nat, TransferError> =
        update(&agent, cycles_ledger(), "icrc1_transfer", (transfer,)).await;
    sent.unwrap();
    for _ in 0..3 {
        get(&agent, counter).await;
    }
    // What queries used is kept with the next change. The timer, set to an hour, is not due yet.
    let began = advance(&program, 1800);
    let statuses = (status(&agent, counter).await, status(&agent, stopped).await);
    assert_eq!(statuses.0.query_stats.num_calls_total, Nat::from(3u8));
    assert_eq!(statuses.1.status, CanisterStatusType::Stopped);
    let events = timeline(&program);
    end(program);

    let program = Running::start(start(folder));
    assert_eq!(timeline(&program), events);
    let agent = program.agent().await;
    let found = (status(&agent, counter).await, status(&agent, stopped).await);
    assert_eq!(found, statuses);
    assert_eq!(balance(&agent, counter).await, Nat::from(12_345u64));
    assert_eq!(get(&agent, counter).await, 2);
    // The clock is still half an hour ahead, and the timer fires in another.
    assert!(advance(&program, 0) >= began);
    assert_eq!(get(&agent, counter).await, 2);
    assert!(advance(&program, 1800) >= began + 1800 * 1_000_000_000);
    assert_eq!(get(&agent, counter).await, 3);
    let new = install(&agent, COUNTER).await;
    assert!(new != counter && new != stopped);
    assert_eq!(add(&agent, new).await, 1);
}

#[tokio::test]
async fn everything_survives_a_kill() {
    everything_survives(&Folder::new("a-kill"), program_in, |program| {
        program.kill();
    })
    .await;
}

#[tokio::test]
async fn everything_survives_a_kill_in_snapshots() {
    everything_survives(&Folder::new("snapshots"), compacting_in, |program| {
        program.kill();
    })
    .await;
}

#[tokio::test]
async fn everything_survives_a_stop() {
    everything_survives(&Folder::new("a-stop"), program_in, Running::stop).await;
}

#[tokio::test]
async fn messages_that_are_held_back_survive_and_are_delivered_then() {
    held_messages_survive(&Folder::new("held"), program_in).await;
}

#[tokio::test]
async fn messages_that_are_held_back_survive_in_snapshots() {
    held_messages_survive(&Folder::new("held-compacted"), compacting_in).await;
}

async fn held_messages_survive(folder: &Folder, start: impl Fn(&Folder) -> Command) {
    let program = Running::start(start(folder));
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    program.control("POST", "hold", &json!({ "hold": true }));
    let mut calls = Vec::new();
    for _ in 0..3 {
        let call = agent.update(&counter, "add").sign().unwrap();
        let sent = agent
            .update_signed(counter, call.signed_update.clone())
            .await;
        assert!(matches!(sent.unwrap(), CallResponse::Poll(_)));
        calls.push(call.request_id);
    }
    let messages = program.control("GET", "messages", &Value::Null);
    let numbers: Vec<&Value> = messages["messages"].as_array().unwrap().iter().collect();
    let deliver = |program: &Running, message: &Value, how: &str| {
        let body = json!({ "message": message["name"], "how": how });
        program.control("POST", "deliver", &body)
    };
    deliver(&program, numbers[1], "trap");
    program.kill();

    let program = Running::start(start(folder));
    let left = program.control("GET", "messages", &Value::Null);
    assert_eq!(
        left,
        json!({ "held": true, "messages": [numbers[0], numbers[2]] })
    );
    let agent = program.agent().await;
    agent.wait(&calls[1], counter).await.unwrap_err();
    deliver(&program, numbers[2], "normally");
    assert_eq!(number(&agent.wait(&calls[2], counter).await.unwrap().0), 1);
    program.control("POST", "hold", &json!({ "hold": false }));
    assert_eq!(number(&agent.wait(&calls[0], counter).await.unwrap().0), 2);
    program.kill();

    let program = Running::start(start(folder));
    assert_eq!(get(&program.agent().await, counter).await, 2);
}

#[tokio::test]
async fn without_a_folder_everything_is_forgotten() {
    let first = Running::start(program());
    let greeting = &first.greeting;
    assert!(greeting.contains("It forgets everything"), "{greeting}");
    let counter = install(&first.agent().await, COUNTER).await;
    first.stop();
    let second = Running::start(program());
    let agent = second.agent().await;
    agent.query(&counter, "get").await.unwrap_err();
}
