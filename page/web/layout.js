/** Where everything stands in the picture: from what was told to boxes, arrows and texts with their places.
 *
 * Time goes down, and each user and canister has a lane. Nothing is drawn here: picture.js does that. */

/** @import { Event, Told, ToldStep } from "./types.js" */

import { boxOf, clockText, reason } from "./labels.js";
import { callOf, contextOf, Names, userName } from "./names.js";
import { lanesOf, place } from "./lanes.js";
import { changedLooks, lookLabel, lookOwner } from "./looks.js";
import { clean, plain, wrap } from "./text.js";

/** @typedef {{ text: string, kind: "" | "why" | "tag", struck: boolean }} Line */
/** @typedef {{ key: string, name: string, isUser: boolean, x: number, width: number, left: number, right: number }} Lane */
/** @typedef {{ lane: number, x: number, y: number, width: number, height: number, step: number, title: string[], lines: Line[],
 *   ending: "commit" | "undone" | "system" | "call" | "answer" | "refused", foot: string }} Box */
/** @typedef {{ x1: number, y1: number, x2: number, y2: number, label: string, loop: boolean,
 *   kind: "request" | "reply" | "reject", state: "arrived" | "lost" | "waiting" }} Arrow */
/** @typedef {{ x: number, y: number, width: number, label: string, before: string, now: string }} Chip */
/** @typedef {{ y: number, text: string }} Divider */
/** @typedef {{ lanes: Lane[], boxes: Box[], arrows: Arrow[], chips: Chip[], dividers: Divider[], rows: { y: number, height: number }[],
 *   width: number, height: number, narrow: boolean }} Layout */

const ROW_GAP = 16;
const TITLE = 17;
const LINE = 15;
const FOOT = 20;
const CHIP = 22;

/** @param {Told} told @param {string[]} looks @param {Record<string, string>} ids names of canisters @param {number} width there is so much room
 * @returns {Layout} */
export function layOut(told, looks, ids, width) {
  const names = new Names(ids, told.steps);
  const narrow = width < 560;
  const lanes = place(lanesOf(told, looks, ids, names), width, narrow);
  /** @type {Layout} */
  const layout = {
    lanes,
    boxes: [],
    arrows: [],
    chips: [],
    dividers: [],
    rows: [],
    width: lanes.at(-1)?.right ?? width,
    height: 0,
    narrow,
  };
  new Builder(layout, names, looks, ids).build(told);
  return layout;
}

/** Builds a layout from above to below. */
class Builder {
  y = 10;
  /** Where messages were sent, by their names. @type {Map<string, { lane: number, y: number }>} */
  sent = new Map();
  made = 0;
  /** The users' calls by the names of their messages. @type {Map<string, string>} */
  calls = new Map();
  /** The same by call contexts. @type {Map<string, string>} */
  contexts = new Map();

  /** @param {Layout} layout @param {Names} names @param {string[]} looks @param {Record<string, string>} ids */
  constructor(layout, names, looks, ids) {
    this.layout = layout;
    this.names = names;
    this.looks = looks;
    this.ids = ids;
    this.lanes = new Map(layout.lanes.map((lane, place) => [lane.key, place]));
  }

  /** @param {Told} told */
  build(told) {
    this.chips(
      this.looks.map((_, look) => ({ look, before: "", now: told.looks[look] ?? "" })),
      this.y,
    );
    this.y += 8;
    const methods = new Map();
    told.steps.forEach((step, place) => {
      const top = this.y;
      const before = told.steps[place - 1]?.looks ?? told.looks;
      this.step(step, place, before, methods);
      this.layout.rows.push({ y: top, height: this.y - top });
    });
    for (const { message } of told.waiting) this.arrive(message.name, message.to, this.y + 14, "", "waiting");
    this.layout.height = this.y + 14;
  }

