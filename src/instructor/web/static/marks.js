// Marks in the text. The text stays one text node, and the marks are painted over it (CSS Custom Highlight API). Where a
// browser cannot do that, the text is cut at each bound of a span, and each piece is a flat element: marks that overlap
// are never nested. Offsets are those of JavaScript's strings: UTF-16.
import { el } from "./dom.js";

export const FIELDS = 6; // fields that have a colour of their own; the colours are used again after that

export class Marks {
  constructor(box, { painted = "highlights" in CSS } = {}) {
    this.box = box;
    this.painted = painted;
    this.text = "";
    this.spans = [];
    this.active = null;
    this.sorted = [];
  }

  setText(text) {
    this.text = text;
    this.box.replaceChildren(text);
    this.node = this.box.firstChild;
    this.spans = [];
    this.active = null;
    this.draw();
  }

  // spans: [{row, field (a number), start, end, status}]
  setSpans(spans) {
    this.spans = spans.filter((span) => span.start >= 0 && span.end <= this.text.length && span.start < span.end);
    this.sorted = [...this.spans].sort((one, other) => one.start - other.start || other.end - one.end);
    this.draw();
  }

  activate(row) {
    if (row === this.active) return;
    this.active = row;
    if (this.painted) this.drawActive();
    else this.draw();
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
    const found = [];
    for (const span of this.sorted) {
      if (span.start > offset) break;
      if (offset < span.end) found.push(span);
    }
    return found.sort((one, other) => one.end - one.start - (other.end - other.start)).map((span) => span.row);
  }

  // The offset in the text at a point of the window, or -1.
  offsetAt(x, y) {
    const place = document.caretPositionFromPoint?.(x, y);
    const range = place ? null : document.caretRangeFromPoint?.(x, y);
    const node = place?.offsetNode ?? range?.startContainer;
    const offset = place?.offset ?? range?.startOffset;
    if (!node || !this.box.contains(node)) return -1;
    if (this.painted) return node === this.node ? offset : -1;
    const piece = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    return Number(piece.dataset.start ?? -1) + offset;
  }

  rangeOf(span) {
    if (!this.painted) {
      const piece = [...this.box.children].find((each) => Number(each.dataset.start) === span.start);
      if (!piece) return null;
      const whole = document.createRange();
      whole.selectNodeContents(piece);
      return whole;
    }
    const range = document.createRange();
    range.setStart(this.node, span.start);
    range.setEnd(this.node, span.end);
    return range;
  }

  draw() {
    if (!this.painted) return this.drawSegments();
    const names = [...Array(FIELDS).keys()].map((number) => `field-${number}`);
    const groups = new Map([...names, "unsure"].map((name) => [name, []]));
    for (const span of this.spans) {
      const range = this.staticRange(span);
      groups.get(`field-${span.field % FIELDS}`).push(range);
      if (span.status !== "exact") groups.get("unsure").push(range);
    }
    for (const [name, ranges] of groups) {
      if (!ranges.length) {
        CSS.highlights.delete(name);
        continue;
      }
      const painted = new Highlight();
      for (const range of ranges) painted.add(range);
      painted.priority = name === "unsure" ? 2 : 1;
      CSS.highlights.set(name, painted);
    }
    this.drawActive();
  }

  drawActive() {
    CSS.highlights.delete("active");
    const ranges = this.spans.filter((span) => span.row === this.active).map((span) => this.staticRange(span));
    if (!ranges.length) return;
    const painted = new Highlight(...ranges);
    painted.priority = 3;
    CSS.highlights.set("active", painted);
  }

  staticRange(span) {
    return new StaticRange({
      startContainer: this.node, startOffset: span.start, endContainer: this.node, endOffset: span.end,
    });
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
