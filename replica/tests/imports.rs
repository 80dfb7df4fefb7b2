//! How the files of the library depend on each other: every import goes down.

#[path = "support/imports.rs"]
mod imports;

use std::path::Path;

use imports::Imports;

/// The modules of the crate, the lowest first. None imports one of its own layer.
const LAYERS: &[&[&str]] = &[
    // Plain data, the engine, and how it all is written.
    &["blocks", "bytes", "cbor", "limits"],
    &["message"],
    &["message_name", "statuses", "wasm"],
    &[
        "canister_history",
        "canister_log",
        "certificate",
        "explanations",
        "fees",
        "pool",
        "stable_memory",
    ],
    &["rejects", "settings", "subnet"],
    &["encoding"],
    // What code can do, code, and who has it.
    &["system_api"],
    &["ahead", "canister_snapshot", "module"],
    &["canister"],
    &["canisters", "instances", "storage"],
    // One execution.
    &["environment"],
    &["backtraces", "performing"],
    &["execution", "non_replicated"],
    &["inspection", "timeline"],
    // All canisters and all messages.
    &["replica"],
    &["call_contexts", "cycles_account"],
    &["clock", "idle_costs"],
    &["management"],
    &["processing", "query"],
    &["delivery"],
    &["giving_up", "hold", "ingress"],
    &["diagram", "explore"],
    // A network.
    &["exploring", "journal", "snapshot", "system_canisters"],
    &["state_folder"],
    &["owner"],
    &["http"],
    // The program.
    &["command", "launcher", "options"],
    &["main"],
];

fn of_this_crate() -> Imports {
    Imports::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// A crate made up of these files.
fn made_up(files: &[(&str, &str)]) -> Imports {
    let files = files.iter();
    Imports::of_files(files.map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_eq!(of_this_crate().circle(), None);
}

#[test]
fn every_import_goes_down() {
    let faults = of_this_crate().faults(LAYERS);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn circle_of_three_is_found_however_the_imports_are_written() {
    let ways = [
        "use crate::a::X;",
        "use crate::{b, a::{self as other, X}};",
        "use super::a;",
        "pub(crate) use super::{b as d, a::*};",
        "fn f() -> crate::a::X { super::b::g::<u8>() }",
        "mod inline { use super::super::a::X; }",
        "mod inline { pub fn f() {} } fn f() { crate::a::f() }",
        "fn f<'a>(_: &'a [char]) -> char { let _ = ['{', '\\'']; super::a::f() }",
        "const T: &str = \"{ \\\" {\"; const R: &str = r#\"\" {\"#; use crate::a;",
    ];
    for way in ways {
        let imports = made_up(&[
            ("lib", "mod a; mod b; mod c;"),
            ("a", "use crate::b::Y;"),
            ("b", "use crate::c::Z;"),
            ("c", way),
        ]);
        // Some of the ways import b too, which makes a shorter circle.
        let circle = imports
            .circle()
            .unwrap_or_else(|| panic!("not found: {way}"));
        assert!(circle.contains(&"c"), "{way}: {circle:?}");
        assert_eq!(circle.first(), circle.last());
        assert!(
            !imports.faults(&[&["c"], &["b"], &["a"]]).is_empty(),
            "{way}"
        );
    }
}

#[test]
fn child_that_imports_its_parent_is_a_circle() {
    for way in ["use super::X;", "use crate::a::X;", "fn f() -> super::X {}"] {
        let imports = made_up(&[("lib", "mod a;"), ("a", "mod child;"), ("a::child", way)]);
        assert_eq!(imports.circle(), Some(vec!["a", "a::child", "a"]), "{way}");
    }
}

#[test]
fn import_from_the_root_is_a_circle_and_goes_up() {
    let imports = made_up(&[("lib", "mod a; pub use a::X;"), ("a", "use crate::Y;")]);
    assert_eq!(imports.circle(), Some(vec!["a", "lib", "a"]));
    let faults = imports.faults(&[&["a"]]);
    assert_eq!(faults, ["a imports lib, which is no lower"]);
}

#[test]
fn imports_that_go_down_are_no_fault() {
    let imports = made_up(&[
        ("lib", "//! `crate::b`\nmod a; mod b; pub use b::Y;"),
        (
            "a",
            "use std::fmt; /* use crate::b; */ pub struct X; // super::b",
        ),
        (
            "b",
            "mod child; use crate::a::X; use child::Z; #[cfg(test)] mod tests { use super::*; use \
             crate::Y; }",
        ),
        (
            "b::child",
            "use super::super::a; const T: &str = \"crate::b\"; fn f() -> impl Fn() + use<> { a::g(); }",
        ),
    ]);
    assert_eq!(imports.circle(), None);
    assert_eq!(imports.faults(&[&["a"], &["b"]]), [""; 0]);
}

#[test]
fn import_in_a_layer_and_a_module_that_is_in_none_are_faults() {
    let imports = made_up(&[
        ("lib", "mod a; mod b; mod c;"),
        ("a", ""),
        ("b", "use crate::a;"),
        ("c", ""),
    ]);
    assert_eq!(
        imports.faults(&[&["a", "b", "gone"]]),
        [
            "there is no gone",
            "c is in no layer",
            "b imports a, which is no lower",
        ]
    );
}
