// The console in a real browser, against the real binary.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PATIENCE, RECIPE, ROOT, browser, drop, findings, folder, open, proxy, up } from "./harness.mjs";

const photo = (name) => join(ROOT, "examples/photos", name);
const DOGS = photo("dogs at the window.jpg");
const LARGE = photo("dandelions.jpg");
const TINY = join(ROOT, "tests/golden/png/rgb8/input.png");
const ROW = (key) => `[data-key=${JSON.stringify(key)}].row`;

let chrome;
before(async () => { chrome = await browser(); });
after(() => chrome.close());

const prints = (row) => row.locator(".prints > li");
const go = (page, view) => page.locator(`nav [data-view=${view}]`).click();

async function until(what, done) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await done();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const idle = (cloud) => until("an idle queue", async () => {
  const { queued, running, waiting } = await cloud.ask("/api/queue");
  return queued + running + waiting === 0;
});

describe("a picture's way", () => {
  let home, cloud, page, errors, context;
  before(async () => {
    home = await folder();
    cloud = await up(home.path);
    ({ page, errors, context } = await open(chrome, cloud));
  });
  after(async () => {
    await context.close();
    await cloud.end();
    await home.close();
  });

  test("the link's token leaves the address and no script can read it", async () => {
    await page.locator("#link[data-state=live]").waitFor();
    assert.ok(!page.url().includes("token"));
    assert.equal(await page.evaluate(() => document.cookie), "");
    await page.locator("#gallery-empty", { hasText: "No pictures yet" }).waitFor();
  });

  test("a browser without the token is told what to do", async () => {
    const other = await chrome.newContext();
    const locked = await other.newPage();
    await locked.goto(new URL("/", cloud.console).href);
    await locked.locator("#locked", { hasText: "Open the printed link" }).waitFor();
    await other.close();
  });

  test("a dropped picture uploads, runs through and shows its prints", async () => {
    await drop(page, [{ name: "dogs.jpg", path: DOGS }]);
    await page.locator(".tray li", { hasText: "dogs.jpg" }).waitFor();
    const row = page.locator(ROW("dogs.jpg"));
    await until("two prints", async () => (await prints(row).count()) === 2);
    const known = await cloud.ask("/api/picture?key=dogs.jpg");
    assert.deepEqual([known.width, known.height, known.state], [2056, 3088, "printed"]);
    const webp = known.prints.find((print) => print.key === "small/dogs.jpg.webp");
    assert.deepEqual([webp.width, webp.format, webp.fresh, webp.current], [320, "webp", true, true]);
    const shown = await prints(row).nth(1).innerText();
    assert.ok(shown.includes(`${webp.width} × ${webp.height}`) && shown.includes("−"), shown);
    // What is shown is what S3 serves.
    await until("a loaded print", () => prints(row).nth(1).locator("img").evaluate((image) => image.naturalWidth === 320));
    await page.locator('[data-stage=processed] .chip[data-state=done][data-key="dogs.jpg"]').waitFor();
  });

  test("the light box compares, copies and downloads", async () => {
    await page.locator(ROW("dogs.jpg")).locator(".prints button").nth(1).click();
    const viewer = page.locator("#viewer[open]");
    await viewer.waitFor();
    const slider = viewer.getByRole("slider");
    await slider.focus();
    const before = await slider.inputValue();
    await page.keyboard.press("End");
    assert.notEqual(await slider.inputValue(), before);
    const copied = async (name) => {
      await viewer.getByRole("button", { name, exact: true }).click();
      await page.locator("#toast[data-shown]", { hasText: "Copied" }).waitFor();
      return page.evaluate(() => navigator.clipboard.readText());
    };
    assert.equal(await copied("Copy S3 URI"), `s3://${cloud.processed}/small/dogs.jpg.webp`);
    const link = await until("the link", async () => {
      const text = await copied("Copy presigned link");
      return text.startsWith("http") && text;
    });
    const fetched = await fetch(link);
    assert.equal(fetched.headers.get("content-type"), "image/webp");
    assert.match(await copied("Copy <picture>"), /<img src="\/small\/dogs\.jpg\.webp" srcset="\/small\/dogs\.jpg\.webp 320w"/);
    const [download] = await Promise.all([page.waitForEvent("download"), viewer.getByRole("button", { name: "Download", exact: true }).click()]);
    const bytes = await readFile(await download.path());
    assert.equal(bytes.length, (await fetched.arrayBuffer()).byteLength);
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.classList.contains("print")), true, "the focus goes back");
  });

  test("files and folders can be chosen, and a picture pasted", async () => {
    await page.setInputFiles("#files", { name: "tiny.png", mimeType: "image/png", buffer: await readFile(TINY) });
    const tree = join(home.path, "tree");
    await mkdir(join(tree, "deep"), { recursive: true });
    await writeFile(join(tree, "deep", "leaf + ü.png"), await readFile(TINY));
    await page.setInputFiles("#folder", tree);
    await page.evaluate(async () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
      canvas.getContext("2d").fillRect(0, 0, 20, 30);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([blob], "image.png", { type: "image/png" }));
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    });
    for (const key of ["tiny.png", "tree/deep/leaf + ü.png"]) {
      await until(key, async () => (await prints(page.locator(ROW(key))).count()) === 2);
    }
    const row = page.locator(".row", { hasText: /pasted-.*image\.png/ });
    await until("the pasted picture", async () => (await prints(row).count()) === 2);
  });

  test("a broken picture and one over the limit say why", async () => {
    await drop(page, [{ name: "broken.jpg", text: "this is no picture" }, { name: "large.jpg", path: LARGE }]);
    await page.locator(ROW("broken.jpg")).locator(".trouble[data-state=rejected]", { hasText: "not an image" }).waitFor();
    await page.locator(ROW("large.jpg")).locator(".trouble[data-state=rejected]", { hasText: "raise limits.megapixels" }).waitFor();
    await page.locator('[data-stage=processed] .chip[data-state=rejected][data-key="large.jpg"]').waitFor();
    await go(page, "activity");
    const failure = page.locator(".failure[data-kind=rejected]", { hasText: "large.jpg" });
    await failure.locator(".remedy", { hasText: "raise limits.megapixels" }).waitFor();
    await go(page, "pictures");
    const runs = (await cloud.ask("/api/state")).invocations.filter((run) => run.subjects[0].endsWith("/broken.jpg")).length;
    await page.locator(ROW("broken.jpg")).getByRole("button", { name: "Try again" }).click();
    await until("another run", async () => (await cloud.ask("/api/state")).invocations.filter((run) => run.subjects[0].endsWith("/broken.jpg")).length > runs);
  });

  test("the recipe shows problems under their lines, completes, previews, and applies when saved", async () => {
    await go(page, "recipe");
    const text = page.locator("#recipe-text");
    await until("the text", async () => (await text.inputValue()) === RECIPE);
    await page.locator("#recipe-picture").selectOption("dogs.jpg");
    await until("a preview", async () => (await page.locator(".tries img").count()) === 2);
    await text.fill(RECIPE.replace("cells = 8", "cells = 0"));
    const problem = page.locator(".problem");
    await problem.filter({ hasText: "Line 9" }).waitFor();
    assert.equal(await text.getAttribute("aria-invalid"), "true");
    assert.ok(await page.locator("#recipe-save").isDisabled());
    const tops = await page.evaluate(() => {
      const mark = document.querySelector(".mark").getBoundingClientRect(), gutter = document.querySelector(".gutter [data-bad]").getBoundingClientRect();
      return [mark.top, gutter.top];
    });
    assert.ok(Math.abs(tops[0] - tops[1]) < 4, `the mark is at its line: ${tops}`);
    // Completion: `gray` in [[output]], taken by Enter.
    await text.fill(RECIPE);
    await text.focus();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("gray");
    await page.locator("#recipe-options [role=option]", { hasText: "grayscale" }).waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.type("true");
    assert.ok((await text.inputValue()).endsWith("grayscale = true"));
    await until("a preview of the edit", async () => !(await page.locator("#recipe-save").isDisabled()));
    await text.fill(RECIPE.replace("megapixels = 7", "megapixels = 20").replace("width = 320", "width = 200"));
    await until("the new width", async () => /200 × 300/.test(await page.locator(".preview").innerText()));
    const total = (await cloud.ask("/api/pictures")).total;
    await page.locator(".effect", { hasText: `A backfill redoes ${total} prints of ${total} pictures` }).waitFor();
    await page.locator("#recipe-save").click();
    await page.locator(".effect", { hasText: "Saved and in force" }).waitFor();
    assert.match(await readFile(cloud.file, "utf8"), /megapixels = 20[^]*width = 200/);
  });

  test("what was over the limit prints under the mended recipe, and the backfill redoes the rest", async () => {
    await page.locator("#backfill").click();
    await page.locator(".effect a", { hasText: "Watch them" }).click();
    await until("prints of the large picture", async () => (await prints(page.locator(ROW("large.jpg"))).count()) === 2);
    await idle(cloud);
    const known = await cloud.ask("/api/picture?key=dogs.jpg");
    assert.deepEqual(known.prints.map((print) => [print.width, print.current]), [[2056, true], [200, true]]);
    await until("the new print on the page", async () => (await prints(page.locator(ROW("dogs.jpg"))).nth(1).innerText()).includes("200 × 300"));
  });

  test("search narrows the gallery", async () => {
    await page.locator("#search").fill("LARGE");
    await page.locator("#count", { hasText: "1 picture" }).waitFor();
    assert.equal(await page.locator(".row").count(), 1);
    await page.locator("#search").fill("nothing like it");
    await page.locator("#gallery-empty", { hasText: "Nothing found" }).waitFor();
    await page.locator("#search").fill("");
  });

  test("axe-core finds nothing serious in any view, light or dark", async () => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const view of ["pictures", "activity", "recipe"]) {
        await go(page, view);
        await page.locator(`#view-${view}`).waitFor();
        await page.waitForTimeout(400);
        assert.deepEqual(await findings(page), [], `${view}, ${colorScheme}`);
      }
    }
    await go(page, "pictures");
    await page.locator(ROW("dogs.jpg")).locator(".prints button").first().click();
    await page.locator("#viewer[open]").waitFor();
    assert.deepEqual(await findings(page), [], "the light box");
    await page.keyboard.press("Escape");
    await page.emulateMedia({ colorScheme: "light" });
  });

  test("it fits a phone, and stands still for those who ask", async () => {
    await page.setViewportSize({ width: 375, height: 740 });
    await page.emulateMedia({ reducedMotion: "reduce" });
    for (const view of ["pictures", "activity", "recipe"]) {
      await go(page, view);
      await page.locator(`#view-${view}`).waitFor();
      const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(inner <= outer, `${view}: ${inner} > ${outer}`);
    }
    await go(page, "pictures");
    await until("rows", async () => (await page.locator(".row").count()) > 0);
    const animated = await page.evaluate(() => document.getAnimations().length);
    assert.equal(animated, 0);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    await page.setViewportSize({ width: 1360, height: 900 });
  });

  test("the page said nothing wrong, and asked nobody else", async () => {
    assert.deepEqual(errors, []);
  });
});