  /** @param {ToldStep} step @param {number} place @param {string[]} before the looks' answers before it @param {Map<string, string>} methods */
  step(step, place, before, methods) {
    const call = callOf(step.step);
    const way = step.step.split(" ")[0] ?? "";
    if (call) this.call(step, place, call);
    if (["late", "wait", "clock"].includes(way)) {
      this.layout.dividers.push({ y: this.y + 10, text: clean(clockText(step.step)) });
      this.y += 28;
    }
    let bottom = this.y;
    /** @type {string | null} */
    let arrived = null;
    const main = step.events.findIndex(
      (event) => event.step === "cleanup" || !("hook" in event.step || "management" in event.step),
    );
    for (const [n, event] of step.events.entries()) {
      const made = this.calls.get(event.message ?? "");
      if (made) this.contexts.set(contextOf(event), made);
      const own = this.calls.size > 1 ? this.contexts.get(contextOf(event)) : undefined;
      const what = boxOf(event, way, this.names, methods, n === Math.max(0, main), own);
      const box = this.box(event.canister, place, what);
      if (event.message && event.message !== arrived) {
        arrived = event.message;
        this.arrive(
          event.message,
          event.canister,
          box.y + 12,
          event.message.startsWith("ingress ") ? this.names.of(event.caller) : "",
          "arrived",
          event,
        );
      }
      const at = { lane: box.lane, y: box.y + box.height - 4 };
      for (const name of event.sent) this.sent.set(name, at);
      for (const name of event.answered) this.sent.set(`answer ${name}`, at);
      bottom = box.y + box.height;
      this.y = bottom + (step.events[n + 1]?.step === "cleanup" ? 4 : ROW_GAP);
    }
    if (step.events.length === 0 && step.message && way === "lose") this.lose(step);
    const changes = changedLooks(before, step.looks);
    const chips = changes.length ? this.chips(changes, bottom + 6) : bottom;
    const notes = this.answers(step, place, bottom);
    this.y = Math.max(this.y, chips + ROW_GAP - 6, notes);
  }

  /** @param {string} key @param {number} step @param {import("./labels.js").What} what */
  box(key, step, what) {
    const place = this.lanes.get(key) ?? 0;
    const lane = /** @type {Lane} */ (this.layout.lanes[place]);
    const small = this.layout.narrow ? 6.2 : 6.6;
    const most = Math.floor((lane.width - 16) / small);
    const title = what.title ? wrap(what.title, Math.floor((lane.width - 16) / (small + 0.7)), 2) : [];
    const lines = what.lines.flatMap((line) =>
      wrap(line.text, most, what.ending === "answer" ? 5 : line.kind === "why" ? 3 : 2).map((text) => ({
        ...line,
        text,
      })),
    );
    const height = 10 + title.length * TITLE + lines.length * LINE + (what.foot ? FOOT : 2);
    const box = { ...what, title, lines, lane: place, x: lane.x, y: this.y, width: lane.width, height, step };
    this.layout.boxes.push(box);
    return box;
  }

  /** @param {ToldStep} step @param {number} place @param {NonNullable<ReturnType<typeof callOf>>} call */
  call(step, place, call) {
    const refused = step.refused
      ? [{ text: `not taken in: ${this.names.in(step.refused)}`, kind: /** @type {const} */ ("why"), struck: false }]
      : [];
    const name = `call ${++this.made}`;
    const box = this.box(userName(call.user), place, {
      title: name,
      lines: [
        {
          text: this.names.in(`${call.method}${call.argument === "()" ? "" : ` ${call.argument}`}`),
          kind: "",
          struck: Boolean(step.refused),
        },
        ...refused,
      ],
      ending: step.refused ? "refused" : "call",
      foot: "",
    });
    if (step.message) this.calls.set(step.message.name, name);
    if (step.message) this.sent.set(step.message.name, { lane: box.lane, y: box.y + box.height / 2 });
    this.y = box.y + box.height + ROW_GAP - 4;
  }

  /** The user's side of the answers. @param {ToldStep} step @param {number} place @param {number} top */
  answers(step, place, top) {
    let bottom = 0;
    for (const { message, text } of step.answers) {
      const from = this.sent.get(`answer ${message}`);
      const call = this.sent.get(message);
      const lane = call ? this.layout.lanes[call.lane] : undefined;
      const isReject = /^reject/.test(text);
      const answered = step.events.find((event) => event.answered.includes(message));
      const key = lane?.isUser ? lane.key : answered ? this.names.of(answered.caller) : undefined;
      if (key === undefined) continue;
      this.y = Math.max(bottom, top - 2);
      const said = isReject
        ? this.names.in(text.replace(/^(reject [^:]*: )(.*)$/s, (_, code, message) => code + reason(message)))
        : /^reply/.test(text)
          ? text
          : `reply: ${plain(text)}`;
      const box = this.box(key, place, {
        title: "",
        lines: [{ text: said, kind: "why", struck: false }],
        ending: "answer",
        foot: "",
      });
      bottom = box.y + box.height + ROW_GAP;
      if (from) this.arrow(from, box.lane, box.y + 12, isReject ? "reject" : "reply", "", "arrived");
    }
    return bottom;
  }

