//! The Wasm engine: compile a module, call into an instance, keep its state or put it back.
//!
//! Nothing outside this file knows which engine runs. It knows nothing of canisters either: the
//! functions that a module may import are given to [`Engine::new`] as a table.

use std::fmt;

use wasmi::{
    Caller, CompilationMode, Config, CustomFuelCosts, Error, Extern, Func, FuncType, Global,
    Linker, Memory, Module, Nullable, Ref, Store, StoreLimits, StoreLimitsBuilder, Table, TrapCode,
    Val, ValType,
};

/// The size of a Wasm page in bytes.
pub const PAGE_SIZE: u64 = 64 * 1024;

/// What the export names that this crate adds to a module begin with.
pub const PRIVATE_EXPORT: &str = "local-replica:";

/// The receiver of a module's calls: the functions of [`HostFunction`] work on it.
pub trait Host: Send + Sized + 'static {
    /// Why a host function ended the execution.
    type Trap: fmt::Display + fmt::Debug + Send + Sync + 'static;
    /// What [`Host::check`] needs to know of a function.
    type Permission: Send + Sync + 'static;

    /// Asked before every call of a host function.
    ///
    /// # Errors
    ///
    /// If `function` may not be called now: the call does not happen, and the execution traps.
    fn check(&self, function: &HostFunction<Self>) -> Result<(), Self::Trap>;
}

/// The type of a host function's parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// As wide as the addresses of the module's memory.
    Pointer,
}

impl ValueType {
    /// Whether the type is 64 bits wide in a module whose addresses are, or are not.
    pub fn is_64_bit(self, memory64: bool) -> bool {
        match self {
            ValueType::I32 => false,
            ValueType::I64 => true,
            ValueType::Pointer => memory64,
        }
    }
}

/// What a host function does. Values are zero-extended to 64 bits.
pub type HostCallback<H> = fn(&mut HostCall<'_, H>, &[u64]) -> Result<u64, <H as Host>::Trap>;

/// A function that a module may import.
pub struct HostFunction<H: Host> {
    /// The name of the import.
    pub name: &'static str,
    /// The types of its parameters.
    pub parameters: &'static [ValueType],
    /// The type of its result.
    pub result: Option<ValueType>,
    /// Whether modules with 64-bit memory can import it too.
    pub in_memory64: bool,
    /// When it may be called.
    pub permission: H::Permission,
    /// What it does.
    pub call: HostCallback<H>,
}

/// What a host function may see and change.
pub struct HostCall<'a, H: Host> {
    /// The host.
    pub host: &'a mut H,
    /// The whole memory of the calling instance.
    pub memory: &'a mut [u8],
    /// The instructions that the running call has executed so far.
    pub instructions: u64,
    /// Instructions that the host function wants to be charged for its own work.
    pub charge: u64,
}

/// Why a call into an instance did not end normally.
#[derive(Debug)]
pub enum Fault<T> {
    /// An instruction trapped; the text names the reason.
    Trapped(String),
    /// The instruction limit (given here) was reached.
    InstructionLimit(u64),
    /// Growing the memory would have exceeded the soft limit (given here, in bytes).
    MemoryLimit(u64),
    /// A closure does not name a function of the table.
    NoSuchFunction(u64),
    /// A host function ended the execution.
    Host(T),
}

/// What to call.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// An exported function without parameters and results.
    Export(&'a str),
    /// A function of the module's table that takes one value, and that value.
    Closure {
        /// The index in the table.
        function: u64,
        /// The value it is called with.
        environment: u64,
    },
}

/// How much a call may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Instructions.
    pub instructions: u64,
    /// The size in bytes that the memory can't grow past: growing further fails.
    pub memory: u64,
    /// The size in bytes that makes the call trap when the memory grows past it.
    pub soft_memory: Option<u64>,
}

/// A module that the engine has validated and can instantiate.
#[derive(Clone)]
pub struct CompiledModule {
    module: Module,
    memory64: bool,
    /// Whether the module can change its tables or drop segments: most can't, and then there is
    /// nothing to keep.
    mutates_tables: bool,
}

