// The gallery: source pictures, newest first, each with its prints. Only what
// is on the screen is in the page; the rest is a height.

import { ask, at, bytes, coalesce, dimensions, h, plural, saving, shows, toast } from "./dom.js";
import { keyOf, live } from "./live.js";
import { openViewer, refreshViewer } from "./viewer.js";

const PAGE = 24;
const AROUND = 2;
const PAGES_KEPT = 40;
const narrow = matchMedia("(max-width: 44rem)");
const rowHeight = () => (narrow.matches ? 316 : 228);

let total = null, anchor = null, newest = null, holds = "", newer = false, failed = null;
/** page number → pictures */
let pages = new Map();
const loading = new Set();
const rows = new Map();
let generation = 0;

const pictureAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE];
const count = () => total ?? 0;
/** What the viewer asks of this list. */
const list = { pictureAt, count };

async function load(page) {
  if (loading.has(page)) return;
  loading.add(page);
  const asked = generation;
  try {
    const query = new URLSearchParams({ offset: page * PAGE, limit: PAGE, holds });
    if (anchor !== null) query.set("anchor", anchor);
    const found = await ask(`/api/pictures?${query}`);
    if (asked !== generation) return;
    failed = null;
    // What was passed is gone or new again, and what stood behind it has moved up.
    if (total !== null && found.total !== total) pages.clear();
    total = found.total;
    if (anchor === null) { anchor = found.anchor; newest = found.pictures[0]?.etag; }
    pages.set(page, found.pictures);
    if (pages.size > PAGES_KEPT) {
      const { first, last } = visible();
      for (const known of [...pages.keys()]) {
        if (pages.size <= PAGES_KEPT) break;
        if (known < Math.floor(first / PAGE) - 1 || known > Math.floor(last / PAGE) + 1) pages.delete(known);
      }
    }
  } catch (error) {
    if (asked === generation) failed = error;
  } finally {
    loading.delete(page);
  }
  draw();
}

function visible() {
  const height = rowHeight(), top = at("gallery").getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(-top / height) - AROUND);
  const last = Math.min(Math.max(0, (total ?? 1) - 1), Math.ceil((innerHeight - top) / height) + AROUND);
  return { first, last };
}

const atTop = () => at("gallery").getBoundingClientRect().top > -2 * rowHeight();

/** A picture that stands in for the original: small, whole, and shown by every browser. */
function standIn(picture) {
  const whole = picture.prints.filter((print) => print.faithful && print.width >= 160 && shows(print)).sort((a, b) => a.bytes - b.bytes);
  return whole[0] ?? (shows(picture) ? picture : null);
}


const STATES = { printed: "printed", rejected: "rejected", none: "no prints yet" };

export async function retry(key, button) {
  button.disabled = true;
  try {
    await ask("/api/picture/retry", { method: "POST", body: { key } });
    toast(`Queued ${key} again`);
  } catch (error) {
    toast(error.message, true);
  }
  button.disabled = false;
}

function tile(picture, print, index, number) {
  const label = `${print.output}: ${print.key}`;
  return h("li", {},
    h("button.print", { type: "button", title: label, "aria-label": `Look at ${print.key}`, onclick: () => openViewer(list, index, number) },
      shows(print)
        ? h("img", { src: print.url, alt: "", loading: "lazy", decoding: "async", width: 132, height: 132 })
        : h("span.nothumb", { "data-word": (print.format ?? print.content_type ?? "file").split("/").pop() })),
    h("p.figures", {}, h("span", {}, dimensions(print) || print.content_type), h("span", {}, bytes(print.bytes)), h("span.save", { "data-more": print.bytes > picture.bytes }, saving(print, picture))),
    print.fresh ? null : h("p.stale", { title: "made of an earlier version of the original" }, "older version"));
}

const UNDER_WAY = { queued: "queued", running: "being printed", waiting: "waiting for a retry" };

/** key → what its event is waiting for, of those that are under way. */
function underWay() {
  const found = new Map();
  for (const { stage, subjects } of live.items.values()) if (UNDER_WAY[stage]) subjects.forEach((subject) => found.set(keyOf(subject), stage));
  return found;
}

function row(picture, index, stage) {
  const stand = standIn(picture);
  const facts = [picture.format?.toUpperCase(), dimensions(picture), bytes(picture.bytes)].filter(Boolean).join(" · ");
  const outdated = picture.prints.filter((print) => !print.current).length;
  return h("article.row", { role: "listitem", "aria-setsize": total, "aria-posinset": index + 1, "data-key": picture.key },
    h("div.source", {},
      h("button.print.big", { type: "button", "aria-label": `Look at ${picture.key}`, onclick: () => openViewer(list, index, 0) },
        stand ? h("img", { src: stand.url, alt: "", loading: "lazy", decoding: "async", width: 132, height: 132 }) : h("span.nothumb", { "data-word": picture.format ?? "file" })),
      h("div.about", {},
        h("h3", { title: picture.key }, picture.key),
        h("p.soft", {}, facts),
        h("p.soft", {}, new Date(picture.modified_ms).toLocaleString()),
        h("p.state", { "data-state": stage ?? picture.state }, UNDER_WAY[stage] ?? (picture.state === "printed" ? plural(picture.prints.length, "print") : STATES[picture.state])),
        outdated && picture.state === "printed" ? h("p.stale", { title: "a backfill makes them anew" }, `${outdated} by an earlier recipe`) : null)),
    stage && !picture.prints.length
      ? h("div.trouble", { "data-state": "none" }, h("p", {}, `This picture is ${UNDER_WAY[stage]}.`))
      : picture.state === "rejected" || !picture.prints.length
      ? h("div.trouble", { "data-state": picture.state },
          h("p", {}, picture.reason ?? "Nothing was made of this picture yet."),
          h("button", { type: "button", onclick: (event) => retry(picture.key, event.currentTarget) }, "Try again"))
      : h("ul.prints", { "aria-label": `Prints of ${picture.key}`, tabindex: 0 }, picture.prints.map((print, number) => tile(picture, print, index, number))));
}

