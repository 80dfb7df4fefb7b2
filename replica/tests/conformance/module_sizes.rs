//! Canister interface, "WebAssembly module requirements": how large code may be, at each limit and
//! one beyond it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module, TypeSection};

use crate::harness::{World, expect_reject};

/// A gzipped module of functions that do these instructions, so many times each.
fn module(functions: &[(&[Instruction<'_>], usize)]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for (instructions, times) in functions {
        declared.function(0);
        let mut function = Function::new([]);
        for _ in 0..*times {
            for instruction in *instructions {
                function.instruction(instruction);
            }
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&module.finish()).unwrap();
    gzip.finish().unwrap()
}

fn expect_refused(world: &mut World, wasm: &[u8], words: &str) {
    let id = world.create();
    let result = world.install(id, wasm, b"");
    let reject = expect_reject(result, CanisterError, CanisterInvalidWasm);
    assert!(reject.message.contains(words), "{reject}");
}

/// The whole text: what is wrong, and what can be done about it.
fn expect_text(wasm: &[u8], error: &str, help: &str) {
    let mut world = World::new();
    let id = world.create();
    let result = world.install(id, wasm, b"");
    let reject = expect_reject(result, CanisterError, CanisterInvalidWasm);
    assert_eq!(
        reject.message,
        format!("Error from Canister {id}: Canister's Wasm module is not valid: {error}.\n{help}")
    );
}

fn expect_installed(world: &mut World, wasm: &[u8]) {
    let id = world.create();
    world.install(id, wasm, b"").unwrap();
}

const NOP: &[Instruction<'_>] = &[Instruction::Nop];

/// Weighs 50 and 1.
const CALL: &[Instruction<'_>] = &[Instruction::Call(0)];

#[test]
fn code_section_of_12_mib_is_the_largest() {
    const MIB: usize = 1024 * 1024;
    let mut world = World::new();
    // Each function takes five bytes beside its instructions.
    let functions = |last: usize| {
        let mut functions = vec![(NOP, MIB / 2 - 5); 23];
        functions.push((NOP, last));
        module(&functions)
    };
    let largest = MIB / 2 - 5;
    expect_installed(&mut world, &functions(largest));
    let words = "code section size of 12582913 exceeds the maximum allowed size of 12582912";
    expect_refused(&mut world, &functions(largest + 1), words);
}

#[test]
fn function_of_a_million_instructions_is_the_largest() {
    let mut world = World::new();
    // The end is one, and weighs one.
    expect_installed(&mut world, &module(&[(NOP, 3), (NOP, 999_999)]));
    let words = "function at index 1 with complexity 1000001";
    expect_refused(&mut world, &module(&[(NOP, 3), (NOP, 1_000_000)]), words);
}

#[test]
fn function_of_the_complexity_of_a_million_is_the_most_complex() {
    let mut world = World::new();
    expect_installed(&mut world, &module(&[(NOP, 1), (CALL, 19_999)]));
    let words = "function at index 1 with complexity 1000001 which exceeds the maximum \
                 complexity allowed 1000000";
    expect_refused(&mut world, &module(&[(NOP, 1), (CALL, 20_000)]), words);
}

#[test]
fn module_that_is_not_valid_is_refused_with_advice() {
    let page =
        "See documentation: https://internetcomputer.org/docs/current/references/execution-errors";
    expect_text(
        &module(&[(NOP, 3), (NOP, 1_000_000)]),
        "Wasm module contains a function at index 1 with complexity 1000001 which exceeds the \
         maximum complexity allowed 1000000.",
        &format!(
            "Try breaking large functions up into multiple smaller functions. \
             {page}#wasm-module-function-complexity-too-high"
        ),
    );
    let twice = wat::parse_str(
        r#"(module (func $f) (export "canister_update go" (func $f))
             (export "canister_query go" (func $f)))"#,
    );
    expect_text(
        &twice.unwrap(),
        "Duplicate function 'go' exported multiple times with different call types: update, \
         query, or composite_query.",
        &format!(
            "Try defining different versions of the function for each call type, e.g. \
             `go_update`, `go_query`, etc. {page}#wasm-module-duplicate-exports"
        ),
    );
    let globals = format!("(module {})", "(global i32 (i32.const 0))".repeat(1001));
    expect_text(
        &wat::parse_str(globals).unwrap(),
        "Wasm module defined 1001 globals which exceeds the maximum number allowed 1000.",
        &format!(
            "Try collecting multiple globals into a single structured which can be stored on the \
             heap. {page}#wasm-module-too-many-globals"
        ),
    );
    let toolchain = "If you are running this canister in a test environment (e.g., dfx), make sure \
                     the test environment is up to date. Otherwise, this is likely an error with \
                     the compiler/CDK toolchain being used to build the canister. Please report \
                     the error to IC devs on the forum: https://forum.dfinity.org and include \
                     which language/CDK was used to create the canister.";
    expect_text(
        &wat::parse_str(r#"(module (import "env" "f" (func)))"#).unwrap(),
        "Wasm module has an invalid import section. Module \"env\" (function \"f\") cannot be \
         imported: a canister can import only from ic0",
        toolchain,
    );
}
