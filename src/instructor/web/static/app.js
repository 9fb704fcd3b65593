// The page: its forms, the one event stream of the tab, and what is shown of a run.
import { itemDetail } from "./detail.js";
import { counted, el } from "./dom.js";
import { Marks } from "./marks.js";
import { Run } from "./run.js";
import { StoreView, rowDetail } from "./store.js";
import { Table } from "./table.js";
import { RequestDetail, Timeline } from "./timeline.js";

const $ = (name) => document.getElementById(name);
const BUDGET = 8; // milliseconds of a frame in which events are read
const SPOKEN = 4000; // milliseconds between two things that a screen reader says

const page = { run: null, store: null, stream: null, queue: [], spoken: 0, texts: { fields: "name, age int", json: "" }, kind: "fields" };
const marks = new Marks($("marked"), location.search.includes("segments") ? { painted: false } : {});
const table = new Table($("items"), { onselect: showItem, onhover: hover });
const timeline = new Timeline($("requests"), { onselect: showRequest });
const requestDetail = new RequestDetail($("detail"));

// ---- requests to the server

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  const reply = await fetch(path, options);
  const isJson = reply.headers.get("content-type") === "application/json";
  const answer = isJson ? await reply.json() : { error: `The server failed: status ${reply.status}.` };
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

function tell(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

function schema() {
  const kind = $("kind").value;
  return { kind, text: kind === "class" ? $("class").value : $("schema").value };
}

async function checkSchema() {
  const asked = schema();
  const { columns, error } = await ask("/schemas", { schema: asked });
  if (JSON.stringify(asked) !== JSON.stringify(schema())) return; // it was changed in the meantime
  $("schema-error").textContent = error ?? "";
  $("schema-error").hidden = !error;
  if (columns && !page.run && !page.store) table.setColumns(columns);
}

async function start() {
  if ($("start").disabled) return;
  tell("");
  $("start").disabled = true;
  const body = {
    key: crypto.randomUUID(), // the same request, sent again, begins no other run
    text: $("source").value, schema: schema(), many: $("many").checked,
    instruction: $("instruction").value.trim(), model: $("model").value.trim(),
  };
  try {
    const { id } = await ask("/runs", body);
    location.hash = `run=${id}`;
  } catch (error) {
    tell(error.message);
  } finally {
    $("start").disabled = false;
  }
}

async function command(name) {
  if (!page.run?.info) return;
  try {
    await ask(`/runs/${page.run.info.id}/${name}`, {});
  } catch (error) {
    tell(error.message);
  }
}

// ---- the event stream

const KINDS = ["run", "request", "sent", "text", "reply", "item", "wrong", "problem", "spans", "counts", "state", "draft", "end"];

function open(id) {
  const run = (page.run = new Run());
  page.store = null;
  document.body.classList.remove("watching");
  timeline.selected = 0;
  follow(`/runs/${id}/events`, KINDS, run);
  $("edit").hidden = false;
  edit(false);
}

function watch(number) {
  const store = (page.store = new StoreView());
  page.run = null;
  document.body.classList.add("watching");
  follow(`/stores/${number}/events`, ["store", "rows", "progress", "end"], store);
  $("edit").hidden = true;
  edit(false);
  marks.setText("");
  for (const name of ["stop", "continue", "exports"]) $(name).hidden = true;
}

function follow(address, kinds, followed) {
  page.stream?.close();
  page.queue = [];
  tell("");
  Object.assign(table, { rows: followed.rows, selected: null, hovered: null, follows: true, openValue: null });
  table.draw();
  $("detail").replaceChildren();
  const stream = (page.stream = new EventSource(address));
  const isShown = () => page.stream === stream;
  for (const kind of kinds) {
    stream.addEventListener(kind, (event) => {
      if (!isShown()) return;
      page.queue.push([kind, event.data]);
      schedule();
    });
  }
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED && isShown()) tell("The server does not know this run, or cannot be reached.");
  });
}

function schedule() {
  if (page.scheduled) return;
  page.scheduled = true;
  const go = () => {
    page.scheduled = false;
    read();
  };
  if (document.hidden) setTimeout(go, 50);
  else requestAnimationFrame(go);
}

// Read events for a part of a frame; what is left is read in the next.
function read() {
  const { run, store } = page;
  const until = performance.now() + BUDGET;
  let at = 0;
  let marksChanged = false;
  while (at < page.queue.length && (at % 32 || performance.now() < until)) {
    const [kind, text] = page.queue[at++];
    const data = JSON.parse(text);
    if (kind === "end") {
      page.stream.close();
      if (store || !["ended", "failed"].includes(run.state)) tell("The server has ended.");
      continue;
    }
    if (store) {
      store.apply(kind, data);
      if (kind === "store") table.setColumns(store.columns);
      continue;
    }
    if (kind === "draft") table.setOpen(data.value);
    else run.apply(kind, data);
    if (kind === "run") begin(run);
    marksChanged ||= kind === "item" || kind === "spans" || kind === "wrong";
  }
  page.queue.splice(0, at);
  if (page.queue.length) schedule();
  if (marksChanged) page.marksDue = true;
  if (store) showStore(store);
  else show(run);
}

