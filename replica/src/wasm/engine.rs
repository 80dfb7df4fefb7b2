//! The engine itself: modules, and how their imports reach the host.

use std::fmt;
use std::sync::Arc;

use wasmi::{
    Caller, CompilationMode, Config, CustomFuelCosts, Error, FuncType, Linker, Memory, MemoryType,
    Module, TrapCode, Val, ValType,
};

use super::growth::Growth;
use super::host::{Allowance, Fault, Host, HostCall, HostFunction, ValueType};

/// A module that was validated, and can be instantiated.
pub struct CompiledModule<H: Host> {
    pub(super) module: Module,
    /// What its imports are.
    pub(super) linker: Arc<Linker<HostState<H>>>,
    /// The memory that it wants, if it wants one.
    pub(super) memory: Option<MemoryType>,
    pub(super) memory64: bool,
    /// Whether the module can change its tables: most can't, and then there is nothing to keep.
    pub(super) mutates_tables: bool,
    pub(super) drops_segments: bool,
}

impl<H: Host> Clone for CompiledModule<H> {
    fn clone(&self) -> Self {
        CompiledModule {
            module: self.module.clone(),
            linker: Arc::clone(&self.linker),
            memory: self.memory,
            ..*self
        }
    }
}

/// How many functions may be under way.
const MAX_RECURSION: usize = 25_000;

/// The size of the stack, in bytes.
const MAX_STACK: usize = 16 * 1024 * 1024;

/// Compiles modules.
pub struct Engine<H: Host> {
    config: Config,
    namespace: &'static str,
    functions: &'static [HostFunction<H>],
}

impl<H: Host> Engine<H> {
    /// An engine whose modules may import `functions` from the module named `namespace`.
    pub fn new(namespace: &'static str, functions: &'static [HostFunction<H>]) -> Self {
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
            .set_max_recursion_depth(MAX_RECURSION)
            .set_max_stack_height(MAX_STACK);
        Engine {
            config,
            namespace,
            functions,
        }
    }

    /// Validates a module. The flags tell whether its code has instructions that change tables, and
    /// that drop segments.
    ///
    /// # Errors
    ///
    /// The fault that the engine found in the module.
    pub fn compile(
        &self,
        wasm: &[u8],
        memory64: bool,
        mutates_tables: bool,
        drops_segments: bool,
    ) -> Result<CompiledModule<H>, String> {
        self.compile_with(&self.config, wasm, memory64, mutates_tables, drops_segments)
    }

    /// Validates a module that is `plain` with a wrapper around each function, and one memory more.
    ///
    /// # Errors
    ///
    /// The fault that the engine found in the module.
    pub fn compile_traced(
        &self,
        wasm: &[u8],
        plain: &CompiledModule<H>,
    ) -> Result<CompiledModule<H>, String> {
        let mut config = self.config.clone();
        // Each function is two.
        config
            .wasm_multi_memory(true)
            .set_max_recursion_depth(2 * MAX_RECURSION)
            .set_max_stack_height(2 * MAX_STACK);
        let CompiledModule {
            memory64,
            mutates_tables,
            drops_segments,
            ..
        } = *plain;
        self.compile_with(&config, wasm, memory64, mutates_tables, drops_segments)
    }

    fn compile_with(
        &self,
        config: &Config,
        wasm: &[u8],
        memory64: bool,
        mutates_tables: bool,
        drops_segments: bool,
    ) -> Result<CompiledModule<H>, String> {
        // wasmi's engines keep all code for ever, so each module has one of its own: what a canister
        // no longer runs is forgotten with it.
        let engine = wasmi::Engine::new(config);
        let module = Module::new(&engine, wasm).map_err(|error| error.to_string())?;
        let mut linker = Linker::new(&engine);
        for function in self.functions.iter().filter(|f| f.in_memory64 || !memory64) {
            define(&mut linker, self.namespace, function, memory64);
        }
        let memory = module
            .imports()
            .find_map(|import| import.ty().memory().copied());
        Ok(CompiledModule {
            module,
            linker: Arc::new(linker),
            memory,
            memory64,
            mutates_tables,
            drops_segments,
        })
    }
}

/// What the engine carries through a call for the host functions.
pub(super) struct HostState<H> {
    pub(super) host: Option<H>,
    pub(super) memory: Option<Memory>,
    pub(super) instruction_limit: u64,
    /// The imported function that ended a call, if one did.
    pub(super) failed_import: Option<&'static str>,
    pub(super) growth: Growth,
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
        let result = (function.call)(&mut call, &arguments[..inputs.len()]);
        let charge = call.charge;
        let result = result.map_err(|fault| {
            caller.data_mut().failed_import = Some(function.name);
            trap(fault)
        })?;
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

/// What an error of the engine means.
pub(super) fn into_fault<T: fmt::Display + fmt::Debug + Send + Sync + 'static>(
    error: Error,
    limits: Allowance,
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
