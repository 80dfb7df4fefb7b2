//! Canister modules: what the specification demands of one, and what a replica has to add to it
//! (Interface Specification, "Canister module format" and "WebAssembly module requirements").

mod complexity;
mod declarations;
mod instrument;
mod requirements;
mod tracing;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

pub use declarations::{Metadata, MethodKind};

use crate::limits::Limits;
use crate::system_api::SystemApi;
use crate::wasm::{CompiledModule, Engine, PAGE_SIZE};
use declarations::{Declarations, Fault, advised, broken};
use requirements::Exports;
pub use requirements::MAX_GLOBALS;
pub use tracing::Traceable;

/// The largest module after decompression, in bytes.
pub const MAX_MODULE_SIZE: usize = 100 * 1024 * 1024;

/// A module that can be installed.
#[derive(Clone)]
pub struct CanisterModule {
    /// The bytes as they were uploaded.
    pub bytes: Arc<[u8]>,
    /// Their SHA-256 hash.
    pub hash: [u8; 32],
    /// The number of bytes that were uploaded.
    pub size: u64,
    /// Whether addresses have 64 bits.
    pub memory64: bool,
    /// How many instructions its code has: compiling is paid for by them.
    pub code_instructions: u64,
    /// The names under which the globals are exported that are a part of the canister's state: those
    /// that the module exports, and those that can change.
    pub globals: Vec<String>,
    /// The most pages that the module lets its memory have, if it says so.
    pub maximum_memory: Option<u64>,
    /// Its methods.
    pub methods: BTreeMap<String, MethodKind>,
    /// Its other entry points: `canister_init` and so on.
    pub hooks: BTreeSet<String>,
    /// Its custom sections `icp:public …` and `icp:private …`.
    pub metadata: BTreeMap<String, Metadata>,
    /// The name under which its start function is exported, if it has one.
    pub start: Option<String>,
    /// What the engine instantiates.
    pub compiled: CompiledModule<SystemApi>,
    /// How to find out where it traps, if it names its functions.
    pub traceable: Option<Arc<Traceable>>,
}

impl CanisterModule {
    /// Reads a module, plain or gzipped.
    ///
    /// # Errors
    ///
    /// What is wrong with the module, and what can be done about it.
    pub fn new(engine: &Engine<SystemApi>, bytes: &[u8]) -> Result<Self, String> {
        CanisterModule::read(engine, bytes).map_err(|Fault(text)| text)
    }

    fn read(engine: &Engine<SystemApi>, bytes: &[u8]) -> Result<Self, Fault> {
        let wasm = decompress(bytes)?;
        let declared = Declarations::read(&wasm)?;
        let Exports { methods, hooks } = requirements::check(&declared)?;
        let instrumented = instrument::instrument(&declared, &wasm);
        let compiled = engine
            .compile(
                &instrumented,
                declared.memory64,
                declared.mutates_tables,
                declared.drops_segments,
            )
            .map_err(|error| broken(format!("Wasm module failed validation: {error}")))?;
        Ok(CanisterModule {
            bytes: bytes.into(),
            hash: Sha256::digest(bytes).into(),
            size: bytes.len() as u64,
            memory64: declared.memory64,
            code_instructions: declared.instructions,
            globals: instrument::kept_globals(&declared),
            maximum_memory: declared.maximum_memory(),
            start: declared.start.map(|_| instrument::private("start", 0)),
            methods,
            hooks,
            traceable: Traceable::new(&declared, &wasm, &instrumented).map(Arc::new),
            metadata: declared.metadata,
            compiled,
        })
    }

    /// The most bytes that its memory can have.
    pub fn memory_limit(&self, limits: &Limits) -> u64 {
        let limit = match self.memory64 {
            true => limits.wasm_memory64,
            false => limits.wasm_memory,
        };
        let declared = self.maximum_memory.unwrap_or(u64::MAX);
        declared.saturating_mul(PAGE_SIZE).min(limit)
    }

    /// What its custom sections take that others can read, in bytes.
    pub fn custom_sections_size(&self) -> u64 {
        // The network keeps a byte for who may read one.
        let sections = self.metadata.iter();
        let sizes = sections.map(|(name, section)| name.len() + 1 + section.content.len());
        sizes.sum::<usize>() as u64
    }

    /// Whether the module exports the entry point `name`.
    pub fn has_hook(&self, name: &str) -> bool {
        self.hooks.contains(name)
    }
}

/// The module as Wasm, decompressed if it is gzipped.
fn decompress(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    if bytes.starts_with(b"\0asm") {
        return match bytes.len() <= MAX_MODULE_SIZE {
            true => Ok(Cow::Borrowed(bytes)),
            false => Err(too_large(bytes.len())),
        };
    }
    if !bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        return Err(broken(format!(
            "these {} bytes are no Wasm module: a module begins with the bytes \\0asm, or is gzipped",
            bytes.len()
        )));
    }
    let mut wasm = Vec::new();
    GzDecoder::new(bytes)
        .take(MAX_MODULE_SIZE as u64 + 1)
        .read_to_end(&mut wasm)
        .map_err(|error| {
            broken(format!(
                "the gzipped Wasm module can't be decompressed: {error}"
            ))
        })?;
    match wasm.len() <= MAX_MODULE_SIZE {
        true => Ok(Cow::Owned(wasm)),
        false => Err(too_large(wasm.len())),
    }
}

fn too_large(size: usize) -> Fault {
    advised(
        format!(
            "Wasm module size of {size} exceeds the maximum allowed size of {MAX_MODULE_SIZE}."
        ),
        "Try shrinking the module using tools like `ic-wasm` or splitting the logic across \
         multiple canisters.",
        "wasm-module-too-large",
    )
}
