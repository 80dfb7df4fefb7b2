/** Which lines of a Rust source a message runs: from one commit point to the next.
 *
 * A source is read as text, not compiled. What can't be known in this way is said, not guessed. */

/** @import { Event } from "./types.js" */

import { contextOf } from "./names.js";

/**
 * @typedef {object} Await an await that ends a message
 * @property {number} line
 * @property {boolean} more whether code follows it in its line: that runs in the next message
 */
/**
 * @typedef {object} Func
 * @property {number} first its first line, with comments and attributes
 * @property {number} name the line with its name
 * @property {number} last
 * @property {Await[] | null} awaits nothing if they can't be known
 */
/** @typedef {{ lines: string[], code: string, starts: number[] }} Source a source, and the same without comments and texts */

/** @param {string} text
 * @returns {Source} */
export function read(text) {
  const lines = text.split("\n");
  const starts = [];
  let place = 0;
  for (const line of lines) {
    starts.push(place);
    place += line.length + 1;
  }
  return { lines, code: blank(text), starts };
}

/** The text with blanks in place of comments and of what stands in quotes.
 * @param {string} text */
function blank(text) {
  const hidden = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|r(#*)"[\s\S]*?"\1|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\\n]|\\[^\n]+?)'/g;
  return text.replace(hidden, (found) => found.replace(/[^\n]/g, " "));
}

/** @param {Source} source @param {number} place */
function lineAt(source, place) {
  let line = source.starts.findLastIndex((start) => start <= place);
  return line < 0 ? 0 : line;
}

/** Where the bracket ends that is opened at a place.
 * @param {string} code @param {number} place */
function endOf(code, place) {
  let open = 0;
  for (let i = place; i < code.length; i++) {
    const c = code.charAt(i);
    if ("({[".includes(c)) open++;
    else if (")}]".includes(c) && --open === 0) return i;
  }
  return code.length - 1;
}

/** The function of this name, as far as it stands in the source.
 * @param {Source} source @param {string} name
 * @returns {(Func & { begin: number, from: number, to: number, isAsync: boolean, gives: string }) | null} */
function locate(source, name) {
  const { code, lines } = source;
  if (!/^\w+$/.test(name)) return null;
  const found = new RegExp(`^[ \\t]*(?:pub(?:\\([^)]*\\))? +)?(async +)?fn +${name}\\b`, "m").exec(code);
  if (!found) return null;
  const begin = found.index;
  const brace = code.indexOf("{", begin);
  if (brace < 0) return null;
  const to = endOf(code, brace);
  const nameLine = lineAt(source, begin + found[0].length - 1);
  let first = nameLine;
  while (first > 0 && /^\s*(\/\/[/!]|#\[)|^\s*\)\]/.test(lines[first - 1] ?? "")) first--;
  const gives = /->\s*([^{]*)$/.exec(code.slice(begin, brace))?.[1] ?? "";
  return {
    first,
    name: nameLine,
    last: lineAt(source, to),
    awaits: null,
    begin,
    from: brace,
    to,
    isAsync: Boolean(found[1]),
    gives,
  };
}

/** A function, with the awaits of it that end a message.
 * @param {Source} source @param {string} name
 * @returns {Func | null} */
export function find(source, name) {
  const found = locate(source, name);
  if (!found) return null;
  const { first, name: line, last } = found;
  return { first, name: line, last, awaits: awaitsOf(source, found, [name]) };
}

/** @param {Source} source @param {NonNullable<ReturnType<typeof locate>>} func @param {string[]} within
 * @returns {Await[] | null} */
function awaitsOf(source, func, within) {
  const head = source.code.slice(func.begin, func.from);
  const body = source.code.slice(func.from, func.to);
  const awaits = [];
  for (const found of body.matchAll(/\.await\b/g)) {
    const before = body.slice(0, found.index);
    // In a loop, a closure or an inner block of its own nobody knows how often it is reached.
    if (inRepeated(before)) return null;
    const sends = sendsOf(source, head + before, within);
    if (sends === null) return null;
    const place = func.from + found.index;
    const line = lineAt(source, place);
    const rest = source.code.slice(place + ".await".length, source.starts[line + 1] ?? source.code.length);
    for (let i = 0; i < sends; i++) awaits.push({ line, more: !/^[?;)\s]*$/.test(rest) });
  }
  return awaits;
}

/** Whether a place in a body is in a loop, a closure, an inner function or an async block, by what stands before it.
 * @param {string} before */
function inRepeated(before) {
  const blocks = [];
  let head = 0;
  for (let i = 0; i < before.length; i++) {
    const c = before.charAt(i);
    if (c === "{") {
      blocks.push(before.slice(head, i));
      head = i + 1;
    } else if (c === "}") {
      blocks.pop();
      head = i + 1;
    } else if (c === ";") head = i + 1;
  }
  // The first block is the function itself.
  return blocks
    .slice(1)
    .some((block) => /\b(for|while|loop|fn|async)\b|\|[^|]*\|\s*(async\s*(move\s*)?)?$/.test(block));
}

/** How many calls the awaited expression sends, which stands at the end of `before`; nothing if that can't be known.
 * @param {Source} source @param {string} before @param {string[]} within
 * @returns {number | null} */
function sendsOf(source, before, within) {
  const expression = lastExpression(before);
  if (/\bCall\s*::\s*(un)?bounded_wait\b/.test(expression)) return 1;
  // A variable that holds a call: a parameter, or one that was made before.
  const variable = /^(\w+)\s*(?:\.|$)/.exec(expression)?.[1];
  if (
    variable &&
    new RegExp(`\\b${variable}\\s*:\\s*Call\\b|\\blet\\s+(mut\\s+)?${variable}\\s*=\\s*Call\\s*::`).test(before)
  )
    return 1;
  const name = /^(?:\w+\s*::\s*)*(\w+)\s*\(/.exec(expression)?.[1];
  if (!name || within.includes(name)) return null;
  const helper = locate(source, name);
  if (!helper) return null;
  if (!helper.isAsync) return /^Call\b/.test(helper.gives.trim()) ? 1 : null;
  return awaitsOf(source, helper, [...within, name])?.length ?? null;
}

/** The expression that a text ends with: back to where a statement or an argument begins.
 * @param {string} before */
function lastExpression(before) {
  let open = 0;
  let i = before.length - 1;
  for (; i >= 0; i--) {
    const c = before.charAt(i);
    // A block that ends before a word was a statement of its own.
    if (c === "}" && open === 0 && /^\s*\w/.test(before.slice(i + 1))) break;
    if (")}]".includes(c)) open++;
    else if ("({[".includes(c) && --open < 0) break;
    else if (open === 0 && (";,".includes(c) || (c === "=" && !"=<>!".includes(before.charAt(i - 1))))) break;
  }
  const expression = before.slice(i + 1).trim();
  return expression.replace(/^(?:return|match|if|let\s+\w+)\s+/, "");
}

/**
 * @typedef {object} Piece what a message ran
 * @property {Func} func
 * @property {number} first the first marked line
 * @property {number} last
 * @property {boolean} known whether just these lines are meant; else they are the whole function
 */

/** What an event ran of a source, given all events before it.
 * @param {Source} source @param {Event[]} events @param {Event} event @param {string | undefined} method the method that began its call context
 * @returns {Piece | null} */
export function piece(source, events, event, method) {
  const isCallback = typeof event.step === "object" && "callback" in event.step;
  const isMethod = typeof event.step === "object" && "method" in event.step;
  if (!method || !(isCallback || isMethod)) return null;
  const func = find(source, method);
  if (!func) return null;
  const whole = { func, first: func.name, last: func.last, known: false };
  if (!func.awaits) return whole;
  const before = events.filter((other) => other.number < event.number && contextOf(other) === contextOf(event));
  // Each message of the call context ended at one await, if it sent one call at a time.
  if (before.some((other) => other.calls.length > 1) || event.calls.length > 1) return whole;
  const part =
    before.filter((other) => typeof other.step === "object" && "callback" in other.step).length + (isCallback ? 1 : 0);
  const begin = func.awaits[part - 1];
  const undone = event.ending !== "committed";
  const toItsEnd = Boolean(event.response) || (!undone && event.calls.length === 0);
  const end = toItsEnd ? undefined : func.awaits[part];
  if ((part > 0 && !begin) || (!undone && !toItsEnd && !end)) return whole;
  const first = begin ? begin.line + (begin.more ? 0 : 1) : func.name;
  const last = end ? end.line : func.last;
  return { func, first: Math.min(first, last), last, known: true };
}
