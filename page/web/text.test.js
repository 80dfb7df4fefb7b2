import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { reason } from "./labels.js";
import { callOf, Names } from "./names.js";
import { toPerfetto } from "./perfetto.js";
import { judge, verdict } from "./predict.js";
import { clean, plain, wrap } from "./text.js";

test("an answer is said as a person says it", () => {
  assert.equal(plain("(1 : nat)"), "1");
  assert.equal(plain("(opt (80 : nat64))"), "opt 80");
  assert.equal(plain("(1 : nat, 2 : nat)"), "(1, 2)");
  assert.equal(plain('("(1 : nat)")'), '"(1 : nat)"');
  assert.equal(plain("()"), "()");
  assert.equal(plain('(variant { Err = "a, b" })'), 'variant { Err = "a, b" }');
});

test("nothing in a text hides or turns the direction of reading", () => {
  assert.equal(clean("a\u202eb\u0000c\u200b"), "a\\u{202e}b\\u{0}c\\u{200b}");
  assert.equal(clean("<b>ü & 日本\n"), "<b>ü & 日本\n");
});

test("a long text is parted at blanks, or in names where they have parts, and cut in the end", () => {
  assert.deepEqual(wrap("calls canister1.increment_both", 20, 2), ["calls canister1.", "increment_both"]);
  assert.deepEqual(wrap("one two three four", 8, 2), ["one two", "three f…"]);
  assert.deepEqual(wrap("", 8, 2), [""]);
});

test("a prediction is right however its number is written", () => {
  assert.deepEqual(
    judge(["1", "opt 80", "1000", "2"], ["(1 : nat)", "(opt (80 : nat64))", "(1_000 : nat)", "(1 : nat)"]),
    [true, true, true, false],
  );
  assert.equal(verdict([true, false], ["a", "b"], ["(1 : nat)", "(2 : nat)"]), "Not quite: b answers 2.");
  assert.equal(verdict([true], ["a"], ["(1 : nat)"]), "Right.");
});

test("a call's parts are known, also with a user in front", () => {
  assert.deepEqual(callOf('call user 2: canister1 say ("a b")'), {
    user: "2",
    canister: "canister1",
    method: "say",
    argument: '("a b")',
  });
  assert.deepEqual(callOf("call canister1 get"), {
    user: "anonymous",
    canister: "canister1",
    method: "get",
    argument: "()",
  });
  assert.equal(callOf("deliver call 1"), null);
});

test("a step has the canister's name where it has its id", () => {
  const names = new Names({ canister1: "bnz7o-iuaaa-aaaaa-qaaaa-cai" });
  assert.equal(names.inStep("deliver request bnz7o-iuaaa-aaaaa-qaaaa-cai 2"), "deliver request canister1 2");
  assert.equal(names.inStep("call user 2: bnz7o-iuaaa-aaaaa-qaaaa-cai get ()"), "call user 2: canister1 get ()");
  assert.equal(names.inStep("deliver global_timer bnz7o-iuaaa-aaaaa-qaaaa-cai"), "deliver global_timer canister1");
  assert.equal(names.inStep("deliver call 1"), "deliver call 1");
  assert.equal(names.of("rrkah-fqaaa-aaaaa-aaaaq-cai"), "rrkah…cai");
});

test("of a trap's text the reason is left", () => {
  const text =
    "Error from Canister bnz7o-iuaaa-aaaaa-qaaaa-cai: Canister called `ic0.trap` with message: 'no'.\nBacktrace:\n…";
  assert.equal(reason(text), "'no'.");
  const advised =
    "Canister called `ic0.trap` with message: 'no'. Consider this. See: https://internetcomputer.org/docs/a#b";
  assert.equal(reason(advised), "'no'.");
  assert.equal(reason("Consider my own words."), "Consider my own words.");
});

test("a trace for Perfetto has a track for everybody, and both ends of each arrow", () => {
  const { told, ids } = JSON.parse(readFileSync(new URL("../tests/told.json", import.meta.url), "utf8")).err;
  const { traceEvents } = JSON.parse(toPerfetto(told, ids));
  const tracks = traceEvents.filter(({ ph }) => ph === "M").map(({ args }) => args.name);
  assert.deepEqual(tracks, ["the user", "canister1", "canister2"]);
  const ends = (end) => traceEvents.filter(({ ph }) => ph === end).map(({ id }) => id);
  assert.equal(ends("s").length, 4);
  assert.deepEqual(ends("s"), ends("f"));
});
