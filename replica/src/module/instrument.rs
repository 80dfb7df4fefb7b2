//! Adds to a module what a replica must reach.

use wasm_encoder::{
    EntityType, ExportKind, ExportSection, ImportSection, MemoryType, RawSection, SectionId,
};
use wasmparser::{ExternalKind, Parser, Payload};

use super::declarations::Declarations;
use crate::wasm::{MEMORY, PRIVATE_EXPORT};

/// The module with everything exported that a replica must reach, with its memory imported, so that
/// the replica provides it, and with its start function exported instead of run by the engine: it
/// runs as an execution of its own.
pub(super) fn instrument(declared: &Declarations, wasm: &[u8]) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let mut imports = Some(import_section(declared));
    let mut exports = Some(export_section(declared));
    for payload in Parser::new(0).parse_all(wasm).flatten() {
        // The sections have a fixed order; what comes after the imports or the exports ends the wait
        // for them.
        let is_imports = matches!(payload, Payload::ImportSection(_));
        let section = payload.as_section().map(|(id, _)| id);
        let after_imports =
            section.is_some_and(|id| id != SectionId::Custom as u8 && id != SectionId::Type as u8);
        if after_imports && let Some(section) = imports.take() {
            module.section(&section);
        }
        let after_exports = matches!(
            payload,
            Payload::StartSection { .. }
                | Payload::ElementSection(_)
                | Payload::DataCountSection { .. }
                | Payload::CodeSectionStart { .. }
                | Payload::DataSection(_)
                | Payload::End(_)
        );
        let is_exports = matches!(payload, Payload::ExportSection(_));
        if (is_exports || after_exports)
            && let Some(section) = exports.take()
        {
            module.section(&section);
        }
        let replaced = is_imports
            || is_exports
            || matches!(
                payload,
                Payload::MemorySection(_) | Payload::StartSection { .. }
            );
        let custom = matches!(payload, Payload::CustomSection(_));
        if let Some((id, range)) = payload.as_section()
            && !replaced
            && !custom
        {
            module.section(&RawSection {
                id,
                data: &wasm[range],
            });
        }
    }
    module.finish()
}

/// The functions that the module imports, in their order, and its memory.
fn import_section(declared: &Declarations) -> ImportSection {
    let mut section = ImportSection::new();
    for (name, ty) in &declared.imported_functions {
        section.import("ic0", name, EntityType::Function(*ty));
    }
    if let Some(memory) = declared.memories.first() {
        let ty = MemoryType {
            minimum: memory.initial,
            maximum: memory.maximum,
            memory64: memory.memory64,
            shared: memory.shared,
            page_size_log2: memory.page_size_log2,
        };
        let [module, name] = MEMORY;
        section.import(module, name, ty);
    }
    section
}

fn export_section(declared: &Declarations) -> ExportSection {
    let mut section = ExportSection::new();
    for (name, kind, index) in &declared.exports {
        let kind = match kind {
            ExternalKind::Func => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        section.export(name, kind, *index);
    }
    for table in 0..declared.tables {
        section.export(&private("table", table), ExportKind::Table, table);
    }
    for global in &declared.mutable_globals {
        section.export(&private("global", *global), ExportKind::Global, *global);
    }
    if let Some(start) = declared.start {
        section.export(&private("start", 0), ExportKind::Func, start);
    }
    if declared.mutates_tables || declared.drops_segments {
        for function in 0..declared.functions.len() as u32 {
            section.export(&private("function", function), ExportKind::Func, function);
        }
    }
    section
}

/// The names under which the globals are exported that the network keeps, in its order: what the module
/// exports itself, and then what else can change.
pub(super) fn kept_globals(declared: &Declarations) -> Vec<String> {
    let exported = declared.exports.iter();
    let exported = exported.filter(|(_, kind, _)| matches!(kind, ExternalKind::Global));
    let is_exported = |global: &&u32| exported.clone().any(|(_, _, index)| index == *global);
    let hidden = declared.mutable_globals.iter();
    let hidden = hidden.filter(|global| !is_exported(global));
    let names = exported.clone().map(|(name, ..)| name.clone());
    names
        .chain(hidden.map(|global| private("global", *global)))
        .collect()
}

/// The name of an export that the replica adds. Names sort as their numbers do.
pub(super) fn private(what: &str, index: u32) -> String {
    format!("{PRIVATE_EXPORT}{what} {index:010}")
}
