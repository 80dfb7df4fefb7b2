/** The panel in which the reader gives names to a network's canisters. They are kept in the address. */

/** @import { Page } from "./page.js" */

import { byId, html } from "./dom.js";

export class NamesPanel {
  #known = "";

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    this.root = root;
    byId("names-panel").hidden = false;
    byId("names-panel").setAttribute("open", "");
  }

  render() {
    const { canisters, story } = this.page;
    const known = JSON.stringify([canisters.map(({ id }) => id), story.names]);
    if (known === this.#known) return;
    this.#known = known;
    const given = new Map(Object.entries(story.names).map(([name, id]) => [id, name]));
    const fields = canisters.map(({ id }) => {
      const field = html("input", {
        value: given.get(id) ?? "",
        autocomplete: "off",
        spellcheck: "false",
        pattern: "[A-Za-z][A-Za-z0-9_\\-]*",
        title: "Letters, digits, - and _",
      });
      return { id, field, label: html("label", {}, html("code", {}, id), field) };
    });
    const form = html(
      "form",
      {
        class: "form",
        submit: (/** @type {Event} */ event) => {
          event.preventDefault();
          const names = fields.flatMap(({ id, field }) => (field.value.trim() ? [[field.value.trim(), id]] : []));
          const unique = Object.fromEntries(names);
          if (Object.keys(unique).length < names.length)
            return this.page.fail("Two canisters can't have the same name.");
          void this.page.rename(unique);
        },
      },
      ...fields.map(({ label }) => label),
      html("button", {}, "Use these names"),
    );
    this.root.replaceChildren(fields.length ? form : html("p", { class: "note" }, "There are no canisters yet."));
  }
}
