/** Predictions: what the reader says will be answered, and whether it was. */

import { plain } from "./text.js";

/** The answers that were predicted rightly. @param {string[]} predicted @param {string[]} answers
 * @returns {boolean[]} */
export function judge(predicted, answers) {
  return answers.map((answer, place) => bare(predicted[place] ?? "") === bare(plain(answer)));
}

/** @param {string} text */
function bare(text) {
  return text
    .trim()
    .replace(/^\((.*)\)$/s, "$1")
    .replace(/ : \w+/g, "")
    .replace(/(\d)_(?=\d)/g, "$1")
    .replace(/\s+/g, "")
    .toLowerCase();
}

/** What to say of a prediction. @param {boolean[]} right @param {string[]} labels @param {string[]} answers */
export function verdict(right, labels, answers) {
  const wrong = right.flatMap((isRight, place) =>
    isRight ? [] : [`${labels[place]} answers ${plain(answers[place] ?? "")}`],
  );
  return wrong.length === 0 ? "Right." : `Not quite: ${wrong.join(", and ")}.`;
}
