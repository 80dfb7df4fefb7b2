/** What happened, in plain sentences: of each step what ran, where its commit point is, and what a user can see now.
 *
 * Everything said follows from the events and from answers, so it is true word for word. */

/** @import { Event, Told, ToldStep } from "./types.js" */

import { callText, clockText, reason } from "./labels.js";
import { changedLooks, lookLabel, lookOwner } from "./looks.js";
import { callOf, contextOf, Names, taskName, userName } from "./names.js";
import { clean, plain } from "./text.js";

/** A sentence or a few for each step.
 * @param {Told} told @param {string[]} looks @param {Record<string, string>} ids */
export function sentences(told, looks, ids) {
  const names = new Names(ids, told.steps);
  const methods = new Map();
  return told.steps.map((step, place) => {
    const before = told.steps[place - 1]?.looks ?? told.looks;
    const said = [
      ...beginning(step, names),
      ...step.events.map((event) => ofEvent(event, step.step.split(" ")[0] ?? "", names, methods)),
    ];
    return [...said, ...seen(before, step.looks, looks, ids, names), ...answered(step, names)].join(" ");
  });
}

/** What a step is, before its events. @param {ToldStep} step @param {Names} names */
function beginning({ step, message, refused }, names) {
  const call = callOf(step);
  const [way = ""] = step.split(" ");
  if (call) {
    const made = `${capital(userName(call.user))} ${callText(call, names)}.`;
    return [
      refused ? `${made} It is not taken in: ${names.in(refused)}.` : `${made} The message waits; it has not run yet.`,
    ];
  }
  if (["late", "wait", "clock"].includes(way)) return [`${capital(clockText(step))}.`];
  if (!message) return [];
  const [from, to, method] = [names.of(message.from), names.of(message.to), clean(message.method)];
  if (way === "lose") {
    const what =
      message.kind === "response"
        ? `The answer of ${from}.${method} to ${to}`
        : `The call of ${to}.${method} by ${from}`;
    const caller = message.kind === "response" ? to : from;
    return [`${what} gets lost on its way. ${capital(caller)} is told nothing until its deadline.`];
  }
  if (way === "reject") return [`The system rejects the call of ${to}.${method} by ${from}.`];
  if (way === "stop") return [`${capital(to)} is stopped just before.`];
  if (way === "upgrade") return [`${capital(to)} is upgraded just before.`];
  return [];
}

/** @param {Event} event @param {string} way @param {Names} names @param {Map<string, string>} methods */
function ofEvent(event, way, names, methods) {
  const here = names.of(event.canister);
  const { step, ending, calls, response } = event;
  const undone = ending !== "committed";
  if (step === "cleanup") {
    return undone
      ? `Then ${here} cleans up and traps there, too: that is undone as well.`
      : `Then ${here} cleans up, and what it does there is kept.`;
  }
  if ("answered_by_system" in step)
    return `The system answers in place of ${here}: ${clean(step.answered_by_system)} is not executed.`;
  if ("management" in step) return `${capital(here)} executes ${clean(step.management)}.`;
  const what = deed(event, names, methods);
  if (undone) {
    const why = way === "trap" ? "" : ` It says: ${names.in(reason(ending.undone.message))}`;
    return `${what}, and traps. That undoes all of this message${"callback" in step ? ", and nothing from before the await" : ""}.${why}`;
  }
  const called = [...new Set(calls.map((call) => `${names.of(call.receiver)}.${clean(call.method)}`))].join(" and ");
  if (called && !response) {
    return `${what} up to its ${"method" in step ? "" : "next "}await, which calls ${called}. That is a commit point: what it did so far is final.`;
  }
  const acts = called ? [`calls ${called}`] : [];
  if (response) acts.push("reply" in response ? "replies" : "rejects the call");
  // As when it awaits several answers, and this is not the last.
  else if ("method" in step || "callback" in step) acts.push("answers nothing");
  return `${[what, ...acts].join(" and ")}. Its end is a commit point: what it did is final.`;
}

/** Who does what. @param {Event} event @param {Names} names @param {Map<string, string>} methods */
function deed(event, names, methods) {
  const here = names.of(event.canister);
  const { step } = event;
  const context = contextOf(event);
  if (step === "cleanup") return "";
  if ("method" in step) {
    methods.set(context, step.method.name);
    return `${capital(here)} runs ${clean(step.method.name)}`;
  }
  if ("callback" in step) {
    const { from, method, reject } = step.callback;
    const answer = reject ? `A reject (code ${reject.code})` : "The reply";
    const of = methods.get(context);
    return `${answer} of ${names.of(from)}.${clean(method)} comes: ${here} goes on after the await${of ? ` in ${clean(of)}` : ""}`;
  }
  if ("system_task" in step) {
    methods.set(context, taskName(step.system_task));
    return `${capital(here)} runs its ${clean(taskName(step.system_task))}`;
  }
  return `${capital(here)} runs its ${clean("hook" in step ? step.hook : "")}`;
}

/** What a user can see now. @param {string[]} before @param {string[]} now @param {string[]} looks @param {Record<string, string>} ids @param {Names} names */
function seen(before, now, looks, ids, names) {
  const changes = changedLooks(before, now).map(({ look, before, now }) => {
    const text = looks[look] ?? "";
    return `${names.of(lookOwner(text, ids))} ${lookLabel(text)} answers ${plain(now)} now (${plain(before)} before)`;
  });
  return changes.length ? [`${capital(changes.join("; "))}.`] : [];
}

/** What users get. @param {ToldStep} step @param {Names} names */
function answered(step, names) {
  return step.answers.map(({ message, text }) => {
    const caller = step.events.find((event) => event.answered.includes(message))?.caller;
    const who = capital(caller ? names.of(caller) : "the user");
    if (/^reject/.test(text)) return `${who} gets ${names.in(text).split(":")[0]}.`;
    // Of a call that was not made here the reply is not known.
    if (text === "reply") return `${who} gets a reply.`;
    const isErr = /^\(?\s*variant\s*\{\s*"?Err\b/.test(text);
    return `${who} gets ${plain(text)}.${isErr ? " An Err is a reply like any other: it undoes nothing." : ""}`;
  });
}

/** @param {string} text */
function capital(text) {
  // The name of a canister stays as it is.
  return /^(the|a|an|nothing|in|user)\b/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

/** What can be done next, in a sentence; `again` if the last step can be tried again with a trap.
 * @param {Told} told
 * @returns {{ text: string, again: string | null }} */
export function hint(told) {
  const { steps, waiting, wait } = told;
  const delivered = steps.filter((step) => step.message && !callOf(step.step));
  const last = steps.at(-1);
  if (waiting.some((one) => one.ways.includes("deliver"))) {
    return {
      text:
        delivered.length === 0
          ? "Click the message at the foot of its lane to deliver it."
          : "Deliver what waits, in any order you like.",
      again: null,
    };
  }
  if (wait) return { text: "Nothing can be delivered now. Let time pass.", again: null };
  if (steps.length === 0) return { text: "Make a call.", again: null };
  const trapped = steps.some((step) => step.events.some((event) => event.ending !== "committed"));
  if (!trapped && last?.message?.kind === "response" && last.step.startsWith("deliver ")) {
    return {
      text: "All is done, and nothing was undone. What if the last message had trapped?",
      again: last.step.replace(/^deliver/, "trap"),
    };
  }
  return { text: "Make another call, or go back and try another order.", again: null };
}
