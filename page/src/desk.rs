//! Answers requests.

use std::collections::BTreeMap;

use candid::{CandidType, Decode, Encode, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, EnvironmentVariable, InstallCodeArgs,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use local_replica::exploring::story::{Story, Wanted};
use local_replica::exploring::wire::Progress;
use local_replica::exploring::{Teller, describe};
use local_replica::message::Cycles;
use local_replica::{Config, Replica};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What each canister gets to begin with.
const CYCLES: Cycles = 100_000_000_000_000;

/// What can be asked for.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// A new replica, without canisters.
    Begin,
    /// Canisters without code that know each other by these names. Answers with their ids.
    Create(Vec<String>),
    /// Installs the module that stands behind the request.
    Install(Principal),
    /// What can be called.
    Canisters,
    /// Tells a story.
    Tell(Story),
    /// Explores the calls that a story ends with.
    Explore {
        /// The story.
        story: Story,
        /// What is to be found out.
        wanted: Wanted,
    },
    /// A story as a diagram.
    Mermaid(Story),
}

/// A replica, and who answers requests to it.
pub struct Desk {
    replica: Replica,
    teller: Teller,
}

impl Default for Desk {
    fn default() -> Self {
        let replica = Replica::new(Config::default());
        Desk {
            teller: Teller::new(&replica),
            replica,
        }
    }
}

impl Desk {
    /// Answers a request: JSON and, after the end of its line, bytes that it is about. The answer is JSON:
    /// `{"ok": …}`, or `{"error": "…"}` with one line. `watch` is told how far an exploration is, and may
    /// end it.
    pub fn answer(&mut self, request: &[u8], watch: &mut dyn FnMut(Progress) -> bool) -> Vec<u8> {
        let end = request.iter().position(|byte| *byte == b'\n');
        let (head, bytes) = request.split_at(end.unwrap_or(request.len()));
        let read = serde_json::from_slice(head).map_err(|error| format!("no request: {error}"));
        let done =
            read.and_then(|request| self.do_it(request, bytes.get(1..).unwrap_or(&[]), watch));
        match done {
            Ok(answer) => format!("{{\"ok\":{answer}}}").into_bytes(),
            Err(fault) => json!({ "error": fault }).to_string().into_bytes(),
        }
    }

    /// What a request asks for, as JSON.
    fn do_it(
        &mut self,
        request: Request,
        bytes: &[u8],
        watch: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<String, String> {
        match request {
            Request::Begin => {
                *self = Desk::default();
                Ok("null".to_owned())
            }
            Request::Create(names) => {
                let created = self.create(names)?;
                self.changed();
                to_json(&created)
            }
            Request::Install(canister) => {
                self.manage(
                    "install_code",
                    &InstallCodeArgs {
                        mode: CanisterInstallMode::Install,
                        canister_id: canister,
                        wasm_module: bytes.to_vec(),
                        arg: Encode!().map_err(|error| error.to_string())?,
                        sender_canister_version: None,
                    },
                )?;
                self.changed();
                Ok("null".to_owned())
            }
            Request::Canisters => to_json(&describe(&self.replica)),
            Request::Tell(story) => to_json(&self.teller.tell(&story)?),
            Request::Explore { story, wanted } => {
                to_json(&self.teller.explore(&story, &wanted, watch)?)
            }
            Request::Mermaid(story) => to_json(&self.teller.draw(&story)?),
        }
    }

    /// Stories begin with what there is now.
    fn changed(&mut self) {
        self.teller = Teller::new(&self.replica);
    }

    /// As `icp deploy` does: all are created first, and each knows the ids of all.
    fn create(&mut self, names: Vec<String>) -> Result<BTreeMap<String, Principal>, String> {
        let mut created = BTreeMap::new();
        for name in names {
            let args = ProvisionalCreateCanisterWithCyclesArgs {
                amount: Some(CYCLES.into()),
                ..Default::default()
            };
            let reply = self.manage("provisional_create_canister_with_cycles", &args)?;
            let record = Decode!(&reply, CanisterIdRecord).map_err(|error| error.to_string())?;
            created.insert(name, record.canister_id);
        }
        let variables: Vec<EnvironmentVariable> = created
            .iter()
            .map(|(name, id)| EnvironmentVariable {
                name: format!("PUBLIC_CANISTER_ID:{name}"),
                value: id.to_text(),
            })
            .collect();
        for canister_id in created.values().copied() {
            let settings = CanisterSettings {
                environment_variables: Some(variables.clone()),
                ..Default::default()
            };
            let args = UpdateSettingsArgs {
                canister_id,
                settings,
                sender_canister_version: None,
            };
            self.manage("update_settings", &args)?;
        }
        Ok(created)
    }

    fn manage(&mut self, method: &str, args: &impl CandidType) -> Result<Vec<u8>, String> {
        let (user, management) = (Principal::anonymous(), Principal::management_canister());
        let args = Encode!(args).map_err(|error| error.to_string())?;
        let answer = self.replica.call(user, management, method, &args);
        match answer {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(reject)) => Err(reject.message),
            None => Err(format!("{method} is not answered")),
        }
    }
}

fn to_json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}
