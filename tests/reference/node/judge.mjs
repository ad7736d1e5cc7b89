// The second judge: sharp, with libvips and the codecs it brings.
//
// Reads jobs from standard input as JSON, [{ "file", "out", "resize" }], where
// resize is null or an object for sharp's resize(); writes each picture as a
// PNG to `out`, upright and in sRGB, and one JSON line for each that it cannot
// read: { "file", "out", "error" }. One process for all, since starting sharp
// takes longer than a hundred small pictures.
import { readFileSync } from "node:fs";
import sharp from "sharp";

sharp.cache(false);

async function judge({ file, out, resize }) {
  try {
    let picture = sharp(file, { failOn: "error" }).autoOrient();
    // Decoding smaller is sharp's speed; what is wanted from a judge is its filter.
    if (resize) picture = picture.resize({ kernel: "lanczos3", fastShrinkOnLoad: false, ...resize });
    // sharp converts 16-bit pictures to Display P3 first, and leaves them so unless sRGB is asked for.
    const { icc, depth } = await sharp(file).metadata();
    if (icc && depth === "ushort") picture = picture.withIccProfile("srgb");
    await picture.toColourspace("srgb").png({ compressionLevel: 1 }).toFile(out);
  } catch (error) {
    console.log(JSON.stringify({ file, out, error: String(error.message) }));
  }
}

const jobs = JSON.parse(readFileSync(0, "utf8"));
for (let i = 0; i < jobs.length; i += 4) await Promise.all(jobs.slice(i, i + 4).map(judge));
