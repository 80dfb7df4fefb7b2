//! The project that somebody works in, and where `icp` has its networks.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A folder that has one of these is a project's.
const MANIFESTS: [&str; 4] = ["icp.yaml", "dfx.json", ".icp", ".dfx"];

/// The project's folder: `folder`, or the nearest above it that is one.
pub fn project(folder: &Path) -> Option<&Path> {
    let is_project = |folder: &&Path| MANIFESTS.iter().any(|file| folder.join(file).exists());
    folder.ancestors().find(is_project)
}

/// What icp keeps of a network that it has started, as far as it matters.
#[derive(Deserialize)]
struct Descriptor {
    gateway: Gateway,
}

#[derive(Deserialize)]
struct Gateway {
    port: u16,
}

/// The URLs of the networks that icp has started for the project. What can't be read is left out: then
/// there is no such network.
pub fn networks(project: &Path) -> Vec<String> {
    let folders = files(&project.join(".icp/cache/networks")).into_iter();
    let descriptors = folders.filter_map(|folder| {
        let text = fs::read_to_string(folder.join("descriptor.json")).ok()?;
        let Descriptor { gateway } = serde_json::from_str(&text).ok()?;
        Some(format!("http://{}:{}", Ipv4Addr::LOCALHOST, gateway.port))
    });
    descriptors.collect()
}

/// What is in a folder, sorted; nothing if it can't be read.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}
