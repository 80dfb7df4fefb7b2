//! Where a message trapped: a second kind of a module, in which every function writes down that it is
//! under way.
//!
//! The engine tells no frames. So each function gets a wrapper, which takes its place: it puts the
//! function's index on a stack beside the canister's memory, calls the function, and takes the index off
//! again. Bodies stay as they are. What a message does is the same, but it costs more; so a module of
//! this kind runs only messages that trapped already, once more.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use wasm_encoder::{Encode, ExportKind, Instruction, MemArg, RawSection, SectionId};
use wasmparser::{BinaryReader, Name, NameSectionReader, Parser, Payload, TypeRef};

use super::declarations::Declarations;
use crate::system_api::SystemApi;
use crate::wasm::{
    Backtrace, CompiledModule, Engine, TRACE_DEPTH, TRACE_STACK, TRACE_STACK_PAGES, Trace,
};

/// The most functions that a backtrace names.
const MAX_FRAMES: usize = 100;

/// What is needed to find out where a module traps.
pub struct Traceable {
    /// The module as the engine got it.
    wasm: Vec<u8>,
    /// The content of its custom section `name`.
    names: Vec<u8>,
    /// The names of the functions that it imports.
    imports: Vec<String>,
    traced: OnceLock<Option<Traced>>,
}

struct Traced {
    compiled: CompiledModule<SystemApi>,
    names: BTreeMap<u32, String>,
}

impl Traceable {
    /// Keeps what is needed of a module that the engine gets as `instrumented`; nothing if the module
    /// does not name its functions.
    pub(super) fn new(declared: &Declarations, wasm: &[u8], instrumented: &[u8]) -> Option<Self> {
        let sections = Parser::new(0).parse_all(wasm).flatten();
        let names = sections.into_iter().find_map(|payload| match payload {
            Payload::CustomSection(section) if section.name() == "name" => {
                Some(section.data().to_vec())
            }
            _ => None,
        })?;
        let imports = declared.imported_functions.iter();
        Some(Traceable {
            wasm: instrumented.to_vec(),
            names,
            imports: imports.map(|(name, _)| name.clone()).collect(),
            traced: OnceLock::new(),
        })
    }

    /// The module that is to be run instead of `plain`. `None` if it can't be made: then there is no
    /// backtrace.
    pub fn compiled(
        &self,
        engine: &Engine<SystemApi>,
        plain: &CompiledModule<SystemApi>,
    ) -> Option<&CompiledModule<SystemApi>> {
        let traced = self.traced.get_or_init(|| {
            let names = function_names(&self.names);
            let wrapped = wrap(&self.wasm).filter(|_| !names.is_empty())?;
            let compiled = engine.compile_traced(&wrapped, plain).ok()?;
            Some(Traced { compiled, names })
        });
        traced.as_ref().map(|traced| &traced.compiled)
    }

    /// What a trace says; nothing if no function in it has a name. `in_import` tells that an imported
    /// function trapped that the network implements in the module itself.
    pub fn backtrace(&self, trace: &Trace, in_import: bool) -> Option<Backtrace> {
        let names = &self.traced.get()?.as_ref()?.names;
        let import = trace.failed_import.filter(|_| in_import).and_then(|name| {
            let index = self.imports.iter().position(|import| import == name);
            index.and_then(|index| u32::try_from(index).ok())
        });
        let functions = import.into_iter().chain(trace.functions.iter().copied());
        let frames: Vec<_> = functions
            .take(MAX_FRAMES)
            .map(|index| (index, names.get(&index).cloned()))
            .collect();
        let named = frames.iter().any(|(_, name)| name.is_some());
        named.then_some(Backtrace { frames })
    }
}

/// The names of a module's functions, demangled if they are Rust's.
fn function_names(section: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for subsection in NameSectionReader::new(BinaryReader::new(section, 0)).flatten() {
        if let Name::Function(functions) = subsection {
            for function in functions.into_iter().flatten() {
                let name = match rustc_demangle::try_demangle(function.name) {
                    Ok(name) => format!("{name:#}"),
                    Err(_) => function.name.to_owned(),
                };
                names.insert(function.index, name);
            }
        }
    }
    names
}

/// A section of a module that is a list: how many items, and the items.
#[derive(Default)]
struct List {
    count: u32,
    items: Vec<u8>,
}

impl List {
    fn read(section: &[u8]) -> Option<Self> {
        let mut reader = BinaryReader::new(section, 0);
        let count = reader.read_var_u32().ok()?;
        Some(List {
            count,
            items: section[reader.current_position()..].to_vec(),
        })
    }

    fn push(&mut self, item: &[u8]) {
        self.count += 1;
        self.items.extend_from_slice(item);
    }

