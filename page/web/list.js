/** The same story as a list: what a screen reader reads, and what fits a small screen. */

import { button, html } from "./dom.js";

export class List {
  #list = html("ol", { class: "told", "aria-label": "What happened, step by step" });

  /** @param {HTMLElement} root @param {(at: number) => void} [onGo] goes to where so many steps are taken */
  constructor(root, onGo) {
    this.onGo = onGo;
    root.append(this.#list);
  }

  /** @param {string[]} sentences */
  show(sentences) {
    const isShown = document.body.classList.contains("list");
    const items = this.#list.children;
    while (items.length > sentences.length) items[items.length - 1]?.remove();
    sentences.forEach((text, place) => {
      let item = items[place];
      if (!item) {
        item = html(
          "li",
          {},
          this.onGo
            ? button(`${place + 1}`, () => this.onGo?.(place + 1), { "aria-label": `Go to step ${place + 1}` })
            : null,
          html("span"),
        );
        this.#list.append(item);
      }
      const said = item.querySelector("span");
      if (said && said.textContent !== text) said.textContent = text;
      // Nobody goes by keyboard to what is not seen.
      item.querySelector("button")?.setAttribute("tabindex", isShown ? "0" : "-1");
    });
  }
}
