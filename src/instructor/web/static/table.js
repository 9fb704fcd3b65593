// A table of which only the rows in view are in the page, however many there are. Rows are drawn at most once a frame.
import { el, shown } from "./dom.js";

const HEIGHT = 30; // of a row, in pixels, as style.css has it
const EXTRA = 8; // rows above and below those in view

export class Table {
  constructor(box, { onselect, onhover }) {
    this.box = box;
    this.rows = [];
    this.columns = [];
    this.selected = null;
    this.hovered = null;
    this.openValue = null;
    this.onselect = onselect;
    this.follows = true; // the newest row is kept in view until somebody scrolls up
    this.made = new Map(); // the lines in the page, by row
    this.above = el("tr", { class: "gap", "aria-hidden": "true" }, el("td"));
    this.under = el("tr", { class: "gap", "aria-hidden": "true" }, el("td"));
    this.head = el("tr");
    this.body = el("tbody");
    this.table = el("table", { role: "grid", "aria-label": "Items", tabindex: 0 }, el("thead", {}, this.head), this.body);
    box.replaceChildren(this.table);
    box.addEventListener("scroll", () => {
      this.follows = box.scrollTop + box.clientHeight >= box.scrollHeight - HEIGHT;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(box);
    this.body.addEventListener("click", (event) => this.pick(event, (row) => this.select(row)));
    this.body.addEventListener("mouseover", (event) => this.pick(event, (row) => onhover(row)));
    this.body.addEventListener("mouseleave", () => onhover(null));
    this.table.addEventListener("keydown", (event) => this.key(event));
  }

  setColumns(columns) {
    this.columns = columns;
    const cells = columns.map((name, at) =>
      el("th", { scope: "col" }, el("span", { class: `dot field-${at % 6}`, "aria-hidden": "true" }), name));
    this.head.replaceChildren(el("th", { scope: "col", class: "number" }, "#"), ...cells, el("th", { scope: "col", class: "state" }, el("span", { class: "quiet" }, "State")));
    this.draw();
  }

  // Draw again with the next frame.
  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  paint() {
    const count = this.rows.length + (this.openValue ? 1 : 0);
    const headed = this.head.offsetHeight || HEIGHT;
    if (this.follows) this.box.scrollTop = Math.max(0, headed + count * HEIGHT - this.box.clientHeight);
    const first = Math.max(0, Math.floor((this.box.scrollTop - headed) / HEIGHT) - EXTRA);
    const last = Math.min(count, first + Math.ceil(this.box.clientHeight / HEIGHT) + 2 * EXTRA);
    const drawn = [this.gap(this.above, first)];
    for (let at = first; at < Math.min(last, this.rows.length); at++) drawn.push(this.rowOf(at));
    if (this.openValue && last === count) drawn.push(this.openRow(count - 1));
    drawn.push(this.gap(this.under, count - last));
    this.replace(drawn);
    this.table.setAttribute("aria-rowcount", count + 1);
    if (this.follows) this.box.scrollTop = this.box.scrollHeight;
  }

  // Rows that stay are not touched: somebody may be about to click on one.
  replace(drawn) {
    const wanted = new Set(drawn);
    for (const each of [...this.body.children]) if (!wanted.has(each)) each.remove();
    let next = this.body.firstChild;
    for (const each of drawn) {
      if (each === next) next = next.nextSibling;
      else this.body.insertBefore(each, next);
    }
    this.made = new Map([...this.made].filter(([, { line }]) => wanted.has(line)));
  }

  gap(line, count) {
    line.firstChild.colSpan = this.columns.length + 2;
    line.firstChild.style.height = `${count * HEIGHT}px`;
    line.hidden = !count;
    return line;
  }

  rowOf(at) {
    const row = this.rows[at];
    const as = `${at} ${row.state} ${row.tries.length} ${this.columns}`;
    let made = this.made.get(row);
    if (made?.as !== as) {
      const line = el("tr", { "data-at": at, "aria-rowindex": at + 2, id: `row-${at}` });
      line.append(el("td", { class: "number" }, String(row.index + 1)), ...this.cells(row), el("td", { class: "state" }, LABELS[row.state] ?? row.state));
      made = { as, line };
      this.made.set(row, made);
    }
    const isChosen = row === this.selected;
    made.line.className = [row.state, isChosen ? "selected" : "", row === this.hovered ? "hovered" : ""].filter(Boolean).join(" ");
    made.line.setAttribute("aria-selected", String(isChosen));
    return made.line;
  }

  cells(row) {
    if (row.state === "wrong" || row.state === "failed") {
      return [el("td", { colspan: this.columns.length, title: row.errors?.join("\n") }, row.errors?.[0] ?? "")];
    }
    const isObject = row.value !== null && typeof row.value === "object" && !Array.isArray(row.value);
    return this.columns.map((name) => {
      const text = shown(isObject ? row.value[name] : name === "value" ? row.value : undefined);
      return el("td", { title: text.length > 24 ? text : null }, text);
    });
  }

  openRow(at) {
    const made = el("tr", { class: "open", "aria-hidden": "true" });
    made.append(el("td", { class: "number" }, String(at + 1)), ...this.cells({ value: this.openValue }), el("td", { class: "state" }, "…"));
    return made;
  }

  setOpen(value) {
    this.openValue = value;
    this.draw();
  }

  select(row, { reveal = false } = {}) {
    this.selected = row;
    const at = this.rows.indexOf(row);
    if (reveal && at >= 0) this.reveal(at);
    if (at >= 0) this.table.setAttribute("aria-activedescendant", `row-${at}`);
    this.draw();
    this.onselect(row);
  }

  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    for (const each of this.body.children) each.classList.toggle("hovered", row !== null && this.rows[each.dataset.at] === row);
  }

  reveal(at) {
    this.follows = false;
    const head = this.head.offsetHeight || HEIGHT;
    const top = at * HEIGHT;
    const room = this.box.clientHeight - head;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + HEIGHT > this.box.scrollTop + room) this.box.scrollTop = top + HEIGHT - room;
  }

  // Select the row that is so many rows further.
  step(by) {
    if (!this.rows.length) return;
    let at = this.rows.indexOf(this.selected);
    if (at < 0) at = by > 0 ? -1 : this.rows.length;
    const next = Math.min(Math.max(at + by, 0), this.rows.length - 1);
    this.select(this.rows[next], { reveal: true });
  }

  pick(event, use) {
    const at = event.target.closest("tr")?.dataset.at;
    if (at !== undefined) use(this.rows[at]);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.step(steps[event.key]);
  }
}

const LABELS = { good: "", repaired: "corrected", mended: "mended", wrong: "wrong", failed: "failed" };
