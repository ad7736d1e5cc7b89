// Activity: how much is waiting, what each invocation cost, what failed and
// what to do, who was allowed what.

import { ask, at, clock, coalesce, h, milliseconds, plural, svg, toast } from "./dom.js";
import { keyOf, live, refreshFailures } from "./live.js";
import { retry } from "./gallery.js";

const BARS = 80;
const ROWS = 60;
const SAMPLES = 300;
const samples = [];
let active = false, effect = "", decisions = [];
const open = new Set();

/** Once a second: how many events are waiting or running. */
setInterval(() => {
  if (live.link !== "live") return;
  samples.push(live.queue.queued + live.queue.waiting + live.queue.running);
  if (samples.length > SAMPLES) samples.shift();
  if (active) drawDepth();
}, 1000);

const root = at("activity");
const tiles = h("dl.tiles", { "aria-label": "The queue" });
const depth = h("figure.depth");
const charts = h("div.charts");
const failures = h("div.failures");
const table = h("tbody");
const denied = h("tbody");

function frame() {
  const filter = h("select", { "aria-label": "Which decisions", onchange: (event) => { effect = event.target.value; loadDecisions(); } },
    h("option", { value: "" }, "All"), h("option", { value: "Deny" }, "Denied"), h("option", { value: "Allow" }, "Allowed"));
  root.replaceChildren(
    h("div.overview", {}, tiles, depth),
    h("section", { "aria-labelledby": "h-failures" }, h("h3", { id: "h-failures" }, "Failures"), failures),
    h("section", { "aria-labelledby": "h-runs" }, h("h3", { id: "h-runs" }, "Invocations"), charts,
      h("div.wide", { tabindex: 0, role: "region", "aria-label": "Table of invocations" }, h("table", {}, h("thead", {}, h("tr", {}, ["Time", "Event", "Attempt", "Outcome", "Duration", "Billed", "Memory", "Log"].map((name) => h("th", { scope: "col" }, name)))), table))),
    h("section", { "aria-labelledby": "h-decisions" }, h("div.bar", {}, h("h3", { id: "h-decisions" }, "IAM decisions"), filter),
      h("div.wide", { tabindex: 0, role: "region", "aria-label": "Table of IAM decisions" }, h("table", {}, h("thead", {}, h("tr", {}, ["Time", "Who", "Decision", "Action", "Resource", "Because"].map((name) => h("th", { scope: "col" }, name)))), denied))),
  );
}

const runsNewest = () => [...live.runs.values()].sort((a, b) => b.started_ms - a.started_ms);

function rate() {
  const minute = Date.now() - 60000;
  return [...live.runs.values()].filter((run) => run.started_ms + run.duration_ms > minute).length;
}

function drawTiles() {
  const { queued, running, waiting, failed } = live.queue;
  const tile = (name, value, state) => h("div", { "data-state": value ? state : null }, h("dt", {}, name), h("dd", {}, value.toLocaleString()));
  tiles.replaceChildren(tile("Queued", queued, "wait"), tile("Running", running, "good"), tile("Waiting for retry", waiting, "wait"), tile("Given up", failed, "bad"), tile("Finished in the last minute", rate()));
}

function drawDepth() {
  const most = Math.max(4, ...samples), width = 300, height = 72;
  const points = samples.map((value, index) => `${(width - samples.length + index + 1).toFixed(1)},${(height - (value / most) * (height - 4) - 2).toFixed(1)}`);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `Events waiting or running in the last five minutes; at most ${Math.max(0, ...samples)}` },
    svg("polyline", { points: points.join(" "), class: "line", "vector-effect": "non-scaling-stroke" }));
  depth.replaceChildren(h("figcaption", {}, "Waiting or running, last five minutes", h("span.soft", {}, `, up to ${Math.max(0, ...samples)}`)), chart);
}

