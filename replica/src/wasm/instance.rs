//! An instance: a state that is loaded, and calls that change it.

use std::sync::OnceLock;

use wasmi::{Extern, Global, Memory, Nullable, Ref, RefType, Store, Table, Val};

use super::engine::{CompiledModule, HostState, into_fault};
use super::growth::Growth;
use super::host::{Allowance, Entry, Fault, Host, MEMORY, PAGE_SIZE, PRIVATE_EXPORT};
use super::state::{Functions, Reference, State, Value};
use super::tracking::Tracking;
use crate::blocks::{BLOCK_SIZE, Block, Blocks};

/// A memory grows to a large size in steps of so many bytes, each of which is given up at once: so
/// it does not take the whole size.
const STEP: u64 = 16 * 1024 * 1024;

/// An instance of a module: its memory, globals and tables.
///
/// It is where a [`State`] is executed. What it holds beside that is only what the last call changed.
pub struct Instance<H: Host> {
    compiled: CompiledModule<H>,
    pub(super) store: Store<HostState<H>>,
    pub(super) instance: wasmi::Instance,
    memory: Option<Memory>,
    globals: Vec<Global>,
    tables: Vec<Table>,
    functions: OnceLock<Functions>,
    tracking: Tracking,
    /// What the memory holds, but for what was touched since.
    loaded: Blocks,
    /// Whether it is as it was made.
    is_new: bool,
    /// Whether code ran in it.
    has_run: bool,
    /// Whether it is as it was loaded or committed last.
    settled: bool,
}

/// How an instance is made.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// The most bytes that the memory can ever have.
    pub memory: u64,
    /// Whether the operating system is asked which memory a call touched. Where it can't tell, or is
    /// not asked, all memory is compared after each call.
    pub mapped: bool,
}

impl<H: Host> CompiledModule<H> {
    /// Makes an instance with the memory, globals and tables that the module declares.
    ///
    /// # Errors
    ///
    /// What failed: a segment that does not fit, or an initial memory that exceeds the limit.
    pub fn instantiate(&self, room: Room) -> Result<Instance<H>, String> {
        let capacity = match self.memory {
            Some(_) => room.memory,
            None => 0,
        };
        let tracking = Tracking::new(capacity, room.mapped);
        self.instantiate_in(tracking, room.memory)
    }

    fn instantiate_in(&self, tracking: Tracking, memory: u64) -> Result<Instance<H>, String> {
        let mut growth = Growth::new(tracking.clone());
        growth.limit(memory, None);
        let state = HostState {
            host: None,
            memory: None,
            instruction_limit: 0,
            failed_import: None,
            growth,
        };
        let mut store = Store::new(self.module.engine(), state);
        store.limiter(|state| &mut state.growth);
        // Instantiation runs no code of the module (a start function was made an export), but it
        // copies segments, and that is paid for with fuel.
        store.set_fuel(u64::MAX).map_err(|e| e.to_string())?;
        let error = |error: wasmi::Error| error.to_string();
        let mut linker = (*self.linker).clone();
        let memory = match self.memory {
            None => None,
            Some(ty) => Some(tracking.memory(&mut store, ty).map_err(error)?),
        };
        if let Some(memory) = memory {
            let [module, name] = MEMORY;
            linker
                .define(module, name, memory)
                .expect("no other import is called so");
        }
        let instance = linker
            .instantiate_and_start(&mut store, &self.module)
            .map_err(error)?;
        let mut globals = Vec::new();
        let mut tables = Vec::new();
        let mut exports: Vec<_> = instance
            .exports(&store)
            .filter(|export| export.name().starts_with(PRIVATE_EXPORT))
            .collect();
        exports.sort_by(|a, b| a.name().cmp(b.name()));
        for export in exports {
            match export.into_extern() {
                Extern::Global(global) => globals.push(global),
                Extern::Table(table) => tables.push(table),
                Extern::Memory(_) | Extern::Func(_) => {}
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
            tracking,
            loaded: Blocks::default(),
            is_new: true,
            has_run: false,
            settled: false,
        })
    }
}

