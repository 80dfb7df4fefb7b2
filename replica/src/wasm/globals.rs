//! The values of globals, read from a state, or put into a new one.

use serde::{Deserialize, Serialize};
use wasmi::{F32, F64, V128, Val};

use super::engine::CompiledModule;
use super::host::Host;
use super::instance::Room;
use super::state::State;

/// The value of a global that is not a reference. Of a floating-point number, the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Number {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit floating-point number.
    F32(u32),
    /// A 64-bit floating-point number.
    F64(u64),
    /// A vector.
    V128(u128),
}

impl Number {
    fn of(value: &Val) -> Option<Self> {
        match value {
            Val::I32(value) => Some(Number::I32(*value)),
            Val::I64(value) => Some(Number::I64(*value)),
            Val::F32(value) => Some(Number::F32(value.to_bits())),
            Val::F64(value) => Some(Number::F64(value.to_bits())),
            Val::V128(value) => Some(Number::V128(value.as_u128())),
            Val::FuncRef(_) | Val::ExternRef(_) => None,
        }
    }

    fn value(self) -> Val {
        match self {
            Number::I32(value) => Val::I32(value),
            Number::I64(value) => Val::I64(value),
            Number::F32(bits) => Val::F32(F32::from_bits(bits)),
            Number::F64(bits) => Val::F64(F64::from_bits(bits)),
            Number::V128(bits) => Val::V128(V128::from(bits)),
        }
    }
}

/// Why a state can't be made.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The module has other globals.
    Globals,
    /// The module can't be instantiated, or can't have this memory.
    Module(String),
}

impl<H: Host> CompiledModule<H> {
    /// The values that the globals exported by these names have in `state`; of a reference, nothing.
    ///
    /// # Errors
    ///
    /// As of [`CompiledModule::instantiate`].
    pub fn globals(
        &self,
        names: &[String],
        state: &State,
        room: Room,
    ) -> Result<Vec<Option<Number>>, String> {
        let mut instance = self.instantiate(room)?;
        instance.load_references(state);
        let value = |name: &String| {
            let global = instance.instance.get_global(&instance.store, name)?;
            Number::of(&global.get(&instance.store))
        };
        Ok(names.iter().map(value).collect())
    }

    /// A state with the memory of `memory`, with these values of the globals that are exported by
    /// `names`, and with all else as in a new instance.
    ///
    /// # Errors
    ///
    /// Why these don't belong together.
    pub fn state_of(
        &self,
        names: &[String],
        values: &[Number],
        memory: &State,
        room: Room,
    ) -> Result<State, Unfit> {
        let mut instance = self.instantiate(room).map_err(Unfit::Module)?;
        if names.len() != values.len() {
            return Err(Unfit::Globals);
        }
        for (name, value) in names.iter().zip(values) {
            let global = instance.instance.get_global(&instance.store, name);
            let global = global.ok_or(Unfit::Globals)?;
            let (ty, value) = (global.ty(&instance.store), value.value());
            if ty.content() != value.ty() {
                return Err(Unfit::Globals);
            }
            if ty.mutability().is_mut() {
                let set = global.set(&mut instance.store, value);
                set.map_err(|error| Unfit::Module(error.to_string()))?;
            }
        }
        if memory.memory_size() > room.memory {
            return Err(Unfit::Module(format!(
                "its memory can have at most {} bytes",
                room.memory
            )));
        }
        let loaded = instance.load_memory_of_other(memory);
        loaded.map_err(Unfit::Module)?;
        let mut state = State::with_memory_of(memory);
        instance.commit(&mut state);
        Ok(state)
    }
}
