// A run as its events tell it. Nothing here touches the page.

export class Run {
  constructor() {
    this.info = null;
    this.state = "running";
    this.error = "";
    this.rows = []; // in the order of the answer
    this.byNumber = []; // the good ones, in the order in which they came
    this.wrong = new Map(); // rows that are wrong, by index
    this.requests = [];
    this.counts = null;
    this.at = 0; // seconds since the run began, as of the last event
  }

  apply(kind, data) {
    if (data.at > this.at) this.at = data.at;
    this[`on_${kind}`]?.(data);
  }

  on_run(data) {
    this.info = data;
  }

  on_request({ request, cause, at, body }) {
    this.requests[request - 1] = {
      number: request, cause, began: at, ended: null, body, curl: "", text: "", channel: null, rows: [], problems: [], error: null,
    };
  }

  on_sent({ request, curl }) {
    this.requests[request - 1].curl = curl;
  }

  on_text({ request, channel, text }) {
    const asked = this.requests[request - 1];
    if (asked.channel !== null && asked.channel !== channel) asked.text += "\n";
    asked.channel = channel;
    asked.text += text;
  }

  on_reply({ request, at, error }) {
    Object.assign(this.requests[request - 1], { ended: at, error });
  }

  on_item({ row: number, index, value, state, spans, request, at }) {
    const before = this.wrong.get(index);
    const row = { number, index, value, state, spans, request, at, tries: before?.tries ?? [] };
    if (before) {
      this.wrong.delete(index);
      this.rows[this.rows.indexOf(before)] = row;
    } else {
      this.insert(row);
    }
    this.byNumber[number] = row;
    this.requests[request - 1]?.rows.push(row);
  }

  on_wrong({ index, text, errors, request, at }) {
    let row = this.wrong.get(index);
    if (!row) {
      row = { number: null, index, value: null, state: "wrong", spans: [], request, at, tries: [] };
      this.wrong.set(index, row);
      this.insert(row);
    }
    row.errors = errors;
    row.tries.push({ text, errors, request });
    this.requests[request - 1]?.rows.push(row);
  }

  on_problem({ errors, request }) {
    this.requests[request - 1]?.problems.push(...errors);
  }

  on_spans({ row, spans }) {
    this.byNumber[row].spans = spans;
  }

  on_counts(data) {
    this.counts = data;
  }

  on_state({ state, error }) {
    this.state = state;
    this.error = error;
    if (state === "ended" || state === "failed") for (const row of this.wrong.values()) row.state = "failed";
  }

  insert(row) {
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1].index > row.index) at--;
    this.rows.splice(at, 0, row);
  }

  // All marks: which row, which column, from where to where.
  marks(columns) {
    const found = [];
    for (const row of this.rows) {
      for (const { field, start, end, status } of row.spans) {
        const name = String(field).split(/[.[]/)[0];
        found.push({ row, field: Math.max(0, columns.indexOf(name)), start, end, status });
      }
    }
    return found;
  }
}
