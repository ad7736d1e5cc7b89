// A `minilab up` of its own and a Chromium that looks at its console.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { chromium } from "playwright-core";

export const ROOT = new URL("../../", import.meta.url).pathname;
const MINILAB = process.env.MINILAB ?? join(ROOT, "target/release/minilab");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Longest wait for the pipeline; nothing here takes a tenth of it on an idle machine. */
export const PATIENCE = 120_000;

export const RECIPE = `[source]
bucket = "photos-source"

[limits]
megapixels = 7

[[output]]
key = "pixelated-8x8-{key}"
pixelate = { cells = 8 }

[[output]]
key = "small/{key}.webp"
resize = { width = 320 }
format = "webp"
`;

/** A folder that is gone when `close` has run. */
export async function folder() {
  const path = await mkdtemp(join(tmpdir(), "minilab-console-"));
  return { path, close: () => rm(path, { recursive: true, force: true }) };
}

/** Starts `minilab up` in `path`; `ports` keeps those of an earlier start. */
export async function up(path, { recipe = RECIPE, args = [], ports = [0, 0] } = {}) {
  const file = join(path, "minilab.toml");
  if (recipe !== null) await writeFile(file, recipe);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name)));
  const child = spawn(MINILAB, ["up", "--json", "--config", file, "--data-dir", join(path, "data"), "--s3-addr", `127.0.0.1:${ports[0]}`, "--console-addr", `127.0.0.1:${ports[1]}`, ...args], { cwd: path, env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (part) => { log = (log + part).slice(-20_000); });
  const exited = once(child, "exit");
  const line = await Promise.race([once(createInterface(child.stdout), "line").then(([line]) => line), exited.then(() => { throw new Error(`minilab up ended:\n${log}`); })]);
  const ready = JSON.parse(line);
  const link = new URL(ready.console);
  const token = link.searchParams.get("token");
  return {
    ...ready,
    token,
    file,
    ports: [Number(new URL(ready.s3).port), Number(link.port)],
    log: () => log,
    /** The HTTP interface, as a program uses it. */
    async ask(path, { method = "GET", body } = {}) {
      const headers = { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) };
      const response = await fetch(new URL(path, link), { method, headers, body: body && JSON.stringify(body) });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    async end(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await exited;
      }
    },
  };
}

/** A line to the console that can be cut; `asked` lists what went over it. */
export async function proxy(cloud) {
  const sockets = new Set(), asked = [];
  let broken = false;
  const server = createServer((incoming, outgoing) => {
    asked.push({ path: incoming.url, last: incoming.headers["last-event-id"] });
    const headers = { ...incoming.headers, host: `127.0.0.1:${cloud.ports[1]}` };
    // The browser's cookie names the port it knows.
    if (headers.cookie) headers.cookie = `minilab-console-${cloud.ports[1]}=${cloud.token}`;
    const onward = ask({ host: "127.0.0.1", port: cloud.ports[1], path: incoming.url, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  server.on("connection", (socket) => {
    if (broken) { socket.destroy(); return; }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => { broken = true; sockets.forEach((socket) => socket.destroy()); };
  return { asked, cut, mend: () => { broken = false; }, console: `http://127.0.0.1:${server.address().port}/?token=${cloud.token}`, close: () => { cut(); server.close(); } };
}

export async function browser() {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
}

/** A page and the errors that its console shows; `mayBreak` where the line is cut on purpose. */
export async function open(chrome, cloud, { mayBreak = false, ...options } = {}) {
  const context = await chrome.newContext({ viewport: { width: 1360, height: 900 }, permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error" && !(mayBreak && /Failed to load resource: net::ERR_/.test(message.text()))) errors.push(message.text()); });
  await page.goto(cloud.console);
  return { page, context, errors };
}

/** Files as a drop brings them: [{ name, path | text }]. */
export async function drop(page, files) {
  const loaded = await Promise.all(files.map(async ({ name, path, text }) => ({ name, data: path ? (await readFile(path)).toString("base64") : Buffer.from(text).toString("base64") })));
  await page.evaluate((files) => {
    const transfer = new DataTransfer();
    for (const { name, data } of files) {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
    }
    for (const type of ["dragenter", "dragover", "drop"]) {
      document.querySelector("main").dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
  }, loaded);
}

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Serious and critical findings of axe-core, as text. */
export async function findings(page) {
  // Past the page's own content policy, which lets in no other script.
  const source = await readFile(axe, "utf8");
  const client = await page.context().newCDPSession(page);
  await client.send("Runtime.evaluate", { expression: source });
  const { result } = await client.send("Runtime.evaluate", { expression: "axe.run(document).then(r => JSON.stringify(r.violations))", awaitPromise: true });
  await client.detach();
  return JSON.parse(result.value)
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
}
