/** The lanes of the picture: who has one, and how wide it is. */

/** @import { Told } from "./types.js" */
/** @import { Lane } from "./layout.js" */

import { lookOwner } from "./looks.js";
import { callOf, Names, userName } from "./names.js";

/** Users stand left of canisters.
 * @param {Told} told @param {string[]} looks @param {Record<string, string>} ids @param {Names} names */
export function lanesOf(told, looks, ids, names) {
  /** @type {Set<string>} */
  const users = new Set();
  /** @type {Set<string>} */
  const canisters = new Set();
  // Whom users call stand left of those that are called from there; all of a scene are there from the beginning.
  for (const { step, message } of told.steps) if (callOf(step) && message) canisters.add(message.to);
  for (const id of [...Object.values(ids), ...looks.map((look) => lookOwner(look, ids))]) canisters.add(id);
  for (const { step, message, events } of told.steps) {
    const call = callOf(step);
    if (call) users.add(userName(call.user));
    if (message && message.kind !== "ingress") canisters.add(message.from);
    if (message) canisters.add(message.to);
    for (const event of events) {
      if (event.message?.startsWith("ingress ")) users.add(names.of(event.caller));
      canisters.add(event.canister);
    }
  }
  for (const { message } of told.waiting) {
    if (message.kind === "ingress") users.add(names.of(message.from));
    canisters.add(message.to);
  }
  if (users.size === 0) users.add("the user");
  return [
    ...[...users].map((key) => ({ key, name: key, isUser: true })),
    ...[...canisters].map((key) => ({ key, name: names.of(key), isUser: false })),
  ];
}

/** @param {{ key: string, name: string, isUser: boolean }[]} lanes @param {number} width @param {boolean} narrow
 * @returns {Lane[]} */
export function place(lanes, width, narrow) {
  const users = lanes.filter((lane) => lane.isUser).length;
  const userWidth = narrow ? 96 : Math.min(210, Math.max(140, width * 0.2));
  const room = (width - users * userWidth) / Math.max(1, lanes.length - users);
  const canisterWidth = Math.min(380, Math.max(narrow ? 128 : 200, Math.floor(room)));
  let left = 0;
  return lanes.map((lane) => {
    const laneWidth = lane.isUser ? userWidth : canisterWidth;
    const gap = narrow ? 14 : lane.isUser ? 20 : laneWidth < 260 ? 44 : 72;
    const placed = { ...lane, left, right: left + laneWidth, x: left + gap / 2, width: laneWidth - gap };
    left += laneWidth;
    return placed;
  });
}
