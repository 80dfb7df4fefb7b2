//! Reads what a module declares, and checks it against the specification's rules.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{
    CompositeInnerType, Encoding, ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload,
    TypeRef, ValType, Validator, WasmFeatures,
};

use super::{Metadata, MethodKind};
use crate::system_api::{SystemApi, functions};
use crate::wasm::{HostFunction, PRIVATE_EXPORT, ValueType};

const MAX_FUNCTIONS: u32 = 50_000;
const MAX_GLOBALS: u32 = 1_000;
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

/// What is wrong with a module.
pub(super) enum Fault {
    /// It is no Wasm module.
    Syntax(wasmparser::BinaryReaderError),
    /// It breaks a rule, which the text names.
    Rule(String),
}

impl From<wasmparser::BinaryReaderError> for Fault {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Fault::Syntax(error)
    }
}

fn broken(rule: impl Into<String>) -> Fault {
    Fault::Rule(rule.into())
}

/// What a module declares, as far as a replica must know it.
#[derive(Default)]
pub(super) struct Outline {
    pub(super) types: Vec<Option<FuncType>>,
    /// The type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) imported_functions: Vec<(String, u32)>,
    pub(super) memories: Vec<wasmparser::MemoryType>,
    pub(super) memory64: bool,
    pub(super) tables: u32,
    pub(super) mutable_globals: Vec<u32>,
    pub(super) globals: u32,
    pub(super) start: Option<u32>,
    pub(super) exports: Vec<(String, ExternalKind, u32)>,
    pub(super) methods: BTreeMap<String, MethodKind>,
    pub(super) hooks: BTreeSet<String>,
    pub(super) metadata: BTreeMap<String, Metadata>,
    pub(super) mutates_tables: bool,
    pub(super) drops_segments: bool,
}

