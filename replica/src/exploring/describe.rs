//! What can be called: each canister's methods, as its own interface has them.

use candid::types::value::{IDLField, IDLValue, VariantValue};
use candid::types::{Field, Type, TypeInner};
use candid::{IDLArgs, Principal, TypeEnv};

use super::interface::{line, service, types};
use super::story::{Described, DescribedMethod};
use crate::canister::Canister;
use crate::replica::Replica;

/// How deep a made-up argument goes into types that have others in them.
const MAX_DEPTH: usize = 8;

/// All canisters with code, and their methods.
pub fn describe(replica: &Replica) -> Vec<Described> {
    let canisters = replica.canisters().filter(|c| c.code.is_some());
    canisters.map(of_canister).collect()
}

fn of_canister(canister: &Canister) -> Described {
    let service = service(canister);
    let methods = canister.code.iter().flat_map(|code| &code.module.methods);
    let methods = methods.map(|(name, kind)| {
        let declared = service
            .as_ref()
            .and_then(|(env, actor)| Some((env, env.get_method(actor, name).ok()?)));
        let (takes, gives, argument) = match declared {
            Some((env, function)) => (
                types(&function.args),
                types(&function.rets),
                argument(env, &function.args),
            ),
            None => (String::new(), String::new(), "()".to_owned()),
        };
        DescribedMethod {
            name: name.clone(),
            kind: *kind,
            takes,
            gives,
            argument,
        }
    });
    Described {
        id: canister.id,
        described: service.is_some(),
        methods: methods.collect(),
    }
}

/// Some values of these types, as Candid text.
fn argument(env: &TypeEnv, types: &[Type]) -> String {
    let values: Vec<IDLValue> = types.iter().map(|of| value(env, of, 0)).collect();
    line(&IDLArgs::new(&values))
}

/// Some value of a type, the simplest.
fn value(env: &TypeEnv, of: &Type, depth: usize) -> IDLValue {
    let field = |field: &Field| IDLField {
        id: field.id.as_ref().clone(),
        val: value(env, &field.ty, depth + 1),
    };
    match of.as_ref() {
        _ if depth > MAX_DEPTH => IDLValue::Null,
        TypeInner::Var(name) => match env.find_type(name) {
            Ok(of) => value(env, of, depth + 1),
            Err(_) => IDLValue::Null,
        },
        TypeInner::Bool => IDLValue::Bool(false),
        TypeInner::Nat => IDLValue::Nat(0_u8.into()),
        TypeInner::Int => IDLValue::Int(0.into()),
        TypeInner::Nat8 => IDLValue::Nat8(0),
        TypeInner::Nat16 => IDLValue::Nat16(0),
        TypeInner::Nat32 => IDLValue::Nat32(0),
        TypeInner::Nat64 => IDLValue::Nat64(0),
        TypeInner::Int8 => IDLValue::Int8(0),
        TypeInner::Int16 => IDLValue::Int16(0),
        TypeInner::Int32 => IDLValue::Int32(0),
        TypeInner::Int64 => IDLValue::Int64(0),
        TypeInner::Float32 => IDLValue::Float32(0.0),
        TypeInner::Float64 => IDLValue::Float64(0.0),
        TypeInner::Text => IDLValue::Text(String::new()),
        TypeInner::Vec(_) => IDLValue::Vec(Vec::new()),
        TypeInner::Record(fields) => IDLValue::Record(fields.iter().map(field).collect()),
        TypeInner::Variant(fields) => match fields.first() {
            Some(first) => IDLValue::Variant(VariantValue(Box::new(field(first)), 0)),
            None => IDLValue::Null,
        },
        TypeInner::Principal => IDLValue::Principal(Principal::management_canister()),
        TypeInner::Service(_) => IDLValue::Service(Principal::management_canister()),
        TypeInner::Func(_) => IDLValue::Func(Principal::management_canister(), String::new()),
        _ => IDLValue::Null,
    }
}
