//! An instance: calls into it, and its state at one moment.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use wasmi::{Extern, Func, Global, Memory, Nullable, Ref, RefType, Store, Table, Val};

use super::engine::{CompiledModule, HostState, growth_limits, into_fault};
use super::host::{Allowance, Entry, Fault, Host, PAGE_SIZE, PRIVATE_EXPORT};

/// An instance of a module: its memory, globals and tables.
pub struct Instance<H: Host> {
    compiled: CompiledModule<H>,
    pub(super) store: Store<HostState<H>>,
    pub(super) instance: wasmi::Instance,
    memory: Option<Memory>,
    globals: Vec<Global>,
    tables: Vec<Table>,
    functions: OnceLock<Arc<Functions>>,
}

/// The state of an instance at one moment, in a buffer that can be used again and again.
#[derive(Default)]
pub struct Checkpoint {
    memory: Vec<u8>,
    globals: Vec<Val>,
    tables: Vec<Vec<Ref>>,
    /// The functions of the instance that the references point into, if there are any.
    functions: Option<Arc<Functions>>,
}

impl<H: Host> CompiledModule<H> {
    /// Makes an instance with the memory, globals and tables that the module declares.
    ///
    /// # Errors
    ///
    /// What failed: a segment that does not fit, or an initial memory that exceeds the limit.
    pub fn instantiate(&self, memory_limit: u64) -> Result<Instance<H>, String> {
        let mut store = Store::new(
            self.module.engine(),
            HostState {
                host: None,
                memory: None,
                instruction_limit: 0,
                failed_import: None,
                growth: growth_limits(memory_limit, None),
            },
        );
        store.limiter(|state| &mut state.growth);
        // Instantiation runs no code of the module (a start function was made an export), but it
        // copies segments, and that is paid for with fuel.
        store.set_fuel(u64::MAX).map_err(|e| e.to_string())?;
        let instance = self
            .linker
            .instantiate_and_start(&mut store, &self.module)
            .map_err(|error| error.to_string())?;
        let mut globals = Vec::new();
        let mut tables = Vec::new();
        let mut memory = None;
        let mut exports: Vec<_> = instance
            .exports(&store)
            .filter(|export| export.name().starts_with(PRIVATE_EXPORT))
            .collect();
        exports.sort_by(|a, b| a.name().cmp(b.name()));
        for export in exports {
            match export.into_extern() {
                Extern::Global(global) => globals.push(global),
                Extern::Table(table) => tables.push(table),
                Extern::Memory(exported) => memory = Some(exported),
                Extern::Func(_) => {}
            }
        }
        store.data_mut().memory = memory;
        Ok(Instance {
            compiled: self.clone(),
            store,
            instance,
            memory,
            globals,
            tables,
            functions: OnceLock::new(),
        })
    }
}

impl<H: Host> Instance<H> {
    /// Calls `entry`, with `host` behind the host functions. Gives back the host, how the call
    /// ended, and the number of instructions it executed.
    ///
    /// The state is left as the call left it, also after a fault: [`Instance::roll_back`] undoes.
    pub fn call(
        &mut self,
        entry: Entry<'_>,
        host: H,
        limits: Allowance,
    ) -> (H, Result<(), Fault<H::Trap>>, u64) {
        let state = self.store.data_mut();
        state.host = Some(host);
        state.instruction_limit = limits.instructions;
        state.growth = growth_limits(limits.memory, limits.soft_memory);
        let result = self.enter(entry, limits);
        let left = self.store.get_fuel().unwrap_or(0);
        let host = self.store.data_mut().host.take();
        let host = host.expect("it was put there above");
        (host, result, limits.instructions - left)
    }