function begin(run) {
  const { info } = run;
  $("source").value = info.text;
  marks.setText(info.text);
  $("model").value = info.model;
  $("many").checked = info.many;
  $("instruction").value = info.instruction;
  if (info.schema.kind !== "class") page.texts[info.schema.kind] = info.schema.text;
  setKind(info.schema.kind);
  if (info.schema.kind === "class") $("class").value = info.schema.text;
  table.setColumns(info.columns);
  $("schema-error").hidden = true;
  showExports(info.id);
}

// ---- what is shown

function showStore(store) {
  table.draw();
  showFacts(store.counters());
  const { rows, shown: sent, total } = store.progress ?? {};
  const bar = total ? el("progress", { max: total, value: rows, "aria-label": "Rows" }) : "";
  const less = sent < rows ? `${sent.toLocaleString("en")} of ${counted(rows, "row")} are shown` : "";
  $("watched").replaceChildren(bar, less);
  if (rows !== undefined) say(`${counted(rows, "row")}, ${store.progress.failed} failed`, store.progress.state !== "running");
}

function show(run) {
  if (!run.info) return;
  const ended = run.state === "ended" || run.state === "failed";
  if (run.state !== "running") table.openValue = null;
  table.draw();
  // All marks are painted again: of many items not with each that comes.
  const wait = run.rows.length > 500 ? 500 : 0;
  if (page.marksDue && !page.marksTimer) {
    page.marksTimer = setTimeout(() => {
      page.marksTimer = page.marksDue = 0;
      if (page.run === run) marks.setSpans(run.marks(run.info.columns));
    }, wait);
  }
  $("stop").hidden = run.state !== "running";
  $("continue").hidden = run.state !== "stopped";
  $("start").classList.toggle("main", run.state !== "running");
  if (run.error) tell(run.error);
  showLine(run, ended);
  showCounters(run);
  const wrong = run.wrong.size ? `, ${run.wrong.size} wrong` : "";
  say(`${run.state}: ${counted(run.byNumber.length, "item")}${wrong}`, run.state !== "running");
}

// The line of time and the detail beside it are drawn four times a second, and when a run has ended.
function showLine(run, ended) {
  const now = performance.now();
  if (!ended && page.lineAt && now - page.lineAt < 250) {
    page.lineTimer ||= setTimeout(() => { page.lineTimer = 0; if (page.run === run) showLine(run, true); }, 250);
    return;
  }
  page.lineAt = now;
  timeline.show(run);
  if (!timeline.selected && !table.selected && run.requests.length) timeline.select(1);
  else if (timeline.selected) showRequest(timeline.selected);
}

function showCounters(run) {
  const seconds = run.at || 0.001;
  const good = run.byNumber.length;
  const bad = run.wrong.size;
  const corrected = run.byNumber.filter((row) => row.state === "repaired").length;
  const counts = run.counts;
  const facts = [
    ["State", run.state === "ended" && counts && !counts.complete ? "incomplete" : run.state, `state ${run.state}`],
    ["Items", good.toLocaleString("en") + (corrected ? ` (${corrected} corrected)` : "")],
    bad ? ["Wrong", bad.toLocaleString("en"), "bad"] : null,
    ["Rate", `${(good / seconds).toFixed(1)}/s`],
    counts ? ["Tokens", `${counts.exact ? "" : "≈ "}${(counts.input_tokens + counts.output_tokens).toLocaleString("en")}`] : null,
    counts && counts.cost !== null ? ["Cost", `$${counts.cost.toFixed(4)}`] : null,
    ["Time", `${run.at.toFixed(1)} s`],
  ].filter(Boolean);
  showFacts(facts);
}

function showFacts(facts) {
  $("counters").replaceChildren(...facts.map(([name, value, kind]) =>
    el("div", { class: kind }, el("dt", {}, name), el("dd", {}, value))));
}

// A screen reader hears counts, some seconds apart, and how it ended.
function say(text, atOnce) {
  const now = performance.now();
  if (text === page.said || (!atOnce && now - page.spoken < SPOKEN)) return;
  page.said = text;
  page.spoken = now;
  $("spoken").textContent = text;
}

function hover(row) {
  marks.activate(row ?? table.selected);
}

function showItem(row) {
  if (page.store) {
    marks.setText(row ? row.value.input : "");
    $("detail").replaceChildren(row ? rowDetail(row) : "");
    return;
  }
  marks.activate(row);
  if (!row) return;
  marks.reveal();
  timeline.selected = 0;
  timeline.show(page.run);
  $("detail").replaceChildren(el("div", { class: "item" }, ...itemDetail(row, page.run.info.columns, page.run.info.text)));
}

