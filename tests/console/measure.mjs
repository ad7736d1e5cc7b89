// First paint, and how long after the fact the page shows it: node measure.mjs
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
await chrome.close();
await cloud.end();
await home.close();