    fn enter(&mut self, entry: Entry<'_>, limits: Allowance) -> Result<(), Fault<H::Trap>> {
        let fault = |error| into_fault(error, limits);
        self.store.set_fuel(limits.instructions).map_err(fault)?;
        match entry {
            Entry::Export(name) => {
                let function = self
                    .instance
                    .get_typed_func::<(), ()>(&self.store, name)
                    .map_err(fault)?;
                function.call(&mut self.store, ()).map_err(fault)
            }
            Entry::Closure {
                function,
                environment,
            } => {
                let found = self
                    .tables
                    .first()
                    .and_then(|t| t.get(&self.store, function));
                let Some(Ref::Func(Nullable::Val(callback))) = found else {
                    return Err(Fault::NoSuchFunction(function));
                };
                let argument = match self.compiled.memory64 {
                    true => Val::I64(environment.cast_signed()),
                    false => Val::I32((environment as u32).cast_signed()),
                };
                callback
                    .call(&mut self.store, &[argument], &mut [])
                    .map_err(fault)
            }
        }
    }

    /// The size of the memory in bytes.
    pub fn memory_size(&self) -> u64 {
        self.memory
            .map_or(0, |memory| memory.data_size(&self.store) as u64)
    }

    /// The bytes of the memory.
    pub fn memory(&self) -> &[u8] {
        self.memory.map_or(&[], |memory| memory.data(&self.store))
    }

    /// Makes the memory equal to `bytes`, whose length is a multiple of the page size.
    ///
    /// # Errors
    ///
    /// If the module has no memory that can be as large as `bytes`.
    pub fn replace_memory(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(memory) = self.memory else {
            return match bytes.is_empty() {
                true => Ok(()),
                false => Err("the module has no memory to keep the old one in".to_owned()),
            };
        };
        let missing = (bytes.len() as u64).saturating_sub(self.memory_size()) / PAGE_SIZE;
        if missing > 0 {
            memory
                .grow(&mut self.store, missing)
                .map_err(|error| error.to_string())?;
        }
        let data = memory.data_mut(&mut self.store);
        data[..bytes.len()].copy_from_slice(bytes);
        data[bytes.len()..].fill(0);
        Ok(())
    }

    /// Writes the present state into `checkpoint`.
    pub fn checkpoint(&self, checkpoint: &mut Checkpoint) {
        checkpoint.memory.clear();
        checkpoint.memory.extend_from_slice(self.memory());
        checkpoint.globals.clear();
        let globals = self.globals.iter().map(|global| global.get(&self.store));
        checkpoint.globals.extend(globals);
        checkpoint.tables.clear();
        if self.compiled.mutates_tables {
            let tables = self.tables.iter().map(|table| {
                let size = table.size(&self.store);
                (0..size)
                    .filter_map(|i| table.get(&self.store, i))
                    .collect()
            });
            checkpoint.tables.extend(tables);
        }
        let is_reference = |value: &Val| matches!(value, Val::FuncRef(Nullable::Val(_)));
        let has_references =
            !checkpoint.tables.is_empty() || checkpoint.globals.iter().any(is_reference);
        checkpoint.functions = has_references.then(|| self.functions());
    }

    fn functions(&self) -> Arc<Functions> {
        let functions = self.functions.get_or_init(|| Arc::new(Functions::of(self)));
        Arc::clone(functions)
    }

    /// Whether the memory differs from what it was when `checkpoint` was written.
    pub fn memory_differs(&self, checkpoint: &Checkpoint) -> bool {
        self.memory() != checkpoint.memory
    }

    /// Writes the present state into `checkpoint`, before a message.
    ///
    /// A module that drops segments gets a new instance for every message, as on the network: in
    /// it all segments are there again.
    pub fn begin(&mut self, checkpoint: &mut Checkpoint) {
        self.checkpoint(checkpoint);
        if self.compiled.drops_segments {
            self.restore_in_new_instance(checkpoint);
            // References in the checkpoint belong to the instance from now on.
            self.checkpoint(checkpoint);
        }
    }

    /// Puts the state back to what it was when `checkpoint` was written.
    pub fn roll_back(&mut self, checkpoint: &Checkpoint) {
        let tables = self.tables.iter().zip(&checkpoint.tables);
        let same_size = self.memory_size() == checkpoint.memory.len() as u64
            && tables
                .map(|(table, entries)| (table.size(&self.store), entries.len() as u64))
                .all(|(now, then)| now == then);
        match same_size && !self.compiled.drops_segments {
            true => self.restore(checkpoint),
            false => self.restore_in_new_instance(checkpoint),
        }
    }

