//! The interfaces that are written down are those of the code.

use std::fs;
use std::path::{Path, PathBuf};

use candid_parser::utils::{CandidSource, service_equal};
use wasmi::{Caller, Engine, Error, Linker, Module, Store, TypedFunc, Val};

use crate::support::{project, wasm};

#[test]
fn every_written_interface_is_that_of_the_code() {
    let mut interfaces: Vec<(PathBuf, PathBuf)> = ["canister1", "canister2"]
        .map(|name| {
            let written = project().join("candid").join(name).with_extension("did");
            (written, wasm().join(name).with_extension("wasm"))
        })
        .into();
    for room in fs::read_dir(project().join("lessons")).unwrap() {
        let room = room.unwrap().path();
        for part in ["caller", "callee", "proxy"] {
            let written = room.join(part).with_extension("did");
            if written.exists() {
                let name = room.file_name().unwrap().to_str().unwrap();
                let (_, lesson) = name.split_once('-').expect("the room has a number");
                interfaces.push((written, wasm().join(format!("{lesson}_{part}.wasm"))));
            }
        }
    }
    assert!(interfaces.len() > 20, "only {interfaces:?}");
    for (written, wasm) in interfaces {
        let text = fs::read_to_string(&written).unwrap();
        let code = interface(&wasm);
        let equal = service_equal(CandidSource::Text(&code), CandidSource::Text(&text));
        equal.unwrap_or_else(|error| panic!("{}: {error}", written.display()));
    }
}

/// The interface that a module tells, as candid-extractor asks it.
fn interface(wasm: &Path) -> String {
    let engine = Engine::default();
    let module = Module::new(&engine, fs::read(wasm).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    for import in module.imports() {
        // The interface is told without the network.
        let function = import.ty().func().unwrap().clone();
        let refuse = |_: Caller<'_, ()>, _: &[Val], _: &mut [Val]| Err(Error::new("no network"));
        linker
            .func_new(import.module(), import.name(), function, refuse)
            .unwrap();
    }
    let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
    let ask: TypedFunc<(), i32> = instance
        .get_typed_func(&store, "get_candid_pointer")
        .unwrap();
    let begin = usize::try_from(ask.call(&mut store, ()).unwrap()).unwrap();
    let memory = instance.get_memory(&store, "memory").unwrap();
    let text = &memory.data(&store)[begin..];
    let end = text.iter().position(|byte| *byte == 0).unwrap();
    String::from_utf8(text[..end].to_vec()).unwrap()
}
