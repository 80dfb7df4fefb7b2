//! What `dfx deploy` and `icp deploy` do: they build both canisters, canister1 finds canister2, and
//! on the local replica `icp` does everything that a user does at the terminal. The links that it
//! prints open in a browser.

#[path = "../../../../replica/tests/support/icp.rs"]
mod icp;
mod links;
mod page;
mod project;
mod story;
mod terminal;

use std::fs;
use std::path::Path;

use self::project::{ProjectCopy, contains, path_with_icp, run};

const CANISTER1_ID: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
const CANISTER2_ID: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";

/// What the canister environment variable that `icp deploy` sets begins with.
const RUN_TIME: &str = "PUBLIC_CANISTER_ID:";

#[test]
fn the_id_that_dfx_gives_to_the_build_arrives() {
    let project = ProjectCopy::new();
    let wasm = project.build_canister1(&[
        ("CANISTER_CANDID_PATH", "candid/canister1.did"),
        ("CANISTER_CANDID_PATH_CANISTER2", "candid/canister2.did"),
        ("CANISTER_ID", CANISTER1_ID),
        ("CANISTER_ID_CANISTER1", CANISTER1_ID),
        ("CANISTER_ID_CANISTER2", CANISTER2_ID),
        ("DFX_NETWORK", "local"),
        ("DFX_VERSION", "0.32.0"),
    ]);
    assert!(contains(&wasm, CANISTER2_ID));
    assert!(contains(&wasm, RUN_TIME));

    // Cargo notices that the variable is gone, and so is the id.
    let wasm = project.build_canister1(&[]);
    assert!(!contains(&wasm, CANISTER2_ID));
    assert!(contains(&wasm, RUN_TIME));
}

#[test]
fn icp_builds_both_and_each_carries_its_interface() {
    let path = path_with_icp();
    let project = ProjectCopy::new();
    run(project
        .command("icp")
        .arg("build")
        .env("PATH", &path)
        .env("DO_NOT_TRACK", "1"));
    for canister in ["canister1", "canister2"] {
        let wasm = Path::new(".icp/cache/artifacts").join(canister);
        let metadata = |arguments: &[&str]| {
            let mut command = project.command("ic-wasm");
            command.arg(&wasm).arg("metadata").args(arguments);
            run(command.env("PATH", &path))
        };
        assert_eq!(metadata(&[]).trim_end(), "icp:public candid:service");
        let file = project.root.join(format!("candid/{canister}.did"));
        assert_eq!(
            metadata(&["candid:service"]).trim_end(),
            fs::read_to_string(file).unwrap().trim_end(),
        );
    }
}
