//! A canister's own interface: what its methods take and give, in Candid.

use std::sync::Arc;

use candid::types::{Function, Type};
use candid::{DecoderConfig, IDLArgs, TypeEnv};
use candid_parser::utils::CandidSource;
use candid_parser::{parse_idl_args, parse_idl_value};

use super::wire::Call;
use crate::canister::Canister;
use crate::message::CallResult;
use crate::module::MethodKind;
use crate::replica::Replica;

/// The longest text of an argument or a value, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// How deep a text may nest: what reads it goes down as deep.
const MAX_DEPTH: usize = 200;

/// A method, and what its canister says that it takes and gives. The interface stays a text, which
/// threads can share, and is parsed when it is needed.
#[derive(Clone)]
pub(super) struct Method {
    name: String,
    interface: Option<Arc<str>>,
}

impl Method {
    /// The method of a call, as its canister declares it.
    ///
    /// # Errors
    ///
    /// In one line: there is no such canister, or it has no such method; or its interface can't be
    /// read, or does not have the method.
    pub(super) fn of(replica: &Replica, call: &Call, is_query: bool) -> Result<Self, String> {
        let Call {
            canister: id,
            method,
            ..
        } = call;
        let Some(canister) = replica.canister(id) else {
            return Err(match replica.native.contains_key(id) {
                true => format!("{id} is a part of the network, and can't be explored"),
                false => format!("there is no canister {id} on this network"),
            });
        };
        let Some(code) = &canister.code else {
            return Err(format!("{id} is empty: nothing is installed in it"));
        };
        let methods = &code.module.methods;
        let fits = |kind: &MethodKind| match is_query {
            true => *kind != MethodKind::Update,
            false => *kind != MethodKind::CompositeQuery,
        };
        if !methods.get(method).is_some_and(fits) {
            let known = methods.iter().filter(|(_, kind)| fits(kind));
            let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
            let what = if is_query { "query" } else { "method" };
            let known = match known.is_empty() {
                true => format!("it has no {what} at all"),
                false => format!("it has {}", known.join(", ")),
            };
            return Err(format!("{id} has no {what} '{method}'; {known}"));
        }
        let declared = Method {
            name: method.clone(),
            interface: interface(canister),
        };
        match declared.parse() {
            Ok(_) => Ok(declared),
            Err(fault) => Err(format!("the interface in the metadata of {id} {fault}")),
        }
    }

    /// What the method takes and gives, and the types that this names; nothing if the canister does not
    /// say.
    fn parse(&self) -> Result<Option<(TypeEnv, Function)>, String> {
        let Some(text) = &self.interface else {
            return Ok(None);
        };
        let (env, actor) = read_service(text)?;
        let function = env.get_method(&actor, &self.name);
        let function = function
            .map_err(|_| format!("has no '{}'", self.name))?
            .clone();
        Ok(Some((env, function)))
    }

    fn declared(&self) -> Option<(TypeEnv, Function)> {
        self.parse().ok().flatten()
    }

    /// An argument as bytes.
    ///
    /// # Errors
    ///
    /// In one line, what was expected.
    pub(super) fn argument(&self, call: &Call) -> Result<Vec<u8>, String> {
        let text = call.argument.trim();
        check(text)?;
        if let Some(digits) = text.strip_prefix("0x") {
            return from_hex(digits).ok_or_else(|| {
                format!("'{text}' is no bytes: after 0x come two hexadecimal digits for each")
            });
        }
        let whose = format!("{} {}", call.canister, call.method);
        let declared = self.declared();
        let wrong = |why: String| match &declared {
            Some((_, function)) => format!(
                "{whose} takes {}, and {text} is not that: {why}",
                types(&function.args)
            ),
            None => format!("{text} is not Candid: {why}"),
        };
        let args = parse_idl_args(text).map_err(|error| wrong(line(&error)))?;
        match &declared {
            Some((env, function)) => {
                if args.args.len() != function.args.len() {
                    let number = args.args.len();
                    return Err(wrong(format!("it is {number} of {}", function.args.len())));
                }
                args.to_bytes_with_types(env, &function.args)
            }
            None => args.to_bytes(),
        }
        .map_err(|error| wrong(line(&error)))
    }

