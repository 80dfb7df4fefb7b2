/** The panel with the queries that are watched. */

/** @import { Page } from "./page.js" */

import { html } from "./dom.js";

export class WatchPanel {
  #text = html("textarea", { id: "watch-queries", rows: "3", spellcheck: "false", class: "code" });

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    const form = html(
      "form",
      {
        class: "form",
        submit: (/** @type {Event} */ event) => {
          event.preventDefault();
          const looks = this.#text.value
            .split("\n")
            .map((line) => line.trim())
            .filter(Boolean);
          void page.show({ ...page.story, looks }, true);
        },
      },
      html(
        "label",
        {},
        html("span", {}, "Queries, one a line, such as ", html("code", {}, "canister1 get ()")),
        this.#text,
      ),
      html("button", {}, "Watch these"),
    );
    root.append(form);
  }

  render() {
    const looks = this.page.looks.join("\n");
    if (document.activeElement !== this.#text) this.#text.value = looks;
  }
}
