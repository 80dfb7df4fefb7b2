//! Who and where the canister is (the specification's sections "Self-identification", "Canister
//! status", "Canister version", "Controller check", "Replicated execution check" and "Environment
//! variables").

use candid::Principal;

use super::host::{Call, SystemApi};
use super::trap::Trap;

/// The longest name of an environment variable, in bytes.
const MAX_NAME: u64 = 128;

pub(super) fn canister_self_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.canister.as_slice().len() as u64)
}

pub(super) fn canister_self_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| api.view.canister.as_slice())
}

pub(super) fn subnet_self_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.subnet.id.as_slice().len() as u64)
}

pub(super) fn subnet_self_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| api.view.subnet.id.as_slice())
}

pub(super) fn canister_status(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(u64::from(call.host.view.status))
}

pub(super) fn canister_version(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.version)
}

pub(super) fn is_controller(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let principal = Principal::try_from_slice(call.bytes(a[0], a[1])?)
        .map_err(|error| Trap::violation(format!("ic0.is_controller: {error}")))?;
    let controllers = &call.host.view.settings.controllers;
    Ok(u64::from(controllers.contains(&principal)))
}

pub(super) fn in_replicated_execution(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(u64::from(call.host.view.replicated))
}

pub(super) fn variable_count(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    let variables = &call.host.view.settings.environment_variables;
    Ok(variables.len() as u64)
}

pub(super) fn variable_name_size(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    Ok(name_at(call.host, a[0])?.len() as u64)
}

pub(super) fn variable_name_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let name = name_at(call.host, a[0])?.to_owned();
    call.copy_text([a[1], a[2], a[3]], &name)
}

pub(super) fn variable_name_exists(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let name = name(call, a[0], a[1])?;
    let variables = &call.host.view.settings.environment_variables;
    Ok(u64::from(variables.contains_key(&name)))
}

pub(super) fn variable_value_size(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let name = name(call, a[0], a[1])?;
    Ok(value(call.host, &name)?.len() as u64)
}

pub(super) fn variable_value_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let name = name(call, a[0], a[1])?;
    let value = value(call.host, &name)?.to_owned();
    call.copy_text([a[2], a[3], a[4]], &value)
}

fn name_at(api: &SystemApi, index: u64) -> Result<&str, Trap> {
    let variables = &api.view.settings.environment_variables;
    let name = usize::try_from(index)
        .ok()
        .and_then(|i| variables.keys().nth(i));
    name.map(String::as_str).ok_or_else(|| {
        Trap::NoSuchVariable(format!(
            "Environment variable index {index} is out of bounds. The number of environment \
             variables is {}.",
            variables.len()
        ))
    })
}

fn name(call: &mut Call<'_>, source: u64, size: u64) -> Result<String, Trap> {
    match size <= MAX_NAME {
        true => Ok(call.text(source, size)?.to_owned()),
        false => Err(Trap::violation(format!(
            "the name of an environment variable has at most {MAX_NAME} bytes, not {size}"
        ))),
    }
}

fn value<'a>(api: &'a SystemApi, name: &str) -> Result<&'a str, Trap> {
    let variables = &api.view.settings.environment_variables;
    let value = variables.get(name).map(String::as_str);
    value.ok_or_else(|| Trap::NoSuchVariable(format!("Environment variable {name} not found.")))
}