    fn write(&self, id: SectionId, module: &mut wasm_encoder::Module) {
        let mut data = Vec::new();
        self.count.encode(&mut data);
        data.extend_from_slice(&self.items);
        module.section(&RawSection {
            id: id.into(),
            data: &data,
        });
    }
}

/// The sections of a module, in the order in which a module has them.
const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// The module with a wrapper around each function.
fn wrap(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut sections = BTreeMap::new();
    // How many parameters each type has, the type of each function, and how many of them are imported.
    let (mut types, mut functions, mut imported) = (Vec::new(), Vec::new(), 0);
    // The indexes of the memory and the global that are added.
    let (mut stack, mut depth) = (0, 0);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        if let Some((id, range)) = payload.as_section() {
            sections.insert(id, &wasm[range]);
        }
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    types.push(u32::try_from(ty.ok()?.params().len()).ok()?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section {
                    match import.ok()?.ty {
                        TypeRef::Func(ty) => {
                            functions.push(ty);
                            imported += 1;
                        }
                        TypeRef::Memory(_) => stack += 1,
                        TypeRef::Global(_) => depth += 1,
                        TypeRef::Table(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    functions.push(ty.ok()?);
                }
            }
            Payload::MemorySection(section) => stack += section.count(),
            Payload::GlobalSection(section) => depth += section.count(),
            _ => {}
        }
    }
    let list = |id: SectionId| match sections.get(&u8::from(id)) {
        Some(section) => List::read(section),
        None => Some(List::default()),
    };

    let mut memories = list(SectionId::Memory)?;
    let mut memory = vec![0x01];
    TRACE_STACK_PAGES.encode(&mut memory);
    TRACE_STACK_PAGES.encode(&mut memory);
    memories.push(&memory);

    let mut globals = list(SectionId::Global)?;
    // A mutable i32 that begins as 0.
    globals.push(&[0x7f, 0x01, 0x41, 0x00, 0x0b]);

    let mut exports = list(SectionId::Export)?;
    let added = [
        (TRACE_STACK, ExportKind::Memory, stack),
        (TRACE_DEPTH, ExportKind::Global, depth),
    ];
    for (name, kind, index) in added {
        let mut export = Vec::new();
        name.encode(&mut export);
        kind.encode(&mut export);
        index.encode(&mut export);
        exports.push(&export);
    }

    // The wrappers have the indexes that the functions had, and the functions come after them.
    let mut twice = list(SectionId::Function)?;
    let count = twice.count;
    twice.count += count;
    twice.items.extend_from_within(..);
    let mut code = List::default();
    for index in imported..imported + count {
        let parameters = *types.get(*functions.get(index as usize)? as usize)?;
        code.push(&wrapper(index, index + count, parameters, stack, depth));
    }
    let bodies = list(SectionId::Code)?;
    code.count += bodies.count;
    code.items.extend_from_slice(&bodies.items);

    let mut module = wasm_encoder::Module::new();
    for id in ORDER {
        match id {
            SectionId::Memory => memories.write(id, &mut module),
            SectionId::Global => globals.write(id, &mut module),
            SectionId::Export => exports.write(id, &mut module),
            SectionId::Function => twice.write(id, &mut module),
            SectionId::Code => code.write(id, &mut module),
            _ => {
                if let Some(data) = sections.get(&u8::from(id)) {
                    let id = id.into();
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    Some(module.finish())
}

/// A function that calls `callee` while `index` is on the stack.
fn wrapper(index: u32, callee: u32, parameters: u32, stack: u32, depth: u32) -> Vec<u8> {
    let mut function = wasm_encoder::Function::new([]);
    function
        .instruction(&Instruction::GlobalGet(depth))
        .instruction(&Instruction::I32Const(index.cast_signed()))
        .instruction(&Instruction::I32Store(MemArg {
            offset: 0,
            align: 2,
            memory_index: stack,
        }))
        .instruction(&Instruction::GlobalGet(depth))
        .instruction(&Instruction::I32Const(4))
        .instruction(&Instruction::I32Add)
        .instruction(&Instruction::GlobalSet(depth));
    for parameter in 0..parameters {
        function.instruction(&Instruction::LocalGet(parameter));
    }
    function
        .instruction(&Instruction::Call(callee))
        .instruction(&Instruction::GlobalGet(depth))
        .instruction(&Instruction::I32Const(4))
        .instruction(&Instruction::I32Sub)
        .instruction(&Instruction::GlobalSet(depth))
        .instruction(&Instruction::End);
    let mut bytes = Vec::new();
    function.encode(&mut bytes);
    bytes
}
