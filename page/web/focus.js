/** Where the focus goes on: whoever uses the keyboard finds it at a sensible place after each step. */

import { byId } from "./dom.js";

/** Where the focus is, of the places that change with a step. */
export function focusHeld() {
  const { activeElement } = document;
  if (activeElement?.closest(".feet, #hint, #question, .told")) return "stage";
  return activeElement?.closest("#moves") ? "moves" : null;
}

/** Brings the newest into view, and the focus to what can be done next, if it was lost.
 * @param {string | null} held where it was @param {boolean} isForward */
export function settleFocus(held, isForward) {
  const stage = byId("stage");
  if (isForward) stage.querySelector(".feet")?.scrollIntoView({ block: "nearest" });
  if (held === null || (held === "moves" && document.activeElement !== document.body)) return;
  /** @type {HTMLElement | null} */
  const next = stage.querySelector(".deliver:not(:disabled)") ?? byId("hint").querySelector("button");
  (next ?? byId("back")).focus({ preventScroll: true });
}
