/** The source that needs nothing but this page: the replica in a worker, with the canisters of a scene. */

/** @import { Canister, Found, Progress, Scene, Source, Story, Told, Wanted } from "./types.js" */

/** A worker with a replica, which answers one request after the other. */
class Stage {
  #worker = new Worker("worker.js", { type: "module" });
  #next = 0;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #asked = new Map();
  /** Whether the replica failed: then it answers no more. */
  broken = false;
  /** @type {(progress: Progress) => void} */
  onProgress = () => {};

  constructor() {
    this.#worker.onmessage = ({ data: { number, answer, progress, failed } }) => {
      if (progress) return this.onProgress(progress);
      this.broken ||= Boolean(failed);
      const asked = this.#asked.get(number);
      this.#asked.delete(number);
      if ("error" in answer) asked?.reject(new Error(answer.error));
      else asked?.resolve(answer.ok);
    };
    this.#worker.onerror = ({ message }) =>
      this.#fail(`The replica can't be loaded: ${message || "its worker failed"}`);
  }

  /** @param {unknown} request @param {ArrayBuffer} [bytes] @returns {Promise<any>} */
  ask(request, bytes) {
    const number = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#worker.postMessage({ number, request, bytes });
    });
  }

  /** @param {Scene} scene @returns {Promise<Record<string, string>>} the canisters' ids */
  async begin(scene) {
    const modules = await Promise.all(scene.canisters.map(({ wasm }) => load(wasm)));
    await this.ask("begin");
    const ids = await this.ask({ create: scene.canisters.map(({ name }) => name) });
    for (const [place, { name }] of scene.canisters.entries()) await this.ask({ install: ids[name] }, modules[place]);
    return ids;
  }

  end() {
    this.#worker.terminate();
    this.#fail("It was ended.");
  }

  /** @param {string} why */
  #fail(why) {
    this.broken = true;
    for (const { reject } of this.#asked.values()) reject(new Error(why));
    this.#asked.clear();
  }
}

/** @type {Map<string, Promise<ArrayBuffer>>} */
const loaded = new Map();

/** A file beside the page, loaded once. @param {string} path */
function load(path) {
  const known = loaded.get(path);
  if (known) return known;
  const loading = fetch(path).then((answer) => {
    if (!answer.ok) throw new Error(`${path}: HTTP status ${answer.status}`);
    return answer.arrayBuffer();
  });
  loading.catch(() => loaded.delete(path));
  loaded.set(path, loading);
  return loading;
}

/** @implements {Source} */
export class BrowserSource {
  /** @type {"browser"} */
  kind = "browser";
  #stage = new Stage();
  /** @type {Scene | null} */
  #scene = null;

  /** @param {Scene[]} scenes */
  constructor(scenes) {
    this.scenes = scenes;
  }

  /** @param {Scene | null} scene */
  async begin(scene) {
    if (!scene) return {};
    this.#scene = scene;
    this.#renew();
    return this.#stage.begin(scene);
  }

  #renew() {
    if (!this.#stage.broken) return false;
    this.#stage.end();
    this.#stage = new Stage();
    return true;
  }

  /** The replica; after a failure it is a new one, which is as the old one was at first. */
  async #ready() {
    if (this.#renew() && this.#scene) await this.#stage.begin(this.#scene);
    return this.#stage;
  }

  /** @returns {Promise<Canister[]>} */
  async canisters() {
    return (await this.#ready()).ask("canisters");
  }

  /** @param {Story} story @returns {Promise<Told>} */
  async tell(story) {
    return (await this.#ready()).ask({ tell: story });
  }

  /** @param {Story} story @returns {Promise<string>} */
  async mermaid(story) {
    return (await this.#ready()).ask({ mermaid: story });
  }

  /** Explores in a worker of its own: the page goes on meanwhile, and ending it ends the exploration.
   * @param {Story} story @param {Wanted} wanted @param {(progress: Progress) => void} onProgress @param {AbortSignal} signal
   * @returns {Promise<Found>} */
  async explore(story, wanted, onProgress, signal) {
    if (!this.#scene) throw new Error("There are no canisters.");
    const stage = new Stage();
    stage.onProgress = onProgress;
    signal.addEventListener("abort", () => stage.end());
    try {
      await stage.begin(this.#scene);
      return await stage.ask({ explore: { story, wanted } });
    } finally {
      stage.end();
    }
  }
}
