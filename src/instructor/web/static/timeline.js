// The requests of a run along one line of time, and what each of them sent and got.
import { counted, el } from "./dom.js";

const TICKS = 120; // marks of items on one bar at most

export class Timeline {
  constructor(list, { onselect }) {
    this.list = list;
    this.onselect = onselect;
    this.selected = 0;
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.select(Number(button.dataset.number));
    });
  }

  select(number) {
    this.selected = number;
    for (const each of this.list.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(Number(each.dataset.number) === number));
    }
    this.onselect(number);
  }

  show(run) {
    const total = Math.max(run.at, 0.001);
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.number : null;
    this.list.replaceChildren(...run.requests.map((asked) => el("li", {}, this.line(asked, total))));
    if (focused) this.list.querySelector(`[data-number="${focused}"]`)?.focus();
  }

  line(asked, total) {
    const ended = asked.ended ?? total;
    const bar = el("span", { class: `bar ${asked.cause}${asked.error ? " broken" : ""}${asked.ended === null ? " running" : ""}` });
    bar.style.left = `${(100 * asked.began) / total}%`;
    bar.style.width = `${Math.max(0.6, (100 * (ended - asked.began)) / total)}%`;
    const step = Math.ceil(asked.rows.length / TICKS) || 1;
    const ticks = asked.rows.filter((_, at) => at % step === 0).map((row) => {
      const tick = el("span", { class: `tick ${row.request === asked.number ? row.state : "wrong"}` });
      tick.style.left = `${(100 * row.at) / total}%`;
      return tick;
    });
    const right = asked.rows.filter((row) => row.request === asked.number && row.number !== null).length;
    const words = [counted(right, "item"), `${(ended - asked.began).toFixed(1)} s`];
    return el("button", { type: "button", "data-number": asked.number, "aria-pressed": String(asked.number === this.selected) },
      el("span", { class: "label" }, el("b", {}, `${asked.number} ${CAUSES[asked.cause] ?? asked.cause}`), ` ${words.join(" · ")}`),
      el("span", { class: "track", "aria-hidden": "true" }, bar, ...ticks));
  }
}

const CAUSES = { first: "first", reask: "asked again", continuation: "continued" };

// What a request sent and got, in three parts beside each other.
export class RequestDetail {
  constructor(box) {
    this.box = box;
    this.as = "json";
    this.raw = el("pre", { tabindex: 0, "aria-label": "Reply as it came" });
    this.follows = true;
    this.raw.addEventListener("scroll", () => {
      this.follows = this.raw.scrollTop + this.raw.clientHeight >= this.raw.scrollHeight - 8;
    });
    this.sent = el("pre", { tabindex: 0, "aria-label": "What was sent" });
    this.read = el("div", { class: "read", tabindex: 0, "aria-label": "What was read" });
    this.choice = el("select", { "aria-label": "Form of what was sent", onchange: () => { this.as = this.choice.value; this.asked && this.showSent(); } },
      el("option", { value: "json" }, "JSON"), el("option", { value: "curl" }, "curl"));
    this.copy = el("button", { type: "button", class: "quiet-button", onclick: () => this.copySent() }, "Copy");
    this.wire = el("a", { target: "_blank", rel: "noopener" }, "events");
    this.whole = el("a", { target: "_blank", rel: "noopener" }, "The whole reply");
    this.parts = [
      el("section", {}, el("h3", {}, "Sent ", this.choice, this.copy), this.sent),
      el("section", {}, el("h3", {}, "Reply as it came ", this.wire), this.raw),
      el("section", {}, el("h3", {}, "Read"), this.read),
    ];
  }

  show(run, asked) {
    if (this.asked !== asked || this.box.firstChild !== this.parts[0]) {
      this.asked = asked;
      this.length = this.count = -1;
      this.hadCurl = null;
      this.raw.replaceChildren();
      this.box.replaceChildren(...this.parts);
      this.wire.href = `/runs/${run.info.id}/requests/${asked.number}/wire`;
      this.whole.href = `/runs/${run.info.id}/requests/${asked.number}/text`;
    }
    if (this.hadCurl !== asked.curl) this.showSent();
    this.showRaw(asked);
    if (this.count !== asked.rows.length || run.state !== this.state) this.showRead(run, asked);
  }

  showSent() {
    this.hadCurl = this.asked.curl;
    const text = this.sentText();
    const more = text.length - RAW;
    this.sent.replaceChildren(text.slice(0, RAW), more > 0 ? el("p", { class: "note" }, `${counted(more, "character")} after this: Copy copies them, too.`) : "");
  }

  sentText() {
    if (this.as === "json") return JSON.stringify(this.asked.body, null, 2);
    return this.asked.curl || "This model is not asked over HTTP that can be shown: there is no curl.";
  }

  async copySent() {
    await navigator.clipboard.writeText(this.sentText());
    this.copy.textContent = "Copied";
    setTimeout(() => { this.copy.textContent = "Copy"; }, 1500);
  }

  showRaw(asked) {
    if (this.length === asked.text.length) return;
    this.length = asked.text.length;
    const more = this.length - RAW;
    this.raw.replaceChildren(more > 0 ? el("p", { class: "note" }, `${counted(more, "character")} before this. `, this.whole) : "", asked.text.slice(-RAW));
    if (asked.error) this.raw.append(el("p", { class: "error" }, asked.error));
    if (this.follows && asked.ended === null) this.raw.scrollTop = 1e6; // its end, without asking where that is
  }

  showRead(run, asked) {
    this.count = asked.rows.length;
    this.state = run.state;
    const shownRows = asked.rows.slice(0, MOST);
    const lines = shownRows.map((row) => {
      const attempt = row.tries.find((each) => each.request === asked.number);
      if (attempt) {
        return el("li", { class: "wrong" }, el("code", {}, attempt.text),
          el("ul", { class: "errors" }, ...attempt.errors.map((error) => el("li", {}, error))),
          row.number !== null ? el("p", { class: "note" }, `Right in request ${row.request}.`) : null);
      }
      return el("li", { class: row.state }, el("code", {}, JSON.stringify(row.value)),
        row.state === "good" ? null : el("p", { class: "note" }, row.state === "repaired" ? "Corrected by this request." : "Small faults of its JSON were mended."));
    });
    const more = asked.rows.length - shownRows.length;
    this.read.replaceChildren(
      el("ol", {}, ...lines), more > 0 ? el("p", {}, `and ${counted(more, "more item")}`) : "",
      ...asked.problems.map((problem) => el("p", { class: "error" }, problem)));
  }
}

const MOST = 200; // items
const RAW = 6000; // characters: a browser takes long to lay out more, again and again