/** What a row shows, to draw it anew only when that changes. */
const face = (picture, index, stage) => JSON.stringify([index, total, stage, picture.key, picture.etag, picture.state, picture.reason, picture.prints.map((print) => [print.key, print.etag, print.fresh, print.current, print.url])]);

function drawEmpty() {
  const empty = at("gallery-empty");
  empty.hidden = !(failed || total === 0);
  if (failed && failed.status === 404) {
    empty.replaceChildren(h("h3", {}, "No gallery"), h("p", {}, failed.message));
  } else if (failed) {
    empty.replaceChildren(h("h3", {}, "The gallery cannot be read"), h("p", {}, failed.message), h("button", { type: "button", onclick: reload }, "Try again"));
  } else if (total === 0 && holds) {
    empty.replaceChildren(h("h3", {}, "Nothing found"), h("p", {}, `No picture's name holds “${holds}”.`));
  } else if (total === 0) {
    empty.replaceChildren(h("h3", {}, "No pictures yet"), h("p", {}, "Drop pictures or folders anywhere on this page, paste one, or choose them."),
      h("button.primary", { type: "button", onclick: () => at("choose").click() }, "Add pictures"));
  }
}

export function draw() {
  if (at("view-pictures").hidden) return;
  const list = at("gallery");
  drawEmpty();
  at("fresh").hidden = !newer;
  if (total === null) {
    list.dataset.loading = !failed;
    if (!failed) load(0);
    return;
  }
  list.dataset.loading = false;
  at("count").textContent = total ? plural(total, "picture") : "";
  const height = rowHeight();
  list.style.height = `${total * height}px`;
  const { first, last } = visible();
  const stages = underWay();
  for (const [index, known] of rows) {
    if (index < first || index > last || index >= total) { known.element.remove(); rows.delete(index); }
  }
  for (let index = first; index <= last && index < total; index += 1) {
    const picture = pictureAt(index);
    if (!picture) load(Math.floor(index / PAGE));
    const stage = picture && stages.get(picture.key);
    const wanted = picture ? face(picture, index, stage) : `loading ${index}`;
    let known = rows.get(index);
    if (!known || known.face !== wanted) {
      // A row that is being loaded anew keeps what it shows.
      if (known && !picture) continue;
      const focused = known?.element.contains(document.activeElement) ? [...known.element.querySelectorAll("button")].indexOf(document.activeElement) : -1;
      const scrolled = known?.element.querySelector(".prints")?.scrollLeft ?? 0;
      const element = picture ? row(picture, index, stage) : h("article.row.loading", { role: "listitem", "aria-busy": "true" });
      if (known) known.element.replaceWith(element);
      else place(list, element, index);
      if (scrolled) element.querySelector(".prints")?.scrollTo(scrolled, 0);
      if (focused >= 0) element.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
      known = { element, face: wanted };
      rows.set(index, known);
    }
    known.element.style.transform = `translateY(${index * height}px)`;
  }
  refreshViewer();
}

/** In the order of the rows, which is that of the keyboard. */
function place(list, element, index) {
  const after = [...rows.entries()].filter(([other]) => other > index).sort((a, b) => a[0] - b[0])[0];
  list.insertBefore(element, after ? after[1].element : null);
}

/** Reads what is on the screen anew; at the top, with what has arrived since. */
export async function refresh(top = atTop()) {
  if (total === null) { draw(); return; }
  const { first, last } = visible();
  const wanted = [];
  for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) wanted.push(page);
  const query = (page, at) => ask(`/api/pictures?${new URLSearchParams({ offset: page * PAGE, limit: PAGE, holds, ...(at === null ? {} : { anchor: at }) })}`);
  const asked = generation;
  try {
    if (top) {
      const found = await query(0, null);
      if (asked !== generation) return;
      ({ total, anchor } = found);
      newest = found.pictures[0]?.etag;
      generation += 1;
      loading.clear();
      pages = new Map([[0, found.pictures]]);
      newer = false;
    } else {
      const [now, ...found] = await Promise.all([query(0, null), ...wanted.map((page) => query(page, anchor))]);
      if (asked !== generation) return;
      newer = now.total > total || now.pictures[0]?.etag !== newest;
      if (found[0] && found[0].total !== total) pages.clear();
      found.forEach((page, index) => pages.set(wanted[index], page.pictures));
      total = found[0]?.total ?? total;
    }
    failed = null;
  } catch (error) {
    failed = total === null ? error : null;
  }
  draw();
}

const soon = coalesce(() => (at("view-pictures").hidden ? undefined : refresh()), 60);

export function reload() {
  generation += 1;
  loading.clear();
  pages = new Map();
  total = anchor = newest = failed = null;
  newer = false;
  for (const { element } of rows.values()) element.remove();
  rows.clear();
  draw();
}

export function happened(event) {
  if (["queued", "finished"].includes(event.type) && live.info?.places) soon();
  else if (["started", "retry_scheduled", "sent_to_destination"].includes(event.type)) requestAnimationFrame(draw);
}

export function shown() {
  if (total === null) draw();
  else refresh();
}

addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
addEventListener("resize", () => requestAnimationFrame(draw), { passive: true });
narrow.addEventListener("change", draw);
at("fresh").addEventListener("click", () => { scrollTo(0, 0); refresh(true); });
let typing;
at("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => { holds = event.target.value.trim(); reload(); }, 150);
});
