// Takes the pictures of the console for the documentation: node screenshots.mjs FOLDER

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, browser, drop, folder, open, up } from "./harness.mjs";

const out = process.argv[2] ?? "screenshots";
const home = await folder();
const recipe = await readFile(join(ROOT, "crates/imaging/src/recipe/built_in.toml"), "utf8");
const cloud = await up(home.path, { recipe: recipe.replaceAll("minilab-source", "photos-source").replaceAll("minilab-processed", "photos-processed") });
const chrome = await browser();
const { page } = await open(chrome, cloud, { viewport: { width: 1360, height: 880 }, deviceScaleFactor: 1 });
await page.locator("#gallery-empty").waitFor();
const shot = (name, options = {}) => page.screenshot({ path: join(out, `${name}.png`), ...options });
await shot("empty");
const photos = join(ROOT, "examples/photos");
const names = (await readdir(photos)).filter((name) => /\.(jpg|png|webp)$/.test(name) && name !== "dandelions.jpg");
await drop(page, [...names.map((name) => ({ name, path: join(photos, name) })), { name: "notes.jpg", text: "not a picture" }]);
await page.locator(".chip[data-state=running]").first().waitFor();
await page.waitForTimeout(1200);
await shot("running");
for (;;) {
  const { queued, running, waiting } = await cloud.ask("/api/queue");
  if (queued + running + waiting === 0) break;
  await page.waitForTimeout(200);
}
await page.locator("#tray").waitFor({ state: "hidden" });
await page.waitForTimeout(1500);
await shot("pictures");
await page.emulateMedia({ colorScheme: "dark" });
await page.waitForTimeout(300);
await shot("pictures-dark");
await page.emulateMedia({ colorScheme: "light" });
await page.locator(".row", { hasText: "dragonfly" }).locator(".prints button").nth(2).click();
await page.waitForTimeout(1500);
await shot("viewer");
await page.keyboard.press("Escape");
await page.locator("nav [data-view=activity]").click();
await page.waitForTimeout(1500);
await shot("activity");
await page.locator("nav [data-view=recipe]").click();
await page.locator(".tries img").nth(8).waitFor();
const text = page.locator("#recipe-text");
await page.waitForTimeout(800);
await page.locator(".origin").evaluate((origin) => { origin.textContent = "minilab.toml"; });
await shot("recipe");
await text.fill((await text.inputValue()).replace("cells = 16", "cells = 0").replace("width = 640", "widht = 640"));
await page.locator(".problem").first().waitFor();
await page.waitForTimeout(300);
await shot("recipe-problem");
await text.fill(recipe);
await page.setViewportSize({ width: 390, height: 800 });
for (const view of ["pictures", "activity", "recipe"]) {
  await page.locator(`nav [data-view=${view}]`).click();
  await page.waitForTimeout(900);
  await shot(`phone-${view}`);
}
await chrome.close();
await cloud.end();
await home.close();
