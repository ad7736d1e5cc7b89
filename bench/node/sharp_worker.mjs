// sharp, as its documentation shows it (one pipeline, cloned for each output)
// and tuned by hand (one decode, each print from the one before). The protocol
// is that of peers/worker.py.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import sharp from "sharp";

const WIDTHS = [2048, 1280, 800, 400, 160];
const WIDTHS_QUALITY = 80;
const CELLS = [8, 16, 32, 48, 64];
const CELLS_QUALITY = 75;
const WEBP_WIDTHS = [1280, 640];
const WEBP = { quality: 80, effort: 4 };
const SINGLE_WIDTH = 1280;

async function widths(source) {
  const pipeline = sharp(source);
  const files = await Promise.all(
    WIDTHS.map((width) => pipeline.clone().resize({ width }).jpeg({ quality: WIDTHS_QUALITY }).toBuffer()),
  );
  return Object.fromEntries(WIDTHS.map((width, i) => [`${width}.jpg`, files[i]]));
}

async function widthsTuned(source) {
  // The default Huffman optimisation is a second pass over each print.
  const jpeg = { quality: WIDTHS_QUALITY, optimiseCoding: false };
  let last = { input: source };
  const encoding = [];
  for (const width of WIDTHS) {
    const { data, info } = await sharp(last.input, last.options)
      .resize({ width })
      .raw()
      .toBuffer({ resolveWithObject: true });
    last = { input: data, options: { raw: { width: info.width, height: info.height, channels: info.channels } } };
    encoding.push(sharp(last.input, last.options).jpeg(jpeg).toBuffer());
  }
  const files = await Promise.all(encoding);
  return Object.fromEntries(WIDTHS.map((width, i) => [`${width}.jpg`, files[i]]));
}

// One sharp pipeline holds one resize, so going down and up again takes two.
async function mosaic(small, { width, height }, jpeg) {
  const { data, info } = await small.raw().toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } })
    .resize(width, height, { fit: "fill", kernel: "nearest" })
    .jpeg(jpeg)
    .toBuffer();
}

async function cells(source, jpeg = { quality: CELLS_QUALITY }) {
  const pipeline = sharp(source);
  const size = await pipeline.metadata();
  const files = await Promise.all(
    CELLS.map((n) =>
      mosaic(pipeline.clone().resize(n, n, { fit: "fill", kernel: "linear" }), size, jpeg),
    ),
  );
  return Object.fromEntries(CELLS.map((n, i) => [`${n}.jpg`, files[i]]));
}

const cellsPlain = (source) => cells(source, { quality: CELLS_QUALITY, optimiseCoding: false });

async function cellsTuned(source) {
  const size = await sharp(source).metadata();
  const { data, info } = await sharp(source)
    .resize(Math.ceil(size.width / 8), Math.ceil(size.height / 8), { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const jpeg = { quality: CELLS_QUALITY, optimiseCoding: false };
  const files = await Promise.all(
    CELLS.map((n) => mosaic(sharp(data, { raw }).resize(n, n, { fit: "fill", kernel: "linear" }), size, jpeg)),
  );
  return Object.fromEntries(CELLS.map((n, i) => [`${n}.jpg`, files[i]]));
}

async function webp(source) {
  const pipeline = sharp(source);
  const files = await Promise.all(
    WEBP_WIDTHS.map((width) => pipeline.clone().resize({ width }).webp(WEBP).toBuffer()),
  );
  return Object.fromEntries(WEBP_WIDTHS.map((width, i) => [`${width}.webp`, files[i]]));
}

async function webpTuned(source) {
  const { data, info } = await sharp(source)
    .resize({ width: WEBP_WIDTHS[0] })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const files = await Promise.all(
    WEBP_WIDTHS.map((width) => sharp(data, { raw }).resize({ width }).webp(WEBP).toBuffer()),
  );
  return Object.fromEntries(WEBP_WIDTHS.map((width, i) => [`${width}.webp`, files[i]]));
}

const single = (source) => sharp(source).resize({ width: SINGLE_WIDTH });

async function avif(source, options = {}) {
  const file = await single(source).avif({ quality: chosenQuality, effort: 4, ...options }).toBuffer();
  return { [`${SINGLE_WIDTH}.avif`]: file };
}

const avif420 = (source) => avif(source, { chromaSubsampling: "4:2:0" });

const avifFast = (source) => avif(source, { chromaSubsampling: "4:2:0", effort: 0 });

async function png(source, options = {}) {
  return { [`${SINGLE_WIDTH}.png`]: await single(source).png(options).toBuffer() };
}

const pngSmaller = (source) => png(source, { adaptiveFiltering: true, compressionLevel: 9 });

const jobs = {
  widths,
  "widths-tuned": widthsTuned,
  cells,
  "cells-plain": cellsPlain,
  "cells-tuned": cellsTuned,
  webp,
  "webp-tuned": webpTuned,
  avif: (source) => avif(source),
  "avif-420": avif420,
  "avif-fast": avifFast,
  png: (source) => png(source),
  "png-smaller": pngSmaller,
};
const [variant, input, out] = process.argv.slice(2);
const [name, quality] = variant.split("@");
const chosenQuality = Number(quality);
const job = jobs[name];
// libvips would otherwise answer the second run from its operation cache.
sharp.cache(false);

const peakBytes = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
const say = (fields) => console.log(JSON.stringify(fields));

const picture = readFileSync(input);
say({ ready: true, idle_bytes: peakBytes() });
let files = {};
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "end") break;
  files = {};
  const cpuStart = process.cpuUsage();
  const wallStart = process.hrtime.bigint();
  files = await job(picture);
  const wall = Number(process.hrtime.bigint() - wallStart) / 1e6;
  const cpu = process.cpuUsage(cpuStart);
  say({ wall_ms: wall, cpu_ms: (cpu.user + cpu.system) / 1e3 });
}
const peak = peakBytes();
for (const [file, data] of Object.entries(files)) writeFileSync(join(out, file), data);
say({ peak_bytes: peak });
process.exit(0);
