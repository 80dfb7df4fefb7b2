import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { layOut } from "./layout.js";

const stories = JSON.parse(readFileSync(new URL("../tests/told.json", import.meta.url), "utf8"));
const lay = (name, width = 900) => layOut(stories[name].told, stories[name].looks, stories[name].ids, width);
const at = (layout, arrow) => {
  const lane = (x) => layout.lanes.find(({ left, right }) => x >= left && x <= right)?.name;
  return `${lane(arrow.x1)} ${arrow.kind} ${lane(arrow.x2)}`;
};

test("users stand left of canisters, and whom they call left of the others", () => {
  const { told, looks, ids } = stories.err;
  const turned = { canister2: ids.canister2, canister1: ids.canister1 };
  const names = (layout) => layout.lanes.map(({ name }) => name);
  assert.deepEqual(names(layOut(told, looks, turned, 900)), ["the user", "canister1", "canister2"]);
  assert.deepEqual(
    lay("err").lanes.map(({ name }) => name),
    ["the user", "canister1", "canister2"],
  );
  assert.deepEqual(
    lay("two_users").lanes.map(({ name }) => name),
    ["user 1", "user 2", "canister1", "canister2"],
  );
});

test("an arrow goes from where a message was sent to where it was executed", () => {
  const layout = lay("err");
  assert.deepEqual(
    layout.arrows.map((arrow) => at(layout, arrow)),
    [
      "the user request canister1",
      "canister1 request canister2",
      "canister2 reply canister1",
      "canister1 reply the user",
    ],
  );
  for (const { y1, y2 } of layout.arrows) assert.ok(y1 < y2, "time goes down");
});

test("an execution ends at its commit point, or in what is undone", () => {
  const ends = (name) => lay(name).boxes.map(({ title, ending }) => `${title.join("")} ${ending}`);
  assert.deepEqual(ends("err"), [
    "call 1 call",
    "increment_both commit",
    "increment commit",
    "increment_both commit",
    " answer",
  ]);
  assert.deepEqual(ends("trap").slice(3), ["increment_both undone", "cleanup commit", " answer"]);
});

test("what a trap took back stays, struck out", () => {
  const undone = lay("trap").boxes.find(({ ending }) => ending === "undone");
  assert.deepEqual(
    undone.lines.filter(({ struck }) => struck).map(({ text }) => text),
    ["replies"],
  );
  assert.equal(undone.foot, "all of this is undone");
});

test("an answer that changed stands in the lane of the canister that was asked", () => {
  const layout = lay("err");
  const [, , one, two] = layout.chips;
  assert.equal(`${one.label} ${one.before} ${one.now}`, "get 0 1");
  assert.equal(one.x, layout.lanes[1].x);
  assert.equal(two.x, layout.lanes[2].x);
  assert.equal(layout.chips.length, 4, "two at first, and two that changed");
});

test("a message that waits has its arrow to the foot of its lane", () => {
  const layout = lay("waits");
  const waiting = layout.arrows.filter(({ state }) => state === "waiting");
  assert.deepEqual(
    waiting.map((arrow) => at(layout, arrow)),
    ["canister1 request canister2"],
  );
  assert.equal(waiting[0].y2, layout.height);
});

test("a message that is lost ends half way, and the system's reject comes from nowhere", () => {
  const layout = lay("lost");
  const lost = layout.arrows.filter(({ state }) => state === "lost");
  assert.equal(lost.length, 1);
  assert.ok(lost[0].x2 < layout.lanes[2].x, "it does not arrive");
});

test("a request that the system rejects is not executed", () => {
  const box = lay("rejected").boxes.find(({ ending }) => ending === "system");
  assert.equal(box.lines[0].text, "not executed: the system answers");
});

test("calls that go on at the same time are told apart", () => {
  const boxes = lay("two_users").boxes.filter(({ ending }) => ending === "commit");
  assert.deepEqual(
    boxes.map(({ lines }) => lines[0].text),
    ["call 2", "call 1"],
  );
});

test("boxes of a lane never overlap", () => {
  for (const name of Object.keys(stories)) {
    for (const width of [360, 900]) {
      const { boxes, lanes } = lay(name, width);
      for (const lane of lanes.keys()) {
        let bottom = 0;
        for (const box of boxes.filter((box) => box.lane === lane)) {
          assert.ok(box.y >= bottom, `${name} at ${width}: ${box.title}`);
          bottom = box.y + box.height;
        }
      }
    }
  }
});

test("the clock's steps are said across all lanes", () => {
  assert.deepEqual(
    lay("upgraded").dividers.map(({ text }) => text),
    ["the clock moves ahead by 60 seconds"],
  );
});

test("nothing is too long: a canister that says a megabyte has a box of a few lines", () => {
  const story = structuredClone(stories.trap);
  const { ending } = story.told.steps[3].events[0];
  story.told.steps[3].step = story.told.steps[3].step.replace("trap", "deliver");
  ending.undone.message = "x".repeat(1_000_000);
  const layout = layOut(story.told, story.looks, story.ids, 900);
  assert.ok(layout.height < 700, String(layout.height));
});
