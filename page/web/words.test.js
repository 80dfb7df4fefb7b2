import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { hint, sentences } from "./words.js";

const stories = JSON.parse(readFileSync(new URL("../tests/told.json", import.meta.url), "utf8"));
const say = (name) => sentences(stories[name].told, stories[name].looks, stories[name].ids);

test("each step of the pair is said in plain sentences", () => {
  assert.deepEqual(say("err"), [
    "The user calls canister1.increment_both. The message waits; it has not run yet.",
    "canister1 runs increment_both up to its await, which calls canister2.increment. That is a commit point: what it did so far is final. canister1 get answers 1 now (0 before).",
    "canister2 runs increment and replies. Its end is a commit point: what it did is final. canister2 get answers 1 now (0 before).",
    'The reply of canister2.increment comes: canister1 goes on after the await in increment_both and replies. Its end is a commit point: what it did is final. The user gets variant { Err = "Failed to complete the operation." }. An Err is a reply like any other: it undoes nothing.',
  ]);
});

test("a trap is said to undo its own message and nothing before the await", () => {
  assert.equal(
    say("trap")[3],
    "The reply of canister2.increment comes: canister1 goes on after the await in increment_both, and traps. That undoes all of this message, and nothing from before the await. Then canister1 cleans up, and what it does there is kept. The user gets reject 5, IC0503.",
  );
});

test("what the canister said when it trapped is told, and what cleanup changed is seen", () => {
  assert.match(say("guard")[3], /trapped on purpose/);
  assert.match(say("guard")[3], /canister1 get_drops answers 1 now \(0 before\)/);
});

test("a message that is lost, rejected or comes after an upgrade is said to be", () => {
  assert.match(
    say("lost")[2],
    /^The call of retries_callee\.increment by retries_caller gets lost on its way\. retries_caller is told nothing until its deadline\.$/,
  );
  assert.match(say("rejected")[2], /The system answers in place of canister2: increment is not executed\./);
  assert.match(say("upgraded")[2], /^canister2 is upgraded just before\./);
});

test("a message that neither calls nor answers is not said to", () => {
  const story = structuredClone(stories.err);
  story.told.steps[3].events[0].response = null;
  story.told.steps[3].answers = [];
  assert.match(
    sentences(story.told, story.looks, story.ids)[3],
    /goes on after the await in increment_both and answers nothing\./,
  );
});

test("users are called as the call names them", () => {
  assert.match(say("two_users")[1], /^User 2 calls canister1\.increment_both\./);
});

test("the hint says what can be done next", () => {
  const told = (name, steps = Infinity) => ({ ...stories[name].told, steps: stories[name].told.steps.slice(0, steps) });
  assert.match(hint({ ...told("waits", 1) }).text, /^Click the message/);
  assert.match(hint(told("waits")).text, /^Deliver what waits/);
  assert.equal(hint(told("err")).again, stories.err.told.steps[3].step.replace("deliver", "trap"));
  assert.equal(hint(told("trap")).again, null);
});
