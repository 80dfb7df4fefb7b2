//! The words in which calls, properties and schedules are written.
//!
//! A call is `canister1 withdraw (0, 80)`: the canister's name or id, the method, and the argument in
//! Candid, where a canister's name can stand for its id: `principal "canister1"`. Before it may stand who
//! calls: `user 2: canister1 withdraw (0, 80)`. A property is a call, a
//! sign, and a value: `canister2 paid (0) <= 100`. A schedule begins with its case, one call or property
//! a line after a word that says what it is, and then has one step a line.

use std::fmt::Write;

use candid::Principal;

use super::wire::{Call, Case, Property, Replay, Sign, Step, User, When};
use crate::explore::BuiltIn;

/// A name of a canister, to be resolved.
pub type Resolve<'a> = dyn FnMut(&str) -> Result<Principal, String> + 'a;

const SIGNS: [(&str, Sign); 6] = [
    ("!=", Sign::Different),
    ("<=", Sign::AtMost),
    (">=", Sign::AtLeast),
    ("=", Sign::Equal),
    ("<", Sign::Less),
    (">", Sign::Greater),
];

/// Reads a call.
///
/// # Errors
///
/// In one line, what is wrong with it.
pub fn call(text: &str, resolve: &mut Resolve<'_>) -> Result<Call, String> {
    let (call, rest) = beginning(text, resolve)?;
    match rest.trim() {
        "" => Ok(call),
        rest => Err(format!(
            "'{text}' is no call: after the argument stands {rest}"
        )),
    }
}

/// Reads a property that must hold then.
///
/// # Errors
///
/// In one line, what is wrong with it.
pub fn property(text: &str, when: When, resolve: &mut Resolve<'_>) -> Result<Property, String> {
    let (query, rest) = beginning(text, resolve)?;
    let rest = rest.trim();
    let found = SIGNS
        .iter()
        .find_map(|(word, sign)| rest.strip_prefix(word).map(|value| (*sign, value.trim())));
    match found {
        Some((is, value)) if !value.is_empty() => {
            let word = match when {
                When::Always => "always",
                When::AtEnd => "at the end",
                When::Sometimes => "sometimes",
            };
            Ok(Property {
                name: format!("{word} {}", text.trim()),
                when,
                query,
                is,
                value: value.to_owned(),
            })
        }
        _ => Err(format!(
            "'{text}' is no property: it is a query, a sign (=, !=, <=, >=, <, >) and a value, for \
             example 'canister2 paid (0) <= 100'"
        )),
    }
}

/// Reads the call that a text begins with; and returns what stands after it.
fn beginning<'a>(text: &'a str, resolve: &mut Resolve<'_>) -> Result<(Call, &'a str), String> {
    let wrong = || {
        format!(
            "'{text}' is no call: it is a canister, a method and an argument, for example \
             'canister1 withdraw (0, 80)'"
        )
    };
    let mut rest = text.trim_start();
    let mut user = User::Anonymous;
    if let Some((who, after)) = rest
        .strip_prefix("user ")
        .and_then(|rest| rest.split_once(':'))
    {
        user = who.trim().parse()?;
        rest = after.trim_start();
    }
    let (name, after) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let after = after.trim_start();
    let is_sign = |c: char| "=!<>".contains(c);
    let end = after.find(|c: char| c.is_whitespace() || c == '(' || is_sign(c));
    let (method, after) = after.split_at(end.unwrap_or(after.len()));
    if method.is_empty() {
        return Err(wrong());
    }
    let after = after.trim_start();
    let end = match after {
        "" => Some(0),
        bytes if bytes.starts_with("0x") => bytes.find(char::is_whitespace).or(Some(bytes.len())),
        args if args.starts_with('(') => end_of_brackets(args),
        other if other.starts_with(is_sign) => Some(0),
        _ => return Err(wrong()),
    };
    let Some(end) = end else {
        return Err(format!(
            "'{text}' is no call: its argument's bracket is not closed"
        ));
    };
    let (argument, after) = after.split_at(end);
    let call = Call {
        user,
        canister: resolve(name)?,
        method: method.to_owned(),
        argument: match argument {
            "" => "()".to_owned(),
            argument => with_ids(argument, resolve)?,
        },
    };
    Ok((call, after))
}

/// An argument with ids in place of canisters' names: `principal "canister1"`.
fn with_ids(argument: &str, resolve: &mut Resolve<'_>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('"') {
        let Some(end) = end_of_quotes(after) else {
            break;
        };
        let (quoted, after) = (&after[..end], &after[end + 1..]);
        let is_principal = before.trim_end().ends_with("principal");
        let quoted = match is_principal && Principal::from_text(quoted).is_err() {
            true => resolve(quoted)?.to_text(),
            false => quoted.to_owned(),
        };
        let _ = write!(text, "{before}\"{quoted}\"");
        rest = after;
    }
    Ok(text + rest)
}

