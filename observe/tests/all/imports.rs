//! How the files of `observe` depend on each other: every import goes down.

#[path = "../../../replica/tests/support/imports.rs"]
mod reader;

use std::path::Path;

use self::reader::Imports;

/// The modules, the lowest first. None imports one of its own layer.
const LAYERS: &[&[&str]] = &[
    &["legend", "network", "style"],
    &["answer", "deployment"],
    &["stage"],
    &["exploration", "story"],
    &["lesson"],
    &["diagram", "lessons", "predict", "table"],
    // The program.
    &["arguments"],
    &["main"],
];

#[test]
fn no_files_import_each_other_in_a_circle_and_every_import_goes_down() {
    let imports = Imports::of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert_eq!(imports.circle(), None);
    let faults = imports.faults(LAYERS);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