  /** An arrow from where a message was sent to where it is now.
   * @param {string} name @param {string} to @param {number} y @param {string} user who sent it, if the sending was not told
   * @param {Arrow["state"]} state @param {Event} [event] */
  arrive(name, to, y, user, state, event) {
    const target = this.lanes.get(to);
    if (target === undefined) return;
    const isResponse = name.startsWith("response ");
    const callback = event && typeof event.step === "object" && "callback" in event.step ? event.step.callback : null;
    const { reject = null } = callback ?? {};
    // Of what was sent before the beginning only the sender is known. A reject is sent by nobody, if no event did it.
    const sender = reject ? undefined : this.lanes.get(callback?.from || user || (event?.caller ?? ""));
    const from = this.sent.get(name) ?? (sender === undefined ? undefined : { lane: sender, y });
    if (!from || (from.y === y && from.lane === target)) return;
    const kind = reject ? "reject" : isResponse ? "reply" : "request";
    const label = reject ? `reject ${reject.code}` : isResponse ? (state === "arrived" ? "reply" : "answer") : "";
    this.arrow(from, target, y, kind, label, state);
  }

  /** @param {{ lane: number, y: number }} from @param {number} target @param {number} y @param {Arrow["kind"]} kind @param {string} label @param {Arrow["state"]} state */
  arrow(from, target, y, kind, label, state) {
    const [a, b] = [this.layout.lanes[from.lane], this.layout.lanes[target]];
    if (!a || !b) return;
    const toRight = from.lane <= target;
    const x1 = toRight ? a.x + a.width : a.x;
    const x2 = from.lane === target ? x1 : toRight ? b.x : b.x + b.width;
    this.layout.arrows.push({ x1, y1: from.y, x2, y2: y, label, kind, state, loop: from.lane === target });
  }

  /** A message that arrives nowhere: its arrow ends half way, with a cross. @param {ToldStep} step */
  lose(step) {
    const { message } = step;
    const from = message && this.sent.get(message.name);
    const target = message && this.lanes.get(message.to);
    this.y += 30;
    if (!message || !from || typeof target !== "number") return;
    this.arrow(from, target, this.y - 10, message.kind === "response" ? "reply" : "request", "lost", "lost");
    const arrow = this.layout.arrows.at(-1);
    if (arrow) arrow.x2 = (arrow.x1 + arrow.x2) / 2;
  }

  /** What users could see, in the lanes of the canisters that were asked.
   * @param {{ look: number, before: string, now: string }[]} looks @param {number} top */
  chips(looks, top) {
    /** @type {Map<number, number>} */
    const depth = new Map();
    let bottom = top;
    for (const { look, before, now } of looks) {
      const text = this.looks[look] ?? "";
      const place = this.lanes.get(lookOwner(text, this.ids));
      const lane = place === undefined ? undefined : this.layout.lanes[place];
      if (place === undefined || !lane) continue;
      const y = top + (depth.get(place) ?? 0) * CHIP;
      depth.set(place, (depth.get(place) ?? 0) + 1);
      const most = Math.max(6, Math.floor((lane.width - 20) / (this.layout.narrow ? 6.3 : 6.6)));
      const cut = (/** @type {string} */ said, /** @type {number} */ letters) =>
        wrap(said, Math.max(4, Math.floor(letters)), 1)[0] ?? "";
      const from = before && !this.layout.narrow ? cut(plain(before), most / 3) : "";
      const to = cut(plain(now), from ? most / 3 : most * 0.6);
      const label = cut(lookLabel(text), most - to.length - (from ? from.length + 3 : 0) - 2);
      const letters = label.length + to.length + (from ? from.length + 3 : 0) + 3;
      this.layout.chips.push({
        x: lane.x,
        y,
        width: Math.min(lane.width, letters * 6.8 + 14),
        label,
        before: from,
        now: to,
      });
      bottom = Math.max(bottom, y + CHIP);
    }
    this.y = Math.max(this.y, bottom);
    return bottom;
  }
}