/// Compiles and instantiates modules.
pub struct Engine<H: Host> {
    engine: wasmi::Engine,
    linker32: Linker<HostState<H>>,
    linker64: Linker<HostState<H>>,
}

impl<H: Host> Engine<H> {
    /// An engine whose modules may import `functions` from the module named `namespace`.
    pub fn new(namespace: &str, functions: &'static [HostFunction<H>]) -> Self {
        let mut config = Config::default();
        config
            .consume_fuel(true)
            // Instructions are counted when they are executed, not when they are first translated:
            // the same message always costs the same.
            .fuel_cost(CustomFuelCosts {
                bytes_copied_per_fuel: 64,
                fuel_per_bytes_translated: 0,
                fuel_per_bytes_validated: 0,
            })
            .compilation_mode(CompilationMode::LazyTranslation)
            .ignore_custom_sections(true)
            .wasm_multi_memory(false)
            .set_max_recursion_depth(25_000)
            .set_max_stack_height(16 * 1024 * 1024);
        let engine = wasmi::Engine::new(&config);
        let link = |memory64: bool| {
            let mut linker = Linker::new(&engine);
            for function in functions.iter().filter(|f| f.in_memory64 || !memory64) {
                define(&mut linker, namespace, function, memory64);
            }
            linker
        };
        let (linker32, linker64) = (link(false), link(true));
        Engine {
            engine,
            linker32,
            linker64,
        }
    }

    /// Validates a module. `mutates_tables` tells whether its code has instructions that change
    /// tables or drop segments.
    ///
    /// # Errors
    ///
    /// The fault that the engine found in the module.
    pub fn compile(
        &self,
        wasm: &[u8],
        memory64: bool,
        mutates_tables: bool,
    ) -> Result<CompiledModule, String> {
        let module = Module::new(&self.engine, wasm).map_err(|error| error.to_string())?;
        Ok(CompiledModule {
            module,
            memory64,
            mutates_tables,
        })
    }

    /// Makes an instance with the memory, globals and tables that the module declares.
    ///
    /// # Errors
    ///
    /// What failed: a segment that does not fit, or an initial memory that exceeds the limit.
    pub fn instantiate(
        &self,
        compiled: &CompiledModule,
        memory_limit: u64,
    ) -> Result<Instance<H>, String> {
        let mut store = Store::new(
            &self.engine,
            HostState {
                host: None,
                memory: None,
                instruction_limit: 0,
                growth: growth_limits(memory_limit, None),
            },
        );
        store.limiter(|state| &mut state.growth);
        // Instantiation runs no code of the module (a start function was made an export), but it
        // copies segments, and that is paid for with fuel.
        store.set_fuel(u64::MAX).map_err(|e| e.to_string())?;
        let linker = if compiled.memory64 {
            &self.linker64
        } else {
            &self.linker32
        };
        let instance = linker
            .instantiate_and_start(&mut store, &compiled.module)
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
            compiled: compiled.clone(),
            store,
            instance,
            memory,
            globals,
            tables,
        })
    }
}

/// What the engine carries through a call for the host functions.
struct HostState<H> {
    host: Option<H>,
    memory: Option<Memory>,
    instruction_limit: u64,
    growth: StoreLimits,
}

/// Limits of what an instance may own; with a soft limit, growing past it traps.
fn growth_limits(memory: u64, soft_memory: Option<u64>) -> StoreLimits {
    let bytes = soft_memory.map_or(memory, |soft| soft.min(memory));
    StoreLimitsBuilder::new()
        .memory_size(usize::try_from(bytes).unwrap_or(usize::MAX))
        .table_elements(1_000_000)
        .trap_on_grow_failure(soft_memory.is_some())
        .build()
}

/// A host function's trap on its way through the engine.
#[derive(Debug)]
struct Raised<T>(T);

impl<T: fmt::Display> fmt::Display for Raised<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display + fmt::Debug + Send + Sync + 'static> wasmi::errors::HostError for Raised<T> {}

