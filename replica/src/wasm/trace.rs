//! Running a call once more, to learn which functions were under way when it trapped.

use wasmi::Val;

use super::engine::CompiledModule;
use super::host::{Allowance, Entry, Fault, Host};
use super::instance::{Instance, Room};
use super::state::State;

/// The name under which a traced module exports the memory in which it keeps its stack of functions:
/// the index of each that is under way, four bytes, the innermost last.
pub const TRACE_STACK: &str = "local-replica-trace:stack";

/// The name of the global that says how many bytes of that stack are used.
pub const TRACE_DEPTH: &str = "local-replica-trace:depth";

/// The size of the stack in pages. It has room for more functions than can be under way.
pub const TRACE_STACK_PAGES: u32 = 2;

/// How much more a call may cost in a traced module. Each function costs a dozen instructions more, and
/// without anything costs two.
const COST_FACTOR: u64 = 16;

/// What was under way when a call ended.
pub struct Trace {
    /// The indexes of the module's functions, the innermost first.
    pub functions: Vec<u32>,
    /// The imported function that ended the call, if one did.
    pub failed_import: Option<&'static str>,
}

impl<H: Host> CompiledModule<H> {
    /// Calls `entry` in a new instance of this module, a traced one, whose state is `before`. Gives back the host, how the call ended, and what was under way
    /// then.
    pub fn trace(
        &self,
        before: &State,
        entry: Entry<'_>,
        host: H,
        limits: Allowance,
    ) -> (H, Result<(), Fault<H::Trap>>, Trace) {
        let room = Room {
            memory: limits.memory,
            mapped: false,
        };
        let instance = self.instantiate(room);
        let mut instance = instance.expect("the same module was instantiated before");
        instance.load(before);
        let limits = Allowance {
            instructions: limits.instructions.saturating_mul(COST_FACTOR),
            ..limits
        };
        let (host, result, _) = instance.call(entry, host, limits);
        let trace = Trace {
            functions: instance.functions_under_way().unwrap_or_default(),
            failed_import: instance.store.data().failed_import,
        };
        (host, result, trace)
    }
}

impl<H: Host> Instance<H> {
    fn functions_under_way(&self) -> Option<Vec<u32>> {
        let depth = self.instance.get_global(&self.store, TRACE_DEPTH)?;
        let Val::I32(depth) = depth.get(&self.store) else {
            return None;
        };
        let stack = self.instance.get_memory(&self.store, TRACE_STACK)?;
        let used = stack
            .data(&self.store)
            .get(..depth.cast_unsigned() as usize)?;
        let indexes = used.as_chunks().0.iter().rev();
        Some(indexes.map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }
}