impl<H: Host> Instance<H> {
    /// Calls `entry`, with `host` behind the host functions. Gives back the host, how the call
    /// ended, and the number of instructions it executed.
    ///
    /// The instance is left as the call left it, also after a fault: [`Instance::commit`] keeps that,
    /// [`Instance::load`] undoes it.
    pub fn call(
        &mut self,
        entry: Entry<'_>,
        host: H,
        limits: Allowance,
    ) -> (H, Result<(), Fault<H::Trap>>, u64) {
        let state = self.store.data_mut();
        state.host = Some(host);
        state.instruction_limit = limits.instructions;
        state.growth.limit(limits.memory, limits.soft_memory);
        self.has_run = true;
        self.is_new = false;
        self.settled = false;
        // Both are kept for the call, in which the whole instance is borrowed.
        let (tracking, loaded) = (self.tracking.clone(), self.loaded.clone());
        let active = tracking.activate(&loaded);
        let result = self.enter(entry, limits);
        drop(active);
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

    /// Makes the present state the one to go on from: `state`, an earlier one, becomes it. If code ran
    /// since a state was loaded, that must have been this one.
    /// Returns whether the memory changed.
    pub fn commit(&mut self, state: &mut State) -> bool {
        // Nothing ran since it was loaded, with a later state than this one.
        if self.settled {
            let changed = self.memory_differs(state);
            *state = self.present(state);
            return changed;
        }
        let touched = self.touched();
        self.is_new = false;
        // Let go of what is the same, so that it is not copied if nobody else has it.
        self.loaded = Blocks::default();
        let bytes = self.bytes();
        let mut changed = 0;
        for index in touched.iter().copied() {
            let now = block(bytes, index);
            if now != state.memory.read(index) {
                *state.memory.write(index) = *now;
                changed += 1;
            }
        }
        let size = bytes.len();
        self.loaded = state.memory.clone();
        self.tracking.settle(touched.len(), changed);
        let grown = state.memory_size != size as u64;
        state.memory_size = size as u64;
        self.save_references(state);
        self.settled = true;
        grown || changed > 0
    }

    fn save_references(&self, state: &mut State) {
        let globals = self.globals.iter().map(|global| self.value(global));
        state.globals = globals.collect();
        if self.compiled.mutates_tables {
            let tables = self.tables.iter().map(|table| self.entries(table));
            state.tables = tables.collect();
        }
    }

    /// The present state, of which `state` is an earlier one.
    pub fn present(&self, state: &State) -> State {
        let mut present = State {
            memory: match self.settled {
                true => self.loaded.clone(),
                false => state.memory.clone(),
            },
            memory_size: self.memory_size(),
            ..state.clone()
        };
        if !self.settled {
            for index in self.changed(state) {
                *present.memory.write(index) = *self.now(index);
            }
        }
        self.save_references(&mut present);
        present
    }

    /// The blocks of the memory that differ from those of `state`, an earlier state.
    fn changed(&self, state: &State) -> Vec<usize> {
        let mut candidates = Vec::new();
        match self.settled {
            true => self
                .loaded
                .differences(&state.memory, &mut |index| candidates.push(index)),
            false => candidates = self.touched(),
        }
        candidates.retain(|index| self.now(*index) != state.memory.read(*index));
        candidates
    }

    /// What a block that may have changed is now.
    fn now(&self, index: usize) -> &Block {
        match self.settled {
            true => self.loaded.read(index),
            false => block(self.bytes(), index),
        }
    }

    /// How many bytes the memory of `state`, an earlier state, would take more if the present one
    /// became it.
    pub fn additional_memory(&self, state: &State) -> u64 {
        let is_new = |index: &usize| state.memory.get(*index).is_none();
        let changed = self.changed(state);
        (changed.into_iter().filter(is_new).count() * BLOCK_SIZE) as u64
    }

    /// Whether the memory differs from that of `state`, an earlier state.
    pub fn memory_differs(&self, state: &State) -> bool {
        self.memory_size() != state.memory_size || !self.changed(state).is_empty()
    }

    /// Makes the instance equal to `state`, whatever it was before. It costs what the two don't share.
    pub fn load(&mut self, state: &State) {
        let same_memory =
            self.memory_size() == state.memory_size && self.loaded.is_same(&state.memory);
        let only_memory = !self.compiled.drops_segments && !self.compiled.mutates_tables;
        if self.settled && same_memory && only_memory {
            return self.load_references(state);
        }
        // The engine's memories and tables can grow but not shrink. And a module that drops segments
        // gets a new instance for every message, as on the network: in it all are there again.
        let tables = self.tables.iter().zip(state.tables.iter());
        let renew = self.memory_size() > state.memory_size
            || tables
                .map(|(table, entries)| (table.size(&self.store), entries.len() as u64))
                .any(|(now, then)| now > then)
            || self.compiled.drops_segments && self.has_run;
        if renew {
            self.renew();
        }
        self.load_memory(state)
            .expect("a memory of this module had this size before");
        self.load_references(state);
        self.settled = true;
    }

    /// Makes the memory that of `state`, a state of another module, and keeps everything else.
    ///
    /// # Errors
    ///
    /// If the module has no memory, or none that can be as large.
    pub fn load_memory_of_other(&mut self, state: &State) -> Result<(), String> {
        if self.memory.is_none() && state.memory_size > 0 {
            return Err("the module has no memory to keep the old one in".to_owned());
        }
        self.load_memory(state)
    }

    /// Puts a new instance in place of this one.
    fn renew(&mut self) {
        let room = match &self.tracking {
            Tracking::Comparing => Tracking::Comparing,
            Tracking::Mapped(region) => Tracking::new(region.capacity(), true),
        };
        *self = self
            .compiled
            .instantiate_in(room, u64::MAX)
            .expect("the same module was instantiated before");
    }

    fn load_memory(&mut self, state: &State) -> Result<(), String> {
        self.grow_memory(state.memory_size)?;
        let Some(memory) = self.memory else {
            return Ok(());
        };
        let size = self.memory_size() as usize;
        // Nothing of a new instance's memory is wanted.
        if std::mem::take(&mut self.is_new) && self.tracking.empty(size) {
            self.loaded = state.memory.clone();
            return Ok(());
        }
        let touched = self.touched();
        let bytes = memory.data_mut(&mut self.store);
        let mut changed = 0;
        let mut restore = |index: usize| {
            let (now, then) = (block_mut(bytes, index), state.memory.read(index));
            if now != then {
                *now = *then;
                changed += 1;
            }
        };
        touched.iter().copied().for_each(&mut restore);
        let tracking = &self.tracking;
        self.loaded.differences(&state.memory, &mut |index| {
            // What is not filled will be, from the new state.
            let start = index * BLOCK_SIZE;
            if start < size && tracking.is_filled(index) && tracking.open(start, start + BLOCK_SIZE)
            {
                restore(index);
            }
        });
        self.loaded = state.memory.clone();
        self.tracking.settle(touched.len(), changed);
        Ok(())
    }

    fn grow_memory(&mut self, wanted: u64) -> Result<(), String> {
        let Some(memory) = self.memory else {
            return Ok(());
        };
        let missing = wanted.saturating_sub(self.memory_size());
        // The engine writes zeros into all that is new.
        let in_steps = missing > STEP;
        self.store.data_mut().growth.limit(u64::MAX, None);
        while self.memory_size() < wanted {
            let step = (wanted - self.memory_size()).min(STEP).div_ceil(PAGE_SIZE);
            memory
                .grow(&mut self.store, step)
                .map_err(|error| error.to_string())?;
            if in_steps {
                self.tracking.empty(self.memory_size() as usize);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self.memory.map_or(&[], |memory| memory.data(&self.store))
    }

    /// The blocks of the memory that may differ from what was loaded.
    fn touched(&self) -> Vec<usize> {
        self.tracking.touched(self.memory_size() as usize)
    }

    fn functions(&self) -> &Functions {
        self.functions.get_or_init(|| {
            let mut exports: Vec<_> = self.instance.exports(&self.store).collect();
            exports.sort_by(|a, b| a.name().cmp(b.name()));
            Functions::new(exports.into_iter().filter_map(|e| e.into_func()).collect())
        })
    }

    fn value(&self, global: &Global) -> Value {
        match global.get(&self.store) {
            Val::FuncRef(Nullable::Val(function)) => {
                Value::Reference(self.functions().place(&function))
            }
            Val::FuncRef(Nullable::Null) => Value::Reference(None),
            value => Value::Number(value),
        }
    }

    fn entries(&self, table: &Table) -> Vec<Reference> {
        let entry = |index| match table.get(&self.store, index) {
            Some(Ref::Func(Nullable::Val(function))) => self.functions().place(&function),
            _ => None,
        };
        (0..table.size(&self.store)).map(entry).collect()
    }

    pub(super) fn load_references(&mut self, state: &State) {
        let function = |instance: &Self, reference: Reference| match reference {
            Some(place) => Nullable::Val(instance.functions().at(place)),
            None => Nullable::Null,
        };
        for (place, value) in state.globals.iter().enumerate() {
            let value = match value {
                Value::Number(value) => value.clone(),
                Value::Reference(reference) => Val::FuncRef(function(self, *reference)),
            };
            self.globals[place]
                .set(&mut self.store, value)
                .expect("the value was read from this global");
        }
        for (place, entries) in state.tables.iter().enumerate() {
            let table = self.tables[place];
            let is_function = table.ty(&self.store).element() == RefType::Func;
            let null = match is_function {
                true => Ref::Func(Nullable::Null),
                false => Ref::Extern(Nullable::Null),
            };
            let missing = (entries.len() as u64).saturating_sub(table.size(&self.store));
            table
                .grow(&mut self.store, missing, null)
                .expect("a table of this module had this size before");
            for (index, reference) in (0..).zip(entries) {
                let entry = match is_function {
                    true => Ref::Func(function(self, *reference)),
                    false => null,
                };
                table
                    .set(&mut self.store, index, entry)
                    .expect("the entry was read from this table");
            }
        }
    }
}

/// One block of a memory.
fn block(bytes: &[u8], index: usize) -> &Block {
    let start = index * BLOCK_SIZE;
    let block = &bytes[start..start + BLOCK_SIZE];
    block.try_into().expect("it has the size of a block")
}

fn block_mut(bytes: &mut [u8], index: usize) -> &mut Block {
    let start = index * BLOCK_SIZE;
    let block = &mut bytes[start..start + BLOCK_SIZE];
    block.try_into().expect("it has the size of a block")
}