fn define<H: Host>(
    linker: &mut Linker<HostState<H>>,
    namespace: &str,
    function: &'static HostFunction<H>,
    memory64: bool,
) {
    let wasm_type = |value: &ValueType| match value.is_64_bit(memory64) {
        true => ValType::I64,
        false => ValType::I32,
    };
    let ty = FuncType::new(
        function.parameters.iter().map(wasm_type),
        function.result.iter().map(wasm_type),
    );
    let call = move |mut caller: Caller<'_, HostState<H>>, inputs: &[Val], outputs: &mut [Val]| {
        let mut arguments = [0u64; 8];
        for (argument, input) in arguments.iter_mut().zip(inputs) {
            *argument = match input {
                Val::I32(value) => u64::from(value.cast_unsigned()),
                Val::I64(value) => value.cast_unsigned(),
                _ => 0,
            };
        }
        let fuel = caller.get_fuel()?;
        let memory = caller.data().memory;
        let (memory, state) = match memory {
            Some(memory) => memory.data_and_store_mut(&mut caller),
            None => (&mut [][..], caller.data_mut()),
        };
        let instructions = state.instruction_limit - fuel;
        let Some(host) = state.host.as_mut() else {
            return Err(Error::new("a host function was called outside a call"));
        };
        let trap = |trap| Error::host(Raised(trap));
        host.check(function).map_err(trap)?;
        let mut call = HostCall {
            host,
            memory,
            instructions,
            charge: 0,
        };
        let result = (function.call)(&mut call, &arguments[..inputs.len()]).map_err(trap)?;
        let charge = call.charge;
        if charge > 0 {
            caller.set_fuel(fuel.saturating_sub(charge))?;
            if charge > fuel {
                return Err(TrapCode::OutOfFuel.into());
            }
        }
        if let Some(output) = outputs.first_mut() {
            *output = match output {
                Val::I64(_) => Val::I64(result.cast_signed()),
                _ => Val::I32((result as u32).cast_signed()),
            };
        }
        Ok(())
    };
    linker
        .func_new(namespace, function.name, ty, call)
        .expect("the table names every function once");
}

/// An instance of a module: its memory, globals and tables.
pub struct Instance<H: Host> {
    compiled: CompiledModule,
    store: Store<HostState<H>>,
    instance: wasmi::Instance,
    memory: Option<Memory>,
    globals: Vec<Global>,
    tables: Vec<Table>,
}

/// The state of an instance at one moment, in a buffer that can be used again and again.
#[derive(Default)]
pub struct Checkpoint {
    memory: Vec<u8>,
    globals: Vec<Val>,
    tables: Vec<Vec<Ref>>,
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
        limits: Limits,
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

    fn enter(&mut self, entry: Entry<'_>, limits: Limits) -> Result<(), Fault<H::Trap>> {
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
    }

    /// Whether the memory differs from what it was when `checkpoint` was written.
    pub fn memory_differs(&self, checkpoint: &Checkpoint) -> bool {
        self.memory() != checkpoint.memory
    }

    /// Puts the state back to what it was when `checkpoint` was written.
    pub fn roll_back(&mut self, engine: &Engine<H>, checkpoint: &Checkpoint) {
        let same_size = self.memory_size() == checkpoint.memory.len() as u64;
        if same_size && !self.compiled.mutates_tables {
            self.restore(checkpoint);
        } else {
            self.restore_in_new_instance(engine, checkpoint);
        }
    }

    fn restore(&mut self, checkpoint: &Checkpoint) {
        if let Some(memory) = self.memory {
            memory
                .data_mut(&mut self.store)
                .copy_from_slice(&checkpoint.memory);
        }
        for (global, value) in self.globals.iter().zip(&checkpoint.globals) {
            global
                .set(&mut self.store, value.clone())
                .expect("the value was read from this global");
        }
    }