    fn restore(&mut self, checkpoint: &Checkpoint) {
        if let Some(memory) = self.memory {
            memory
                .data_mut(&mut self.store)
                .copy_from_slice(&checkpoint.memory);
        }
        self.restore_references(checkpoint);
    }

    /// Puts back globals and tables, which are at least as large as they were.
    ///
    /// References belong to one instance. If the checkpoint is of another one, each is found again
    /// by its place.
    fn restore_references(&mut self, checkpoint: &Checkpoint) {
        let moved = checkpoint.functions.as_ref().and_then(|old| {
            let new = self.functions();
            (!Arc::ptr_eq(old, &new)).then_some((old, new))
        });
        let translate = |reference: &Nullable<Func>| match (reference, &moved) {
            (Nullable::Val(function), Some((old, new))) => old
                .place(function)
                .map_or(Nullable::Null, |place| Nullable::Val(new.at(place))),
            (reference, _) => *reference,
        };
        for (global, value) in self.globals.iter().zip(&checkpoint.globals) {
            let value = match value {
                Val::FuncRef(function) => Val::FuncRef(translate(function)),
                value => value.clone(),
            };
            global
                .set(&mut self.store, value)
                .expect("the value was read from this global");
        }
        for (table, entries) in self.tables.iter().zip(&checkpoint.tables) {
            for (index, entry) in (0..).zip(entries) {
                let entry = match entry {
                    Ref::Func(function) => Ref::Func(translate(function)),
                    entry => *entry,
                };
                table
                    .set(&mut self.store, index, entry)
                    .expect("the entry was read from this table");
            }
        }
    }

    /// An engine's memories and tables can grow but not shrink, so what grew is undone by a new
    /// instance.
    fn restore_in_new_instance(&mut self, checkpoint: &Checkpoint) {
        *self = Instance::at(&self.compiled, checkpoint);
    }

    /// A new instance, in the state of `checkpoint`, which is one of this module's.
    pub(super) fn at(compiled: &CompiledModule<H>, checkpoint: &Checkpoint) -> Self {
        let mut fresh = compiled
            .instantiate(u64::MAX)
            .expect("the same module was instantiated before");
        fresh
            .replace_memory(&checkpoint.memory)
            .expect("a memory of this module had this size before");
        for (table, entries) in fresh.tables.iter().zip(&checkpoint.tables) {
            let missing = (entries.len() as u64).saturating_sub(table.size(&fresh.store));
            if missing > 0 {
                let null = match table.ty(&fresh.store).element() {
                    RefType::Func => Ref::Func(Nullable::Null),
                    RefType::Extern => Ref::Extern(Nullable::Null),
                };
                table
                    .grow(&mut fresh.store, missing, null)
                    .expect("a table of this module had this size before");
            }
        }
        fresh.restore_references(checkpoint);
        fresh
    }
}

/// The functions of an instance that a reference can point to, in an order that is the same in
/// every instance of the module. (The module exports them under private names if it changes its
/// tables.)
pub(super) struct Functions {
    in_order: Vec<Func>,
    places: HashMap<String, usize>,
}

impl Functions {
    fn of<H: Host>(instance: &Instance<H>) -> Self {
        let mut exports: Vec<_> = instance.instance.exports(&instance.store).collect();
        exports.sort_by(|a, b| a.name().cmp(b.name()));
        let in_order: Vec<Func> = exports.into_iter().filter_map(|e| e.into_func()).collect();
        // The engine's handles can be told apart only by what they print.
        let printed = in_order.iter().map(|function| format!("{function:?}"));
        let places = printed.zip(0..).collect();
        Functions { in_order, places }
    }

    fn place(&self, function: &Func) -> Option<usize> {
        self.places.get(&format!("{function:?}")).copied()
    }

    fn at(&self, place: usize) -> Func {
        self.in_order[place]
    }
}
