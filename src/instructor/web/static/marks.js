// Marks in the text. They are painted over the text (CSS Custom Highlight API), those in view only: a browser takes long
// to paint thousands. Where it cannot do that at all, the text is cut at each bound of a span, and each piece is a flat
// element: marks that overlap are never nested. Offsets are those of JavaScript's strings: UTF-16.
import { el } from "./dom.js";

export const FIELDS = 6; // fields that have a colour of their own; the colours are used again after that
const NODE = 2000; // characters of one text node: what is painted anew is a node
const BLOCK = 4000; // characters of a block, and those to the end of the line
const AROUND = 3000; // characters above and below those in view

export class Marks {
  constructor(box, { painted = "highlights" in CSS } = {}) {
    this.box = box;
    this.painted = painted;
    this.text = "";
    this.spans = [];
    this.active = null;
    this.sorted = [];
    this.longest = 0;
    this.names = [...Array(FIELDS).keys()].map((number) => `field-${number}`).concat("unsure", "active");
    box.addEventListener("scroll", () => this.drawSoon());
    new ResizeObserver(() => this.drawSoon()).observe(box);
  }

  // The text becomes blocks of whole lines, so that a browser lays out only those in view, and each block some nodes.
  setText(text) {
    this.text = text;
    this.nodes = [];
    const blocks = [];
    for (let start = 0; start < text.length || !start; start = this.nodes.at(-1).end) {
      const line = text.indexOf("\n", start + BLOCK);
      const end = line < 0 ? text.length : line + 1;
      blocks.push(el("div", { class: "block" }, ...this.nodesOf(start, end)));
      if (end === text.length) break;
    }
    this.box.replaceChildren(...blocks);
    this.active = null;
    this.setSpans([]);
  }

  nodesOf(first, last) {
    const found = [];
    for (let start = first; start < last || start === first; ) {
      let end = Math.min(start + NODE, last);
      if (/[\ud800-\udbff]/.test(this.text[end - 1] ?? "") && end < last) end++;
      const node = document.createTextNode(this.text.slice(start, end));
      this.nodes.push({ node, start, end });
      found.push(node);
      if (end === last) break;
      start = end;
    }
    return found;
  }

  drawSoon() {
    if (this.due || !this.painted) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }

  // spans: [{row, field (a number), start, end, status}]
  setSpans(spans) {
    this.spans = spans.filter((span) => span.start >= 0 && span.end <= this.text.length && span.start < span.end);
    this.sorted = [...this.spans].sort((one, other) => one.start - other.start || other.end - one.end);
    this.longest = this.spans.reduce((most, span) => Math.max(most, span.end - span.start), 0);
    this.draw();
  }

  activate(row) {
    if (row === this.active) return;
    this.active = row;
    this.draw();
  }

  // Show the first mark of the active row.
  reveal() {
    const first = this.sorted.find((span) => span.row === this.active);
    if (!first) return;
    const range = this.rangeOf(first);
    if (!range) return;
    const at = range.getBoundingClientRect();
    const box = this.box.getBoundingClientRect();
    if (at.top < box.top || at.bottom > box.bottom) {
      this.box.scrollTop += at.top - box.top - box.height / 3;
    }
  }

  // The rows whose marks are at an offset, the shortest mark first.
  rowsAt(offset) {
    const found = this.between(offset, offset + 1);
    return found.sort((one, other) => one.end - one.start - (other.end - other.start)).map((span) => span.row);
  }

  // The spans that have characters between two offsets.
  between(start, end) {
    const found = [];
    for (let at = firstFrom(this.sorted, start - this.longest); at < this.sorted.length; at++) {
      const span = this.sorted[at];
      if (span.start >= end) break;
      if (span.end > start) found.push(span);
    }
    return found;
  }

  // The offset in the text at a point of the window, or -1.
  offsetAt(x, y) {
    const place = document.caretPositionFromPoint?.(x, y);
    const range = place ? null : document.caretRangeFromPoint?.(x, y);
    const node = place?.offsetNode ?? range?.startContainer;
    const offset = place?.offset ?? range?.startOffset;
    if (!node || !this.box.contains(node)) return -1;
    if (this.painted) return (this.nodes.find((each) => each.node === node)?.start ?? -1 - offset) + offset;
    const piece = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    return Number(piece.dataset.start ?? -1) + offset;
  }

  // The offsets of the text in view, with some around it.
  inView() {
    const box = this.box.getBoundingClientRect();
    if (this.text.length <= 2 * AROUND || !box.height) return [0, this.text.length];
    const top = this.offsetAt(box.left + 16, Math.max(box.top, 0) + 16);
    const bottom = this.offsetAt(box.right - 24, Math.min(box.bottom, innerHeight) - 12);
    const first = top < 0 ? Math.floor((this.text.length * this.box.scrollTop) / this.box.scrollHeight) : top;
    return [Math.max(0, first - AROUND), Math.min(this.text.length, Math.max(bottom, first + AROUND) + AROUND)];
  }

  rangeOf(span) {
    const range = document.createRange();
    if (this.painted) {
      range.setStart(...this.placeOf(span.start));
      range.setEnd(...this.placeOf(span.end));
    } else {
      const piece = [...this.box.children].find((each) => Number(each.dataset.start) === span.start);
      if (!piece) return null;
      range.selectNodeContents(piece);
    }
    return range;
  }

  placeOf(offset) {
    const { node, start } = this.nodes[Math.max(0, firstFrom(this.nodes, offset + 1) - 1)];
    return [node, offset - start];
  }

  draw() {
    if (!this.painted) return this.drawSegments();
    const [start, end] = this.inView();
    const groups = new Map(this.names.map((name) => [name, new Highlight()]));
    for (const span of this.between(start, end)) {
      const [startContainer, startOffset] = this.placeOf(span.start);
      const [endContainer, endOffset] = this.placeOf(span.end);
      const range = new StaticRange({ startContainer, startOffset, endContainer, endOffset });
      groups.get(`field-${span.field % FIELDS}`).add(range);
      if (span.status !== "exact") groups.get("unsure").add(range);
      if (span.row === this.active) groups.get("active").add(range);
    }
    for (const [name, painted] of groups) {
      painted.priority = this.names.indexOf(name);
      if (painted.size) CSS.highlights.set(name, painted);
      else CSS.highlights.delete(name);
    }
  }

  drawSegments() {
    const bounds = new Set([0, this.text.length]);
    for (const span of this.spans) bounds.add(span.start).add(span.end);
    const cuts = [...bounds].sort((one, other) => one - other);
    const pieces = [];
    const open = [];
    let next = 0;
    for (let at = 0; at + 1 < cuts.length; at++) {
      const [start, end] = [cuts[at], cuts[at + 1]];
      while (next < this.sorted.length && this.sorted[next].start <= start) open.push(this.sorted[next++]);
      for (let each = open.length - 1; each >= 0; each--) if (open[each].end <= start) open.splice(each, 1);
      const top = open.at(-1);
      const classes = ["piece"];
      if (top) classes.push("mark", `field-${top.field % FIELDS}`);
      if (open.some((span) => span.status !== "exact")) classes.push("unsure");
      if (open.some((span) => span.row === this.active)) classes.push("active");
      pieces.push(el("span", { class: classes.join(" "), "data-start": start }, this.text.slice(start, end)));
    }
    this.box.replaceChildren(...pieces);
  }
}

// The index of the first of a sorted list that starts at an offset or after it.
function firstFrom(sorted, offset) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle].start < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