function showRequest(number) {
  const asked = page.run?.requests[number - 1];
  if (!asked) return;
  table.selected = null;
  marks.activate(null);
  table.draw();
  requestDetail.show(page.run, asked);
}

function showExports(id) {
  $("exports").hidden = false;
  $("exports").replaceChildren("Export ", ...Object.entries(page.session.formats).map(([form, title]) =>
    el("a", { href: `/runs/${id}/export.${form}`, download: true }, title)));
}

async function listRuns() {
  const runs = await ask("/runs");
  const stores = page.session.stores.map((path, number) => el("option", { value: `store=${number}` }, path));
  const options = runs.reverse().map((each) =>
    el("option", { value: `run=${each.id}` }, `${new Date(each.began * 1000).toLocaleTimeString()} · ${counted(each.items, "item")}`));
  $("runs-field").hidden = stores.length + options.length < 2;
  $("runs").replaceChildren(...options, ...stores);
  $("runs").value = location.hash.slice(1);
}

// ---- forms and keys

function edit(wanted) {
  $("source").hidden = !wanted;
  $("marked").hidden = wanted;
  $("edit").textContent = wanted ? "Show marks" : "Edit";
  if (wanted) $("source").focus();
}

function setKind(kind) {
  if (page.kind !== "class") page.texts[page.kind] ||= $("schema").value;
  page.kind = $("kind").value = kind;
  $("schema").hidden = kind === "class";
  $("class").hidden = kind !== "class";
  if (kind !== "class") $("schema").value = page.texts[kind];
}

let checking = 0;
function schemaChanged() {
  if (page.kind !== "class") page.texts[page.kind] = $("schema").value;
  clearTimeout(checking);
  checking = setTimeout(() => checkSchema().catch((error) => tell(error.message)), 300);
}

function pointed(event) {
  const row = marks.rowsAt(marks.offsetAt(event.clientX, event.clientY))[0] ?? null;
  return row;
}

function listen() {
  $("start").addEventListener("click", start);
  $("stop").addEventListener("click", () => command("stop"));
  $("continue").addEventListener("click", () => command("continue"));
  $("edit").addEventListener("click", () => edit($("source").hidden));
  $("keys").addEventListener("click", () => $("help").showModal());
  $("kind").addEventListener("change", () => { setKind($("kind").value); schemaChanged(); });
  $("schema").addEventListener("input", schemaChanged);
  $("class").addEventListener("change", schemaChanged);
  $("runs").addEventListener("focus", () => listRuns().catch((error) => tell(error.message)));
  $("runs").addEventListener("change", () => { location.hash = $("runs").value; });
  $("marked").addEventListener("mousemove", (event) => {
    const row = pointed(event);
    table.hover(row);
    marks.activate(row ?? table.selected);
  });
  $("marked").addEventListener("mouseleave", () => { table.hover(null); marks.activate(table.selected); });
  $("marked").addEventListener("click", (event) => {
    const row = pointed(event);
    if (row) table.select(row, { reveal: true });
  });
  addEventListener("hashchange", fromAddress);
  document.addEventListener("keydown", key);
}

const KEYS = {
  n: () => table.step(1), p: () => table.step(-1), s: () => command("stop"), g: () => command("continue"),
  e: () => edit($("source").hidden), "?": () => $("help").showModal(),
  Escape: () => { table.select(null); $("detail").replaceChildren(); },
};

function key(event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
    event.preventDefault();
    start();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && !$("help").open) {
    const act = KEYS[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  }
}

// A recording stands for a model, and says what it was asked for.
function useRecording({ name, text, schema, many }) {
  $("model").value = name;
  $("source").value ||= text;
  $("many").checked = many;
  if (!schema || page.session.classes.length) return;
  page.texts.json = JSON.stringify(schema, null, 2);
  setKind("json");
}

function fromAddress() {
  const id = location.hash.match(/^#run=([0-9a-f]+)$/)?.[1];
  const store = location.hash.match(/^#store=(\d+)$/)?.[1];
  if (id) open(id);
  else if (store) watch(store);
  listRuns().catch((error) => tell(error.message));
}

async function main() {
  const session = (page.session = await ask("/session"));
  $("model").value = session.model;
  $("source").value = session.text;
  $("class").replaceChildren(...session.classes.map((name) => el("option", {}, name)));
  $("kind").querySelector("[value=class]").disabled = !session.classes.length;
  $("models").replaceChildren(...[session.model, ...session.recordings.map((each) => each.name)].map((value) => el("option", { value })));
  page.kind = "class"; // so that no text is kept of the form that has not been used
  setKind(session.classes.length ? "class" : "fields");
  if (session.recordings.length) useRecording(session.recordings[0]);
  for (const name of ["source", "schema", "start"]) $(name).disabled = false;
  listen();
  if (session.stores.length && !location.hash) history.replaceState(null, "", "#store=0");
  fromAddress();
  await checkSchema();
}

main().catch((error) => tell(error.message));
