//! The interface between `icp network start` and the program that it launches.

use std::fs;
use std::path::{Path, PathBuf};

/// The options that the program understands, and that take a value.
const UNDERSTOOD: [&str; 6] = [
    "--bind",
    "--domain",
    "--port",
    "--gateway-port",
    "--status-dir",
    "--interface-version",
];

/// The options of the launcher interface that change nothing here. `icp network start` empties the
/// folder of `--state-dir` first, so that keeping the state there would only cost time.
const HARMLESS: [&str; 3] = ["--state-dir", "--verbose", "--artificial-delay-ms"];

/// The options that ask for what a local replica does not have, and what that is.
const MISSING: [(&str, &str); 5] = [
    ("--ii", "no Internet Identity"),
    ("--nns", "no NNS and no SNS"),
    ("--subnet", "no other subnets than one"),
    ("--bitcoind-addr", "no Bitcoin"),
    ("--dogecoind-addr", "no Dogecoin"),
];

/// What a launcher is told.
#[derive(Debug, PartialEq)]
pub struct Understood {
    /// The arguments that are for this program.
    pub arguments: Vec<String>,
    /// What there is to say about the others.
    pub warnings: Vec<String>,
}

/// The arguments without those that a launcher may ignore.
///
/// # Errors
///
/// If the version of the interface is another.
pub fn understood(arguments: Vec<String>) -> Result<Understood, String> {
    let version = value_of(&arguments, "--interface-version");
    let Some(version) = version else {
        return Ok(Understood {
            arguments,
            warnings: Vec::new(),
        });
    };
    if version.split('.').next() != Some("1") {
        return Err(format!(
            "icp speaks version {version} of the launcher interface; this program speaks version 1"
        ));
    }
    let mut arguments = arguments.into_iter().peekable();
    let mut kept: Vec<String> = arguments.next().into_iter().collect();
    let (mut missing, mut warnings) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let name = argument.split('=').next().unwrap_or_default().to_owned();
        let value = arguments.next_if(|next| !argument.contains('=') && !next.starts_with("--"));
        if UNDERSTOOD.contains(&name.as_str()) {
            kept.push(argument);
            kept.extend(value);
        } else if let Some((_, what)) = MISSING.iter().find(|(option, _)| *option == name) {
            if !missing.contains(what) {
                missing.push(*what);
            }
        } else if !HARMLESS.contains(&name.as_str()) {
            warnings.push(format!("{name} is not known here, and is ignored"));
        }
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        warnings.push(format!(
            "this network is the local replica: it has {missing}, which its configuration asks \
             for; everything else runs"
        ));
    }
    Ok(Understood {
        arguments: kept,
        warnings,
    })
}

fn value_of(arguments: &[String], name: &str) -> Option<String> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == name {
            return arguments.next().cloned();
        }
        if let Some(value) = argument.strip_prefix(name)
            && let Some(value) = value.strip_prefix('=')
        {
            return Some(value.to_owned());
        }
    }
    None
}

/// The file in the same folder in which `icp` writes the names of canisters.
pub fn names(folder: &Path) -> PathBuf {
    folder.join("custom-domains.txt")
}

/// Tells `icp` that the network is ready.
///
/// # Errors
///
/// If the file can't be written.
pub fn report(folder: &Path, port: u16, root_key: &[u8]) -> Result<(), String> {
    let root_key: String = root_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let status = serde_json::json!({
        "v": "1",
        "gateway_port": port,
        "root_key": root_key,
        "supported_features": ["custom-domains"],
    });
    let (file, draft) = (folder.join("status.json"), folder.join("status.json.draft"));
    // A reader sees the whole file or none.
    fs::write(&draft, format!("{status}\n"))
        .and_then(|()| fs::rename(&draft, &file))
        .map_err(|error| format!("can't write {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understand(arguments: &str) -> Result<(String, Vec<String>), String> {
        let arguments = arguments.split(' ').map(str::to_owned).collect();
        understood(arguments).map(|told| (told.arguments.join(" "), told.warnings))
    }

    #[test]
    fn what_icp_passes_is_understood() {
        let passed = "local-replica --interface-version 1.1.0 --state-dir /s --bind 127.0.0.1 \
                      --gateway-port 8000 --status-dir /d --domain=127.0.0.1";
        let kept = "local-replica --interface-version 1.1.0 --bind 127.0.0.1 --gateway-port 8000 \
                    --status-dir /d --domain=127.0.0.1";
        assert_eq!(understand(passed).unwrap(), (kept.to_owned(), vec![]));
    }

    #[test]
    fn unknown_options_of_a_newer_minor_version_are_ignored() {
        let passed = "local-replica --interface-version 1.9.0 --new --newer 7 --port 0";
        let kept = "local-replica --interface-version 1.9.0 --port 0";
        let (arguments, warnings) = understand(passed).unwrap();
        assert_eq!(arguments, kept);
        assert_eq!(
            warnings,
            [
                "--new is not known here, and is ignored",
                "--newer is not known here, and is ignored"
            ]
        );
    }

    #[test]
    fn another_major_version_is_refused() {
        understand("local-replica --interface-version 2.0.0").unwrap_err();
    }

    #[test]
    fn what_is_not_here_is_said_once_and_stops_nothing() {
        let passed = "local-replica --interface-version=1.0.0 --ii --nns --subnet=application \
                      --subnet=fiduciary --port 0";
        let (arguments, warnings) = understand(passed).unwrap();
        assert_eq!(
            arguments,
            "local-replica --interface-version=1.0.0 --port 0"
        );
        assert_eq!(
            warnings,
            [
                "this network is the local replica: it has no Internet Identity, no NNS and no \
                 SNS, no other subnets than one, which its configuration asks for; everything \
                 else runs"
            ]
        );
    }

    #[test]
    fn without_a_launcher_every_argument_is_the_users_own() {
        assert_eq!(
            understand("local-replica --typo").unwrap(),
            ("local-replica --typo".to_owned(), vec![])
        );
    }
}
