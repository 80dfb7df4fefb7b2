/** Looks: queries whose answers are shown, since a user could see them. */

import { clean } from "./text.js";

/** The id of the canister that a look asks.
 * @param {string} look @param {Record<string, string>} ids */
export function lookOwner(look, ids) {
  const name = partsOf(look).canister;
  return ids[name] ?? name;
}

/** What a look asks, without the canister and without what of the argument says nothing.
 * @param {string} look */
export function lookLabel(look) {
  const { method, ...parts } = partsOf(look);
  const argument = parts.argument.replace(/principal "([^"]*)"/g, "$1");
  return clean(argument === "()" || !argument ? method : `${method} ${argument}`);
}

/** @param {string} look */
function partsOf(look) {
  const bare = look.trim().replace(/^user [^:]*:\s*/, "");
  const [, canister = bare, method = "", argument = ""] = /^(\S+)\s+([^\s(]+)\s*(.*)$/s.exec(bare) ?? [];
  return { canister, method, argument };
}

/** The looks whose answers changed. @param {string[]} before @param {string[]} now */
export function changedLooks(before, now) {
  return now.flatMap((answer, look) =>
    answer === before[look] ? [] : [{ look, before: before[look] ?? "", now: answer }],
  );
}
