//! A query's answer, compared with a value.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use candid::types::value::IDLValue;
use candid::{IDLArgs, Int, Nat};

use super::interface::Method;
use super::wire::{Property, Sign};
use crate::message::CallResult;

/// How many replies are remembered. What is looked at mostly is one of a few.
const MAX_KNOWN: usize = 10_000;

/// What an answer must be.
pub(super) struct Comparison {
    method: Method,
    sign: Sign,
    value: IDLArgs,
    /// Of which replies it holds.
    known: Mutex<HashMap<Vec<u8>, bool>>,
}

impl Comparison {
    /// The comparison of a property.
    ///
    /// # Errors
    ///
    /// In one line, if the value is none that the query can answer, or not one to compare so.
    pub(super) fn new(method: &Method, property: &Property) -> Result<Self, String> {
        let value = method.value(&property.query, &property.value)?;
        let comparison = Comparison {
            method: method.clone(),
            sign: property.is,
            value,
            known: Mutex::default(),
        };
        let is_equality = matches!(property.is, Sign::Equal | Sign::Different);
        if !is_equality && comparison.order(&comparison.value).is_none() {
            return Err(format!(
                "only numbers are less or greater; {} {} answers {}, which can only be = or !=",
                property.query.canister,
                property.query.method,
                method.answers()
            ));
        }
        Ok(comparison)
    }

    /// Whether it holds of an answer. Of a reject nothing does.
    pub(super) fn holds(&self, answer: &CallResult) -> bool {
        let Ok(reply) = answer else {
            return false;
        };
        // A thread that panicked left nothing half done.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holds) = known.get(reply) {
            return *holds;
        }
        let holds = self.holds_of(reply);
        if known.len() < MAX_KNOWN {
            known.insert(reply.clone(), holds);
        }
        holds
    }

    fn holds_of(&self, reply: &[u8]) -> bool {
        let Some(answer) = self.method.read(reply) else {
            return false;
        };
        match self.sign {
            Sign::Equal => answer == self.value,
            Sign::Different => answer != self.value,
            sign => self.order(&answer).is_some_and(|order| match sign {
                Sign::AtMost => order.is_le(),
                Sign::AtLeast => order.is_ge(),
                Sign::Less => order.is_lt(),
                _ => order.is_gt(),
            }),
        }
    }

    /// How an answer stands to the value, if both are numbers.
    fn order(&self, answer: &IDLArgs) -> Option<Ordering> {
        let [answer] = &answer.args[..] else {
            return None;
        };
        let [value] = &self.value.args[..] else {
            return None;
        };
        match (float(answer), float(value)) {
            (Some(answer), Some(value)) => answer.partial_cmp(&value),
            _ => Some(integer(answer)?.cmp(&integer(value)?)),
        }
    }
}

fn float(value: &IDLValue) -> Option<f64> {
    match value {
        IDLValue::Float32(number) => Some(f64::from(*number)),
        IDLValue::Float64(number) => Some(*number),
        _ => None,
    }
}

fn integer(value: &IDLValue) -> Option<Int> {
    Some(match value {
        IDLValue::Int(number) => number.clone(),
        IDLValue::Nat(Nat(number)) => Int(number.clone().into()),
        IDLValue::Nat8(number) => Int::from(*number),
        IDLValue::Nat16(number) => Int::from(*number),
        IDLValue::Nat32(number) => Int::from(*number),
        IDLValue::Nat64(number) => Int::from(*number),
        IDLValue::Int8(number) => Int::from(*number),
        IDLValue::Int16(number) => Int::from(*number),
        IDLValue::Int32(number) => Int::from(*number),
        IDLValue::Int64(number) => Int::from(*number),
        _ => return None,
    })
}
