//! What the specification demands of a module, beside being Wasm.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{ExternalKind, FuncType, ValType};

use super::declarations::{Declarations, Fault, Largest, MethodKind, advised, broken};
use crate::system_api::{SystemApi, functions};
use crate::wasm::{HostFunction, PRIVATE_EXPORT, ValueType};

const MAX_FUNCTIONS: u32 = 50_000;
pub const MAX_GLOBALS: u32 = 1_000;
const MAX_CODE_SIZE: u32 = 12 * 1024 * 1024;
const MAX_FUNCTION_INSTRUCTIONS: u64 = 1_000_000;
const MAX_FUNCTION_COMPLEXITY: u64 = 1_000_000;
const MAX_CUSTOM_SECTIONS: usize = 16;
const MAX_CUSTOM_SECTIONS_SIZE: usize = 1024 * 1024;
const MAX_METHODS: usize = 1_000;
const MAX_METHOD_NAMES_LENGTH: usize = 20_000;

/// The entry points with fixed names.
const HOOKS: [&str; 7] = [
    "canister_init",
    "canister_inspect_message",
    "canister_pre_upgrade",
    "canister_post_upgrade",
    "canister_heartbeat",
    "canister_on_low_wasm_memory",
    "canister_global_timer",
];

/// The functions that the replica can call by name.
#[derive(Default)]
pub(super) struct Exports {
    pub(super) methods: BTreeMap<String, MethodKind>,
    /// Those with fixed names.
    pub(super) hooks: BTreeSet<String>,
}

/// Holds a module to the rules, and finds its entry points.
pub(super) fn check(declared: &Declarations) -> Result<Exports, Fault> {
    check_imports(declared)?;
    let exports = check_exports(declared)?;
    check_sizes(declared)?;
    Ok(exports)
}

fn check_imports(declared: &Declarations) -> Result<(), Fault> {
    for (name, ty) in &declared.imported_functions {
        let known = functions().iter().find(|f| f.name == name);
        let Some(known) = known.filter(|f| f.in_memory64 || !declared.memory64) else {
            let memory = if declared.memory64 { 64 } else { 32 };
            return Err(broken(format!(
                "Wasm module has an invalid import section. ic0.{name} is not a function of \
                 the System API for modules with {memory}-bit memory"
            )));
        };
        if !declared
            .function_type(*ty)
            .is_some_and(|ty| has_type(known, ty, declared.memory64))
        {
            return Err(broken(format!(
                "Wasm module has an invalid import section. ic0.{name} is imported with a \
                 type that it has not"
            )));
        }
    }
    Ok(())
}

fn check_exports(declared: &Declarations) -> Result<Exports, Fault> {
    let invalid =
        |text: String| broken(format!("Wasm module has an invalid export section. {text}"));
    let mut exports = Exports::default();
    let mut names_length = 0;
    for (name, kind, index) in &declared.exports {
        if name.starts_with(PRIVATE_EXPORT) {
            return Err(invalid(format!(
                "\"{name}\": names beginning with \"{PRIVATE_EXPORT}\" are the replica's own"
            )));
        }
        if !name.starts_with("canister_") {
            continue;
        }
        let kinds = [
            MethodKind::Update,
            MethodKind::Query,
            MethodKind::CompositeQuery,
        ];
        let method = kinds.into_iter().find_map(|kind| {
            let method = name.strip_prefix(kind.prefix())?;
            Some((kind, method))
        });
        if method.is_none() && !HOOKS.contains(&name.as_str()) {
            return Err(invalid(format!(
                "\"{name}\": no other names than those of the specification may begin with \
                 \"canister_\""
            )));
        }
        let ty = match kind {
            ExternalKind::Func => declared.functions.get(*index as usize),
            _ => None,
        };
        let ty = ty.and_then(|ty| declared.function_type(*ty));
        if !ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty()) {
            return Err(invalid(format!(
                "\"{name}\" must be a function without parameters and results"
            )));
        }
        match method {
            None => {
                exports.hooks.insert(name.clone());
            }
            Some((kind, method)) => {
                names_length += method.len();
                if exports.methods.insert(method.to_owned(), kind).is_some() {
                    return Err(advised(
                        format!(
                            "Duplicate function '{method}' exported multiple times with different \
                             call types: update, query, or composite_query."
                        ),
                        &format!(
                            "Try defining different versions of the function for each call type, \
                             e.g. `{method}_update`, `{method}_query`, etc."
                        ),
                        "wasm-module-duplicate-exports",
                    ));
                }
            }
        }
    }
    let named = "exported functions called `canister_update <name>`, `canister_query <name>`, \
                 or `canister_composite_query <name>`";
    let defined = exports.methods.len();
    if defined > MAX_METHODS {
        return Err(advised(
            format!("The number of {named} is {defined} which exceeds {MAX_METHODS}."),
            "Try combining multiple endpoints into a single endpoint.",
            "wasm-module-exports-too-many-methods",
        ));
    }
    if names_length > MAX_METHOD_NAMES_LENGTH {
        return Err(advised(
            format!(
                "The sum of `<name>` lengths in {named} is {names_length} which exceeds the \
                 allowed limit of {MAX_METHOD_NAMES_LENGTH}."
            ),
            "Try using shorter method names.",
            "wasm-module-sum-of-exported-name-lengths-too-large",
        ));
    }
    Ok(exports)
}