/** Bars of one figure of the newest attempts, oldest first, with a limit line. */
function bars(title, runs, value, limit, words) {
  const width = 100, height = 40;
  const most = Math.max(limit ?? 0, ...runs.map(value), 1);
  // Few bars are not drawn as wide as a house.
  const wide = width / Math.max(32, runs.length);
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  runs.forEach((run, index) => {
    const tall = Math.max(0.8, (value(run) / most) * (height - 2));
    const bar = svg("rect", { x: index * wide, y: height - tall, width: wide * 0.72, height: tall, class: run.outcome === "success" ? "ok" : "bad" });
    bar.append(svg("title"));
    bar.firstChild.textContent = `${keyOf(run.subjects[0] ?? "")}: ${words(value(run))}`;
    chart.append(bar);
  });
  if (limit) chart.append(svg("line", { x1: 0, x2: width, y1: height - (limit / most) * (height - 2), y2: height - (limit / most) * (height - 2), class: "limit", "vector-effect": "non-scaling-stroke" }));
  const values = runs.map(value).sort((a, b) => a - b);
  const middle = values.length ? words(values[Math.floor(values.length / 2)]) : "–";
  const top = values.length ? words(values.at(-1)) : "–";
  return h("figure", {}, h("figcaption", {}, title, h("span.soft", {}, `, median ${middle}, at most ${top}${limit ? `, limit ${words(limit)}` : ""}`)), chart);
}

function drawCharts(runs) {
  const shown = runs.slice(0, BARS).reverse();
  charts.hidden = !shown.length;
  charts.replaceChildren(
    bars("Duration", shown, (run) => run.duration_ms, null, milliseconds),
    bars("Memory", shown, (run) => run.max_memory_mb, live.info?.function.memory_mb, (value) => `${value} MB`));
}

function outcome(run) {
  const result = (run.results ?? [])[0];
  if (run.outcome !== "success") return h("span.bad", {}, run.outcome);
  if (result?.state === "rejected") return h("span.wait", { title: result.reason }, "rejected");
  return h("span.good", {}, result?.state ?? "success");
}

function runRow(run) {
  const id = `${run.request_id}/${run.attempt}`;
  const log = h("details", { open: open.has(id), ontoggle: (event) => (event.target.open ? open.add(id) : open.delete(id)) },
    h("summary", {}, plural(run.log.length, "line")), h("pre", {}, run.log.join("\n")));
  return h("tr", {}, h("td.number", {}, clock(run.started_ms)), h("td", {}, h("code", {}, run.subjects.join(", ") || run.request_id)),
    h("td.number", {}, String(run.attempt)), h("td", {}, outcome(run)),
    h("td.number", {}, milliseconds(run.duration_ms), run.init_ms ? h("span.soft", {}, ` + ${milliseconds(run.init_ms)} start`) : null),
    h("td.number", {}, `${run.billed_ms} ms`), h("td.number", {}, `${run.max_memory_mb} of ${run.memory_mb} MB`), h("td", {}, log));
}

const rowsOf = new Map();
function drawRuns() {
  const runs = runsNewest();
  drawCharts(runs);
  const shown = runs.slice(0, ROWS).map((run) => {
    const id = `${run.request_id}/${run.attempt}`;
    if (!rowsOf.has(id)) rowsOf.set(id, runRow(run));
    return rowsOf.get(id);
  });
  if (rowsOf.size > 4 * ROWS) for (const id of rowsOf.keys()) if (!live.runs.has(id)) rowsOf.delete(id);
  table.replaceChildren(...(shown.length ? shown : [h("tr", {}, h("td.none", { colspan: "8" }, "No invocation yet. Upload a picture and it appears here."))]));
}

/** What a person can do about an error, by its kind. */
function remedy(failure) {
  const error = failure.envelope.responsePayload ?? {};
  const said = `${error.errorType ?? ""} ${error.errorMessage ?? ""}`;
  if (/not authorized|AccessDenied/.test(said)) return "The function's role lacks a permission. See the denied decisions below, mend the policy, then retry.";
  if (/Timedout|timed out/.test(said)) return "It ran into the function's timeout. Start with a longer --timeout, or lower what the recipe asks for, then retry.";
  if (/signal: killed|OutOfMemory/.test(said)) return "It ran into the function's memory limit. Start with more --memory, then retry.";
  if (failure.condition === "EventAgeExceeded") return "It waited too long in the queue. Retry it when the function keeps up.";
  return "Look at the log of its attempts, mend the cause, then retry.";
}