/// Where the quotes end in which a text stands.
fn end_of_quotes(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Where the bracket ends that a text begins with; texts in quotes may have any.
fn end_of_brackets(text: &str) -> Option<usize> {
    let (mut open, mut quoted, mut escaped) = (0_usize, false, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => open += 1,
            ')' => {
                open -= 1;
                if open == 0 {
                    return Some(place + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// A call in the words that [`call`] reads, with the canister under this name.
pub fn write_call(call: &Call, name: &str) -> String {
    let who = match call.user {
        User::Anonymous => String::new(),
        user => format!("user {user}: "),
    };
    format!("{who}{name} {} {}", call.method, call.argument)
}

/// A schedule with its case, as a text to keep: [`read_schedule`] reads it. `remarks` are those of the
/// steps.
pub fn write_schedule(
    case: &Case,
    schedule: &[Step],
    remarks: &[String],
    name: &dyn Fn(&Principal) -> String,
) -> String {
    let mut text = String::new();
    let call = |call: &Call| write_call(call, &name(&call.canister));
    for together in &case.together {
        let _ = writeln!(text, "together {}", call(together));
    }
    for show in &case.show {
        let _ = writeln!(text, "show {}", call(show));
    }
    for property in &case.properties {
        let word = match property.when {
            When::Always => "always",
            When::AtEnd => "at-end",
            When::Sometimes => "sometimes",
        };
        let sign = SIGNS.iter().find(|(_, sign)| *sign == property.is);
        let sign = sign.map_or("=", |(sign, _)| sign);
        let (query, value) = (call(&property.query), &property.value);
        let _ = writeln!(text, "{word} {query} {sign} {value}");
    }
    for property in &case.built_in {
        let _ = writeln!(text, "{property}");
    }
    text.push('\n');
    text.push_str(&steps(schedule, remarks, name));
    text
}

/// The steps of a schedule, one a line, with remarks.
pub fn steps(schedule: &[Step], remarks: &[String], name: &dyn Fn(&Principal) -> String) -> String {
    let steps: Vec<String> = schedule
        .iter()
        .map(|step| {
            let words = step.step.split(' ');
            let words = words.map(|word| match Principal::from_text(word) {
                Ok(id) => name(&id),
                Err(_) => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    let width = steps.iter().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for (place, step) in steps.iter().enumerate() {
        let line = match remarks.get(place).map(String::as_str) {
            None | Some("") => step.clone(),
            Some(remark) => format!("{step:width$}  # {remark}"),
        };
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Reads a schedule with its case.
///
/// # Errors
///
/// In one line, with its number, what is wrong with a line.
pub fn read_schedule(text: &str, resolve: &mut Resolve<'_>) -> Result<Replay, String> {
    let mut case = Case::default();
    let mut schedule = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut read = || -> Result<(), String> {
            let line = line.trim();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                _ if line.is_empty() || line.starts_with('#') => {}
                "together" => case.together.push(call(rest, resolve)?),
                "show" => case.show.push(call(rest, resolve)?),
                "always" => case.properties.push(property(rest, When::Always, resolve)?),
                "at-end" => case.properties.push(property(rest, When::AtEnd, resolve)?),
                "sometimes" => case
                    .properties
                    .push(property(rest, When::Sometimes, resolve)?),
                word if word.parse::<BuiltIn>().is_ok() => case.built_in.push(word.to_owned()),
                _ => {
                    let step = line.split('#').next().unwrap_or_default();
                    schedule.push(resolve_step(step, resolve)?);
                }
            }
            Ok(())
        };
        read().map_err(|fault| format!("line {}: {fault}", number + 1))?;
    }
    Ok(Replay { case, schedule })
}

/// A step with the id of the canister that it names.
pub(super) fn resolve_step(step: &str, resolve: &mut Resolve<'_>) -> Result<String, String> {
    let words: Vec<&str> = step.split_whitespace().collect();
    Ok(match words[..] {
        [verb, kind @ ("request" | "response"), canister, number] => {
            format!("{verb} {kind} {} {number}", resolve(canister)?)
        }
        [
            verb,
            task @ ("heartbeat" | "global_timer" | "on_low_wasm_memory"),
            canister,
        ] => {
            format!("{verb} {task} {}", resolve(canister)?)
        }
        _ => words.join(" "),
    })
}
