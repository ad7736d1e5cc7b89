// The recipe: its text with problems under their lines, completion, a preview
// on a chosen picture, saving and redoing.

import { ask, at, bytes, dimensions, h, milliseconds, plural, saving, shows, toast } from "./dom.js";

const root = at("recipe");
let loaded = false, saved = "", fields = [], checked = null, chosen = "", pictures = [], urls = [];
let checking = null, previewing = null, timer = null;

const text = h("textarea", { id: "recipe-text", spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", "aria-label": "Recipe, in TOML", "aria-describedby": "recipe-problems", rows: "12" });
const marks = h("div.marks", { "aria-hidden": "true" });
const gutter = h("div.gutter", { "aria-hidden": "true" });
const list = h("div", { id: "recipe-problems", role: "status", class: "problems" });
const options = h("ul.options", { role: "listbox", id: "recipe-options", "aria-label": "Fields that may stand here", hidden: true });
const save = h("button.primary", { type: "button", id: "recipe-save", disabled: true }, "Save and apply");
const revert = h("button", { type: "button", disabled: true }, "Revert");
const origin = h("p.soft.origin");
const effect = h("div.effect", { role: "status" });
const choice = h("select", { id: "recipe-picture" });
const preview = h("div.preview", { "aria-live": "polite" });

function frame() {
  root.replaceChildren(h("div.recipe", {},
    h("section.editor", { "aria-labelledby": "h-editor" },
      h("div.bar", {}, h("h3", { id: "h-editor" }, "Recipe"), origin, h("span.grow"), revert, save),
      h("div.code", {}, gutter, h("div.pane", {}, marks, text, options)),
      h("p.soft.hint", {}, h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Space"), " shows the fields that may stand here, ", h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "S"), " saves."),
      list, effect),
    h("section.try", { "aria-labelledby": "h-try" },
      h("div.bar", {}, h("h3", { id: "h-try" }, "Preview"), h("span.grow"), h("label.field", { for: "recipe-picture" }, "on"), choice),
      preview)));
}

// --- problems under their lines -------------------------------------------

const lineHeight = () => parseFloat(getComputedStyle(text).lineHeight);

function drawMarks() {
  const lines = text.value.split("\n");
  const problems = new Map();
  for (const problem of checked?.problems ?? []) problems.set(problem.line, [...(problems.get(problem.line) ?? []), problem]);
  gutter.replaceChildren(...lines.map((_, index) => h("span", { "data-bad": problems.has(index + 1) ? "true" : null }, String(index + 1))));
  const tall = lineHeight();
  marks.replaceChildren(...[...problems].map(([line, found]) => {
    const mark = h("div.mark", {}, h("span.under", {}, lines[line - 1] || " "), h("span.what", {}, found.map((problem) => problem.what).join("; ")));
    mark.style.top = `${(line - 1) * tall}px`;
    return mark;
  }));
  text.rows = Math.max(12, lines.length + 1);
  scrolled();
}

function scrolled() {
  marks.style.transform = `translateX(${-text.scrollLeft}px)`;
}

function drawProblems() {
  const problems = checked?.problems ?? [];
  text.setAttribute("aria-invalid", problems.length ? "true" : "false");
  list.replaceChildren(
    ...problems.map((problem) => h("button.problem", { type: "button", onclick: () => goto(problem.line) },
      h("b", {}, `Line ${problem.line}`), problem.field ? h("code", {}, `${problem.field}${problem.value ? ` = ${problem.value}` : ""}`) : null, h("span", {}, problem.what), problem.remedy ? h("span.remedy", {}, problem.remedy) : null)),
    ...(checked?.warnings ?? []).map((warning) => h("p.warning", {}, warning)));
  drawMarks();
}

function goto(line) {
  const start = text.value.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (text.value.split("\n")[line - 1] ?? "").length);
  text.scrollIntoView({ block: "nearest" });
}

function names(keys) {
  const shown = keys.slice(0, 4).join(", ");
  return keys.length > 4 ? `${shown} and ${keys.length - 4} more` : shown;
}

/** What saving would mean, or did mean. */
function drawEffect(changes, sources, applied) {
  if (!changes) { effect.replaceChildren(); return; }
  const redo = changes.added.length + changes.changed.length;
  const parts = [];
  if (changes.added.length) parts.push(`new: ${names(changes.added)}`);
  if (changes.changed.length) parts.push(`made otherwise: ${names(changes.changed)}`);
  if (changes.removed.length) parts.push(`no longer made: ${names(changes.removed)} (prints that are there stay)`);
  if (!parts.length) {
    effect.replaceChildren(applied ? h("p", {}, "Saved. No print changes.") : h("p.soft", {}, text.value === saved ? "As saved." : "No print changes."));
    return;
  }
  const work = redo && sources ? `A backfill redoes ${plural(redo * sources, "print")} of ${plural(sources, "picture")}.` : "";
  effect.replaceChildren(
    h("p", {}, applied ? "Saved and in force. " : "", parts.join("; "), ". ", work),
    applied && redo && sources ? h("button", { type: "button", id: "backfill", onclick: (event) => backfill(event.currentTarget) }, "Run the backfill") : null);
}

async function backfill(button) {
  button.disabled = true;
  try {
    const { queued } = await ask("/api/backfill", { method: "POST", body: {} });
    effect.replaceChildren(h("p", {}, `Queued ${plural(queued, "picture")}. `, h("a", { href: "#/pictures" }, "Watch them")));
  } catch (error) {
    toast(error.message, true);
    button.disabled = false;
  }
}

async function check() {
  checking?.abort();
  const mine = checking = new AbortController();
  const sent = text.value;
  try {
    const answer = await ask("/api/recipe/check", { method: "POST", body: { text: sent }, signal: mine.signal });
    // Typed on meanwhile: that will be checked itself.
    if (mine.signal.aborted || text.value !== sent) return;
    checked = answer;
    drawProblems();
    const valid = !answer.problems.length;
    save.disabled = !valid || sent === saved;
    drawEffect(answer.changes, answer.sources, false);
    if (valid) await tryIt(sent);
    else preview.dataset.old = "";
  } catch (error) {
    if (error.name !== "AbortError") { checked = null; list.replaceChildren(h("p.warning", {}, error.message)); }
  }
}

function edited() {
  save.disabled = true;
  revert.disabled = text.value === saved;
  drawMarks();
  clearTimeout(timer);
  timer = setTimeout(check, 200);
}

// --- preview ---------------------------------------------------------------

async function loadPictures() {
  const { pictures: found } = await ask("/api/pictures?limit=100");
  pictures = found;
  if (!pictures.some((picture) => picture.key === chosen)) chosen = pictures.find((picture) => picture.state === "printed")?.key ?? pictures[0]?.key ?? "";
  choice.replaceChildren(...(pictures.length ? pictures.map((picture) => h("option", { value: picture.key, selected: picture.key === chosen }, picture.key)) : [h("option", { value: "" }, "no picture yet")]));
  choice.disabled = !pictures.length;
}

async function tryIt(sent = text.value) {
  previewing?.abort();
  if (!chosen) {
    preview.replaceChildren(h("p.none", {}, "Upload a picture, and its prints by this recipe appear here."));
    return;
  }
  const mine = previewing = new AbortController();
  preview.setAttribute("aria-busy", "true");
  try {
    const made = await ask("/api/recipe/preview", { method: "POST", body: { text: sent, key: chosen }, signal: mine.signal });
    if (mine.signal.aborted) return;
    drawPreview(made);
  } catch (error) {
    if (error.name === "AbortError") return;
    preview.replaceChildren(h("p.trouble", {}, error.message));
  }
  delete preview.dataset.old;
  preview.removeAttribute("aria-busy");
}

function drawPreview(made) {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
  const source = pictures.find((picture) => picture.key === chosen) ?? { bytes: 0 };
  const total = made.prints.reduce((sum, print) => sum + print.bytes, 0);
  preview.replaceChildren(
    h("dl.tiles.small", {}, [["Prints", String(made.prints.length)], ["Together", bytes(total)], ["Memory, at most", bytes(made.predicted_memory)], ["Made in", milliseconds(made.ms)]].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("ul.tries", {}, made.prints.map((print) => {
      let shown = h("span.nothumb", {}, print.format);
      if (print.data && shows(print)) {
        const raw = Uint8Array.from(atob(print.data), (character) => character.charCodeAt(0));
        const url = URL.createObjectURL(new Blob([raw], { type: print.content_type }));
        urls.push(url);
        shown = h("img", { src: url, alt: `Preview of ${print.key}`, decoding: "async" });
      }
      return h("li", {}, shown, h("p.key", { title: print.key }, print.key),
        h("p.figures", {}, h("span", {}, print.format), h("span", {}, dimensions(print)), h("span", {}, bytes(print.bytes)), h("span.save", { "data-more": print.bytes > source.bytes }, saving(print, source))),
        h("p.figures", {}, h("span", {}, `ready after ${milliseconds(print.ready_ms)}`), print.predicted_memory ? h("span", { title: "The most memory that this output alone would take" }, `up to ${bytes(print.predicted_memory)} alone`) : null));
    })));
}

// --- completion --------------------------------------------------------------

let found = [], active = 0;

/** The table that the cursor stands in, and the word before it. */
function context() {
  const before = text.value.slice(0, text.selectionStart);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const heads = [...before.matchAll(/^\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}/gm)];
  const head = heads.at(-1)?.[1] ?? "";
  const inline = /^\s*([\w-]+)\s*=\s*\{[^}]*$/.exec(line);
  const word = /[\w-]*$/.exec(line)[0];
  const fresh = inline ? /[{,]\s*[\w-]*$/.test(line) : /^\s*[\w-]*$/.test(line);
  const base = /^(preset|rule)\b/.test(head) && !inline ? "output" : head.split(".")[0];
  return { table: inline ? inline[1] : base, word, fresh };
}

function complete(forced) {
  const { table, word, fresh } = context();
  const tables = table === "defaults" ? ["defaults", "output"] : [table];
  found = fresh && (forced || word) ? fields.filter((field) => tables.includes(field.table) && field.name.startsWith(word) && field.name !== word) : [];
  active = 0;
  drawOptions();
}

function drawOptions() {
  options.hidden = !found.length;
  text.setAttribute("aria-controls", "recipe-options");
  if (!found.length) { text.removeAttribute("aria-activedescendant"); return; }
  text.setAttribute("aria-activedescendant", `option-${active}`);
  const line = text.value.slice(0, text.selectionStart).split("\n").length;
  options.style.top = `${line * lineHeight() + 6}px`;
  options.replaceChildren(...found.slice(0, 8).map((field, index) => h("li", { id: `option-${index}`, role: "option", "aria-selected": String(index === active), onmousedown: (event) => { event.preventDefault(); take(index); } },
    h("b", {}, field.name), h("span.soft", {}, field.value.replaceAll("`", "")), h("span", {}, field.meaning))));
}

function take(index) {
  const { word } = context();
  const rest = `${found[index].name.slice(word.length)} = `;
  found = [];
  // Keeps the browser's own undo.
  if (!document.execCommand("insertText", false, rest)) text.setRangeText(rest, text.selectionStart, text.selectionEnd, "end");
  drawOptions();
  edited();
}

text.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); if (!save.disabled) store(); return; }
  if (event.ctrlKey && event.key === " ") { event.preventDefault(); complete(true); return; }
  if (options.hidden) return;
  const shown = Math.min(found.length, 8);
  if (event.key === "ArrowDown") active = (active + 1) % shown;
  else if (event.key === "ArrowUp") active = (active + shown - 1) % shown;
  else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); take(active); return; }
  else if (event.key === "Escape") found = [];
  else return;
  event.preventDefault();
  drawOptions();
});
text.addEventListener("input", () => { complete(false); edited(); });
text.addEventListener("blur", () => { found = []; drawOptions(); });
text.addEventListener("scroll", scrolled);
choice.addEventListener("change", () => { chosen = choice.value; if (!checked?.problems.length) tryIt(); });
save.addEventListener("click", () => store());
revert.addEventListener("click", () => { text.value = saved; edited(); });

async function store() {
  save.disabled = true;
  const sent = text.value;
  try {
    const { changes, sources, path } = await ask("/api/recipe", { method: "PUT", body: { text: sent } });
    saved = sent;
    revert.disabled = text.value === saved;
    origin.textContent = `saved in ${path}`;
    drawEffect(changes, sources, true);
    toast("Saved: the function uses it from now on");
  } catch (error) {
    save.disabled = false;
    toast(error.message, true);
  }
}

export async function shown() {
  if (loaded) { loadPictures().catch(() => {}); return; }
  loaded = true;
  frame();
  try {
    const recipe = await ask("/api/recipe");
    ({ text: saved, fields } = recipe);
    text.value = saved;
    origin.textContent = recipe.origin === recipe.path ? recipe.path : `${recipe.origin}, saved to ${recipe.path}`;
    await loadPictures();
    drawMarks();
    await check();
  } catch (error) {
    loaded = false;
    root.replaceChildren(h("div.empty", {}, h("h3", {}, "No recipe"), h("p", {}, error.message), h("button", { type: "button", onclick: shown }, "Try again")));
  }
}

addEventListener("beforeunload", (event) => { if (loaded && text.value !== saved) event.preventDefault(); });
