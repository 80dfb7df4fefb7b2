/** Draws the picture: only what is in view, so that thousands of events are as quick as ten. */

/** @import { Arrow, Box, Chip, Layout } from "./layout.js" */

import { html, partable, svg } from "./dom.js";

/** How far beyond the view is drawn, in pixels. */
const MARGIN = 900;

let pictures = 0;

/** A picture in its place on the page. */
export class Picture {
  /** @type {Layout | null} */
  #layout = null;
  /** @type {number | null} */
  #differs = null;
  #drawn = { from: 0, to: 0 };
  #id = `picture${pictures++}`;
  #svg = svg("svg", { class: "picture", "aria-hidden": "true" });
  #heads = html("div", { class: "heads" });
  #waits = false;

  /** @param {HTMLElement} root @param {(step: number) => void} [onStep] when somebody goes to a step */
  constructor(root, onStep = () => {}) {
    this.root = root;
    this.onStep = onStep;
    root.append(this.#heads, this.#svg);
    document.addEventListener("scroll", () => this.#look(), { capture: true, passive: true });
    window.addEventListener("resize", () => this.#look());
  }

  /** @param {Layout} layout @param {number | null} differs the first step that is another one than in the order beside it */
  show(layout, differs = null) {
    this.#layout = layout;
    this.#differs = differs;
    this.#heads.replaceChildren(
      ...layout.lanes.map((lane) => {
        const head = html("div", { class: lane.isUser ? "user" : "canister", title: lane.key }, partable(lane.name));
        head.style.width = `${lane.right - lane.left}px`;
        return head;
      }),
    );
    this.#svg.classList.toggle("narrow", layout.narrow);
    this.#svg.setAttribute("width", String(layout.width));
    this.#svg.setAttribute("height", String(layout.height));
    this.#draw();
  }

  /** Scrolls to where the orders differ. */
  goToDifference() {
    const mark = this.#differs === null ? undefined : this.#layout?.rows[this.#differs];
    if (mark) this.root.scrollTop = mark.y - 40;
  }

  /** Draws what came into view, if it is not drawn yet. */
  #look() {
    if (this.#waits || !this.#layout) return;
    this.#waits = true;
    requestAnimationFrame(() => {
      this.#waits = false;
      const view = this.#view();
      const height = this.#layout?.height ?? 0;
      if (view.from < this.#drawn.from - 1 || Math.min(view.to, height) > this.#drawn.to + 1) this.#draw();
    });
  }

  #view() {
    const { top } = this.#svg.getBoundingClientRect();
    return { from: Math.max(0, -top), to: Math.max(0, window.innerHeight - top) };
  }

  #draw() {
    if (!this.#layout) return;
    const view = this.#view();
    this.#drawn = { from: view.from - MARGIN, to: view.to + MARGIN };
    this.#svg.replaceChildren(...parts(this.#layout, this.#drawn, this.#id, this.#differs, this.onStep));
  }
}

/** The whole picture as the text of an SVG file.
 * @param {Layout} layout @param {string} style */
export function toSvg(layout, style) {
  const root = svg("svg", {
    class: "picture",
    width: layout.width,
    height: layout.height + 34,
    viewBox: `0 -34 ${layout.width} ${layout.height + 34}`,
  });
  root.append(svg("rect", { x: 0, y: -34, width: layout.width, height: layout.height + 34, fill: "var(--ground)" }));
  for (const lane of layout.lanes)
    root.append(svg("text", { class: "name", x: (lane.left + lane.right) / 2, y: -14 }, lane.name));
  root.append(...parts(layout, { from: -Infinity, to: Infinity }, "picture", null));
  // As an element the page's own policy would refuse it.
  const text = style.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return new XMLSerializer().serializeToString(root).replace(">", () => `><style>${text}</style>`);
}

/** @param {Layout} layout @param {{ from: number, to: number }} view @param {string} id @param {number | null} differs @param {(step: number) => void} [onStep] */
function parts(layout, view, id, differs, onStep) {
  const { lanes, rows } = layout;
  const inView = (/** @type {number} */ top, /** @type {number} */ bottom) => bottom >= view.from && top <= view.to;
  const from = Math.max(0, view.from);
  const to = Math.min(layout.height, view.to);
  const nodes = [defs(id)];
  const mark = differs === null ? undefined : rows[differs];
  if (mark) {
    nodes.push(
      svg(
        "g",
        { class: "differs" },
        svg("rect", { x: 0, y: mark.y - 8, width: layout.width, height: mark.height, rx: 6 }),
      ),
    );
  }
  for (const { left, right } of lanes)
    nodes.push(svg("line", { class: "life", x1: (left + right) / 2, x2: (left + right) / 2, y1: from, y2: to }));
  for (const { y, text } of layout.dividers) {
    if (!inView(y - 10, y + 10)) continue;
    nodes.push(
      svg(
        "g",
        { class: "time" },
        svg("line", { x1: 0, x2: layout.width, y1: y, y2: y }),
        svg("text", { x: layout.width / 2, y: y + 4 }, text),
      ),
    );
  }
  const arrows = layout.arrows.filter((arrow) =>
    inView(Math.min(arrow.y1, arrow.y2) - 10, Math.max(arrow.y1, arrow.y2) + 10),
  );
  nodes.push(...arrows.map((arrow) => drawArrow(arrow, id)));
  const last = layout.boxes.at(-1)?.step;
  for (const box of layout.boxes)
    if (inView(box.y, box.y + box.height)) nodes.push(drawBox(box, id, box.step === last, layout.narrow, onStep));
  nodes.push(...arrows.filter((arrow) => arrow.label).map((arrow) => drawLabel(arrow, layout.narrow)));
  if (mark) nodes.push(svg("text", { class: "difference", x: 8, y: mark.y + 6 }, "here the orders differ"));
  for (const chip of layout.chips) if (inView(chip.y, chip.y + 20)) nodes.push(drawChip(chip));
  return nodes;
}

/** @param {string} id */
function defs(id) {
  const head = (/** @type {string} */ kind) =>
    svg(
      "marker",
      {
        id: `${id}-${kind}`,
        viewBox: "0 0 10 10",
        refX: 9,
        refY: 5,
        markerWidth: 9,
        markerHeight: 9,
        markerUnits: "userSpaceOnUse",
        orient: "auto",
      },
      svg("path", { class: `head ${kind}`, d: "M0 0.5 10 5 0 9.5z" }),
    );
  const hatch = svg(
    "pattern",
    { id: `${id}-hatch`, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 8 }),
  );
  return svg("defs", {}, head("request"), head("reply"), head("reject"), head("waiting"), hatch);
}

/** @param {Arrow} arrow @param {string} id */
function drawArrow({ x1, y1, x2, y2, kind, state, loop }, id) {
  const path = loop ? `M${x1} ${y1}C${x1 + 46} ${y1} ${x2 + 46} ${y2} ${x2} ${y2}` : `M${x1} ${y1}L${x2} ${y2}`;
  if (state === "lost") {
    const cross = svg("path", { class: "cross", d: `M${x2 - 5} ${y2 - 5}l10 10m0 -10l-10 10` });
    return svg("g", {}, svg("path", { class: `arrow ${kind} lost`, d: path }), cross);
  }
  const head = state === "waiting" ? "waiting" : kind;
  return svg("path", { class: `arrow ${kind} ${state}`, d: path, "marker-end": `url(#${id}-${head})` });
}

/** @param {Arrow} arrow @param {boolean} narrow */
function drawLabel({ x1, y1, x2, y2, kind, state, label, loop }, narrow) {
  if (narrow && state !== "lost") return svg("g");
  if (state === "lost") return svg("text", { class: "label lost", x: x2, y: y2 + 18, "text-anchor": "middle" }, label);
  // On a long way it stands near the end, where it arrives; always above the line.
  const share = Math.abs(y2 - y1) > 80 ? 0.5 : 0.42;
  const [x, y] = loop
    ? [x1 + 36, (y1 + y2) / 2 + 4]
    : [x2 + (x1 - x2) * share, y2 + (y1 - y2) * Math.min(share, 40 / Math.abs(y2 - y1 || 1)) - 4];
  return svg(
    "text",
    {
      class: `label ${kind}`,
      x: x2 < x1 && !loop ? x - 4 : x + 4,
      y,
      "text-anchor": x2 < x1 && !loop ? "end" : "start",
    },
    label,
  );
}

/** @param {Box} box @param {string} id @param {boolean} isLast @param {boolean} narrow @param {((step: number) => void)} [onStep] */
function drawBox(box, id, isLast, narrow, onStep) {
  const { x, y, width, height, title, lines, ending, foot } = box;
  const left = x + 9;
  const group = svg("g", { class: `box ${ending}${isLast ? " last" : ""}` });
  const rect = { x, y, width, height, rx: ending === "call" || ending === "answer" ? 10 : 5 };
  group.append(svg("rect", { class: "card", ...rect }));
  if (ending === "undone") group.append(svg("rect", { ...rect, fill: `url(#${id}-hatch)` }));
  let line = y + 18;
  for (const text of title) {
    group.append(svg("text", { class: `title${ending === "undone" ? " struck" : ""}`, x: left, y: line }, text));
    line += 17;
  }
  for (const { text, kind, struck } of lines) {
    // Lines are parts of one text: whoever copies them finds the words apart.
    group.append(svg("text", { class: `${kind}${struck ? " struck" : ""}`, x: left, y: line }, `${text} `));
    line += 15;
  }
  if (foot) {
    group.append(svg("text", { class: "foot", x: left, y: y + height - 9 }, foot));
    group.append(svg("rect", { class: "bar", x, y: y + height - 3, width, height: 4, rx: 1.5 }));
  }
  if (onStep && !narrow) group.addEventListener("click", () => onStep(box.step));
  return group;
}

/** @param {Chip} chip */
function drawChip({ x, y, width, label, before, now }) {
  const text = svg("text", { x: x + 9, y: y + 14 }, svg("tspan", {}, `${label}: `));
  if (before) text.append(svg("tspan", { class: "before" }, before), svg("tspan", {}, " → "));
  text.append(svg("tspan", { class: "now" }, now));
  return svg("g", { class: "chip" }, svg("rect", { x, y, width, height: 20, rx: 4 }), text);
}
