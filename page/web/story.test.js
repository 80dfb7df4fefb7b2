import assert from "node:assert/strict";
import { test } from "node:test";
import { andThen, firstDifference, fromAddress, toAddress } from "./story.js";

const told = {
  scene: "pair",
  steps: ['call user 2: canister1 say ("a & b = 100% + ü#", 1)', "deliver call 1", "trap response canister1 2"],
  at: 2,
  looks: ["canister1 get ()"],
  names: { ledger: "bnz7o-iuaaa-aaaaa-qaaaa-cai" },
  kept: ["deliver call 1"],
};

test("the address holds the whole story", () => {
  assert.deepEqual(fromAddress(toAddress(told)), { told, fault: null });
  const plain = { ...told, looks: null, names: {}, kept: null, at: 3 };
  assert.deepEqual(fromAddress(toAddress(plain)), { told: plain, fault: null });
  assert.deepEqual(fromAddress(toAddress({ ...plain, looks: [] }))?.told.looks, []);
});

test("a person can read the address", () => {
  const steps = ["call canister1 withdraw (0, 80)", "deliver call 1"];
  assert.equal(
    toAddress({ ...told, steps, at: 2, looks: null, names: {}, kept: null }),
    "#scene=pair&step=call+canister1+withdraw+(0,+80)&step=deliver+call+1",
  );
});

test("a link that is wrong gets a clear line and loses nothing that can be read", () => {
  const wrong = (address) => fromAddress(address)?.fault;
  assert.match(wrong("#scene=pair&step=%E0%A4%A"), /can't be read/);
  assert.match(wrong("#scene=pair&colour=red"), /'colour', which means nothing here/);
  assert.match(wrong("#scene=pair&step=wait&at=x"), /no number/);
  assert.match(wrong(`#step=${"x".repeat(200_000)}`), /too long/);
  assert.equal(fromAddress("#step=wait&at=99").told.at, 1);
  assert.equal(fromAddress("#step=wait&colour=red").told.steps.length, 1);
  assert.equal(fromAddress(""), null);
  assert.equal(fromAddress("#somewhere"), null);
});

test("another choice takes the place of what came after; the same keeps it", () => {
  const back = { ...told, at: 1 };
  assert.deepEqual(andThen(back, "deliver call 1").steps, told.steps);
  assert.deepEqual(andThen(back, "trap call 1").steps, [told.steps[0], "trap call 1"]);
  assert.equal(andThen(back, "trap call 1").at, 2);
});

test("the first difference of two orders is found", () => {
  assert.equal(firstDifference(["a", "b"], ["a", "c"]), 1);
  assert.equal(firstDifference(["a"], ["a", "c"]), 1);
  assert.equal(firstDifference(["a"], ["a"]), null);
});
