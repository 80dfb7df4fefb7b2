//! Where `icp` is.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// PATH, with the directories of `icp` and `ic-wasm` in front if they are in this target directory, where
/// the scripts put them.
pub fn path_with_icp(target: &Path) -> OsString {
    let packages = target.join("icp-tools/node_modules/@icp-sdk");
    let mut directories: Vec<PathBuf> = fs::read_dir(packages)
        .into_iter()
        .flatten()
        .map(|package| package.unwrap().path().join("bin"))
        .collect();
    let path = env::var_os("PATH").unwrap_or_default();
    directories.extend(env::split_paths(&path));
    for tool in ["icp", "ic-wasm"] {
        let file = format!("{tool}{}", env::consts::EXE_SUFFIX);
        assert!(
            directories.iter().any(|at| at.join(&file).is_file()),
            "`{tool}` is neither on PATH nor in target/icp-tools. Put both there, with the names \
             of your platform: npm install --prefix target/icp-tools \
             @icp-sdk/icp-cli-linux-x64 @icp-sdk/ic-wasm-linux-x64"
        );
    }
    env::join_paths(directories).unwrap()
}
