/** A story and how it is written into the address: `#scene=pair&step=call+canister1+increment_both+()&at=1`. */

/**
 * @typedef {object} Told everything that the page shows, beside what the replica answers
 * @property {string | null} scene the scene's name; none on a network
 * @property {string[]} steps all steps, those that were gone back over too
 * @property {number} at how many of them are taken
 * @property {string[] | null} looks the queries that are watched, if not the scene's
 * @property {Record<string, string>} names names that the reader gave to canisters
 * @property {string[] | null} kept the steps of another order, to compare with
 */

/** The longest address that is read. Longer ones are no links that somebody made. */
const LONGEST = 100_000;

/** @param {Told} told */
export function toAddress(told) {
  /** @type {[string, string][]} */
  const pairs = [];
  if (told.scene) pairs.push(["scene", told.scene]);
  for (const [name, id] of Object.entries(told.names)) pairs.push(["name", `${name}:${id}`]);
  for (const look of told.looks ?? []) pairs.push(["look", look]);
  if (told.looks?.length === 0) pairs.push(["look", ""]);
  for (const step of told.steps) pairs.push(["step", step]);
  if (told.at !== told.steps.length) pairs.push(["at", String(told.at)]);
  for (const step of told.kept ?? []) pairs.push(["kept", step]);
  return `#${pairs.map(([key, value]) => `${key}=${encode(value)}`).join("&")}`;
}

/** What reads well in an address and means nothing there stays as it is.
 * @param {string} text */
function encode(text) {
  return encodeURIComponent(text).replace(/%20/g, "+").replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%3D/g, "=");
}

/** What an address says; nothing if it holds no story.
 * @param {string} address what stands from `#` on
 * @returns {{ told: Told, fault: string | null } | null} */
export function fromAddress(address) {
  const text = address.replace(/^#/, "");
  /** @type {Told} */
  const told = { scene: null, steps: [], at: 0, looks: null, names: {}, kept: null };
  /** @type {string | null} */
  let fault = null;
  /** @type {number | null} */
  let at = null;
  if (!/(^|&)(scene|step|look|name)=/.test(text)) return null;
  if (text.length > LONGEST) return { told, fault: "The link is too long to be a story." };
  for (const part of text.split("&")) {
    const end = part.indexOf("=");
    const key = end < 0 ? part : part.slice(0, end);
    let value;
    try {
      value = decodeURIComponent(part.slice(end + 1).replace(/\+/g, " "));
    } catch {
      fault = `The link is damaged: '${part.slice(0, 80)}' can't be read.`;
      break;
    }
    if (key === "scene") told.scene = value;
    else if (key === "step") told.steps.push(value);
    else if (key === "kept") (told.kept ??= []).push(value);
    else if (key === "look") told.looks = [...(told.looks ?? []), ...(value ? [value] : [])];
    else if (key === "at") at = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    else if (key === "name") {
      const [name = "", id = ""] = value.split(":");
      told.names[name] = id;
    } else if (key !== "token" && key !== "") fault = `The link has '${key.slice(0, 40)}', which means nothing here.`;
  }
  if (Number.isNaN(at)) fault = "The link's 'at' is no number: all steps are taken.";
  told.at = Math.min(at === null || Number.isNaN(at) ? told.steps.length : at, told.steps.length);
  return { told, fault };
}

/** The story with another step after those that are taken. What came after them is gone, unless it begins with
 * this step.
 * @param {Told} told @param {string} step
 * @returns {Told} */
export function andThen(told, step) {
  const taken = told.steps.slice(0, told.at);
  const same = told.steps[told.at] === step;
  return { ...told, steps: same ? told.steps : [...taken, step], at: told.at + 1 };
}

/** Where two orders differ first; nothing if they are the same.
 * @param {string[]} one @param {string[]} other */
export function firstDifference(one, other) {
  const most = Math.max(one.length, other.length);
  for (let place = 0; place < most; place++) if (one[place] !== other[place]) return place;
  return null;
}