    /// An engine's memories and tables can grow but not shrink, so what grew is undone by a new
    /// instance. References belong to the old one: each is found again by its place.
    fn restore_in_new_instance(&mut self, engine: &Engine<H>, checkpoint: &Checkpoint) {
        let mut fresh = engine
            .instantiate(&self.compiled, u64::MAX)
            .expect("the same module was instantiated before");
        fresh
            .replace_memory(&checkpoint.memory)
            .expect("a memory of this module had this size before");
        let old = Functions::of(self);
        let new = Functions::of(&fresh);
        let translate = |reference: &Ref| match reference {
            Ref::Func(Nullable::Val(function)) => old.place(function).map_or_else(
                || Ref::Func(Nullable::Null),
                |place| Ref::Func(Nullable::Val(new.at(place))),
            ),
            other => *other,
        };
        for (global, value) in fresh.globals.iter().zip(&checkpoint.globals) {
            let value = match value {
                Val::FuncRef(Nullable::Val(function)) => {
                    match translate(&Ref::Func(Nullable::Val(*function))) {
                        Ref::Func(function) => Val::FuncRef(function),
                        Ref::Extern(_) => Val::FuncRef(Nullable::Null),
                    }
                }
                value => value.clone(),
            };
            global
                .set(&mut fresh.store, value)
                .expect("the value was read from the same global of an older instance");
        }
        for (table, entries) in fresh.tables.iter().zip(&checkpoint.tables) {
            let missing = (entries.len() as u64).saturating_sub(table.size(&fresh.store));
            if missing > 0 {
                let null = Ref::Func(Nullable::Null);
                table
                    .grow(&mut fresh.store, missing, null)
                    .expect("a table of this module had this size before");
            }
            for (index, entry) in (0..).zip(entries) {
                table
                    .set(&mut fresh.store, index, translate(entry))
                    .expect("the table has this many entries");
            }
        }
        *self = fresh;
    }
}

/// The functions of an instance that a reference can point to, in an order that is the same in
/// every instance of the module. (The module exports them under private names if it changes its
/// tables.)
struct Functions(Vec<Func>);

impl Functions {
    fn of<H: Host>(instance: &Instance<H>) -> Self {
        let mut exports: Vec<_> = instance.instance.exports(&instance.store).collect();
        exports.sort_by(|a, b| a.name().cmp(b.name()));
        let functions = exports.into_iter().filter_map(|export| export.into_func());
        Functions(functions.collect())
    }

    /// The engine's handles can be told apart only by what they print.
    fn place(&self, function: &Func) -> Option<usize> {
        let wanted = format!("{function:?}");
        self.0.iter().position(|f| format!("{f:?}") == wanted)
    }

    fn at(&self, place: usize) -> Func {
        self.0[place]
    }
}

fn into_fault<T: fmt::Display + fmt::Debug + Send + Sync + 'static>(
    error: Error,
    limits: Limits,
) -> Fault<T> {
    let reason = match error.as_trap_code() {
        Some(TrapCode::OutOfFuel) => return Fault::InstructionLimit(limits.instructions),
        Some(TrapCode::GrowthOperationLimited) => {
            return Fault::MemoryLimit(limits.soft_memory.unwrap_or(limits.memory));
        }
        Some(TrapCode::UnreachableCodeReached) => "unreachable",
        Some(TrapCode::MemoryOutOfBounds) => "heap out of bounds",
        Some(TrapCode::TableOutOfBounds) => "table out of bounds",
        Some(TrapCode::IndirectCallToNull) => "indirect call to a null function",
        Some(TrapCode::IntegerDivisionByZero) => "integer division by 0",
        Some(TrapCode::IntegerOverflow) => "integer overflow",
        Some(TrapCode::BadConversionToInteger) => "invalid conversion to integer",
        Some(TrapCode::StackOverflow) => "stack overflow",
        Some(TrapCode::BadSignature) => "function invocation does not match its signature",
        _ => {
            let text = error.to_string();
            return match error.downcast::<Raised<T>>() {
                Some(Raised(trap)) => Fault::Host(trap),
                None => Fault::Trapped(text),
            };
        }
    };
    Fault::Trapped(reason.to_owned())
}
