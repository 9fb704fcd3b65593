// A run in a file of its own: its text with marks, and its items. Its data is JSON in the page.
import { itemDetail } from "./detail.js";
import { el } from "./dom.js";
import { Marks } from "./marks.js";
import { Table } from "./table.js";

function exported() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const marks = new Marks(document.getElementById("marked"));
  const detail = document.getElementById("detail");
  const show = (row) => {
    marks.activate(row);
    marks.reveal();
    detail.replaceChildren(row ? el("div", { class: "item" }, ...itemDetail(row, data.columns, data.text)) : "");
  };
  const table = new Table(document.getElementById("items"), { onselect: show, onhover: (row) => marks.activate(row ?? table.selected) });
  table.follows = false;
  marks.setText(data.text);
  table.rows = data.rows;
  table.setColumns(data.columns);
  const spans = [];
  for (const row of data.rows) {
    for (const span of row.spans) {
      const name = String(span.field).split(/[.[]/)[0];
      spans.push({ ...span, row, field: Math.max(0, data.columns.indexOf(name)) });
    }
  }
  marks.setSpans(spans);
  const pointed = (event) => marks.rowsAt(marks.offsetAt(event.clientX, event.clientY))[0] ?? null;
  marks.box.addEventListener("mousemove", (event) => marks.activate(pointed(event) ?? table.selected));
  marks.box.addEventListener("click", (event) => {
    const row = pointed(event);
    if (row) table.select(row, { reveal: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "n") table.step(1);
    if (event.key === "p") table.step(-1);
  });
}

exported();
