/** The page: which story is shown, what was told of it, and what comes next. */

/** @import { Canister, Scene, Source, Told } from "./types.js" */

import { button, byId } from "./dom.js";
import { focusHeld, settleFocus } from "./focus.js";
import { layOut } from "./layout.js";
import { List } from "./list.js";
import { Names } from "./names.js";
import { Picture } from "./picture.js";
import { andThen, fromAddress, toAddress } from "./story.js";
import { Feet } from "./waiting.js";
import { hint, sentences } from "./words.js";

/** @typedef {import("./story.js").Told} Shown */
/** @typedef {{ render(): void, asks?(step: string): boolean, differs?(): number | null }} View `asks` if the reader is asked something before the step */

const NOTHING = /** @type {Told} */ ({
  looks: [],
  steps: [],
  fault: null,
  waiting: [],
  late: false,
  wait: false,
  time: 0,
  users: {},
});

export class Page {
  /** @type {View[]} */
  views = [];
  /** @type {Shown} */
  story = { scene: null, steps: [], at: 0, looks: null, names: {}, kept: null };
  /** @type {Scene | null} */
  scene = null;
  /** What was told of the steps that are taken. */
  told = NOTHING;
  /** @type {Canister[]} */
  canisters = [];
  /** The scene's canisters: their ids by their names. @type {Record<string, string>} */
  #ids = {};
  #busy = false;
  /** @type {import("./layout.js").Layout} */
  layout = { lanes: [], boxes: [], arrows: [], chips: [], dividers: [], rows: [], width: 0, height: 0, narrow: false };
  /** Whether another view has the stage. */
  elsewhere = false;

  /** @param {Source} source */
  constructor(source) {
    this.source = source;
    const stage = byId("stage");
    this.picture = new Picture(stage, (step) => void this.go(step + 1));
    this.feet = new Feet(stage, (step) => void this.take(step));
    this.list = new List(stage, (at) => void this.go(at));
    this.#connect();
  }

  #connect() {
    byId("back").onclick = () => void this.go(this.story.at - 1);
    byId("forward").onclick = () => void this.go(this.story.at + 1);
    byId("again").onclick = () => void this.go(this.#beginning());
    for (const [id, list] of /** @type {const} */ ([
      ["as-picture", false],
      ["as-list", true],
    ])) {
      byId(id).onclick = () => {
        document.body.classList.toggle("list", list);
        byId("as-picture").setAttribute("aria-pressed", String(!list));
        byId("as-list").setAttribute("aria-pressed", String(list));
        this.render();
      };
    }
    window.addEventListener("popstate", () => void this.open(location.hash));
    new ResizeObserver(() => this.render()).observe(byId("stages"));
    /** @type {HTMLSelectElement} */
    const scenes = byId("scene");
    for (const { name, title } of this.source.scenes) scenes.add(new Option(title, name));
    scenes.onchange = () => void this.open(`#scene=${encodeURIComponent(scenes.value)}`, true);
    byId("scene-choice").hidden = this.source.scenes.length === 0;
    /** @type {HTMLSelectElement} */
    const stories = byId("story");
    stories.onchange = () => {
      const story = this.scene?.stories[Number(stories.value)];
      if (!story) return;
      void this.show({ ...this.story, steps: story.steps, at: story.steps.length, kept: null }, true);
    };
  }

  /** The queries that are watched. */
  get looks() {
    return this.story.looks ?? this.scene?.looks ?? [];
  }

  /** The beginning that the story has, of those that the scene offers. */
  get beginning() {
    const { steps } = this.story;
    const mine = (this.scene?.stories ?? []).filter((story) =>
      story.steps.every((step, place) => steps[place] === step),
    );
    return mine.toSorted((one, other) => other.steps.length - one.steps.length)[0] ?? null;
  }

