//! The text of an error that a canister made: what went wrong and, as on the network, what can be done
//! about it and where that is documented.

use crate::message::{CanisterId, ErrorCode, Reject};

/// What can be done about an error.
pub(crate) enum Help<'a> {
    /// Nothing is said.
    None,
    /// Somebody who writes canisters can do this. The name is that of a section of the network's
    /// page about errors.
    Developer(&'a str, &'static str),
    /// The canister was not built as it should be.
    Toolchain,
}

/// For a trap, the advice is the same whatever made it.
pub(crate) const HANDLE_FAILURES: &str = "Consider gracefully handling failures from this canister or \
     altering the canister to handle exceptions.";

/// The network's page about errors.
const DOCUMENTATION: &str = "https://internetcomputer.org/docs/current/references/execution-errors";

/// What is said about a canister that calls what it can't have meant to call.
const BUILT_WRONG: &str = "If you are running this canister in a test environment (e.g., dfx), make \
     sure the test environment is up to date. Otherwise, this is likely an error with the \
     compiler/CDK toolchain being used to build the canister. Please report the error to IC devs on \
     the forum: https://forum.dfinity.org and include which language/CDK was used to create the \
     canister.";

/// An error's text without what can be done about it.
pub(crate) fn without_help(text: &str) -> &str {
    match text.rsplit_once(".\n") {
        Some((error, help)) if help.contains(DOCUMENTATION) || help == BUILT_WRONG => error,
        _ => text,
    }
}

/// An error with advice, and the section of the network's page about errors.
pub(crate) fn with_help(code: ErrorCode, error: &str, advice: &str, section: &str) -> Reject {
    Reject::new(code, format!("{error}\n{}", advise(advice, section)))
}

/// An error with advice, and the bare name of a section, as the network has it for some errors.
pub(crate) fn with_named_help(code: ErrorCode, error: &str, advice: &str, section: &str) -> Reject {
    Reject::new(
        code,
        format!("{error}\n{advice} See documentation: {section}"),
    )
}

fn advise(advice: &str, section: &str) -> String {
    format!("{advice} See documentation: {DOCUMENTATION}#{section}")
}

/// The error of a canister as the one that it gives its callers.
pub(crate) fn error_from(
    canister: CanisterId,
    code: ErrorCode,
    error: &str,
    help: &Help<'_>,
) -> Reject {
    let text = format!("Error from Canister {canister}: {error}");
    Reject::new(code, explained(&text, help))
}

/// An error's text with what can be done about it.
pub(crate) fn explained(error: &str, help: &Help<'_>) -> String {
    match help {
        Help::None => error.to_owned(),
        Help::Developer(advice, section) => format!("{error}.\n{}", advise(advice, section)),
        Help::Toolchain => format!("{error}.\n{BUILT_WRONG}"),
    }
}
