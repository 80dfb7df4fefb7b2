//! How a canister learns the id of another: it comes with the deployment.

use candid::Principal;
use ic_cdk::{
    api::{env_var_name_exists, env_var_value},
    trap,
};

/// The id of the canister `name`.
///
/// `icp deploy` gives it to the running canister, as the canister environment variable
/// `PUBLIC_CANISTER_ID:<name>`. `dfx deploy` gives it to the build, as `CANISTER_ID_<NAME>`; whoever
/// calls this hands it over as `built_in`. The first wins: it is easier to correct.
///
/// Traps if there is no id, so call it before the first await: then nothing has happened yet.
pub fn id(name: &str, built_in: Option<&str>) -> Principal {
    let variable = format!("PUBLIC_CANISTER_ID:{name}");
    // Reading a variable that does not exist traps, so ask first.
    let given = env_var_name_exists(&variable).then(|| env_var_value(&variable));
    choose(name, given.as_deref(), built_in).unwrap_or_else(|message| trap(message))
}

fn choose(name: &str, given: Option<&str>, built_in: Option<&str>) -> Result<Principal, String> {
    let Some(id) = given.or(built_in) else {
        return Err(format!(
            "the id of {name} is not known. Deploy both canisters with `icp deploy` or \
             `dfx deploy`; or set the canister environment variable PUBLIC_CANISTER_ID:{name}"
        ));
    };
    Principal::from_text(id)
        .map_err(|error| format!("the id of {name} is given as '{id}', which is no id: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
    const B: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";

    #[test]
    fn the_id_given_at_run_time_goes_first() {
        assert_eq!(choose("x", Some(A), Some(B)).unwrap().to_text(), A);
        assert_eq!(choose("x", Some(A), None).unwrap().to_text(), A);
        assert_eq!(choose("x", None, Some(B)).unwrap().to_text(), B);
    }

    #[test]
    fn without_an_id_the_message_says_what_to_do() {
        let message = choose("canister2", None, None).unwrap_err();
        for hint in ["icp deploy", "dfx deploy", "PUBLIC_CANISTER_ID:canister2"] {
            assert!(message.contains(hint), "{message}");
        }
    }

    #[test]
    fn a_malformed_id_is_named() {
        let message = choose("canister2", Some("nonsense"), Some(B)).unwrap_err();
        assert!(message.contains("canister2") && message.contains("'nonsense'"));
        assert!(choose("canister2", None, Some("")).is_err());
    }
}
