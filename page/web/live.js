/** The live network: what happens there appears by itself, and messages can be held and delivered. */

/** @import { Event, Live, Source, Told, ToldStep } from "./types.js" */
/** @import { Page } from "./page.js" */

import { button, byId, html } from "./dom.js";
import { sentences } from "./words.js";

/** How many events the live picture shows at most. */
const MOST = 2000;

/** How long to wait before the stream is opened again, in milliseconds. */
const PAUSE = 2000;

/** What the network did, as if somebody told it: an event a step.
 * @param {Event[]} events @param {Live | null} live
 * @returns {Told} */
export function asTold(events, live) {
  const steps = events.filter(isOfInterest).map(
    (event) =>
      /** @type {ToldStep} */ ({
        step: "",
        message: null,
        refused: null,
        events: [event],
        looks: [],
        answers: answersOf(event),
        time: event.time,
      }),
  );
  const waiting = (live?.waiting ?? []).map(({ message, ways }) => ({
    step: message.name,
    message,
    ways: ways.map((way) => (way === "normally" ? "deliver" : way)),
  }));
  return { looks: [], steps, fault: null, waiting, late: false, wait: false, time: live?.time ?? 0, users: {} };
}

/** Whether an event is more than a part of a deployment. @param {Event} event */
function isOfInterest({ step, message }) {
  if (step === "cleanup" || !("management" in step || "hook" in step)) return true;
  return !message?.startsWith("ingress ");
}

/** The users' answers in an event: of a reply there is no text. @param {Event} event */
function answersOf({ answered, response, ending }) {
  const reject = ending !== "committed" ? ending.undone : response && "reject" in response ? response.reject : null;
  return answered.map((message) => ({
    message,
    text: reject ? `reject ${reject.code}, ${reject.error_code}: ${reject.message}` : "reply",
  }));
}

export class LiveView {
  /** @type {Event[]} */
  #events = [];
  /** @type {Live | null} */
  #now = null;
  #isLive = true;
  #isLost = false;
  #hold = button("Hold messages", () => void this.#do(() => this.live.hold(!this.#now?.held)), { id: "hold" });
  #advance = button("Clock 60 s ahead", () => void this.#do(() => this.live.advance(60)));
  #clear = button("Clear", () => this.#forget(), { title: "What happened so far is not shown any more" });
  #try = button("Try from here", () => void this.#fork(), { id: "try" });
  #back = button("Live network", () => this.#show(true), { id: "live" });

  /** @param {Page} page @param {NonNullable<Source["live"]>} live @param {HTMLElement} root */
  constructor(page, live, root) {
    this.page = page;
    this.live = live;
    root.hidden = false;
    root.append(this.#back, this.#hold, this.#advance, this.#clear, this.#try);
    // A link to a story shows the story.
    this.#isLive = !/[#&]step=/.test(location.hash);
    page.elsewhere = this.#isLive;
    const act = page.feet.act;
    page.feet.act = (step) => (this.#isLive ? this.#deliver(step) : act(step));
    void this.#watch();
  }

  async #watch() {
    for (;;) {
      try {
        await this.live.watch((live) => this.#add(live), new AbortController().signal);
      } catch (error) {
        this.#isLost = true;
        this.page.fail(`The live network can't be seen: ${error instanceof Error ? error.message : error}`);
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        this.#events = [];
      }
    }
  }

  /** @param {Live} live */
  #add(live) {
    if (this.#isLost) this.page.fail(null);
    this.#isLost = false;
    this.#now = live;
    this.#events.push(...live.events);
    this.#events.splice(0, this.#events.length - MOST);
    if (this.#isLive) this.render();
  }

  #forget() {
    this.#events = [];
    this.render();
  }

  /** @param {string} step */
  #deliver(step) {
    const end = step.indexOf(" ");
    void this.#do(() => this.live.deliver(step.slice(end + 1), step.slice(0, end)));
  }

  /** @param {() => Promise<void>} act */
  async #do(act) {
    try {
      await act();
      this.page.fail(null);
    } catch (error) {
      this.page.fail(error);
    }
  }

  async #fork() {
    this.#show(false);
    await this.#do(() => this.page.fork());
  }

  /** @param {boolean} isLive */
  #show(isLive) {
    this.#isLive = this.page.elsewhere = isLive;
    this.page.render();
  }

  render() {
    document.body.classList.toggle("live", this.#isLive);
    this.#back.setAttribute("aria-pressed", String(this.#isLive));
    this.#hold.setAttribute("aria-pressed", String(Boolean(this.#now?.held)));
    this.#hold.hidden = this.#advance.hidden = this.#clear.hidden = !this.#isLive;
    this.#try.textContent = this.#isLive ? "Try from here" : "Begin again from the network as it is now";
    if (!this.#isLive) return;
    const told = asTold(this.#events, this.#now);
    const said = sentences(told, [], this.page.ids);
    this.page.draw(told, []);
    this.page.feet.show(
      this.page.layout,
      told.waiting.map((one) => ({ ...one, id: one.step })),
      this.page.namesIn(told),
    );
    this.page.list.show(said);
    byId("sentence").textContent = said.at(-1) ?? "Nothing has happened on this network yet.";
    byId("hint").replaceChildren(hintOf(this.#now));
    byId("stage").querySelector(".feet")?.scrollIntoView({ block: "nearest" });
  }
}

/** @param {Live | null} live */
function hintOf(live) {
  if (!live) return html("span", {}, "Connecting …");
  if (live.waiting.length) return html("span", {}, "Click a message at the foot of its lane to deliver it.");
  return html(
    "span",
    {},
    live.held
      ? "Messages are held: the next call waits here."
      : "Make a call with icp or dfx, and it appears here. Hold messages to deliver them yourself.",
  );
}
