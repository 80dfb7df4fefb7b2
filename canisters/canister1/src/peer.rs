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
    let at_run_time = format!("PUBLIC_CANISTER_ID:{name}");
    let at_build_time = format!("CANISTER_ID_{}", name.to_uppercase());
    let (variable, id) = match (given, built_in) {
        (Some(id), _) => (at_run_time, id),
        (None, Some(id)) => (at_build_time, id),
        (None, None) => {
            return Err(format!(
                "the id of {name} is not known. Deploy both canisters with `icp deploy` or `dfx \
                 deploy`; or set the canister environment variable {at_run_time}"
            ));
        }
    };
    Principal::from_text(id)
        .map_err(|error| format!("{variable} should be the id of {name}, but is '{id}': {error}"))
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
    fn a_malformed_id_is_named_with_the_variable_that_holds_it() {
        let message = choose("canister2", Some("nonsense"), Some(B)).unwrap_err();
        assert!(message.contains("PUBLIC_CANISTER_ID:canister2") && message.contains("'nonsense'"));
        let message = choose("canister2", None, Some("")).unwrap_err();
        assert!(message.contains("CANISTER_ID_CANISTER2") && message.contains("''"));
    }
}