  /** Where the reader began. */
  #beginning() {
    return this.beginning?.steps.length ?? 0;
  }

  /** The canisters' ids by their names. */
  get ids() {
    return { ...this.#ids, ...this.story.names };
  }

  get names() {
    return this.namesIn(this.told);
  }

  /** @param {Told} told */
  namesIn(told) {
    return new Names(this.ids, told.steps);
  }

  /** Gives names to canisters. Steps that use other names say the ids from then on.
   * @param {Record<string, string>} names */
  rename(names) {
    const called = new Names(names);
    const steps = this.story.steps.map((step, place) => called.inStep(this.told.steps[place]?.step ?? step));
    return this.show({ ...this.story, names, steps }, true);
  }

  /** Opens the story in an address, or the first scene.
   * @param {string} address @param {boolean} [isNew] whether it is a choice to which the reader may go back */
  async open(address, isNew = false) {
    const read = fromAddress(address);
    const { scenes } = this.source;
    const wanted = read?.told.scene;
    const scene = scenes.find(({ name }) => name === wanted) ?? scenes[0] ?? null;
    let fault = read?.fault ?? null;
    if (wanted && scenes.length && scene?.name !== wanted)
      fault = `There is no scene '${wanted.slice(0, 60)}'; this is another one.`;
    try {
      await this.#begin(scene);
    } catch (error) {
      return this.fail(error);
    }
    const story = read?.told ?? this.story;
    const isBare = !read || (story.steps.length === 0 && !/[&#](step|at|look)=/.test(address));
    const start = isBare ? (scene?.stories[0]?.steps ?? []) : story.steps;
    const opened = { ...story, scene: scene?.name ?? null, steps: start, at: isBare ? start.length : story.at };
    await this.show(read ? opened : { ...opened, names: {}, looks: null, kept: null }, isNew);
    if (fault) this.fail(fault);
  }

  /** @param {Scene | null} scene */
  async #begin(scene) {
    if (this.canisters.length && scene === this.scene) return;
    this.scene = scene;
    this.told = NOTHING;
    this.#ids = await this.source.begin(scene);
    this.canisters = await this.source.canisters();
    /** @type {HTMLSelectElement} */
    const stories = byId("story");
    stories.replaceChildren(
      new Option("another one", "-1"),
      ...(scene?.stories ?? []).map(({ title }, place) => new Option(title, String(place))),
    );
    byId("story-choice").hidden = !scene?.stories.length;
    if (scene) /** @type {HTMLSelectElement} */ (byId("scene")).value = scene.name;
  }

  /** A network's stories begin anew, with what it has now. */
  async fork() {
    this.#ids = await this.source.begin(null);
    this.canisters = await this.source.canisters();
    await this.show({ ...this.story, steps: [], at: 0, kept: null }, true);
  }

  /** Takes another step, as the replica calls it, unless the reader is asked first. @param {string} step */
  async take(step) {
    if (this.#busy) return false;
    const named = this.names.inStep(step);
    if (this.views.some((view) => view.asks?.(named))) return false;
    return this.proceed(named);
  }

  /** Takes another step. @param {string} step */
  proceed(step) {
    return this.show(andThen(this.story, step), true);
  }

  /** Goes back or forward to where so many steps are taken. @param {number} at */
  go(at) {
    if (at < 0 || at > this.story.steps.length || at === this.story.at) return;
    return this.show({ ...this.story, at });
  }

  /** Shows a story. A choice that can't be taken changes nothing.
   * @param {Shown} story @param {boolean} [isChoice] @returns {Promise<boolean>} whether it could be told */
  async show(story, isChoice = false) {
    if (this.#busy) return false;
    this.#busy = true;
    try {
      const before = this.story;
      const looks = story.looks ?? this.scene?.looks ?? [];
      const told = await this.source.tell({
        steps: story.steps.slice(0, story.at),
        looks,
        names: { ...this.#ids, ...story.names },
      });
      if (told.fault && isChoice) {
        this.fail(told.fault);
        return false;
      }
      this.told = told;
      this.story = { ...story, at: told.steps.length };
      const address = toAddress(this.story);
      if (isChoice && address !== location.hash) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
      this.fail(told.fault && `Step ${told.steps.length + 1} can't be taken. ${told.fault}`);
      byId("judged").hidden = true;
      const held = focusHeld();
      this.render();
      settleFocus(held, story.at > before.at || isChoice);
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    } finally {
      this.#busy = false;
    }
  }

  /** Shows everything anew. */
  render() {
    for (const view of this.views) view.render();
    if (this.elsewhere) return;
    const { told, story, looks, ids } = this;
    const said = sentences(told, looks, ids);
    this.draw(told, looks, this.differs());
    this.feet.show(
      this.layout,
      told.waiting.map((one) => ({ ...one, id: one.step })),
      this.names,
    );
    this.list.show(said);
    const next = hint(told);
    const start = told.steps.length ? said.at(-1) : "Nothing has happened yet.";
    setText(byId("sentence"), start ?? "");
    byId("hint").replaceChildren(next.text);
    if (next.again)
      byId("hint").append(
        " ",
        button("Go back a step and let it trap", () => this.#instead(next.again ?? "")),
      );
    if (told.wait)
      byId("hint").append(
        " ",
        button("Let time pass", () => void this.take("wait")),
      );
    byId("where").textContent = `step ${story.at} of ${story.steps.length}`;
    set("back", story.at === 0);
    set("forward", story.at >= story.steps.length);
    set("again", story.at === this.#beginning());
    this.#chooseBeginning();
  }

  #chooseBeginning() {
    /** @type {HTMLSelectElement} */ (byId("story")).value = String(
      this.scene?.stories.findIndex((one) => one === this.beginning) ?? "",
    );
  }

  /** @param {Told} told @param {string[]} looks @param {number | null} [differs] */
  draw(told, looks, differs = null) {
    const width = byId("stage").clientWidth - 2;
    this.layout = layOut(told, looks, this.ids, width);
    this.picture.show(this.layout, differs);
  }

  /** The first step that is another one than in the order beside this, as the view says that compares them. */
  differs() {
    return this.views.map((view) => view.differs?.()).find((place) => typeof place === "number") ?? null;
  }

  /** Another step in place of the last. @param {string} step */
  async #instead(step) {
    const back = { ...this.story, at: this.story.at - 1 };
    await this.show(andThen(back, this.names.inStep(step)), true);
  }

  /** Says in one line what is wrong, or no longer says it. @param {unknown} fault */
  fail(fault) {
    const place = byId("fault");
    place.hidden = !fault;
    place.textContent = this.names.in(fault instanceof Error ? fault.message : String(fault ?? ""));
  }
}

/** @param {HTMLElement} element @param {string} text */
function setText(element, text) {
  // A text that is the same is not read out again.
  if (element.textContent !== text) element.textContent = text;
}

/** @param {string} id @param {boolean} isDisabled */
function set(id, isDisabled) {
  /** @type {HTMLButtonElement} */ (byId(id)).disabled = isDisabled;
}
