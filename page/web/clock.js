/** The panel that moves the clock. */

/** @import { Page } from "./page.js" */

import { button, html } from "./dom.js";

export class ClockPanel {
  #seconds = html("input", { id: "clock-seconds", type: "number", min: "1", value: "300", class: "short" });
  #now = html("p", { class: "note" });
  #late = button("To the next deadline or timer", () => void this.page.take("late"));

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    const ahead = html(
      "form",
      {
        class: "in-line",
        submit: (/** @type {Event} */ event) => {
          event.preventDefault();
          void page.take(`clock ${this.#seconds.value}`);
        },
      },
      html("label", {}, "Seconds ", this.#seconds),
      html("button", {}, "Move ahead"),
    );
    root.append(this.#now, ahead, this.#late);
  }

  render() {
    const { told } = this.page;
    this.#now.textContent = told.time ? `The replica's clock: ${clock(told.time)}` : "";
    this.#late.disabled = !told.late;
  }
}

/** A time in UTC. @param {number} nanoseconds since 1970 */
export function clock(nanoseconds) {
  const time = new Date(nanoseconds / 1e6);
  return Number.isNaN(time.getTime())
    ? "unknown"
    : time
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, " UTC");
}
