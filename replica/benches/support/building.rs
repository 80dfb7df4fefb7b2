//! Canisters of this project, built as they are deployed.

use std::path::Path;
use std::process::Command;

/// The Wasm of a binary or library of a package.
pub fn wasm(package: &str, name: &str) -> Vec<u8> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = [
        "--target",
        "wasm32-unknown-unknown",
        "--target-dir",
        "target",
    ];
    let status = Command::new(env!("CARGO"))
        .current_dir(&project)
        .args(["build", "--locked", "--release", "--quiet", "-p", package])
        .args(target)
        .status();
    assert!(status.expect("cargo starts").success());
    let folder = project.join("target/wasm32-unknown-unknown/release");
    std::fs::read(folder.join(name).with_extension("wasm")).expect("it was built")
}
