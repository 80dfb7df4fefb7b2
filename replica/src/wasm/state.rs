//! The state of an instance as data.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmi::{F32, F64, Func, Nullable, V128, Val};

use crate::blocks::{BLOCK_SIZE, Blocks};

/// What an instance keeps between messages: memory, globals and tables. A clone shares with it what
/// neither changes, and any instance of the module can go on from it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) memory: Blocks,
    pub(super) memory_size: u64,
    pub(super) globals: Arc<[Value]>,
    pub(super) tables: Arc<[Vec<Reference>]>,
}

impl State {
    /// Whether both are one state, or one is a clone of the other.
    pub fn is_same(&self, other: &State) -> bool {
        self.memory.is_same(&other.memory)
            && self.memory_size == other.memory_size
            && Arc::ptr_eq(&self.globals, &other.globals)
            && Arc::ptr_eq(&self.tables, &other.tables)
    }

    /// The size of the memory in bytes.
    pub fn memory_size(&self) -> u64 {
        self.memory_size
    }

    /// How many bytes of the memory ever differed from zeros, in whole blocks.
    pub fn memory_in_use(&self) -> u64 {
        self.memory.size()
    }

    /// A copy of the bytes of the memory.
    pub fn memory(&self) -> Vec<u8> {
        let size = self.memory_size as usize;
        let blocks = (0..size / BLOCK_SIZE).flat_map(|index| *self.memory.read(index));
        blocks.collect()
    }

    /// A state that has a memory of this size in bytes, in which nothing was written yet, and nothing
    /// else.
    pub fn with_zeros(memory_size: u64) -> Self {
        State {
            memory_size,
            ..State::default()
        }
    }

    /// Copies the bytes of the memory from `offset` on into `buffer`. Past its end there are zeros.
    pub fn read_memory(&self, offset: u64, buffer: &mut [u8]) {
        self.memory.read_bytes(offset, buffer);
    }

    /// Copies `bytes` to `offset` in the memory, which must have this place.
    pub fn write_memory(&mut self, offset: u64, bytes: &[u8]) {
        self.memory.write_bytes(offset, bytes);
    }

    /// A state that has the memory of `other`, a state of another module.
    pub fn with_memory_of(other: &State) -> Self {
        State {
            memory: other.memory.clone(),
            memory_size: other.memory_size,
            ..State::default()
        }
    }
}

/// A reference to a function, by its place among those of the module. Others there are none: a
/// module gets no external references.
pub(super) type Reference = Option<usize>;

/// The value of a global.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "PlainValue", into = "PlainValue")]
pub(super) enum Value {
    Number(Val),
    Reference(Reference),
}

/// The value of a global, as it is serialized: of a floating-point number, the bits.
#[derive(Serialize, Deserialize)]
enum PlainValue {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    Function(Reference),
    /// The only external reference that there is.
    Null,
}

impl From<Value> for PlainValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(Val::I32(value)) => PlainValue::I32(value),
            Value::Number(Val::I64(value)) => PlainValue::I64(value),
            Value::Number(Val::F32(value)) => PlainValue::F32(value.to_bits()),
            Value::Number(Val::F64(value)) => PlainValue::F64(value.to_bits()),
            Value::Number(Val::V128(value)) => PlainValue::V128(value.as_u128()),
            Value::Number(Val::ExternRef(_)) => PlainValue::Null,
            Value::Number(Val::FuncRef(_)) => PlainValue::Function(None),
            Value::Reference(reference) => PlainValue::Function(reference),
        }
    }
}

impl From<PlainValue> for Value {
    fn from(value: PlainValue) -> Self {
        Value::Number(match value {
            PlainValue::I32(value) => Val::I32(value),
            PlainValue::I64(value) => Val::I64(value),
            PlainValue::F32(bits) => Val::F32(F32::from_bits(bits)),
            PlainValue::F64(bits) => Val::F64(F64::from_bits(bits)),
            PlainValue::V128(bits) => Val::V128(V128::from(bits)),
            PlainValue::Null => Val::ExternRef(Nullable::Null),
            PlainValue::Function(reference) => return Value::Reference(reference),
        })
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
    pub(super) fn new(in_order: Vec<Func>) -> Self {
        // The engine's handles can be told apart only by what they print.
        let printed = in_order.iter().map(|function| format!("{function:?}"));
        let places = printed.zip(0..).collect();
        Functions { in_order, places }
    }

    pub(super) fn place(&self, function: &Func) -> Reference {
        self.places.get(&format!("{function:?}")).copied()
    }

    pub(super) fn at(&self, place: usize) -> Func {
        self.in_order[place]
    }
}
