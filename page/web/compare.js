/** Two orders side by side: one that is kept, and the one that the reader goes on with. */

/** @import { Page } from "./page.js" */
/** @import { Told } from "./types.js" */

import { button, byId, html } from "./dom.js";
import { layOut } from "./layout.js";
import { List } from "./list.js";
import { lookLabel, lookOwner } from "./looks.js";
import { Names } from "./names.js";
import { Picture } from "./picture.js";
import { firstDifference } from "./story.js";
import { plain } from "./text.js";
import { sentences } from "./words.js";

export class ComparePanel {
  #picture = new Picture(byId("other"));
  #list = new List(byId("other"));
  #said = html("div", { role: "status" });
  /** What was told of the order that is kept, and of which. @type {{ of: string, told: Told } | null} */
  #kept = null;
  /** The difference that was shown last. @type {number | null} */
  #seen = null;

  /** @param {Page} page @param {HTMLElement} root */
  constructor(page, root) {
    this.page = page;
    this.keep = button("Keep this order, and try another", () => void this.#keep());
    this.swap = button("Go on with the kept one", () => void this.#swap());
    this.end = button("Compare no longer", () => void page.show({ ...page.story, kept: null }, true));
    root.append(this.#said, html("div", { class: "in-line" }, this.keep, this.swap, this.end));
  }

  #keep() {
    const { story } = this.page;
    return this.page.show({ ...story, kept: story.steps.slice(0, story.at) }, true);
  }

  #swap() {
    const { story } = this.page;
    const kept = story.kept ?? [];
    return this.page.show({ ...story, steps: kept, at: kept.length, kept: story.steps.slice(0, story.at) }, true);
  }

  /** The first step that is not the same; nothing as long as one order is only shorter. */
  differs() {
    if (!this.#kept || !this.page.story.kept) return null;
    const [here, there] = [this.page.told, this.#kept.told].map(({ steps }) => steps.map(({ step }) => step));
    const place = firstDifference(here ?? [], there ?? []);
    return place !== null && here?.[place] && there?.[place] ? place : null;
  }

  render() {
    const { kept } = this.page.story;
    const isShown = kept !== null && !this.page.elsewhere;
    byId("stages").classList.toggle("two", isShown);
    byId("other").hidden = !isShown;
    this.swap.hidden = this.end.hidden = kept === null;
    this.keep.disabled = this.page.told.steps.length === 0;
    if (!kept) {
      this.#kept = null;
      this.#said.replaceChildren(
        html(
          "p",
          { class: "note" },
          "Keep an order, go back and take another: both stand side by side, and the first difference is marked.",
        ),
      );
      return;
    }
    const of = JSON.stringify([kept, this.page.looks, this.page.ids]);
    if (this.#kept?.of !== of) return void this.#tell(of, kept);
    const { told } = this.#kept;
    const { looks, ids } = this.page;
    const differs = this.differs();
    this.#picture.show(layOut(told, looks, ids, byId("other").clientWidth - 2), differs);
    if (differs !== this.#seen) this.#picture.goToDifference();
    this.#seen = differs;
    this.#list.show(sentences(told, looks, ids));
    this.#said.replaceChildren(...this.#words(told).map((text) => html("p", {}, text)));
  }

  /** @param {string} of @param {string[]} kept */
  async #tell(of, kept) {
    try {
      const told = await this.page.source.tell({ steps: kept, looks: this.page.looks, names: this.page.ids });
      this.#kept = { of, told };
      this.page.render();
      if (told.fault) this.page.fail(`In the order that is kept: ${told.fault}`);
    } catch (error) {
      this.page.fail(error);
    }
  }

  /** Where the orders differ, and in what comes out. @param {Told} other */
  #words(other) {
    const { told, looks, ids } = this.page;
    const place = this.differs();
    if (place === null) return ["So far both orders are the same."];
    const names = new Names(ids, told.steps);
    const step = (/** @type {Told} */ one) => names.inStep(one.steps[place]?.step ?? "");
    const [now, then] = [told, other].map((one) => one.steps.at(-1)?.looks ?? one.looks);
    const outcomes = looks.flatMap((look, n) =>
      now?.[n] === then?.[n]
        ? []
        : [
            `${names.of(lookOwner(look, ids))} ${lookLabel(look)} answers ${plain(now?.[n] ?? "")} here, and ${plain(then?.[n] ?? "")} there.`,
          ],
    );
    return [
      `They differ first in step ${place + 1}: here '${step(told)}', there '${step(other)}'.`,
      ...(outcomes.length ? outcomes : ["What is watched answers the same in both, so far."]),
    ];
  }
}
