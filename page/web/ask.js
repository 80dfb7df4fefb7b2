/** Questions: before a message is delivered the reader says what will be answered then. */

/** @import { Page } from "./page.js" */

import { button, byId, html } from "./dom.js";
import { lookLabel, lookOwner } from "./looks.js";
import { callOf } from "./names.js";
import { judge, verdict } from "./predict.js";
import { plain } from "./text.js";

export class AskPanel {
  #isOn = false;
  #asked = 0;
  #right = 0;
  /** What was told when the reader was asked last. @type {unknown} */
  #before = null;
  #score = html("p", { class: "note", role: "status" });

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    const check = html("input", { type: "checkbox", id: "ask-first", change: () => (this.#isOn = check.checked) });
    root.append(
      html("label", { class: "check" }, check, " Before each delivery, ask me what will be answered then"),
      this.#score,
    );
  }

  render() {
    // A question stands until the story goes on.
    if (this.page.told !== this.#before) byId("question").hidden = true;
    this.#score.textContent = this.#asked ? `${this.#right} of ${this.#asked} as predicted.` : "";
  }

  /** Whether the reader is asked something before a step. Then the step is taken with the reader's answer.
   * @param {string} step */
  asks(step) {
    const { looks, told } = this.page;
    if (!this.#isOn || looks.length === 0 || callOf(step)) return false;
    const before = told.steps.at(-1)?.looks ?? told.looks;
    const labels = looks.map((look) => `${this.page.names.of(lookOwner(look, this.page.ids))} ${lookLabel(look)}`);
    const fields = labels.map((_, place) =>
      html("input", { value: plain(before[place] ?? ""), autocomplete: "off", class: "short", name: `look${place}` }),
    );
    const form = /** @type {HTMLFormElement} */ (byId("question"));
    form.replaceChildren(
      html("p", {}, "What will be answered after that? Now it is what stands here."),
      ...fields.map((field, place) => html("label", {}, `${labels[place]} `, field)),
      html("button", { class: "primary" }, "Deliver, and see"),
      button("Not now", () => (form.hidden = true)),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      void this.#judge(
        step,
        fields.map((field) => field.value),
        labels,
      );
    };
    form.hidden = false;
    this.#before = told;
    fields[0]?.focus();
    fields[0]?.select();
    return true;
  }

  /** @param {string} step @param {string[]} predicted @param {string[]} labels */
  async #judge(step, predicted, labels) {
    if (!(await this.page.proceed(step))) return;
    const answers = this.page.told.steps.at(-1)?.looks ?? [];
    const right = judge(predicted, answers);
    this.#asked += right.length;
    this.#right += right.filter(Boolean).length;
    const said = byId("judged");
    said.textContent = verdict(right, labels, answers);
    said.classList.toggle("wrong", right.includes(false));
    said.hidden = false;
    this.render();
  }
}