impl Outline {
    pub(super) fn read(wasm: &[u8]) -> Result<Self, Fault> {
        let mut outline = Outline::default();
        // The sections are validated here, as they are; function bodies later, by the engine.
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            validator.payload(&payload)?;
            outline.take(payload)?;
        }
        outline.memory64 = outline.memories.first().is_some_and(|m| m.memory64);
        outline.check_imports()?;
        outline.check_exports()?;
        outline.check_sizes()?;
        Ok(outline)
    }

    fn take(&mut self, payload: Payload<'_>) -> Result<(), Fault> {
        match payload {
            Payload::Version { encoding, .. } if encoding != Encoding::Module => {
                return Err(broken(
                    "this is a Wasm component; a canister is a Wasm module",
                ));
            }
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        self.types.push(match ty.composite_type.inner {
                            CompositeInnerType::Func(function) => Some(function),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section {
                    let import = import?;
                    let (module, name) = (import.module, import.name);
                    let TypeRef::Func(ty) = import.ty else {
                        return Err(broken(format!(
                            "Wasm module has an invalid import section. \"{module}\".\"{name}\" is \
                             not a function: a canister can import only functions"
                        )));
                    };
                    if module != "ic0" {
                        return Err(broken(format!(
                            "Wasm module has an invalid import section. Module \"{module}\" \
                             (function \"{name}\") cannot be imported: a canister can import only \
                             from ic0"
                        )));
                    }
                    self.functions.push(ty);
                    self.imported_functions.push((name.to_owned(), ty));
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => self.tables = section.count(),
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let ty = global?.ty;
                    if ty.mutable {
                        self.mutable_globals.push(self.globals);
                        // A reference in a global is put back as those in tables are.
                        self.mutates_tables |=
                            matches!(ty.content_type, wasmparser::ValType::Ref(_));
                    }
                    self.globals += 1;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports
                        .push((export.name.to_owned(), export.kind, export.index));
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::CodeSectionEntry(body) => self.take_code(&body)?,
            Payload::CustomSection(section) => {
                self.take_metadata(section.name(), section.data())?
            }
            _ => {}
        }
        Ok(())
    }

    fn take_code(&mut self, body: &FunctionBody<'_>) -> Result<(), Fault> {
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::TableSet { .. }
                | Operator::TableGrow { .. }
                | Operator::TableFill { .. }
                | Operator::TableCopy { .. }
                | Operator::TableInit { .. } => self.mutates_tables = true,
                Operator::ElemDrop { .. } | Operator::DataDrop { .. } => {
                    self.drops_segments = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take_metadata(&mut self, name: &str, content: &[u8]) -> Result<(), Fault> {
        let Some(rest) = name.strip_prefix("icp:") else {
            return Ok(());
        };
        let (public, name) = match rest.split_once(' ') {
            Some(("public", name)) => (true, name),
            Some(("private", name)) => (false, name),
            _ => {
                return Err(broken(format!(
                    "Wasm module has an invalid custom section. \"icp:{rest}\": only \
                     \"icp:public <name>\" and \"icp:private <name>\" are allowed"
                )));
            }
        };
        let metadata = Metadata {
            public,
            content: content.to_vec(),
        };
        match self.metadata.insert(name.to_owned(), metadata) {
            None => Ok(()),
            Some(_) => Err(broken(format!(
                "Wasm module has an invalid custom section. \"{name}\" is there twice"
            ))),
        }
    }

    fn function_type(&self, ty: u32) -> Option<&FuncType> {
        self.types.get(ty as usize)?.as_ref()
    }

    fn check_imports(&self) -> Result<(), Fault> {
        for (name, ty) in &self.imported_functions {
            let known = functions().iter().find(|f| f.name == name);
            let Some(known) = known.filter(|f| f.in_memory64 || !self.memory64) else {
                let memory = if self.memory64 { 64 } else { 32 };
                return Err(broken(format!(
                    "Wasm module has an invalid import section. ic0.{name} is not a function of \
                     the System API for modules with {memory}-bit memory"
                )));
            };
            if !self
                .function_type(*ty)
                .is_some_and(|ty| has_type(known, ty, self.memory64))
            {
                return Err(broken(format!(
                    "Wasm module has an invalid import section. ic0.{name} is imported with a \
                     type that it has not"
                )));
            }
        }
        Ok(())
    }

    fn check_exports(&mut self) -> Result<(), Fault> {
        let invalid =
            |text: String| broken(format!("Wasm module has an invalid export section. {text}"));
        let mut names_length = 0;
        for (name, kind, index) in &self.exports {
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
                ExternalKind::Func => self.functions.get(*index as usize),
                _ => None,
            };
            let ty = ty.and_then(|ty| self.function_type(*ty));
            if !ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty()) {
                return Err(invalid(format!(
                    "\"{name}\" must be a function without parameters and results"
                )));
            }
            match method {
                None => {
                    self.hooks.insert(name.clone());
                }
                Some((kind, method)) => {
                    names_length += method.len();
                    if self.methods.insert(method.to_owned(), kind).is_some() {
                        return Err(invalid(format!(
                            "Duplicate function '{method}' exported multiple times with different \
                             call types: update, query, or composite_query"
                        )));
                    }
                }
            }
        }
        let named = "exported functions called `canister_update <name>`, `canister_query <name>`, \
                     or `canister_composite_query <name>`";
        if self.methods.len() > MAX_METHODS {
            return Err(invalid(format!(
                "The number of {named} exceeds {MAX_METHODS}"
            )));
        }
        if names_length > MAX_METHOD_NAMES_LENGTH {
            return Err(invalid(format!(
                "The sum of `<name>` lengths in {named} exceeds {MAX_METHOD_NAMES_LENGTH}"
            )));
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), Fault> {
        if self.memories.len() > 1 {
            return Err(broken(
                "Wasm module declares more than one memory; a canister has at most one",
            ));
        }
        let defined = (self.functions.len() - self.imported_functions.len()) as u32;
        if defined > MAX_FUNCTIONS {
            return Err(broken(format!(
                "Wasm module defined {defined} functions, which exceeds the maximum number \
                 allowed {MAX_FUNCTIONS}"
            )));
        }
        if self.globals > MAX_GLOBALS {
            return Err(broken(format!(
                "Wasm module defined {} globals which exceeds the maximum number allowed \
                 {MAX_GLOBALS}",
                self.globals
            )));
        }
        if self.metadata.len() > MAX_CUSTOM_SECTIONS {
            return Err(broken(format!(
                "Wasm module has {} custom sections \"icp:…\", but may have {MAX_CUSTOM_SECTIONS}",
                self.metadata.len()
            )));
        }
        let sizes = self.metadata.iter().map(|(n, m)| n.len() + m.content.len());
        if sizes.sum::<usize>() > MAX_CUSTOM_SECTIONS_SIZE {
            return Err(broken(format!(
                "Wasm module's custom sections \"icp:…\" exceed {MAX_CUSTOM_SECTIONS_SIZE} bytes"
            )));
        }
        Ok(())
    }

    /// The most pages that the memory is declared to have.
    pub(super) fn maximum_memory(&self) -> Option<u64> {
        self.memories.first()?.maximum
    }
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
