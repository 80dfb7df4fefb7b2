import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { find, piece, read } from "./code.js";

const file = (path) => read(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
const lib = file("canisters/canister1/src/lib.rs");
const rollback = file("canisters/canister1/src/rollback.rs");
const interleaving = file("lessons/03-interleaving/caller.rs");
const retries = file("lessons/08-retries/caller.rs");

const CALL = { receiver: "b", method: "increment", cycles: 0 };
const event = (number, step, more) => ({ number, canister: "a", call_context: 1, step, ending: "committed", calls: [], response: null, ...more });
const begins = event(0, { method: { kind: "update", name: "m" } }, { calls: [CALL] });
const ends = event(1, { callback: { from: "b", method: "increment", reject: null } }, { response: { reply: { size: 0 } } });
const marked = (source, { first, last }) => source.lines.slice(first, last + 1).map((line) => line.trim()).filter((line) => line && !line.startsWith("//"));

test("the first message runs up to the await, and the next from there to the end", () => {
  const first = piece(lib, [begins], begins, "increment_both");
  assert.deepEqual(marked(lib, first), ["async fn increment_both() -> Result<(), String> {", "add_one();", 'Call::unbounded_wait(canister2(), "increment")', ".await"]);
  const second = piece(lib, [begins, ends], ends, "increment_both");
  assert.deepEqual(marked(lib, second), [".map_err(|error| format!(\"canister2 did not confirm: {error}\"))?;", 'Err("Failed to complete the operation.".to_string())', "}"]);
});

test("a helper that awaits one call is one commit point", () => {
  const { awaits } = find(rollback, "increment_both_twice_then_trap");
  assert.equal(awaits.length, 2);
  const middle = event(1, ends.step, { calls: [CALL] });
  const ran = piece(rollback, [begins, middle], middle, "increment_both_twice_then_trap");
  assert.deepEqual(marked(rollback, ran), ["add_one();", "increment_canister2().await; // COMMIT POINT: the second 1 is kept."]);
  assert.equal(find(interleaving, "withdraw").awaits.length, 1);
});

test("an await that sends nothing is no commit point", () => {
  assert.deepEqual(find(rollback, "increment_then_await_nothing_then_trap").awaits, []);
  const trapped = event(0, begins.step, { ending: { undone: {} } });
  const ran = piece(rollback, [trapped], trapped, "increment_then_await_nothing_then_trap");
  assert.equal(marked(rollback, ran).length, 7);
  assert.ok(ran.known);
});

test("where an await is in a loop, all of the function is marked, and that is said", () => {
  const ran = piece(retries, [begins], begins, "add_point_without_id");
  assert.equal(ran.known, false);
  assert.equal(ran.last, ran.func.last);
});

test("brackets, awaits and names in comments and texts are not code", () => {
  const source = read('fn f() {\n  // } .await\n  let s = "} fn g() {"; let c = \'}\';\n}\nfn g() {}\n');
  assert.equal(find(source, "f").last, 3);
  assert.deepEqual(find(source, "f").awaits, []);
  assert.equal(find(source, "g").first, 4);
});

test("a name that is no function's finds nothing, whatever is in it", () => {
  for (const name of ["nowhere", "", "a(b", ".*", "add_one()"]) assert.equal(find(lib, name), null);
});
