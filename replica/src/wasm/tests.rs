//! Whatever is done to an instance, it is as a model says, in both ways of finding what changed.

use proptest::prelude::*;

use super::state::Value;
use super::*;
use wasmi::Val;

/// The host of a module that imports nothing.
struct Nobody;

impl Host for Nobody {
    type Trap = String;
    type Permission = ();

    fn check(&self, _: &HostFunction<Self>) -> Result<(), String> {
        Ok(())
    }
}

/// Function 1 writes a byte: the place is above the lowest 8 bits. Function 2 grows the memory by
/// so many pages, function 3 traps after it wrote, function 4 sets the global.
const WAT: &str = r#"(module
    (type $act (func (param i32)))
    (import "local-replica" "memory" (memory 2 64))
    (table (export "local-replica:table 0") 5 5 funcref)
    (global $g (export "local-replica:global 0") (mut i32) (i32.const 7))
    (elem (i32.const 1) $write $grow $trap $set)
    (data (i32.const 70000) "data")
    (func $write (type $act)
        (i32.store8 (i32.shr_u (local.get 0) (i32.const 8)) (local.get 0)))
    (func $grow (type $act) (drop (memory.grow (local.get 0))))
    (func $trap (type $act) (call $write (local.get 0)) unreachable)
    (func $set (type $act) (global.set $g (local.get 0))))"#;

#[derive(Clone, Debug)]
enum Act {
    Call(u64, u64),
    Commit,
    Undo,
    /// Go on from an earlier state.
    Return(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    // Few places close to each other, and some far away.
    let place = prop_oneof![0..40_000_u64, 60_000..140_000_u64, 0..4_000_000_u64];
    let write = (place, any::<u8>()).prop_map(|(place, byte)| place << 8 | u64::from(byte));
    let act = prop_oneof![
        8 => write.clone().prop_map(|argument| Act::Call(1, argument)),
        1 => (0..3_u64).prop_map(|pages| Act::Call(2, pages)),
        1 => write.prop_map(|argument| Act::Call(3, argument)),
        1 => (0..9_u64).prop_map(|value| Act::Call(4, value)),
        3 => Just(Act::Commit),
        3 => Just(Act::Undo),
        3 => (0..20_usize).prop_map(Act::Return),
    ];
    prop::collection::vec(act, 1..80)
}

/// What the module does, in a few lines of Rust.
#[derive(Clone, PartialEq)]
struct Model {
    memory: Vec<u8>,
    global: u64,
}

impl Model {
    fn call(&mut self, function: u64, argument: u64) {
        match function {
            1 | 3 => {
                if let Some(byte) = self.memory.get_mut((argument >> 8) as usize) {
                    *byte = argument as u8;
                }
            }
            2 => {
                let size = self.memory.len() + argument as usize * PAGE_SIZE as usize;
                self.memory.resize(size.min(64 * PAGE_SIZE as usize), 0);
            }
            _ => self.global = argument,
        }
    }
}

fn check(acts: &[Act], mapped: bool) {
    let engine: Engine<Nobody> = Engine::new("ic0", &[]);
    let wasm = wat::parse_str(WAT).expect("it is Wasm");
    let module = engine
        .compile(&wasm, false, false, false)
        .expect("a module");
    let room = Room {
        memory: 64 * PAGE_SIZE,
        mapped,
    };
    let mut instance = module.instantiate(room).expect("an instance");
    let mut state = State::default();
    instance.commit(&mut state);
    let mut model = Model {
        memory: vec![0; 2 * PAGE_SIZE as usize],
        global: 7,
    };
    model.memory[70_000..70_004].copy_from_slice(b"data");
    let mut committed = model.clone();
    let mut earlier = Vec::new();
    for act in acts {
        match act {
            Act::Call(function, argument) => {
                let allowance = Allowance {
                    instructions: 1_000_000,
                    memory: 64 * PAGE_SIZE,
                    soft_memory: None,
                };
                let entry = Entry::Closure {
                    function: *function,
                    environment: *argument,
                };
                let _ = instance.call(entry, Nobody, allowance);
                model.call(*function, *argument);
            }
            Act::Commit => {
                let differs = instance.memory_differs(&state);
                assert_eq!(differs, model.memory != committed.memory);
                assert_eq!(instance.commit(&mut state), differs);
                committed = model.clone();
                earlier.push((state.clone(), committed.clone()));
            }
            Act::Undo => {
                instance.load(&state);
                model = committed.clone();
            }
            Act::Return(place) => {
                if let Some((then, model_then)) = earlier.get(*place) {
                    state = then.clone();
                    instance.load(&state);
                    (model, committed) = (model_then.clone(), model_then.clone());
                }
            }
        }
        assert_eq!(instance.memory_size(), model.memory.len() as u64);
        assert!(state.memory() == committed.memory, "after {act:?}");
        let Value::Number(Val::I32(global)) = &state.globals[0] else {
            panic!("it is a number");
        };
        assert_eq!(u64::from(global.cast_unsigned()), committed.global);
    }
    for (state, model) in &earlier {
        assert!(state.memory() == model.memory, "an earlier state changed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn instance_is_as_its_model_whatever_is_called_kept_undone_and_returned_to(acts in acts()) {
        check(&acts, true);
        check(&acts, false);
    }
}

/// How much memory the process has of its own, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number") * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn second_instance_of_256_mib_takes_what_it_touches() {
    let wat = r#"(module
        (import "local-replica" "memory" (memory 4096))
        (func (export "fill")
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 268435456)))
        (func (export "touch") (i32.store (i32.const 100000000) (i32.const 2))))"#;
    let engine: Engine<Nobody> = Engine::new("ic0", &[]);
    let wasm = wat::parse_str(wat).expect("it is Wasm");
    let module = engine
        .compile(&wasm, false, false, false)
        .expect("a module");
    let room = Room {
        memory: 1 << 32,
        mapped: true,
    };
    let allowance = Allowance {
        instructions: 1 << 40,
        memory: 1 << 32,
        soft_memory: None,
    };
    let mut first = module.instantiate(room).expect("an instance");
    let mut state = State::default();
    let (_, result, _) = first.call(Entry::Export("fill"), Nobody, allowance);
    assert!(result.is_ok());
    first.commit(&mut state);

    let before = resident();
    let mut second = module.instantiate(room).expect("an instance");
    second.load(&state);
    let mut other = state.clone();
    let (_, result, _) = second.call(Entry::Export("touch"), Nobody, allowance);
    assert!(result.is_ok() && second.commit(&mut other));
    let taken = resident().saturating_sub(before);
    assert!(taken < 64 << 20, "{taken} bytes");
}
