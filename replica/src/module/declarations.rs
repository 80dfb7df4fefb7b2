//! What a module declares, as far as a replica must know it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasmparser::{
    CompositeInnerType, Encoding, ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload,
    TypeRef, Validator, WasmFeatures,
};

use super::complexity::weight;
use crate::explanations::{Help, explained};

/// How a method can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// `canister_update`.
    Update,
    /// `canister_query`.
    Query,
    /// `canister_composite_query`.
    CompositeQuery,
}

impl MethodKind {
    /// What the name of the exported function begins with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            MethodKind::Update => "canister_update ",
            MethodKind::Query => "canister_query ",
            MethodKind::CompositeQuery => "canister_composite_query ",
        }
    }

    /// The name of the function that a method of this kind exports.
    pub fn export(self, method: &str) -> String {
        format!("{}{method}", self.prefix())
    }
}

/// A custom section that the canister lets others read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Whether everybody may read it, or only controllers.
    pub public: bool,
    /// The section's content.
    pub content: Vec<u8>,
}

/// What is wrong with a module, and what can be done about it.
pub(super) struct Fault(pub(super) String);

impl From<wasmparser::BinaryReaderError> for Fault {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        broken(format!("Failed to decode wasm module: {error}"))
    }
}

/// The fault of breaking a rule, which nobody does by hand.
pub(super) fn broken(rule: impl AsRef<str>) -> Fault {
    Fault(explained(rule.as_ref(), &Help::Toolchain))
}

/// The fault of a rule that a developer breaks, with advice, and the section about it of the network's
/// page about errors.
pub(super) fn advised(rule: impl AsRef<str>, advice: &str, section: &'static str) -> Fault {
    Fault(explained(rule.as_ref(), &Help::Developer(advice, section)))
}

/// What a module declares, as far as a replica must know it.
#[derive(Default)]
pub(super) struct Declarations {
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
    pub(super) metadata: BTreeMap<String, Metadata>,
    pub(super) mutates_tables: bool,
    pub(super) drops_segments: bool,
    /// How many instructions all functions and the values of all globals have.
    pub(super) instructions: u64,
    /// How many functions it defines were read.
    bodies: u32,
    /// The size of the code section, in bytes.
    pub(super) code_size: u32,
    /// The most instructions that a function has, and which one.
    pub(super) largest: Largest,
    /// The most complex function.
    pub(super) most_complex: Largest,
}

/// The function that has the most of something.
#[derive(Clone, Copy, Default)]
pub(super) struct Largest {
    /// Its place among those that the module defines.
    pub(super) index: u32,
    pub(super) amount: u64,
}

impl Largest {
    fn or(&mut self, index: u32, amount: u64) {
        if amount > self.amount {
            *self = Largest { index, amount };
        }
    }
}

impl Declarations {
    /// Reads a module, whose sections must be valid.
    pub(super) fn read(wasm: &[u8]) -> Result<Self, Fault> {
        let mut declared = Declarations::default();
        // The sections are validated here, as they are; function bodies later, by the engine.
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            validator.payload(&payload)?;
            declared.take(payload)?;
        }
        declared.memory64 = declared.memories.first().is_some_and(|m| m.memory64);
        Ok(declared)
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
                    // A value and its end.
                    self.instructions += 2;
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
            Payload::CodeSectionStart { size, .. } => self.code_size = size,
            Payload::CodeSectionEntry(body) => self.take_code(&body)?,
            Payload::CustomSection(section) => {
                self.take_metadata(section.name(), section.data())?
            }
            _ => {}
        }
        Ok(())
    }

    fn take_code(&mut self, body: &FunctionBody<'_>) -> Result<(), Fault> {
        let (mut instructions, mut complexity) = (0, 0);
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            instructions += 1;
            complexity += weight(&operator);
            match operator {
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
        self.instructions += instructions;
        self.largest.or(self.bodies, instructions);
        self.most_complex.or(self.bodies, complexity);
        self.bodies += 1;
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

    /// A type, if it is one of functions.
    pub(super) fn function_type(&self, ty: u32) -> Option<&FuncType> {
        self.types.get(ty as usize)?.as_ref()
    }

    /// The most pages that the memory is declared to have.
    pub(super) fn maximum_memory(&self) -> Option<u64> {
        self.memories.first()?.maximum
    }
}
