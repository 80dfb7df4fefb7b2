/** The source that is a running replica: the page comes from its own address. */

/** @import { Canister, Found, Live, Progress, Source, Story, Told, Wanted } from "./types.js" */

/** @implements {Source} */
export class NetworkSource {
  /** @type {"network"} */
  kind = "network";
  /** @type {[]} */
  scenes = [];
  /** The fork of the network's state with which stories begin. @type {number | null} */
  #from = null;

  /** @param {string | null} token what the replica's controls need, if they need something */
  constructor(token) {
    this.token = token;
  }

  /** The next story begins with what the network's state is then. @returns {Promise<Record<string, string>>} */
  async begin() {
    this.#from = null;
    return {};
  }

  /** @returns {Promise<Canister[]>} */
  async canisters() {
    return (await this.#ask("interfaces")).json();
  }

  /** @param {Story} story @returns {Promise<Told>} */
  async tell(story) {
    const { from, told } = await (await this.#story("story", story)).json();
    this.#from = from;
    return told;
  }

  /** @param {Story} story @returns {Promise<string>} */
  async mermaid(story) {
    const { mermaid } = await (await this.#story("story/mermaid", story)).json();
    return mermaid;
  }

  /** @param {Story} story @param {Wanted} wanted @param {(progress: Progress) => void} onProgress @param {AbortSignal} signal
   * @returns {Promise<Found>} */
  async explore(story, wanted, onProgress, signal) {
    const answer = await this.#story("story/explore", story, { wanted }, signal);
    for await (const line of lines(answer)) {
      if (line.error) throw new Error(line.error);
      if (line.progress) onProgress(line.progress);
      if (line.found) return line.found;
    }
    throw new Error("The replica ended without an answer.");
  }

  live = {
    /** @param {(live: Live) => void} onLive @param {AbortSignal} signal */
    watch: async (onLive, signal) => {
      let since = 0;
      while (!signal.aborted) {
        const answer = await this.#ask(`events?since=${since}`, undefined, signal);
        for await (const live of lines(answer)) {
          since = live.next;
          onLive(live);
        }
      }
    },
    /** @param {boolean} hold */
    hold: async (hold) => void (await this.#ask("hold", { hold })),
    /** @param {string} message @param {string} how */
    deliver: async (message, how) =>
      void (await this.#ask("deliver", { message, how: how === "deliver" ? "normally" : how })),
    /** @param {number} seconds */
    advance: async (seconds) => void (await this.#ask("advance_time", { seconds })),
  };

  /** @param {string} path @param {Story} story @param {object} [more] @param {AbortSignal} [signal] */
  async #story(path, story, more, signal) {
    try {
      return await this.#ask(path, { from: this.#from, story, ...more }, signal);
    } catch (error) {
      if (error instanceof Gone) this.#from = null;
      throw error;
    }
  }

  /** @param {string} path @param {object} [body] @param {AbortSignal} [signal] */
  async #ask(path, body, signal) {
    /** @type {Record<string, string>} */
    const headers = this.token ? { authorization: `Bearer ${this.token}` } : {};
    if (body) headers["content-type"] = "application/json";
    const answer = await fetch(path, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      signal,
    });
    if (answer.status === 410)
      throw new Gone(
        "The replica no longer has the state that this story begins with. The next step begins with what it has now.",
      );
    if (!answer.ok) throw new Error((await answer.text()).trim() || `HTTP status ${answer.status}`);
    return answer;
  }
}

class Gone extends Error {}

/** The values of an answer that has one a line, as they come. @param {Response} answer */
async function* lines(answer) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const parts = (rest + (value ?? "")).split("\n");
    rest = done ? "" : (parts.pop() ?? "");
    for (const part of parts) if (part.trim()) yield JSON.parse(part);
    if (done) return;
  }
}