fn check_sizes(declared: &Declarations) -> Result<(), Fault> {
    if declared.code_size > MAX_CODE_SIZE {
        return Err(advised(
            format!(
                "Wasm module code section size of {} exceeds the maximum allowed size of \
                 {MAX_CODE_SIZE}.",
                declared.code_size
            ),
            "Try shrinking the module code section using tools like `ic-wasm` or splitting the \
             logic across multiple canisters.",
            "wasm-module-code-section-too-large",
        ));
    }
    if declared.memories.len() > 1 {
        return Err(broken(
            "Wasm module declares more than one memory; a canister has at most one",
        ));
    }
    let defined = (declared.functions.len() - declared.imported_functions.len()) as u32;
    if defined > MAX_FUNCTIONS {
        return Err(advised(
            format!(
                "Wasm module defined {defined} functions which exceeds the maximum number allowed \
                 {MAX_FUNCTIONS}."
            ),
            // The network's spelling.
            "Try spliting this canister into multiple canisters.",
            "wasm-module-too-many-functions",
        ));
    }
    if declared.globals > MAX_GLOBALS {
        return Err(advised(
            format!(
                "Wasm module defined {} globals which exceeds the maximum number allowed \
                 {MAX_GLOBALS}.",
                declared.globals
            ),
            "Try collecting multiple globals into a single structured which can be stored on the \
             heap.",
            "wasm-module-too-many-globals",
        ));
    }
    check_functions(declared)?;
    let sections = declared.metadata.len();
    if sections > MAX_CUSTOM_SECTIONS {
        return Err(broken(format!(
            "Wasm module defined {sections} custom sections which exceeds the maximum number \
             allowed {MAX_CUSTOM_SECTIONS}."
        )));
    }
    let sizes = declared
        .metadata
        .iter()
        .map(|(n, m)| n.len() + m.content.len());
    if sizes.sum::<usize>() > MAX_CUSTOM_SECTIONS_SIZE {
        return Err(broken(format!(
            "Wasm module's custom sections \"icp:…\" exceed {MAX_CUSTOM_SECTIONS_SIZE} bytes"
        )));
    }
    Ok(())
}

fn check_functions(declared: &Declarations) -> Result<(), Fault> {
    let advice = "Try breaking large functions up into multiple smaller functions.";
    let Largest { index, amount } = declared.most_complex;
    if amount > MAX_FUNCTION_COMPLEXITY {
        return Err(advised(
            format!(
                "Wasm module contains a function at index {index} with complexity {amount} which \
                 exceeds the maximum complexity allowed {MAX_FUNCTION_COMPLEXITY}."
            ),
            advice,
            "wasm-module-function-complexity-too-high",
        ));
    }
    let Largest { index, amount } = declared.largest;
    if amount > MAX_FUNCTION_INSTRUCTIONS {
        return Err(advised(
            format!(
                "Wasm module contains a function at index {index} of size {amount} that exceeds \
                 the maximum allowed size of {MAX_FUNCTION_INSTRUCTIONS}."
            ),
            advice,
            "wasm-module-function-too-large",
        ));
    }
    Ok(())
}

fn has_type(function: &HostFunction<SystemApi>, ty: &FuncType, memory64: bool) -> bool {
    let same = |value: &ValueType, wasm: &ValType| match value.is_64_bit(memory64) {
        true => *wasm == ValType::I64,
        false => *wasm == ValType::I32,
    };
    let parameters = function.parameters.iter();
    function.parameters.len() == ty.params().len()
        && parameters.zip(ty.params()).all(|(a, b)| same(a, b))
        && function.result.iter().len() == ty.results().len()
        && function
            .result
            .iter()
            .zip(ty.results())
            .all(|(a, b)| same(a, b))
}
