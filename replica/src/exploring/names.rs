//! The names of canisters, as `icp` and `dfx` keep them in a project's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use candid::Principal;
use serde_json::Value;

use super::project::{files, project};
use super::wire::User;

/// Names of canisters and users.
#[derive(Default)]
pub struct Names {
    /// The ids that a name has, on one network or another.
    known: BTreeMap<String, BTreeSet<Principal>>,
    /// The project's folder, if there is one.
    project: Option<PathBuf>,
    /// The canisters that the network has.
    present: BTreeSet<Principal>,
    /// What to call those that were named.
    called: BTreeMap<Principal, String>,
}

impl Names {
    /// The names in the project that `folder` is in, of canisters that a network has.
    ///
    /// # Errors
    ///
    /// In one line, if a file with names can't be read.
    pub fn of_project(folder: &Path, present: BTreeSet<Principal>) -> Result<Self, String> {
        let mut names = Names {
            present,
            ..Names::default()
        };
        if let Some(project) = project(folder) {
            names.project = Some(project.to_owned());
            // icp keeps those of its own networks in the cache, and those of others with the data.
            for mappings in [".icp/cache/mappings", ".icp/data/mappings"] {
                for file in files(&project.join(mappings)) {
                    if file.to_string_lossy().ends_with(".ids.json") {
                        names.read(&file)?;
                    }
                }
            }
            names.read(&project.join("canister_ids.json"))?;
            for network in files(&project.join(".dfx")) {
                names.read(&network.join("canister_ids.json"))?;
            }
        }
        Ok(names)
    }

    /// These names, each of a canister that the network has.
    pub fn given(names: &BTreeMap<String, Principal>) -> Self {
        let known = names.iter();
        Names {
            known: known
                .map(|(name, id)| (name.clone(), BTreeSet::from([*id])))
                .collect(),
            present: names.values().copied().collect(),
            ..Names::default()
        }
    }

    /// Adds the names in a file: `{"name": "id"}` is icp's way, `{"name": {"network": "id"}}` dfx's.
    fn read(&mut self, file: &Path) -> Result<(), String> {
        let unreadable = |why: String| format!("can't read names in {}: {why}", file.display());
        if !file.is_file() {
            return Ok(());
        }
        let text = fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
        let names: BTreeMap<String, Value> =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        for (name, value) in names {
            let ids = match &value {
                Value::String(id) => vec![id],
                Value::Object(networks) => networks
                    .values()
                    .filter_map(|id| match id {
                        Value::String(id) => Some(id),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            };
            let ids = ids
                .into_iter()
                .filter_map(|id| Principal::from_text(id).ok());
            self.known.entry(name).or_default().extend(ids);
        }
        Ok(())
    }

    /// The canister with this name or id.
    ///
    /// # Errors
    ///
    /// In one line: nobody has the name, or nobody on this network, or more than one.
    pub fn resolve(&mut self, name: &str) -> Result<Principal, String> {
        let Some(ids) = self.known.get(name) else {
            if let Ok(id) = Principal::from_text(name) {
                return Ok(id);
            }
            let known: Vec<&str> = self.known.keys().map(String::as_str).collect();
            return Err(match (&self.project, known.is_empty()) {
                (None, true) => format!(
                    "'{name}' is no canister's id, and there are no names here: no icp.yaml or \
                     dfx.json in this folder or above it"
                ),
                (Some(project), true) => format!(
                    "'{name}' is no canister's id, and nothing is deployed yet from {}",
                    project.display()
                ),
                (_, false) => {
                    format!(
                        "no canister is called '{name}'; there is {}",
                        known.join(", ")
                    )
                }
            });
        };
        let here: Vec<Principal> = ids.intersection(&self.present).copied().collect();
        match here[..] {
            [id] => {
                self.called.insert(id, name.to_owned());
                Ok(id)
            }
            [] => Err(format!("{name} is not deployed on this network")),
            _ => {
                let here: Vec<String> = here.iter().map(Principal::to_text).collect();
                Err(format!(
                    "{name} is {} on this network; write one of them",
                    here.join(" or ")
                ))
            }
        }
    }

    /// What to call a canister.
    pub fn name(&self, id: &Principal) -> String {
        if let Some(name) = self.called.get(id) {
            return name.clone();
        }
        if *id == Principal::management_canister() {
            return "the management canister".to_owned();
        }
        let mut known = self.known.iter().filter(|(_, ids)| ids.contains(id));
        match known.next() {
            Some((name, _)) if self.present.contains(id) => name.clone(),
            _ => id.to_text(),
        }
    }

    /// What to call a canister or a user.
    pub fn who(&self, principal: &Principal, users: &BTreeSet<User>) -> String {
        let number = users.iter().find(|user| user.principal() == *principal);
        match number {
            Some(User::Number(number)) => format!("user {number}"),
            _ if *principal == Principal::anonymous() => "the user".to_owned(),
            _ => self.name(principal),
        }
    }

    /// A text with names in place of ids.
    pub fn rename(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for id in &self.present {
            let name = self.name(id);
            if text.contains(&id.to_text()) {
                text = text.replace(&id.to_text(), &name);
            }
        }
        text
    }
}
