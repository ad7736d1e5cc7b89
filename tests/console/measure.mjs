// First paint, how long after the fact the page shows it, and how a page of many
// pictures scrolls: node measure.mjs [PICTURES, 10000 by default]
// Figures, not a test: run it on an idle machine with a release build.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, browser, folder, open, up } from "./harness.mjs";

const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const home = await folder();
const cloud = await up(home.path);
const chrome = await browser();
const paints = [];
for (let run = 0; run < 9; run += 1) {
  const { page, context } = await open(chrome, cloud);
  await page.locator("#gallery-empty").waitFor();
  paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN));
  await context.close();
}
console.log(`first contentful paint: median ${middle(paints).toFixed(0)} ms of ${paints.length}, longest ${Math.max(...paints).toFixed(0)} ms`);

// From the answer to the PUT, by when the event is durable, to its chip on the page.
const { page } = await open(chrome, cloud);
await page.locator("#link[data-state=live]").waitFor();
await page.evaluate(() => {
  window.seen = {};
  new MutationObserver(() => document.querySelectorAll(".flow .chip[data-key]").forEach((chip) => { window.seen[chip.dataset.key] ??= Date.now(); })).observe(document.getElementById("flow"), { childList: true, subtree: true });
});
const data = await readFile(join(ROOT, "tests/golden/png/rgb8/input.png"));
const delays = [];
for (let run = 0; run < 15; run += 1) {
  const { uploads: [{ url, key }] } = await cloud.ask("/api/uploads", { method: "POST", body: { files: [{ name: `measured-${run}.png` }] } });
  await fetch(url, { method: "PUT", body: data });
  const fact = Date.now();
  await page.locator(`.flow .chip[data-key="${key}"]`).waitFor();
  delays.push((await page.evaluate((key) => window.seen[key], key)) - fact);
}
console.log(`from the acknowledged upload to its chip: median ${middle(delays)} ms of ${delays.length}, longest ${Math.max(...delays)} ms`);

// Many pictures, uploaded from 32 clients while their prints are made.
const total = Number(process.argv[2] ?? 10_000);
const names = Array.from({ length: total }, (_, index) => ({ name: `many-${String(index).padStart(6, "0")}.png` }));
const begun = performance.now();
for (let at = 0; at < total; at += 500) {
  const { uploads } = await cloud.ask("/api/uploads", { method: "POST", body: { files: names.slice(at, at + 500) } });
  const waiting = [...uploads];
  const client = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { ok, status } = await fetch(next.url, { method: "PUT", body: data });
      if (!ok) throw new Error(`${next.key}: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, client));
}
for (;;) {
  const { queued, running, waiting } = await cloud.ask("/api/queue");
  if (queued + running + waiting === 0) break;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
console.log(`${total} pictures uploaded and printed in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
const opened = performance.now();
await page.reload();
await page.locator(".row:not(.loading)").first().waitFor();
console.log(`first rows of ${total} pictures after ${(performance.now() - opened).toFixed(0)} ms`);
const { frames, most, empty } = await page.evaluate(async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const height = document.body.scrollHeight;
  const frames = [];
  let [most, empty, last] = [0, 0, await frame()];
  // Ten seconds of scrolling through everything, as fast as a wheel does.
  for (const start = last; last - start < 10_000;) {
    scrollTo(0, height * (last - start) / 10_000);
    const now = await frame();
    frames.push(now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll(".row").length);
    empty += document.querySelectorAll(".row:not(.loading)").length === 0 ? 1 : 0;
  }
  return { frames, most, empty };
});
frames.sort((a, b) => a - b);
const slow = frames.filter((ms) => ms > 34).length;
console.log(`scrolling: ${frames.length} frames, median ${middle(frames).toFixed(1)} ms, 99th ${frames[Math.floor(frames.length * 0.99)].toFixed(1)} ms, ${slow} over 34 ms; at most ${most} rows in the page; ${empty} frames without a loaded row`);
const asked = [];
for (let run = 0; run < 50; run += 1) {
  const from = performance.now();
  await cloud.ask(`/api/pictures?limit=50&offset=${Math.floor((run / 50) * total)}`);
  asked.push(performance.now() - from);
}
console.log(`a page of 50 of them: median ${middle(asked).toFixed(1)} ms, longest ${Math.max(...asked).toFixed(1)} ms`);
await chrome.close();
await cloud.end();
await home.close();