    /// A value to compare answers with.
    ///
    /// # Errors
    ///
    /// In one line, what was expected.
    pub(super) fn value(&self, call: &Call, text: &str) -> Result<IDLArgs, String> {
        let text = text.trim();
        check(text)?;
        let declared = self.declared();
        let wrong = |why: String| match &declared {
            Some((_, function)) => format!(
                "{} {} answers {}, and {text} is not that: {why}",
                call.canister,
                call.method,
                types(&function.rets)
            ),
            None => format!("{text} is not Candid: {why}"),
        };
        let args = match text.starts_with('(') {
            true => parse_idl_args(text),
            false => parse_idl_value(text).map(|value| IDLArgs::new(&[value])),
        };
        let args = args.map_err(|error| wrong(line(&error)))?;
        match &declared {
            Some((env, function)) => {
                if args.args.len() != function.rets.len() {
                    let number = args.args.len();
                    return Err(wrong(format!("it is {number} of {}", function.rets.len())));
                }
                args.annotate_types(true, env, &function.rets)
                    .map_err(|error| wrong(line(&error)))
            }
            None => {
                let types = args.get_types();
                args.annotate_types(true, &TypeEnv::new(), &types)
                    .map_err(|error| wrong(line(&error)))
            }
        }
    }

    /// A reply, read; nothing if it isn't what the interface says, or takes too much work and memory to
    /// read: in 22 bytes there may be four billion values.
    pub(super) fn read(&self, reply: &[u8]) -> Option<IDLArgs> {
        let work = 1_000_000 + 64 * reply.len();
        let mut limits = DecoderConfig::new();
        limits.set_decoding_quota(work).set_skipping_quota(work);
        let read = match &self.declared() {
            Some((env, function)) => {
                let types = &function.rets;
                IDLArgs::from_bytes_with_types_with_config(reply, env, types, &limits)
            }
            None => IDLArgs::from_bytes_with_config(reply, &limits),
        };
        read.ok()
    }

    /// An answer as text.
    pub(super) fn tell(&self, answer: &CallResult) -> String {
        match answer {
            Ok(reply) => match self.read(reply) {
                Some(args) => line(&args),
                None => to_hex(reply),
            },
            Err(reject) => {
                let (code, error) = (reject.code as u64, reject.error_code);
                format!("reject {code}, {error}: {}", line(&reject.message))
            }
        }
    }

    /// What it answers, as text.
    pub(super) fn answers(&self) -> String {
        let declared = self.declared();
        declared.map_or_else(String::new, |(_, function)| types(&function.rets))
    }
}

/// The service in a canister's metadata, and the types that it names; nothing if there is none, or it
/// can't be read.
pub(super) fn service(canister: &Canister) -> Option<(TypeEnv, Type)> {
    read_service(&interface(canister)?).ok()
}

fn read_service(text: &str) -> Result<(TypeEnv, Type), String> {
    let loaded = CandidSource::Text(text).load();
    let (env, actor) = loaded.map_err(|error| format!("can't be read: {}", line(&error)))?;
    Ok((env, actor.ok_or("has no service")?))
}

/// The interface in a canister's metadata.
fn interface(canister: &Canister) -> Option<Arc<str>> {
    let metadata = &canister.code.as_ref()?.module.metadata;
    let content = &metadata.get("candid:service")?.content;
    std::str::from_utf8(content).ok().map(Arc::from)
}

pub(super) fn types(types: &[Type]) -> String {
    let types: Vec<String> = types.iter().map(line).collect();
    format!("({})", types.join(", "))
}

/// A text in one line.
pub(super) fn line(text: &(impl std::fmt::Display + ?Sized)) -> String {
    let text = text.to_string();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Candid breaks long values into lines, the last of them with a comma.
    text.replace("( ", "(").replace(", )", ")")
}

fn check(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!("an argument has at most {MAX_TEXT} bytes of text"));
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let nested = words.filter(|word| *word == "opt").count()
        + text.chars().filter(|c| "({".contains(*c)).count();
    match nested > MAX_DEPTH && depth(text) > MAX_DEPTH {
        true => Err(format!("an argument nests at most {MAX_DEPTH} deep")),
        false => Ok(()),
    }
}

/// How deep brackets nest, and `opt` in a row.
fn depth(text: &str) -> usize {
    let (mut open, mut options, mut deepest) = (0_usize, 0_usize, 0_usize);
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        if word.starts_with("opt") {
            options += 1;
        }
        match word.chars().last() {
            Some('(' | '{') => open += 1,
            Some(')' | '}' | ';' | ',') => {
                if word.ends_with([')', '}']) {
                    open = open.saturating_sub(1);
                }
                options = 0;
            }
            _ => {}
        }
        deepest = deepest.max(open + options);
    }
    deepest
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok()?;
        let is_pair = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        is_pair.then(|| u8::from_str_radix(text, 16).ok())?
    });
    pairs.collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_22_bytes_with_four_billion_values_is_not_read() {
        let bomb = b"DIDL\x01\x6d\x7f\x02\x71\0\x06Isabel\xff\xff\xff\xff\x0f";
        for interface in [None, Some("service : { name : () -> (text) query }".into())] {
            let name = "name".to_owned();
            let method = Method { name, interface };
            assert_eq!(method.read(bomb), None);
        }
    }
}
