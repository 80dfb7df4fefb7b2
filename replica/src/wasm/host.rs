//! What the engine and those who use it agree about: host functions, and how calls are made and end.

use std::fmt;

/// The size of a Wasm page in bytes.
pub const PAGE_SIZE: u64 = 64 * 1024;

/// What the export names that this crate adds to a module begin with.
pub const PRIVATE_EXPORT: &str = "local-replica:";

/// What a module imports in place of the memory that it declared: the module and the name.
pub const MEMORY: [&str; 2] = ["local-replica", "memory"];

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
#[derive(Clone, Debug)]
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
pub struct Allowance {
    /// Instructions.
    pub instructions: u64,
    /// The size in bytes that the memory can't grow past: growing further fails.
    pub memory: u64,
    /// The size in bytes that makes the call trap when the memory grows past it.
    pub soft_memory: Option<u64>,
}
