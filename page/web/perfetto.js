/** A story as a trace that Perfetto opens: a track for each canister and user, and arrows for messages.
 *
 * The replica's clock does not move while a message runs, so a message takes one step of a millisecond here. */

/** @import { Told } from "./types.js" */

import { boxOf, callText } from "./labels.js";
import { callOf, Names, userName } from "./names.js";

const STEP = 1000;

/** @param {Told} told @param {Record<string, string>} ids */
export function toPerfetto(told, ids) {
  const names = new Names(ids, told.steps);
  /** @type {Map<string, number>} */
  const tracks = new Map();
  /** @type {Record<string, unknown>[]} */
  const events = [];
  const track = (/** @type {string} */ name) => {
    let number = tracks.get(name);
    if (number === undefined) {
      number = tracks.size + 1;
      tracks.set(name, number);
      events.push({ ph: "M", pid: 1, tid: number, name: "thread_name", args: { name } });
    }
    return number;
  };
  const methods = new Map();
  let time = 0;
  for (const step of told.steps) {
    const call = callOf(step.step);
    const [way = ""] = step.step.split(" ");
    if (call) {
      const tid = track(userName(call.user));
      events.push({
        ph: "X",
        pid: 1,
        tid,
        ts: time,
        dur: STEP,
        name: callText(call, names),
        args: { step: step.step },
      });
      if (step.message) events.push(flow("s", step.message.name, tid, time + STEP / 2));
      time += 2 * STEP;
    }
    step.events.forEach((event, place) => {
      const { title, lines, foot } = boxOf(event, way, names, methods, place === 0);
      const tid = track(names.of(event.canister));
      const args = {
        step: step.step,
        what: lines.map(({ text }) => text),
        ending: foot,
        instructions: event.instructions,
        clock: event.time,
      };
      events.push({ ph: "X", pid: 1, tid, ts: time, dur: STEP, name: title, args });
      if (event.message && place === 0) events.push(flow("f", event.message, tid, time + STEP / 4));
      for (const name of event.sent) events.push(flow("s", name, tid, time + (STEP * 3) / 4));
      for (const name of event.answered) {
        const answer = step.answers.find(({ message }) => message === name);
        const user = track(names.of(event.caller));
        events.push(flow("s", `answer ${name}`, tid, time + (STEP * 3) / 4));
        events.push({
          ph: "X",
          pid: 1,
          tid: user,
          ts: time + 2 * STEP,
          dur: STEP,
          name: "answer",
          args: { text: answer?.text ?? "" },
        });
        events.push(flow("f", `answer ${name}`, user, time + (STEP * 9) / 4));
      }
      time += 2 * STEP;
    });
    if (step.answers.length) time += 2 * STEP;
  }
  return JSON.stringify({ displayTimeUnit: "ms", traceEvents: events });
}

/** One end of an arrow. @param {"s" | "f"} end @param {string} message @param {number} tid @param {number} ts */
function flow(end, message, tid, ts) {
  return { ph: end, pid: 1, tid, ts, id: message, cat: "message", name: "message", ...(end === "f" && { bp: "e" }) };
}
