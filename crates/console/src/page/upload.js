// Uploads: dropped, pasted or chosen files go straight to the source bucket
// with links that the console signs.

import { ask, at, bytes, h, plural, toast } from "./dom.js";

const AT_ONCE = 4;
const ASKED_AT_ONCE = 200;
const ROWS = 60;

/** All uploads of this page: { name, key, size, sent, state: waiting|sending|done|failed, error } */
export const uploads = [];
const waiting = [];
let sending = 0;
const listeners = new Set();
export const onUpload = (listener) => listeners.add(listener);

function changed(upload) {
  listeners.forEach((listener) => listener(upload));
  draw();
}

/** Uploads files: [{ file, name }]. */
export async function upload(found) {
  if (!found.length) return;
  for (let from = 0; from < found.length; from += ASKED_AT_ONCE) {
    const part = found.slice(from, from + ASKED_AT_ONCE);
    try {
      const { uploads: links } = await ask("/api/uploads", { method: "POST", body: { files: part.map(({ name }) => ({ name })) } });
      links.forEach((link, index) => {
        const one = { ...link, file: part[index].file, size: part[index].file.size, sent: 0, state: "waiting" };
        uploads.push(one);
        waiting.push(one);
      });
    } catch (error) {
      toast(error.message, true);
    }
  }
  at("tray").hidden = false;
  draw();
  pump();
}

function pump() {
  while (sending < AT_ONCE && waiting.length) send(waiting.shift());
}

function send(one) {
  sending += 1;
  one.state = "sending";
  const request = new XMLHttpRequest();
  request.open("PUT", one.url);
  request.setRequestHeader("content-type", one.file.type || "application/octet-stream");
  request.upload.onprogress = (event) => { one.sent = event.loaded; changed(one); };
  const end = (state, error) => {
    sending -= 1;
    Object.assign(one, { state, error });
    if (state === "done") { one.sent = one.size; one.file = null; }
    changed(one);
    pump();
  };
  request.onload = () => {
    if (request.status < 300) return end("done");
    const said = /<Message>([^<]*)/.exec(request.responseText)?.[1];
    end("failed", said ?? `S3 answered ${request.status}`);
  };
  request.onerror = () => end("failed", "the S3 endpoint does not answer");
  request.send(one.file);
  changed(one);
}

function again(one) {
  Object.assign(one, { state: "waiting", sent: 0, error: undefined });
  waiting.push(one);
  pump();
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const tray = at("tray");
    const done = uploads.filter((one) => one.state === "done").length;
    const failed = uploads.filter((one) => one.state === "failed");
    const active = uploads.filter((one) => one.state === "sending" || one.state === "waiting");
    const total = uploads.reduce((sum, one) => sum + one.size, 0), sent = uploads.reduce((sum, one) => sum + one.sent, 0);
    const title = active.length ? `Uploading ${plural(active.length, "file")}` : failed.length ? `${plural(failed.length, "upload")} failed` : `${plural(done, "file")} uploaded`;
    const rows = [...failed, ...active, ...uploads.filter((one) => one.state === "done").reverse()].slice(0, ROWS);
    const close = h("button.plain", { type: "button", "aria-label": "Close the list of uploads", onclick: () => {
      tray.hidden = true;
      if (!active.length) uploads.length = 0;
    } }, "×");
    tray.replaceChildren(
      h("header", {}, h("h2", {}, title), h("span.soft", {}, `${bytes(sent)} of ${bytes(total)}`), close),
      h("ul", {}, rows.map((one) => h("li", { "data-state": one.state },
        h("span.name", { title: one.key }, one.name),
        one.state === "failed"
          ? h("span.why", {}, one.error, " ", h("button.small", { type: "button", onclick: () => again(one) }, "Upload again"))
          : h("progress", { "aria-label": `Upload of ${one.name}`, max: Math.max(one.size, 1), value: one.state === "done" ? Math.max(one.size, 1) : one.sent })))),
    );
    if (!active.length && !failed.length) {
      clearTimeout(tray.closing);
      tray.closing = setTimeout(() => {
        if (uploads.every((one) => one.state === "done")) { tray.hidden = true; uploads.length = 0; }
      }, 6000);
    }
  });
}

/** Files of a dropped folder, with their paths in it. */
async function walk(entry, path, into) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (!file.name.startsWith(".")) into.push({ file, name: path + file.name });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A reader gives a hundred at a time.
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const child of part) await walk(child, `${path}${entry.name}/`, into);
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

export function prepare() {
  const over = at("drop");
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  addEventListener("dragenter", (event) => { if (carries(event)) { depth += 1; over.hidden = false; } });
  addEventListener("dragleave", (event) => { if (carries(event) && --depth <= 0) { depth = 0; over.hidden = true; } });
  addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    over.hidden = true;
    upload(await dropped(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    upload(files.map((file, index) => ({ file, name: `pasted-${stamp}${index ? `-${index}` : ""}-${file.name}` })));
  });
  for (const [button, input] of [["choose", "files"], ["choose-folder", "folder"]]) {
    at(button).addEventListener("click", () => at(input).click());
    at(input).addEventListener("change", (event) => {
      upload([...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
      event.target.value = "";
    });
  }
}
