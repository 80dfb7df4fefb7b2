//! What is watched.

use candid::{Nat, Principal};

use crate::answer::values;

/// A query that is asked between messages.
pub(super) struct Watched {
    /// Who asks.
    pub(super) user: usize,
    pub(super) canister: Principal,
    pub(super) method: String,
    pub(super) argument: Vec<u8>,
    /// What it replied last; nothing if it was refused, by a canister that is stopped, say.
    pub(super) value: Option<Value>,
}

impl Watched {
    /// Whether both are the same question.
    pub(super) fn is_same(&self, other: &Watched) -> bool {
        let question = |one: &Watched| {
            (
                one.user,
                one.canister,
                one.method.clone(),
                one.argument.clone(),
            )
        };
        question(self) == question(other)
    }
}

/// What a query replied, in Candid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub(super) Vec<u8>);

impl Value {
    /// It as a number, if it is one.
    pub fn number(&self) -> Option<Nat> {
        values(&self.0).ok().map(|(number,)| number)
    }
}
