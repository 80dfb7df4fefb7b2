/** What stands in the boxes of the picture. */

/** @import { Event } from "./types.js" */
/** @import { Box, Line } from "./layout.js" */
/** @import { Names } from "./names.js" */

import { contextOf, taskName } from "./names.js";
import { clean } from "./text.js";

/** What was executed, in a few words. `methods` remembers which method each call context began with.
 * @param {Event} event @param {Map<string, string>} methods
 * */
function titleOf(event, methods) {
  const { step } = event;
  const context = contextOf(event);
  if (step === "cleanup") return "cleanup";
  if ("method" in step) {
    methods.set(context, step.method.name);
    return clean(step.method.name);
  }
  if ("callback" in step) {
    return clean(methods.get(context) ?? "callback");
  }
  if ("system_task" in step) {
    methods.set(context, taskName(step.system_task));
    return clean(taskName(step.system_task));
  }
  if ("hook" in step) return clean(step.hook);
  if ("management" in step) return clean(step.management);
  return clean(step.answered_by_system);
}

/** Faults that somebody chose, as they are said in the box that they hit. */
const MADE = /** @type {Record<string, string>} */ ({
  trap: "made to trap at its end",
  reject: "rejected by the system",
  stop: "stopped just before",
  upgrade: "upgraded just before",
});

/** @typedef {{ title: string, lines: Line[], ending: Box["ending"], foot: string }} What what stands in a box */

/** A box for an event.
 * @param {Event} event @param {string} way how its message was delivered @param {Names} names @param {Map<string, string>} methods
 * @param {boolean} isMain whether it is what the message itself ran @param {string} [call] the user's call that it belongs to
 * @returns {What} */
export function boxOf(event, way, names, methods, isMain, call = "") {
  const { ending } = event;
  const undone = ending !== "committed";
  const title = titleOf(event, methods);
  const isCallback = typeof event.step === "object" && "callback" in event.step;
  const what = [call, isCallback && "after the await"].filter(Boolean).join(", ");
  /** @type {Line[]} */
  const lines = what ? [{ text: what, kind: "why", struck: false }] : [];
  const reject = typeof event.step === "object" && "callback" in event.step ? event.step.callback.reject : null;
  if (reject)
    lines.push({ text: `with reject ${reject.code}: ${names.in(reason(reject.message))}`, kind: "why", struck: false });
  const made = isMain ? MADE[way] : undefined;
  const isSystem = typeof event.step === "object" && "answered_by_system" in event.step;
  if (isSystem) lines.push({ text: "not executed: the system answers", kind: "", struck: false });
  for (const call of event.calls)
    lines.push({ text: `calls ${names.of(call.receiver)}.${clean(call.method)}`, kind: "", struck: undone });
  if (event.response && "reply" in event.response) lines.push({ text: "replies", kind: "", struck: undone });
  if (event.response && "reject" in event.response) {
    const { code, message } = event.response.reject;
    lines.push({ text: `rejects with code ${code}: ${names.in(reason(message))}`, kind: "why", struck: undone });
  }
  if (made && !isSystem) lines.push({ text: made, kind: "tag", struck: false });
  if (undone && !(made && way === "trap"))
    lines.push({ text: `trap: ${names.in(reason(ending.undone.message))}`, kind: "why", struck: false });
  if (isSystem) return { title, lines, ending: "system", foot: "" };
  return {
    title,
    lines,
    ending: undone ? "undone" : "commit",
    foot: undone ? "all of this is undone" : "commit point",
  };
}

/** A reject's text without its beginning, which is always the same, and without what stands below: a backtrace and advice.
 * @param {string} message */
export function reason(message) {
  const first = message.split("\n")[0] ?? "";
  return first
    .replace(/^IC\d+: /, "")
    .replace(/^Error from Canister \S+: /, "")
    .replace(/^Canister called `ic0\.trap` with message: /, "")
    .replace(/ Consider [^\n]*https:\/\/internetcomputer\.org\/docs\S*$/, "");
}

/** What a user does who makes a call, in full.
 * @param {{ canister: string, method: string, argument: string }} call @param {Names} names */
export function callText({ canister, method, argument }, names) {
  return `calls ${names.of(canister)}.${clean(method)}${argument === "()" ? "" : ` ${names.in(argument)}`}`;
}

/** What a step of the clock says. @param {string} step */
export function clockText(step) {
  const [way, seconds] = step.split(" ");
  if (way === "late") return "the clock moves to the next deadline or timer";
  if (way === "wait") return "nothing can be delivered: time passes";
  return `the clock moves ahead by ${seconds} ${seconds === "1" ? "second" : "seconds"}`;
}
