import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const style = readFileSync(new URL("picture.css", import.meta.url), "utf8");
const themes = style
  .split("prefers-color-scheme: dark")
  .map((part) =>
    Object.fromEntries([...part.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, colour]) => [name, colour])),
  );

/** Of two colours, as WCAG 2 defines it. */
function contrast(one, other) {
  const luminance = (colour) => {
    const parts = [1, 3, 5].map((place) => Number.parseInt(colour.slice(place, place + 2), 16) / 255);
    const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test("texts have the contrast of WCAG AA in both themes", () => {
  for (const theme of themes) {
    for (const ground of ["ground", "card", "accent-soft", "undone-soft"]) {
      for (const text of [
        "ink",
        "dim",
        ...(ground === "undone-soft" ? [] : ["accent"]),
        ...(ground === "accent-soft" ? [] : ["undone"]),
      ]) {
        const ratio = contrast(theme[text], theme[ground]);
        assert.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
    assert.ok(contrast(theme["on-accent"], theme.accent) >= 4.5);
  }
});