describe("reconnecting", () => {
  let home, cloud, page, errors, context;
  before(async () => {
    home = await folder();
    cloud = await up(home.path, { args: ["--concurrency", "1"] });
    ({ page, errors, context } = await open(chrome, cloud, { mayBreak: true }));
  });
  after(async () => {
    await context.close();
    await cloud.end();
    await home.close();
  });

  const upload = async (from, count) => {
    const data = await readFile(DOGS);
    const files = Array.from({ length: count }, (_, index) => ({ name: `${from}-${index}.jpg` }));
    const { uploads } = await cloud.ask("/api/uploads", { method: "POST", body: { files } });
    await Promise.all(uploads.map(({ url }) => fetch(url, { method: "PUT", body: data })));
  };
  /** Every finished attempt once, in the table as in the cloud. */
  const agrees = async () => {
    await go(page, "activity");
    const ids = async () => (await cloud.ask("/api/state")).invocations.map((run) => run.subjects.join());
    await until("the same invocations on the page", async () => {
      const here = await page.locator("#h-runs ~ .wide tbody tr td:nth-child(2)").allInnerTexts();
      return JSON.stringify(here.sort()) === JSON.stringify((await ids()).sort());
    });
    await go(page, "pictures");
  };

  test("a page that is loaded anew in the middle shows everything once", async () => {
    await upload("first", 6);
    await page.locator(".chip[data-state=running]").first().waitFor();
    await page.reload();
    await idle(cloud);
    await until("all rows", async () => (await page.locator("#count").innerText()) === "6 pictures");
    await agrees();
  });

  test("a line that breaks is taken up where it broke", async () => {
    const line = await proxy(cloud);
    const { page: other, context: others } = await open(chrome, line);
    await other.locator("#link[data-state=live]").waitFor();
    await upload("second", 1);
    await idle(cloud);
    await other.locator('.chip[data-state=done][data-key="second-0.jpg"]').waitFor();
    line.cut();
    await other.locator("#link[data-state=lost]").waitFor();
    await upload("cut", 2);
    await idle(cloud);
    line.mend();
    await other.locator("#link[data-state=live]").waitFor();
    for (const key of ["cut-0.jpg", "cut-1.jpg"]) await other.locator(`.chip[data-state=done][data-key="${key}"]`).waitFor();
    // The browser named the last event that it had seen, and the state was read only once.
    assert.match(line.asked.filter((one) => one.path.startsWith("/api/events")).at(-1).last ?? "", /-\d+$/);
    assert.equal(line.asked.filter((one) => one.path === "/api/state").length, 1);
    await go(other, "activity");
    assert.equal(await other.locator("#h-runs ~ .wide tbody tr").count(), 9);
    await others.close();
    line.close();
  });

  test("a cloud that is killed and started again goes on, and so does the page", async () => {
    await upload("third", 4);
    await cloud.end("SIGKILL");
    await page.locator("#link[data-state=lost]").waitFor();
    cloud = await up(home.path, { recipe: null, ports: cloud.ports, args: ["--concurrency", "1"] });
    await page.locator("#link[data-state=live]").waitFor();
    await idle(cloud);
    const { pictures } = await cloud.ask("/api/pictures?limit=100");
    assert.equal(pictures.length, 13);
    assert.ok(pictures.every((picture) => picture.prints.length === 2 && picture.state === "printed"));
    await until("all rows", async () => (await page.locator("#count").innerText()) === "13 pictures");
    await agrees();
    assert.deepEqual(errors, []);
  });
});

