/** Texts of canisters, made fit to be shown: they can hold anything. */

/** A text in which nothing hides or turns the direction of reading: such characters are written out.
 * @param {string} text */
export function clean(text) {
  return text.replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g,
    (c) => (c === "\t" ? " " : `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`),
  );
}

/** An answer as a person says it: `(1 : nat)` is 1. Texts in quotes stay as they are.
 * @param {string} answer */
export function plain(answer) {
  const parts = answer.trim().split(/("(?:[^"\\]|\\.)*")/);
  const bare = parts
    .map((part, place) =>
      place % 2
        ? part
        : part.replace(/\((-?[\w.+-]+) : (?:nat|int|float)\d*\)/g, "$1").replace(/ : (?:nat|int|float)\d*\b/g, ""),
    )
    .join("");
  const one = /^\(([\s\S]*)\)$/.exec(bare);
  if (one?.[1] === undefined || !isOne(one[1])) return clean(bare);
  return clean(one[1] || "()");
}

/** Whether there is no comma outside brackets and texts: then it is one value.
 * @param {string} values */
function isOne(values) {
  let open = 0;
  for (const part of values.match(/"(?:[^"\\]|\\.)*"|[\s\S]/g) ?? []) {
    if ("({[".includes(part)) open++;
    else if (")}]".includes(part)) open--;
    else if (part === "," && open === 0) return false;
  }
  return true;
}

/** A text in lines of so many characters; the last line says with … that there is more.
 * @param {string} text @param {number} width @param {number} most */
export function wrap(text, width, most) {
  const lines = [];
  let rest = text.replace(/\s+/g, " ").trim();
  while (rest.length > width && lines.length < most - 1) {
    const space = rest.lastIndexOf(" ", width);
    // Long names are parted where they have parts.
    const part = Math.max(...[".", "_", "("].map((sign) => rest.lastIndexOf(sign, width - 1)));
    const end = space > width / 3 ? space : part > width / 3 ? part + (rest.charAt(part) === "." ? 1 : 0) : width;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  lines.push(rest.length > width ? `${rest.slice(0, Math.max(1, width - 1))}…` : rest);
  return lines;
}
