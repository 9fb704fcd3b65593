// The store of a bulk run, as its events tell it: its rows, and how far it is.
import { counted, el, shown } from "./dom.js";

export class StoreView {
  constructor() {
    this.info = null;
    this.rows = []; // in the order of the source
    this.byKey = new Map();
    this.progress = null;
  }

  get columns() {
    return ["input", ...(this.info?.many ? ["items"] : this.info?.fields ?? []).filter((name) => name !== "input")];
  }

  apply(kind, data) {
    if (kind === "store") {
      this.info = data;
      this.rows.length = 0;
      this.byKey.clear();
    } else if (kind === "rows") {
      for (const row of data.rows) this.put(row);
    } else if (kind === "progress") {
      this.progress = data;
    }
  }

  put(found) {
    const isObject = found.value !== null && typeof found.value === "object" && !Array.isArray(found.value);
    const value = this.info.many ? { items: found.value } : isObject ? found.value : { value: found.value };
    const row = {
      ...found, index: found.position, number: found.position, spans: [], tries: [],
      state: found.error === null ? "good" : "failed", errors: found.error === null ? [] : [`${found.kind}: ${found.error}`],
      value: { ...value, input: textOf(found.input) },
    };
    const before = this.byKey.get(found.key);
    this.byKey.set(found.key, row);
    if (before) {
      this.rows[this.rows.indexOf(before)] = row;
      return;
    }
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1].index > row.index) at--;
    this.rows.splice(at, 0, row);
  }

  counters() {
    const { rows, total, failed, items, tokens, cost, rate, seconds_left: left, state, error } = this.progress ?? {};
    if (error) return [["State", error, "bad"]];
    if (rows === undefined) return [["State", "no run yet"]];
    const known = total === null ? rows.toLocaleString("en") : `${rows.toLocaleString("en")} of ${total.toLocaleString("en")}`;
    return [
      ["State", state === "running" ? "not ended" : state, `state ${state}`],
      ["Rows", known],
      failed ? ["Failed", failed.toLocaleString("en"), "bad"] : null,
      ["Items", items.toLocaleString("en")],
      rate === null ? null : ["Rate", `${rate.toFixed(1)} rows/s`],
      left === null ? null : ["Left", duration(left)],
      ["Tokens", tokens.toLocaleString("en")],
      cost === null ? null : ["Cost", cost.toFixed(4)],
    ].filter(Boolean);
  }
}

export function textOf(input) {
  if (typeof input === "string") return input;
  if (input && typeof input.text === "string") return input.text;
  return input === null ? "" : JSON.stringify(input, null, 2);
}

export function rowDetail(row) {
  const facts = [
    ["Key", row.key], ["Requests", row.attempts], ["Tokens", row.tokens.toLocaleString("en")],
    ["Seconds", row.seconds.toFixed(2)], row.cost === null ? null : ["Cost", row.cost.toFixed(6)],
  ].filter(Boolean);
  const lines = facts.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, shown(value))));
  const { input, ...value } = row.value;
  const answer = value.items ?? value;
  return el("div", { class: "item" },
    el("h3", {}, `Row ${row.index + 1}${row.n_items > 1 ? `, ${counted(row.n_items, "item")}` : ""}`),
    el("table", { class: "fields" }, el("tbody", {}, ...lines)),
    row.state === "failed"
      ? el("section", { class: "try" }, el("p", { class: "error" }, row.errors[0]), row.text ? el("pre", {}, row.text) : null)
      : el("section", { class: "try right" }, el("pre", {}, JSON.stringify(answer, null, 2))));
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
