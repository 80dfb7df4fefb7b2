//! The interface between `icp network start` and the program that it launches.

use std::fs;
use std::path::Path;

/// The options that the program understands, and that take a value.
const UNDERSTOOD: [&str; 5] = [
    "--bind",
    "--port",
    "--gateway-port",
    "--status-dir",
    "--interface-version",
];

/// The options of the launcher interface that change nothing here. `icp network start` empties the
/// folder of `--state-dir` first, so that keeping the state there would only cost time; and every
/// domain is served.
const HARMLESS: [&str; 4] = [
    "--state-dir",
    "--domain",
    "--verbose",
    "--artificial-delay-ms",
];

/// The options that ask for what a local replica does not have.
const REFUSED: [&str; 3] = ["--ii", "--nns", "--subnet"];

/// The arguments without those that a launcher may ignore.
///
/// # Errors
///
/// If the version of the interface is another, or something is asked for that isn't here.
pub fn understood(arguments: Vec<String>) -> Result<Vec<String>, String> {
    let version = value_of(&arguments, "--interface-version");
    let Some(version) = version else {
        return Ok(arguments);
    };
    if version.split('.').next() != Some("1") {
        return Err(format!(
            "icp speaks version {version} of the launcher interface; this program speaks version 1"
        ));
    }
    let mut arguments = arguments.into_iter().peekable();
    let mut kept: Vec<String> = arguments.next().into_iter().collect();
    while let Some(argument) = arguments.next() {
        let name = argument.split('=').next().unwrap_or_default().to_owned();
        if REFUSED.contains(&name.as_str()) {
            return Err(format!(
                "{name}: the local replica has one subnet, and neither the NNS nor Internet \
                 Identity; remove this from the network in icp.yaml"
            ));
        }
        let value = arguments.next_if(|next| !argument.contains('=') && !next.starts_with("--"));
        if UNDERSTOOD.contains(&name.as_str()) {
            kept.push(argument);
            kept.extend(value);
        } else if !HARMLESS.contains(&name.as_str()) {
            eprintln!("warning: {name} is not known here, and is ignored");
        }
    }
    Ok(kept)
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

/// Tells `icp` that the network is ready.
///
/// # Errors
///
/// If the file can't be written.
pub fn report(folder: &Path, port: u16, root_key: &[u8]) -> Result<(), String> {
    let root_key: String = root_key.iter().map(|byte| format!("{byte:02x}")).collect();
    let status = serde_json::json!({ "v": "1", "gateway_port": port, "root_key": root_key });
    let (file, draft) = (folder.join("status.json"), folder.join("status.json.draft"));
    // A reader sees the whole file or none.
    fs::write(&draft, format!("{status}\n"))
        .and_then(|()| fs::rename(&draft, &file))
        .map_err(|error| format!("can't write {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understand(arguments: &str) -> Result<String, String> {
        let arguments = arguments.split(' ').map(str::to_owned).collect();
        understood(arguments).map(|kept| kept.join(" "))
    }

    #[test]
    fn what_icp_passes_is_understood() {
        let passed = "local-replica --interface-version 1.1.0 --state-dir /s --bind 127.0.0.1 \
                      --gateway-port 8000 --status-dir /d --domain=127.0.0.1";
        let kept = "local-replica --interface-version 1.1.0 --bind 127.0.0.1 --gateway-port 8000 \
                    --status-dir /d";
        assert_eq!(understand(passed).unwrap(), kept);
    }

    #[test]
    fn unknown_options_of_a_newer_minor_version_are_ignored() {
        let passed = "local-replica --interface-version 1.9.0 --new --newer 7 --port 0";
        let kept = "local-replica --interface-version 1.9.0 --port 0";
        assert_eq!(understand(passed).unwrap(), kept);
    }

    #[test]
    fn another_major_version_and_what_is_not_here_are_refused() {
        for passed in [
            "local-replica --interface-version 2.0.0",
            "local-replica --interface-version=1.0.0 --nns",
            "local-replica --interface-version 1.0.0 --subnet=application",
        ] {
            understand(passed).unwrap_err();
        }
    }

    #[test]
    fn without_a_launcher_every_argument_is_the_users_own() {
        assert_eq!(
            understand("local-replica --typo").unwrap(),
            "local-replica --typo"
        );
    }
}