describe("failures", () => {
  let home, cloud, page, context;
  before(async () => {
    home = await folder();
    const policy = join(home.path, "policy.json");
    const allow = (Action, Resource) => ({ Effect: "Allow", Action, Resource });
    await writeFile(policy, JSON.stringify({ Version: "2012-10-17", Statement: [allow(["s3:GetObject"], "arn:aws:s3:::photos-source/*"), allow(["s3:ListBucket"], "arn:aws:s3:::photos-source")] }));
    cloud = await up(home.path, { args: ["--policy", policy] });
    ({ page, context } = await open(chrome, cloud));
  });
  after(async () => {
    await context.close();
    await cloud.end();
    await home.close();
  });

  test("an event that is given up says why and what to do, and is retried by its button", async () => {
    await drop(page, [{ name: "denied.png", path: TINY }]);
    await page.locator("#badge:not([hidden])", { hasText: "1" }).waitFor();
    await page.locator('.chip[data-state=failed][data-key="denied.png"]').waitFor();
    await go(page, "activity");
    const failure = page.locator(".failure[data-kind=failed]", { hasText: "denied.png" });
    await failure.locator(".remedy", { hasText: "lacks a permission" }).waitFor();
    const decision = page.locator("#h-decisions").locator("xpath=../..").locator("tr", { hasText: "denied" }).first();
    assert.match(await decision.innerText(), /s3:(PutObject|GetObject)/);
    const [{ request_id: first }] = (await cloud.ask("/api/state")).failed_events;
    await failure.getByRole("button", { name: "Retry" }).click();
    await until("the failure to leave", async () => (await failure.count()) === 0);
    await until("a new invocation of it", async () => (await cloud.ask("/api/state")).invocations.some((run) => run.request_id !== first && run.subjects[0].endsWith("/denied.png")));
  });
});

