/** The panel with which users make calls: methods, types and first arguments come from the canister itself. */

/** @import { Page } from "./page.js" */

import { html } from "./dom.js";
import { clean } from "./text.js";

export class CallPanel {
  #canister = html("select", { id: "call-canister", change: () => this.#methods() });
  #method = html("select", { id: "call-method", change: () => this.#argument() });
  #text = html("input", { id: "call-argument", autocomplete: "off", spellcheck: "false", class: "code" });
  #user = html("input", { id: "call-user", autocomplete: "off", placeholder: "anonymous", spellcheck: "false" });
  #types = html("p", { class: "note types" });
  #known = "";

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    const form = html(
      "form",
      { class: "form", submit: (/** @type {Event} */ event) => this.#make(event) },
      row("Canister", this.#canister),
      row("Method", this.#method),
      row("Argument", this.#text),
      this.#types,
      row("User", this.#user),
      html("p", { class: "note" }, "A number stands for one of as many users as you like."),
      html("button", { class: "primary" }, "Make the call"),
    );
    root.append(form);
  }

  render() {
    const { canisters, names } = this.page;
    const known = canisters.map(({ id }) => `${id} ${names.of(id)}`).join();
    if (known === this.#known) return;
    this.#known = known;
    const before = this.#canister.value;
    // Those that tell their interface are those that somebody wrote for this.
    const sorted = canisters.toSorted((one, other) => Number(other.described) - Number(one.described));
    this.#canister.replaceChildren(...sorted.map(({ id }) => new Option(names.of(id), id)));
    if (canisters.some(({ id }) => id === before)) this.#canister.value = before;
    else this.#methods();
  }

  #chosen() {
    return this.page.canisters.find(({ id }) => id === this.#canister.value);
  }

  #methods() {
    const methods = (this.#chosen()?.methods ?? []).filter(({ kind }) => kind !== "composite_query");
    const sorted = [
      ...methods.filter(({ kind }) => kind === "update"),
      ...methods.filter(({ kind }) => kind !== "update"),
    ];
    this.#method.replaceChildren(
      ...sorted.map(({ name, kind }) => new Option(clean(name) + (kind === "update" ? "" : " (query)"), name)),
    );
    // What the scene begins with is what a reader looks for.
    const start = this.page.scene?.stories[0]?.steps.join(" ") ?? "";
    const first = sorted.find(({ name }) => start.includes(` ${name} `));
    if (first) this.#method.value = first.name;
    this.#argument();
  }

  #argument() {
    const method = this.#chosen()?.methods.find(({ name }) => name === this.#method.value);
    this.#text.value = method?.argument ?? "()";
    const { takes = "", gives = "" } = method ?? {};
    this.#types.textContent = takes
      ? clean(`${takes} → ${gives}`)
      : "The canister doesn't tell its types: the argument is Candid, or bytes as 0x…";
  }

  /** @param {Event} event */
  #make(event) {
    event.preventDefault();
    const user = this.#user.value.trim();
    const who = user && user !== "anonymous" ? `user ${user}: ` : "";
    // Line breaks in an argument mean no more than blanks.
    const argument = this.#text.value.trim().replace(/\s+/g, " ") || "()";
    void this.page.take(`call ${who}${this.#canister.value} ${this.#method.value} ${argument}`);
  }
}

/** @param {string} label @param {HTMLElement} field */
export function row(label, field) {
  return html("label", { class: "row-of-form" }, html("span", {}, label), field);
}
