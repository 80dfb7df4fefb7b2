/** The panel that goes through every order of the calls, and finds those in which something fails. */

/** @import { Page } from "./page.js" */
/** @import { Found, Seen } from "./types.js" */

import { row } from "./call.js";
import { button, html } from "./dom.js";
import { callOf } from "./names.js";
import { plain } from "./text.js";

const FAULTS = ["trap", "reject", "lose", "stop", "upgrade", "late"];

export class ExplorePanel {
  #properties = html("textarea", {
    id: "explore-properties",
    rows: "4",
    spellcheck: "false",
    class: "code",
    placeholder: "always canister2 get () <= 1",
  });
  #most = html("input", { id: "explore-most", type: "number", min: "0", value: "1", class: "short" });
  #faults = FAULTS.map((fault) => html("input", { type: "checkbox", value: fault }));
  #go = html("button", { class: "primary" }, "Go through every order");
  #cancel = button("Cancel", () => this.#ended?.abort(), { hidden: true });
  #progress = html("p", { class: "note", role: "status" });
  #what = html("p", { class: "note" });
  #found = html("div", { class: "found" });
  /** @type {AbortController | null} */
  #ended = null;
  /** @type {unknown} */
  #beginning = null;

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    const faults = html(
      "fieldset",
      {},
      html("legend", {}, "Faults that may happen"),
      ...this.#faults.map((box) => html("label", { class: "check" }, box, ` ${box.value}`)),
    );
    const properties = html(
      "label",
      {},
      html(
        "span",
        {},
        "What must hold, one a line: ",
        html("code", {}, "always"),
        ", ",
        html("code", {}, "at-end"),
        " or ",
        html("code", {}, "sometimes"),
        " and a query with its value; ",
        html("code", {}, "all-answered"),
        ", ",
        html("code", {}, "no-traps"),
        ", ",
        html("code", {}, "cycles-conserved"),
      ),
      this.#properties,
    );
    const form = html(
      "form",
      { class: "form", submit: (/** @type {Event} */ event) => this.#explore(event) },
      this.#what,
      properties,
      faults,
      row("Faults at most", this.#most),
      html("div", { class: "in-line" }, this.#go, this.#cancel),
    );
    root.append(form, this.#progress, this.#found);
  }

  render() {
    const { beginning } = this.page;
    if (beginning && beginning !== this.#beginning) {
      this.#beginning = beginning;
      this.#properties.value = beginning.properties.join("\n");
      this.#found.replaceChildren();
    }
    const calls = this.#steps().filter((_, place, steps) => steps.slice(place).every((step) => callOf(step)));
    const said = calls.map((step) => step.replace(/^call /, "")).join(", and ");
    this.#what.textContent = calls.length
      ? `Made at the same time: ${said}.`
      : "Make the calls first; deliver nothing after them.";
  }

  /** The story up to its last call: the calls at its end are made at the same time. */
  #steps() {
    const { steps, at } = this.page.story;
    const last = steps.slice(0, at).findLastIndex((step) => callOf(step));
    return steps.slice(0, last + 1);
  }

  /** @param {Event} event */
  async #explore(event) {
    event.preventDefault();
    if (this.#ended) return;
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const most = Number(this.#most.value);
    const wanted = {
      properties: this.#properties.value
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean),
      faults: this.#faults.filter(({ checked }) => checked).map(({ value }) => value),
      max_faults: this.#faults.some(({ checked }) => checked) && Number.isInteger(most) && most >= 0 ? most : null,
      limit: null,
    };
    const story = { steps: this.#steps(), looks: this.page.looks, names: this.page.ids };
    this.#wait(true);
    this.#found.replaceChildren();
    try {
      const found = await this.page.source.explore(
        story,
        wanted,
        ({ deliveries }) => (this.#progress.textContent = `${deliveries.toLocaleString("en")} messages delivered …`),
        signal,
      );
      this.#show(found);
    } catch (error) {
      this.#progress.textContent = signal.aborted
        ? "It was cancelled."
        : error instanceof Error
          ? error.message
          : String(error);
    } finally {
      this.#ended = null;
      this.#wait(false);
    }
  }

  /** @param {boolean} isUnderWay */
  #wait(isUnderWay) {
    this.#go.disabled = isUnderWay;
    this.#cancel.hidden = !isUnderWay;
    if (isUnderWay) this.#progress.textContent = "It begins …";
  }

  /** @param {Found} found */
  #show({ report, sentences, stories }) {
    const { number, more } = report.orders;
    const orders = `${more ? "more than " : ""}${number.toLocaleString("en")} ${number === 1 ? "order" : "orders"}`;
    const all = report.exhaustive ? "all were gone through" : "not all were gone through";
    const verdict =
      this.#properties.value.trim() === "" ? "" : report.holds ? "Everything holds. " : "Not everything holds. ";
    this.#progress.textContent = `${verdict}There are ${orders}; ${all}. ${count(report.distinct_outcomes, "outcome")}.`;
    const failures = sentences.map((sentence, place) => {
      const [story, good] = [stories.failures[place] ?? [], stories.nearest[place]];
      const nearest = good && button("Compare with the nearest good one", () => this.#walk(story, good));
      return html(
        "li",
        { class: "failure" },
        html(
          "p",
          {},
          html("strong", {}, report.failures[place]?.property ?? ""),
          " fails. ",
          this.page.names.in(sentence),
        ),
        html(
          "div",
          { class: "in-line" },
          button("Walk through it", () => this.#walk(story)),
          nearest,
        ),
      );
    });
    const never = report.never.map((name) =>
      html("li", { class: "failure" }, html("strong", {}, name), " never holds."),
    );
    const outcomes = report.outcomes.map(({ seen, orders }, place) =>
      html(
        "li",
        {},
        html("p", {}, this.#seen(seen, report.looks, stories.outcomes[place] ?? []), ` In ${count(orders.number, "order")}.`),
        button("Walk through it", () => this.#walk(stories.outcomes[place] ?? [])),
      ),
    );
    this.#found.replaceChildren(
      ...(failures.length + never.length ? [html("ol", {}, ...failures, ...never)] : []),
      html("h3", {}, "What can come out"),
      html("ol", {}, ...outcomes),
    );
  }

  /** @param {Seen} seen @param {import("./types.js").Call[]} looks @param {string[]} steps those that lead to it */
  #seen(seen, looks, steps) {
    const { names } = this.page;
    // Calls have the numbers of the whole story.
    const before = steps.filter((step) => step.startsWith("call ")).length - seen.answers.length;
    const answers = looks.map(
      ({ canister, method, argument }, place) =>
        `${names.of(canister)} ${method}${argument === "()" ? "" : ` ${names.in(argument)}`} answers ${plain(seen.looks[place] ?? "")}`,
    );
    const users = seen.answers.map(
      (answer, place) => `call ${before + place + 1}: ${answer === null ? "no answer" : names.in(plain(answer)).split("\n")[0]}`,
    );
    return `${[...answers, ...users].join("; ")}.`;
  }

  /** Steps that were found, to be stepped through. @param {string[]} steps @param {string[]} [good] an order to compare with */
  async #walk(steps, good) {
    const { names, story, page } = { names: this.page.names, story: this.page.story, page: this.page };
    const named = steps.map((step) => names.inStep(step));
    const calls = this.#steps().length;
    const at = good ? named.length : Math.min(calls, named.length);
    await page.show({ ...story, steps: named, at, kept: good ? good.map((step) => names.inStep(step)) : null }, true);
    document.getElementById("stage")?.scrollIntoView({ block: "nearest" });
    document.getElementById(good ? "back" : "forward")?.focus();
  }
}

/** @param {number} number @param {string} what */
function count(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
