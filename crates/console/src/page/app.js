// The page as a whole: views, the line to the cloud, the flow.

import { at, ask, h, plural } from "./dom.js";
import { connect, isRemoval, keyOf, live, onChange } from "./live.js";
import { onUpload, prepare, uploads } from "./upload.js";
import * as gallery from "./gallery.js";
import * as runs from "./runs.js";
import * as recipe from "./recipe.js";

const VIEWS = ["pictures", "activity", "recipe"];
const CHIPS = 5;

// The token has done its work: the browser holds it as a cookie that no script reads.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

function show() {
  const wanted = location.hash.slice(2);
  const view = VIEWS.includes(wanted) ? wanted : "pictures";
  const locked = live.link === "locked";
  at("locked").hidden = !locked;
  for (const name of VIEWS) {
    at(`view-${name}`).hidden = locked || name !== view;
    const link = document.querySelector(`[data-view=${name}]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (locked) return;
  if (view === "pictures") gallery.shown();
  runs.shown(view === "activity");
  if (view === "recipe") recipe.shown();
}

const WORDS = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again", locked: "Locked" };

function drawLink() {
  const link = at("link");
  link.dataset.state = live.link;
  link.textContent = WORDS[live.link];
  for (const id of ["choose", "choose-folder"]) at(id).disabled = live.link === "locked";
  const failed = live.queue.failed;
  at("badge").hidden = !failed;
  at("badge").textContent = failed;
  at("badge").title = plural(failed, "failed event");
}

function stage(name, title, soft, count, chips, more) {
  return h("section.stage", { "data-stage": name, "aria-label": title },
    h("h3", {}, title), h("p.soft", {}, soft),
    h("p.count", {}, count),
    h("ul.chips", {}, chips, more > 0 ? h("li.more", {}, `and ${more.toLocaleString()} more`) : null));
}

/** A name's end says more than its beginning. */
const short = (key) => (key.length > 26 ? `…${key.slice(-25)}` : key);

function chip(one) {
  const subject = one.subjects[0] ?? "";
  const key = keyOf(subject) || one.id;
  const words = { queued: "queued", running: "running", waiting: "waiting for a retry", done: isRemoval(subject) ? "prints deleted" : "done", rejected: "rejected", failed: "given up" }[one.stage];
  const retry = one.stage === "waiting" && one.due ? `, attempt ${one.attempt + 1} at ${new Date(one.due).toLocaleTimeString()}` : "";
  return h("li.chip", { "data-state": one.stage, "data-key": key, title: `${key}: ${words}${retry}${one.reason ? `\n${one.reason}` : ""}` },
    h("span.name", {}, short(key)), h("span.word", {}, words));
}

let drawing = false;
function drawFlow() {
  if (drawing || !live.info) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const { info, queue } = live;
    const places = info.places ?? { source: "source", processed: "processed", prefix: "" };
    const all = [...live.items.values()];
    const under = (...stages) => all.filter((one) => stages.includes(one.stage));
    const ended = under("done", "rejected", "failed").sort((a, b) => b.at - a.at);
    const sending = uploads.filter((one) => one.state === "sending" || one.state === "waiting");
    const queued = under("queued", "waiting"), running = under("running");
    const uploading = sending.slice(0, CHIPS).map((one) =>
      h("li.chip", { "data-state": "sending", title: one.key }, h("span.name", {}, short(one.name)), h("span.word", {}, `${Math.round((one.sent / Math.max(one.size, 1)) * 100)} %`)));
    const waiting = queue.queued + queue.waiting;
    const flow = at("flow");
    flow.dataset.busy = queue.running > 0 || waiting > 0 || sending.length > 0;
    flow.replaceChildren(
      stage("source", "Source bucket", `${places.source}/${places.prefix}`, sending.length ? `${plural(sending.length, "upload")} arriving` : "waiting for uploads", uploading, sending.length - CHIPS),
      stage("queue", "Queue", queue.waiting ? `${plural(queue.waiting, "event")} will be retried` : "events, oldest first", plural(waiting, "event"), queued.slice(0, CHIPS).map(chip), waiting - CHIPS),
      stage("function", "Function", `${info.function.name}, ${info.function.memory_mb} MB`, `${queue.running} of ${info.function.concurrency} running`, running.slice(0, CHIPS).map(chip), running.length - CHIPS),
      stage("processed", "Processed bucket", places.processed, ended.length ? "last finished" : "nothing yet", ended.slice(0, CHIPS).map(chip), 0),
    );
  });
}

// The counts come from the queue itself, not from what this page has seen.
let asking = false, again = false;
async function countQueue() {
  if (asking) { again = true; return; }
  asking = true;
  try { live.queue = await ask("/api/queue"); } catch { /* the line shows it */ }
  asking = false;
  drawFlow();
  drawLink();
  runs.counted();
  if (again) { again = false; setTimeout(countQueue, 150); }
}

onChange((event) => {
  if (event.type === "link") { drawLink(); show(); return; }
  if (event.type === "restored") {
    at("title").textContent = document.title = live.info.title;
    gallery.reload();
    show();
  }
  drawLink();
  drawFlow();
  if (["queued", "started", "finished", "retry_scheduled", "sent_to_destination"].includes(event.type)) countQueue();
  gallery.happened(event);
  runs.happened(event);
});
onUpload(drawFlow);

addEventListener("hashchange", () => { show(); at("main").focus({ preventScroll: true }); scrollTo(0, 0); });
prepare();
show();
connect();
