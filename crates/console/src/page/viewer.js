// The light box: one picture, its original beside a print, and what can be
// done with it.

import { ask, at, bytes, copy, dimensions, h, milliseconds, saving, shows, toast } from "./dom.js";

/** Where the pictures come from: `pictureAt(index)` and `count()`. */
let list = null;
let index = 0, number = 0, part = 50, opener = null, face = "";

const picture = () => list.pictureAt(index);

export function openViewer(from, at_, print) {
  list = from;
  index = at_;
  number = print;
  part = 50;
  face = "";
  opener = document.activeElement;
  const dialog = at("viewer");
  draw();
  if (!dialog.open) dialog.showModal();
}

export function refreshViewer() {
  if (at("viewer").open) draw();
}

const s3 = (object) => `s3://${object.bucket}/${object.key}`;

async function link(object, options = {}) {
  const query = new URLSearchParams({ bucket: object.bucket, key: object.key, ...options });
  return (await ask(`/api/link?${query}`)).url;
}

async function download(object) {
  try {
    const url = await link(object, { download: true });
    h("a", { href: url, download: object.key.split("/").pop() }).click();
  } catch (error) {
    toast(error.message, true);
  }
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
const path = (key) => `/${key.split("/").map(encodeURIComponent).join("/")}`;

/** `<picture>` with every whole print, best format first, as a site would serve it. */
export function snippet(source) {
  const whole = source.prints.filter((print) => print.faithful && print.width && shows(print));
  if (!whole.length) return null;
  const order = ["avif", "webp", "png", "jpeg", "gif"];
  const formats = [...new Set(whole.map((print) => print.format))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const set = (format) => whole.filter((print) => print.format === format).sort((a, b) => a.width - b.width).map((print) => `${escaped(path(print.key))} ${print.width}w`).join(", ");
  const last = formats.at(-1);
  const largest = whole.filter((print) => print.format === last).sort((a, b) => b.width - a.width)[0];
  const sources = formats.slice(0, -1).map((format) => `  <source type="image/${format}" srcset="${set(format)}" sizes="100vw">\n`);
  return `<picture>\n${sources.join("")}  <img src="${escaped(path(largest.key))}" srcset="${set(last)}" sizes="100vw" width="${largest.width}" height="${largest.height}" alt="">\n</picture>`;
}

function compare(source, print) {
  if (!shows(source)) {
    return h("div.stage-view", {}, h("img", { src: print.url, alt: `The print ${print.key}` }),
      h("p.soft.note", {}, `This browser does not show ${source.format?.toUpperCase() ?? "the original"}: the print alone.`));
  }
  const before = h("img.before", { src: source.url, alt: `The original ${source.key}`, decoding: "async" });
  const box = h("div.compare", {}, h("img.after", { src: print.url, alt: `The print ${print.key}` }), before, h("span.edge"));
  const slide = (value) => { part = Number(value); box.style.setProperty("--part", `${part}%`); };
  slide(part);
  const range = h("input", { type: "range", min: "0", max: "100", step: "1", value: String(part), "aria-label": "How much of the original is shown, in per cent", oninput: (event) => slide(event.target.value) });
  // The print's own shape; the original is fitted to it.
  if (print.width) box.style.aspectRatio = `${print.width} / ${print.height}`;
  const byPointer = (event) => {
    if (event.buttons !== 1) return;
    const place = box.getBoundingClientRect();
    slide(Math.min(100, Math.max(0, ((event.clientX - place.left) / place.width) * 100)));
    range.value = part;
  };
  box.addEventListener("pointerdown", byPointer);
  box.addEventListener("pointermove", byPointer);
  return h("div.stage-view", {}, box, h("label.slider", {}, h("span", {}, "Print"), range, h("span", {}, "Original")));
}

function step(by) {
  const source = picture();
  if (by > 0 && number + 1 < source.prints.length) number += 1;
  else if (by < 0 && number > 0) number -= 1;
  else {
    const other = list.pictureAt(index + by);
    if (!other) return;
    index += by;
    number = by > 0 ? 0 : Math.max(0, other.prints.length - 1);
  }
  draw();
}

function draw() {
  const source = picture();
  const dialog = at("viewer");
  if (!source) { dialog.close(); return; }
  number = Math.min(number, Math.max(0, source.prints.length - 1));
  const print = source.prints[number];
  const wanted = JSON.stringify([index, number, source.etag, source.state, source.prints.map((one) => [one.key, one.etag])]);
  if (wanted === face) return;
  face = wanted;
  const object = print ?? source;
  const html = snippet(source);
  const fact = (name, value) => (value ? [h("dt", {}, name), h("dd", {}, value)] : []);
  dialog.replaceChildren(
    h("header", {},
      h("div", {}, h("h2", { id: "viewer-title", title: source.key }, source.key), h("p.soft", {}, `${index + 1} of ${list.count().toLocaleString()}`)),
      h("button.plain", { type: "button", "aria-label": "Before", onclick: () => step(-1) }, "‹"),
      h("button.plain", { type: "button", "aria-label": "Next", onclick: () => step(1) }, "›"),
      h("button.plain", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    h("div.inside", {},
      print && shows(print) ? compare(source, print) : h("div.stage-view", {}, shows(object) ? h("img", { src: object.url, alt: `The original ${source.key}` }) : h("p.soft", {}, "Nothing that a browser shows.")),
      h("aside", {},
        source.prints.length ? h("label.field", {}, "Print",
          h("select", { onchange: (event) => { number = Number(event.target.value); draw(); } },
            source.prints.map((one, at_) => h("option", { value: String(at_), selected: at_ === number }, one.key)))) : h("p.trouble", {}, source.reason ?? "No prints yet."),
        h("dl", {},
          fact("Dimensions", dimensions(object)), fact("Format", object.format?.toUpperCase()), fact("Frames", object.frames > 1 ? String(object.frames) : null),
          fact("Size", bytes(object.bytes)), print ? fact("Against the original", `${saving(print, source)} of ${bytes(source.bytes)}`) : null,
          print ? fact("Stored", `${new Date(print.modified_ms).toLocaleTimeString()}, ${milliseconds(Math.max(0, print.modified_ms - source.modified_ms))} after the upload`) : null,
          print ? fact("Recipe", print.current ? "the one in force" : "an earlier one") : null),
        h("div.actions", {},
          h("button", { type: "button", onclick: () => download(object) }, "Download"),
          h("button", { type: "button", onclick: () => copy(s3(object), "the S3 URI") }, "Copy S3 URI"),
          h("button", { type: "button", onclick: async () => { try { copy(await link(object), "a link that works for an hour"); } catch (error) { toast(error.message, true); } } }, "Copy presigned link"),
          html ? h("button", { type: "button", onclick: () => copy(html, "the <picture> element") }, "Copy <picture>") : null,
          h("button", { type: "button", onclick: () => download(source) }, "Download original")))));
}

at("viewer").addEventListener("keydown", (event) => {
  if (event.target.matches("input, select")) return;
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
at("viewer").addEventListener("close", () => opener?.isConnected && opener.focus());
at("viewer").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.currentTarget.close(); });