describe("ten thousand pictures", () => {
  test("only those on the screen are in the page, and the last can be reached", async () => {
    const home = await folder();
    const cloud = await up(home.path);
    const { page, context } = await open(chrome, cloud);
    const total = 10_000;
    const made = (index) => ({ key: `p-${index}.jpg`, bucket: "b", bytes: 1000, etag: `${index}`, modified_ms: 0, url: "/page/icon.svg", width: 10, height: 10, format: "jpeg", state: "printed",
      prints: [{ key: `x-${index}`, output: "x", bucket: "b", bytes: 10, etag: "e", modified_ms: 0, url: "/page/icon.svg", width: 10, height: 10, format: "webp", faithful: true, fresh: true, current: true }] });
    let asked = 0;
    await page.route("**/api/pictures?*", (route) => {
      const query = new URL(route.request().url()).searchParams;
      const offset = Number(query.get("offset"));
      asked += 1;
      const pictures = Array.from({ length: Math.min(Number(query.get("limit")), total - offset) }, (_, index) => made(offset + index));
      route.fulfill({ json: { total, anchor: 1, pictures } });
    });
    await page.reload();
    await page.locator(ROW("p-0.jpg")).waitFor();
    for (let at = 0; at <= 1; at += 0.125) {
      await page.evaluate((at) => scrollTo(0, document.body.scrollHeight * at), at);
      await until(`rows at ${at}`, async () => (await page.locator(".row:not(.loading)").count()) > 2);
      assert.ok((await page.locator(".row").count()) < 20);
    }
    await page.locator(ROW("p-9999.jpg")).waitFor();
    assert.ok(asked < 60, `${asked} pages were asked for`);
    await context.close();
    await cloud.end();
    await home.close();
  });
});
