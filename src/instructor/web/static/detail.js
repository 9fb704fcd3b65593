// What is shown of one item: its fields, where they come from, and the tries before it was right.
import { el, shown } from "./dom.js";

export function itemDetail(row, columns, text) {
  const parts = [el("h3", {}, `Item ${row.index + 1}`)];
  const isObject = row.value !== null && typeof row.value === "object" && !Array.isArray(row.value);
  if (row.number !== null) {
    const fields = isObject ? Object.entries(row.value) : [["value", row.value]];
    const lines = fields.map(([name, value]) => {
      const spans = row.spans.filter((span) => String(span.field).split(/[.[]/)[0] === name);
      const found = spans.map((span) =>
        el("li", {}, el("span", { class: "quote" }, `“${text.slice(span.start, span.end)}”`), ` ${span.start}–${span.end}`,
          span.status === "exact" ? null : el("span", { class: "status" }, ` ${span.status}`)));
      return el("tr", {}, el("th", { scope: "row" }, el("span", { class: `dot field-${Math.max(0, columns.indexOf(name)) % 6}`, "aria-hidden": "true" }), name),
        el("td", {}, shown(value)), el("td", {}, found.length ? el("ul", {}, ...found) : null));
    });
    parts.push(el("table", { class: "fields" },
      el("thead", {}, el("tr", {}, ...["Field", "Value", "In the text"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...lines)));
  }
  for (const [at, attempt] of row.tries.entries()) {
    parts.push(el("section", { class: "try" },
      el("h4", {}, `Try ${at + 1}, request ${attempt.request}`),
      el("ul", { class: "errors" }, ...attempt.errors.map((error) => el("li", {}, error))),
      el("pre", {}, attempt.text)));
  }
  if (row.tries.length && row.number !== null) {
    parts.push(el("section", { class: "try right" },
      el("h4", {}, `Try ${row.tries.length + 1}, request ${row.request}: right`), changed(row)));
  }
  return parts;
}

// A corrected value, with what is not as it was before.
function changed(row) {
  let before = null;
  try {
    before = JSON.parse(row.tries.at(-1).text);
  } catch {
    // what was wrong may not even be JSON
  }
  if (row.value === null || typeof row.value !== "object" || before === null || typeof before !== "object") {
    return el("pre", {}, JSON.stringify(row.value, null, 2));
  }
  const lines = Object.entries(row.value).map(([name, value]) => {
    const line = `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
    return JSON.stringify(before[name]) === JSON.stringify(value) ? `${line}\n` : el("mark", {}, `${line}\n`);
  });
  return el("pre", {}, ...lines);
}
