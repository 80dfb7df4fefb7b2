/** The messages that wait, at the foot of their lanes: buttons that deliver them. */

/** @import { Layout } from "./layout.js" */
/** @import { Message } from "./types.js" */
/** @import { Names } from "./names.js" */

import { button, html, partable } from "./dom.js";
import { clean } from "./text.js";

/** @typedef {{ id: string, message: Message, ways: string[] }} One */

/** What the ways to deliver are called. @param {string} way @param {string} to */
function wayText(way, to) {
  const known = /** @type {Record<string, string>} */ ({
    trap: "Let it trap at its end",
    reject: "Let the system reject it",
    lose: "Lose it on the way",
    stop: `Stop ${to} just before`,
    upgrade: `Upgrade ${to} just before`,
  });
  return known[way] ?? way;
}

export class Feet {
  #root = html("div", { class: "feet", role: "group", "aria-label": "Messages that wait" });

  /** @param {HTMLElement} root @param {(step: string) => void} act does a way to deliver a message, such as `trap call 1` */
  constructor(root, act) {
    this.act = act;
    root.append(this.#root);
  }

  /** @param {Layout} layout @param {One[]} waiting @param {Names} names */
  show(layout, waiting, names) {
    this.#root.replaceChildren(
      ...layout.lanes.map((lane) => {
        const mine = waiting.filter(({ message }) => message.to === lane.key);
        const foot = html("div", { class: "foot-of-lane" }, ...mine.map((one) => this.#card(one, names)));
        foot.style.width = `${lane.right - lane.left}px`;
        foot.style.paddingLeft = `${lane.x - lane.left}px`;
        foot.style.paddingRight = `${lane.right - lane.x - lane.width}px`;
        return foot;
      }),
    );
    this.#root.classList.toggle("empty", waiting.length === 0);
  }

  /** @param {One} one @param {Names} names */
  #card({ id, message, ways }, names) {
    const { kind, method } = message;
    const [from, to] = [names.of(message.from), names.of(message.to)];
    const what = kind === "response" ? `answer of ${from}.${clean(method)}` : clean(method);
    const whose =
      kind === "response"
        ? `to ${to}`
        : kind === "task"
          ? `task of ${to}`
          : `${kind === "ingress" && id.startsWith("call ") ? id : "call"} by ${from}`;
    const others = ways.filter((way) => way !== "deliver");
    const deliver = button("", () => this.act(`deliver ${id}`), {
      class: "deliver",
      disabled: !ways.includes("deliver"),
      "aria-label": ways.length
        ? `Deliver ${what}, ${whose}`
        : `${what}, ${whose}: it waits until a message before it is delivered`,
    });
    deliver.append(
      html("strong", {}, partable(what)),
      html("span", {}, ways.length ? whose : `${whose}, behind another`),
      html("em", {}, ways.includes("deliver") ? "Deliver" : ""),
    );
    const card = html("div", { class: "card" }, deliver);
    const waiting = html("div", { class: "waiting" }, card);
    if (others.length === 0) return waiting;
    const menu = html(
      "div",
      { class: "ways", hidden: true },
      ...others.map((way) => button(wayText(way, to), () => this.act(`${way} ${id}`), { "data-way": way })),
    );
    const more = button("…", () => open(menu.hidden), {
      class: "more",
      "aria-expanded": "false",
      "aria-label": `Other ways to deliver ${what}`,
    });
    /** @param {boolean} isOpen */
    const open = (isOpen) => {
      menu.hidden = !isOpen;
      more.setAttribute("aria-expanded", String(isOpen));
      if (isOpen) menu.scrollIntoView({ block: "nearest" });
    };
    card.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || menu.hidden) return;
      open(false);
      more.focus();
    });
    card.append(more, menu);
    return waiting;
  }
}
