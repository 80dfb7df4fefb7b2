//! The scenes that the page offers: canisters, and what to do with them first.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A scene.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Its name, as the address has it.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// Its canisters, by name.
    pub canisters: BTreeMap<String, Member>,
    /// The queries that are asked after each step.
    pub looks: Vec<String>,
    /// What one might do first.
    pub stories: Vec<Beginning>,
}

/// A canister of a scene.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The file with its interface.
    pub candid: String,
    /// The files with its code.
    pub source: Vec<String>,
}

/// A story to begin with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// What it shows.
    pub title: String,
    /// Its steps.
    pub steps: Vec<String>,
    /// What to explore, in the words of a schedule.
    #[serde(default)]
    pub properties: Vec<String>,
}

/// All scenes, with the files relative to `root`, the project's folder.
///
/// # Errors
///
/// If the list can't be read.
pub fn all(root: &Path) -> Result<Vec<Scene>> {
    let path = root.join("page/scenes.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no list of scenes", path.display()))
}