const subjectOf = (failure) => (failure.envelope.requestPayload?.Records ?? []).map((record) => {
  const key = (record.s3?.object?.key ?? "").replaceAll("+", " ");
  try { return decodeURIComponent(key); } catch { return key; }
}).join(", ") || failure.request_id;

async function retryFailure(failure, button) {
  button.disabled = true;
  try {
    await ask(`/api/failures/${failure.id}/retry`, { method: "POST", body: {} });
    toast(`Queued ${subjectOf(failure)} again`);
  } catch (error) {
    toast(error.message, true);
  }
  refreshFailures();
}

function drawFailures() {
  const given = [...live.failures.values()].map((failure) => h("article.failure", { "data-kind": "failed" },
    h("h4", {}, subjectOf(failure)), h("p.soft", {}, `${failure.condition}, ${new Date(failure.failed_ms).toLocaleString()}`),
    h("p", {}, failure.envelope.responsePayload?.errorMessage ?? "The function never answered."),
    h("p.remedy", {}, remedy(failure)),
    h("div.actions", {}, h("button.primary", { type: "button", onclick: (event) => retryFailure(failure, event.currentTarget) }, "Retry"),
      h("details", {}, h("summary", {}, "Record"), h("pre", {}, JSON.stringify(failure.envelope, null, 2))))));
  const newest = new Map();
  for (const run of runsNewest().reverse()) for (const result of run.results ?? []) newest.set(result.key, { ...result, at: run.started_ms });
  const rejected = [...newest.values()].filter((result) => result.state === "rejected").reverse().slice(0, 50).map((result) => {
    const cut = (result.reason ?? "").lastIndexOf("; ");
    return h("article.failure", { "data-kind": "rejected" },
      h("h4", {}, result.key), h("p.soft", {}, `rejected, ${new Date(result.at).toLocaleString()}`),
      h("p", {}, cut > 0 ? result.reason.slice(0, cut) : result.reason),
      cut > 0 ? h("p.remedy", {}, result.reason.slice(cut + 2)) : null,
      h("div.actions", {}, h("button", { type: "button", onclick: (event) => retry(result.key, event.currentTarget) }, "Try again")));
  });
  const all = [...given, ...rejected];
  failures.replaceChildren(...(all.length ? all : [h("p.none", {}, "Nothing failed.")]));
}

async function loadDecisions() {
  try {
    ({ decisions } = await ask(`/api/decisions${effect ? `?effect=${effect}` : ""}`));
  } catch { return; }
  const who = (principal) => principal.split(":").slice(-1)[0];
  denied.replaceChildren(...(decisions.length ? decisions.slice(0, 2 * ROWS).map((one) => h("tr", {},
    h("td.number", {}, clock(one.at_ms)), h("td", {}, h("code", { title: one.principal }, who(one.principal))),
    h("td", {}, h(one.effect === "Allow" ? "span.good" : "span.bad", {}, one.effect === "Allow" ? "allowed" : "denied")),
    h("td", {}, one.action), h("td", {}, h("code", {}, one.resource.replace("arn:aws:s3:::", ""))), h("td.because", {}, one.because)))
    : [h("tr", {}, h("td.none", { colspan: "6" }, "No decision yet."))]));
}

const drawSoon = coalesce(() => { drawTiles(); drawRuns(); drawFailures(); return loadDecisions(); }, 120);

export function happened() { if (active) drawSoon(); }
export function counted() { if (active) drawTiles(); }
export function shown(now) {
  active = now;
  if (!active) return;
  if (!root.firstChild) frame();
  drawTiles(); drawDepth(); drawRuns(); drawFailures(); loadDecisions();
}
