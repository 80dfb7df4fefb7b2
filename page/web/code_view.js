/** The code beside the picture: the function that ran, with the lines of this message marked. */

/** @import { Event } from "./types.js" */
/** @import { Piece, Source } from "./code.js" */
/** @import { Page } from "./page.js" */

import { find, piece, read } from "./code.js";
import { html } from "./dom.js";
import { contextOf, methodsOf } from "./names.js";

/** How much of what stands above the marked lines is seen, in pixels. */
const ABOVE = 120;

/** @typedef {{ name: string, sources: Source[] }} Known a canister and the files with its code */

export class CodeView {
  /** @type {Map<string, Promise<Source>>} */
  #files = new Map();
  #turn = 0;

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    this.root = root;
  }

  render() {
    const turn = ++this.#turn;
    void this.#content().then((content) => {
      if (turn !== this.#turn) return;
      this.root.replaceChildren(...content);
      const [code, ran] = [this.root.querySelector("pre"), this.root.querySelector(".ran")];
      // What ran is in view, with a little of what stands above it.
      if (code && ran) code.scrollTop = ran.getBoundingClientRect().top - code.getBoundingClientRect().top - ABOVE;
    });
  }

  /** @returns {Promise<(Node)[]>} */
  async #content() {
    const { told, scene } = this.page;
    if (!scene || this.page.elsewhere) return [];
    const events = told.steps.flatMap((step) => step.events);
    const last = told.steps.findLast((step) => step.events.length > 0 || step.message)?.events ?? [];
    // What the step ran; after a trap that is what was undone.
    for (const event of last) {
      const known = await this.#known(event.canister);
      for (const source of known?.sources ?? []) {
        const ran = piece(source, events, event, methodsOf(events).get(contextOf(event)));
        if (known && ran) return draw(known.name, source, ran, event);
      }
    }
    const waiting = told.waiting.find(({ message }) => message.kind === "ingress" || message.kind === "request");
    const known = waiting && last.length === 0 ? await this.#known(waiting.message.to) : null;
    for (const source of known?.sources ?? []) {
      const func = waiting && find(source, waiting.message.method);
      if (known && func) return draw(known.name, source, { func, first: -1, last: -1, known: true }, null);
    }
    return [html("p", { class: "note" }, "The code of what runs stands here, where there is some.")];
  }

  /** @param {string} id @returns {Promise<Known | null>} */
  async #known(id) {
    const canister = this.page.scene?.canisters.find(({ name }) => this.page.ids[name] === id);
    if (!canister) return null;
    return { name: canister.name, sources: await Promise.all(canister.source.map((path) => this.#file(path))) };
  }

  /** @param {string} path */
  #file(path) {
    const known = this.#files.get(path);
    if (known) return known;
    const loading = fetch(path).then(async (answer) => read(answer.ok ? await answer.text() : ""));
    this.#files.set(path, loading);
    return loading;
  }
}

/** @param {string} name @param {Source} source @param {Piece} ran @param {Event | null} event nothing if it has not run yet */
function draw(name, source, { func, first, last, known }, event) {
  const undone = event !== null && event.ending !== "committed";
  const lines = [];
  for (let line = func.first; line <= func.last; line++) {
    const text = source.lines[line] ?? "";
    const marked = line >= first && line <= last;
    const comment = commentAt(source, line);
    const kind = marked ? (undone ? "ran struck" : "ran") : "";
    const indent = text.length - text.trimStart().length;
    const row = html(
      "span",
      { class: `row ${kind}` },
      text.slice(0, indent),
      html("span", {}, text.slice(indent, comment), html("i", {}, text.slice(Math.max(indent, comment)))),
      "\n",
    );
    // A line that is too long goes on a little to the right of where it begins.
    row.style.paddingLeft = `calc(17px + ${indent + 2}ch)`;
    row.style.textIndent = `${-indent - 2}ch`;
    lines.push(row);
  }
  const what =
    event === null
      ? "It waits to run."
      : undone
        ? "The marked lines ran, and were undone."
        : "The marked lines ran: up to the commit point.";
  const unsure =
    "Which part of it ran can't be told from the text: awaits in loops or in other functions. All of it is marked.";
  return [
    html("h2", {}, name),
    html("p", { class: "note" }, known ? what : unsure),
    html("pre", { tabindex: "0", "aria-label": `Code in ${name}` }, html("code", {}, ...lines)),
  ];
}

/** Where a line's comment begins. @param {Source} source @param {number} line */
function commentAt(source, line) {
  const text = source.lines[line] ?? "";
  const start = source.starts[line] ?? 0;
  for (let place = text.indexOf("//"); place >= 0; place = text.indexOf("//", place + 1)) {
    // In a text in quotes these are blank, too, but a quote stands before them.
    if (source.code.slice(start + place, start + text.length).trim() === "" && !text.slice(place).includes('"'))
      return place;
  }
  return text.length;
}
