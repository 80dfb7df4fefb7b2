//! How canister1 learns the id of canister2.
//!
//! `icp deploy` gives it to the running canister, in a canister environment variable;
//! `dfx deploy` gives it to the build, in a variable of the compiler's environment.

use candid::Principal;
use ic_cdk::{
    api::{env_var_name_exists, env_var_value},
    trap,
};

/// The canister environment variable that holds the id at run time.
const RUN_TIME: &str = "PUBLIC_CANISTER_ID:canister2";

/// The variable that held the id at build time, if it was set, and its name.
const BUILD_TIME: &str = "CANISTER_ID_CANISTER2";
const BUILT_IN: Option<&str> = option_env!("CANISTER_ID_CANISTER2");

/// A guard for methods that call canister2: where its id is not known, the call is rejected
/// before the method begins.
pub fn is_known() -> Result<(), String> {
    look_up().map(drop)
}

/// The id of canister2.
///
/// It traps only if the id became unknown after [`is_known`] let the call in, which takes
/// a controller who changes the settings during an await.
pub fn canister2() -> Principal {
    look_up().unwrap_or_else(|message| trap(message))
}

fn look_up() -> Result<Principal, String> {
    // Reading a variable that does not exist traps, so ask first.
    let given = env_var_name_exists(RUN_TIME).then(|| env_var_value(RUN_TIME));
    choose(given.as_deref(), BUILT_IN)
}

/// The id given at run time, else the one built in: the first is easier to correct.
fn choose(given: Option<&str>, built_in: Option<&str>) -> Result<Principal, String> {
    let (name, id) = match (given, built_in) {
        (Some(id), _) => (RUN_TIME, id),
        (None, Some(id)) => (BUILD_TIME, id),
        (None, None) => {
            return Err(format!(
                "canister1 does not know canister2. Deploy both with `icp deploy` or \
                 `dfx deploy`; or set the canister environment variable {RUN_TIME} to the id \
                 of canister2; or build canister1 with {BUILD_TIME} set to it."
            ));
        }
    };
    Principal::from_text(id)
        .map_err(|error| format!("{name} should be the id of canister2, but is '{id}': {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
    const B: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";

    #[test]
    fn the_id_given_at_run_time_goes_first() {
        assert_eq!(choose(Some(A), Some(B)).unwrap().to_text(), A);
        assert_eq!(choose(Some(A), None).unwrap().to_text(), A);
        assert_eq!(choose(None, Some(B)).unwrap().to_text(), B);
    }

    #[test]
    fn without_an_id_the_message_says_what_to_do() {
        let message = choose(None, None).unwrap_err();
        for hint in ["icp deploy", "dfx deploy", RUN_TIME, BUILD_TIME] {
            assert!(message.contains(hint), "{message}");
        }
    }

    #[test]
    fn a_malformed_id_is_named_with_the_variable_that_holds_it() {
        let message = choose(Some("canister2"), Some(B)).unwrap_err();
        assert!(message.contains(RUN_TIME) && message.contains("'canister2'"));
        let message = choose(None, Some("")).unwrap_err();
        assert!(message.contains(BUILD_TIME) && message.contains("''"));
    }
}
