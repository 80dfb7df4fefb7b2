/** The panel that saves and shares a story. */

/** @import { Page } from "./page.js" */

import { button, html } from "./dom.js";
import { layOut } from "./layout.js";
import { toPerfetto } from "./perfetto.js";
import { toSvg } from "./picture.js";

/** How wide a picture is that is saved, in pixels. */
const WIDTH = 900;

export class SavePanel {
  #said = html("p", { class: "note", role: "status" });
  #buttons = [
    button("Copy the link", () => void this.#copy()),
    button("SVG", () => void this.#save("story.svg", "image/svg+xml", () => this.#svg())),
    button("Mermaid", () => void this.#save("story.mmd", "text/plain", () => this.#mermaid())),
    button(
      "Perfetto trace",
      () => void this.#save("story.perfetto.json", "application/json", () => toPerfetto(this.page.told, this.page.ids)),
    ),
  ];

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    root.append(
      html("p", { class: "note" }, "The address of this page holds the whole story. A trace opens in ui.perfetto.dev."),
      html("div", { class: "in-line" }, ...this.#buttons),
      this.#said,
    );
  }

  render() {
    for (const one of this.#buttons) one.disabled = this.page.told.steps.length === 0;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      this.#said.textContent = "The link is copied.";
    } catch {
      this.#said.textContent = "The browser doesn't let the page copy: take the link from the address bar.";
    }
  }

  async #svg() {
    const style = await (await fetch("picture.css")).text();
    const { told, looks, ids } = this.page;
    return toSvg(layOut(told, looks, ids, WIDTH), style);
  }

  #mermaid() {
    const { story, looks, ids } = this.page;
    return this.page.source.mermaid({ steps: story.steps.slice(0, story.at), looks, names: ids });
  }

  /** @param {string} name @param {string} type @param {() => string | Promise<string>} make */
  async #save(name, type, make) {
    try {
      const url = URL.createObjectURL(new Blob([await make()], { type }));
      html("a", { href: url, download: name }).click();
      // The browser has begun to read it when this runs.
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      this.#said.textContent = `${name} is saved.`;
    } catch (error) {
      this.page.fail(error);
    }
  }
}
