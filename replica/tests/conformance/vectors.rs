//! Canister interface, "WebAssembly module requirements": vector instructions run where the engine
//! is built with them, and elsewhere a module that has some is refused.

use crate::harness::World;

const SUM: &str = r#"
  (memory 1)
  (func (export "canister_query sum")
    (call $reply_number (i64x2.extract_lane 1
      (i64x2.add (v128.const i64x2 1 2) (v128.const i64x2 3 40)))))
"#;

#[cfg(feature = "simd")]
#[test]
fn vector_instructions_run() {
    let mut world = World::new();
    let id = world.canister(SUM);
    let sum = world.query(id, "sum", b"").unwrap();
    assert_eq!(crate::harness::number(&sum), 42);
}

#[cfg(not(feature = "simd"))]
#[test]
#[should_panic(expected = "SIMD")]
fn without_the_feature_a_module_with_vector_instructions_is_refused() {
    World::new().canister(SUM);
}
