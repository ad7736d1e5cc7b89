// Elements, numbers, requests. Every text is set as text: keys and log lines
// are other people's words.

export const at = (id) => document.getElementById(id);

/** An element: `h("a.soft", { href, onclick, "aria-label": … }, "text", child)`. */
export function h(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.includes("-") && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const unit = count < 1e6 ? ["kB", 1e3] : count < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  const value = count / unit[1];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit[0]}`;
}

export const milliseconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 1e4 ? 2 : 1)} s`);
export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : many}`;
export const clock = (ms) => new Date(ms).toLocaleTimeString();

/** What a print saves against its original. */
export function saving(print, source) {
  if (!source.bytes || !print.bytes) return "";
  const part = Math.round((1 - print.bytes / source.bytes) * 100);
  if (part > 0) return `−${part} %`;
  return part < 0 ? `+${-part} %` : "same size";
}

export const dimensions = (object) => (object.width ? `${object.width} × ${object.height}` : "");

export const shows = (object) => ["jpeg", "png", "webp", "gif", "avif", "svg", "bmp", "ico"].includes(object.format);

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Asks the console; throws what it says when it refuses. */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the console does not answer; is `minilab up` still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error ?? `the console answered ${response.status}`);
  return answer;
}

let hiding;
export function toast(text, bad = false) {
  const element = at("toast");
  element.textContent = text;
  element.dataset.bad = bad;
  element.dataset.shown = "";
  clearTimeout(hiding);
  hiding = setTimeout(() => delete element.dataset.shown, bad ? 8000 : 3500);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}`);
  } catch {
    toast(`The browser does not let this page copy: ${text}`, true);
  }
}

/** At most one call in flight, and one more after it if it was asked for meanwhile. */
export function coalesce(work, pause = 0) {
  let running = false, again = false, timer = null;
  const run = async () => {
    timer = null;
    running = true;
    try { await work(); } catch (error) { console.warn(error); }
    running = false;
    if (again) { again = false; timer = setTimeout(run, pause); }
  };
  return () => {
    if (running) again = true;
    else if (timer === null) timer = setTimeout(run, pause);
  };
}
