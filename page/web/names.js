/** What users and canisters are called. */

/** @import { Event, ToldStep } from "./types.js" */

import { clean } from "./text.js";

const ANONYMOUS = "2vxsx-fae";
const MANAGEMENT = "aaaaa-aa";

/** The parts of a step that makes a call; nothing for another step.
 * @param {string} step */
export function callOf(step) {
  const parts = /^call\s+(?:user\s+([^:]+):\s*)?(\S+)\s+([^\s(]+)\s*(.*)$/s.exec(step);
  if (!parts) return null;
  const [, user = "anonymous", canister = "", method = "", argument = ""] = parts;
  return { user: user.trim(), canister, method, argument: argument || "()" };
}

/** Everybody's names in what was told. */
export class Names {
  /** @type {Map<string, string>} */
  #canisters = new Map([[MANAGEMENT, "the management canister"]]);
  /** @type {Map<string, string>} */
  #users = new Map([[ANONYMOUS, "the user"]]);
  /** @type {RegExp | null} */
  #ids = null;

  /** @param {Record<string, string>} ids the canisters' ids by their names
   * @param {ToldStep[]} [steps] where users make calls */
  constructor(ids, steps = []) {
    for (const [name, id] of Object.entries(ids)) this.#canisters.set(id, clean(name));
    for (const { step, message, events } of steps) {
      const call = callOf(step);
      if (call && message) this.#users.set(message.from, userName(call.user));
      for (const event of events) {
        const fromUser = event.message?.startsWith("ingress ");
        if (fromUser && !this.isUser(event.caller)) this.#users.set(event.caller, userName(event.caller));
      }
    }
    if (this.#canisters.size > 0) this.#ids = new RegExp([...this.#canisters.keys()].join("|"), "g");
  }

  /** @param {string} principal */
  isUser(principal) {
    return this.#users.has(principal);
  }

  /** The name of a user or a canister.
   * @param {string} principal */
  of(principal) {
    return this.#canisters.get(principal) ?? this.#users.get(principal) ?? short(principal);
  }

  /** A text with names in place of ids.
   * @param {string} text */
  in(text) {
    const named = this.#ids ? text.replace(this.#ids, (id) => this.#canisters.get(id) ?? id) : text;
    return clean(named);
  }

  /** A step with the names that the story may use: those that were given, not the shortened ones.
   * @param {string} step */
  inStep(step) {
    const words = step.split(" ");
    const place =
      words[0] === "call" ? (words[1] === "user" ? 3 : 1) : words.length - (/^\d+$/.test(words.at(-1) ?? "") ? 2 : 1);
    const name = this.#canisters.get(words[place] ?? "");
    if (name && words[place] !== MANAGEMENT) words[place] = name;
    return words.join(" ");
  }
}

/** What a user is called whom a call names so.
 * @param {string} user */
export function userName(user) {
  if (user === "anonymous" || user === ANONYMOUS) return "the user";
  return /^\d+$/.test(user) ? `user ${user}` : `user ${short(user)}`;
}

/** @param {string} principal */
function short(principal) {
  const parts = principal.split("-");
  return parts.length > 2 ? `${parts[0]}…${parts.at(-1)}` : principal;
}

/** Of a call context, the method that began it.
 * @param {Event[]} events
 * @returns {Map<string, string>} by {@link contextOf} */
export function methodsOf(events) {
  const methods = new Map();
  for (const event of events) {
    if (typeof event.step === "object" && "method" in event.step) methods.set(contextOf(event), event.step.method.name);
    if (typeof event.step === "object" && "system_task" in event.step)
      methods.set(contextOf(event), taskName(event.step.system_task));
  }
  return methods;
}

/** @param {Event} event */
export function contextOf(event) {
  return `${event.canister} ${event.call_context}`;
}

/** The function that a task runs.
 * @param {string} task */
export function taskName(task) {
  return task.startsWith("canister_") ? task : `canister_${task}`;
}
