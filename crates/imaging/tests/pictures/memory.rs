//! The predicted peak of memory is an upper bound of the real one.
//!
//! A high-water mark knows no beginning, so each job runs in a process of its
//! own: this binary again, told what to do on its standard input.

use crate::corpus::head;
use minilab_imaging::{Limits, Recipe, predict, render};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

const JOB: &str = "memory::job";

/// Reads the picture's path and the recipe; prints the predicted and the
/// measured peak, in bytes.
#[test]
#[ignore = "a process of the test below"]
fn job() {
    let mut order = String::new();
    std::io::stdin().read_to_string(&mut order).unwrap();
    let (path, recipe) = order.split_once('\n').unwrap();
    let recipe = Recipe::parse(recipe).unwrap();
    let limits = Limits { memory: 8 << 30, ..recipe.limits };
    let before = resident("VmRSS:");
    let bytes = std::fs::read(path).unwrap();
    let foretold = predict(&bytes, "input.x", &recipe, &limits).unwrap();
    let summary = render(&bytes, "input.x", &recipe, &limits, &|_| ()).unwrap();
    let peak = resident("VmHWM:") - before;
    assert_eq!(foretold, summary.predicted_memory, "without rendering");
    println!("\nPEAKS {} {peak}", summary.predicted_memory);
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn peaks(picture: &Path, recipe: &str) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", JOB, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    write!(child.stdin.take().unwrap(), "{}\n{recipe}", picture.display()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("PEAKS ")).unwrap_or_else(|| panic!("{text}"));
    let (predicted, peak) = line.split_once(' ').unwrap();
    (predicted.parse().unwrap(), peak.parse().unwrap())
}

/// The bundled photographs, and one of them in the formats that they are not in.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos");
    let mut pictures: Vec<PathBuf> = std::fs::read_dir(photos)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e != "md"))
        .collect();
    pictures.sort();
    assert!(!pictures.is_empty());
    let photo = pictures.iter().find(|path| path.ends_with("dragonfly-12mp.jpg")).unwrap();
    let photo = std::fs::read(photo).unwrap();
    let rgb = pixels(&photo, 2000);
    for (name, bytes) in [
        ("made.avif", print(&photo, "format = \"avif\"\neffort = 0\nresize = { width = 2000 }")),
        ("made.jxl", print(&photo, "format = \"jxl\"\neffort = 0\nresize = { width = 2000 }")),
        ("made.bmp", bmp(&rgb, 2000)),
        ("made.qoi", qoi(&rgb, 2000)),
        ("made.tif", tiff(&rgb, 2000, 3)),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        pictures.push(path);
    }
    pictures
}

fn print(picture: &[u8], fields: &str) -> Vec<u8> {
    let recipe = head() + "[[output]]\nkey = \"p/{key}\"\n" + fields + "\n";
    let recipe = Recipe::parse(&recipe).unwrap();
    let done = Mutex::new(Vec::new());
    render(picture, "x", &recipe, &recipe.limits, &|print| *done.lock().unwrap() = print.bytes).unwrap();
    done.into_inner().unwrap()
}

/// RGB of a print of `width` pixels.
fn pixels(picture: &[u8], width: u32) -> Vec<u8> {
    samples(&print(picture, &format!("format = \"png\"\neffort = 0\nresize = {{ width = {width} }}")))
}

/// Samples without any order: what every encoder makes the most of.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn rgba_png(rgba: &[u8], width: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, rgba.len() as u32 / 4 / width);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::Fastest);
    encoder.write_header().unwrap().write_image_data(rgba).unwrap();
    out
}

/// An uncompressed Windows bitmap of 24 bits, top down.
fn bmp(rgb: &[u8], width: usize) -> Vec<u8> {
    let height = rgb.len() / 3 / width;
    let mut out = b"BM".to_vec();
    out.extend((54 + rgb.len() as u32).to_le_bytes());
    out.extend([0; 4]);
    out.extend(54_u32.to_le_bytes());
    out.extend(40_u32.to_le_bytes());
    out.extend((width as u32).to_le_bytes());
    out.extend((-(height as i32)).to_le_bytes());
    out.extend([1, 0, 24, 0]);
    out.extend([0; 24]);
    out.extend(rgb.chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]));
    out
}

/// QOI with every pixel written out.
fn qoi(rgb: &[u8], width: usize) -> Vec<u8> {
    let mut out = b"qoif".to_vec();
    out.extend((width as u32).to_be_bytes());
    out.extend(((rgb.len() / 3 / width) as u32).to_be_bytes());
    out.extend([3, 0]);
    out.extend(rgb.chunks_exact(3).flat_map(|p| [0xfe, p[0], p[1], p[2]]));
    out.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    out
}

/// An uncompressed TIFF of one strip, of three samples a pixel or four.
fn tiff(samples: &[u8], width: usize, channels: u32) -> Vec<u8> {
    let height = (samples.len() / channels as usize / width) as u32;
    let mut entries: Vec<(u16, u16, u32, u32)> = vec![
        (256, 4, 1, width as u32),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 0),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, samples.len() as u32),
    ];
    if channels == 4 {
        // Straight alpha.
        entries.push((338, 3, 1, 2));
    }
    entries[5].3 = 8 + 2 + entries.len() as u32 * 12 + 4;
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend([0; 4]);
    out.extend(samples);
    out
}

#[test]
fn no_job_takes_more_memory_than_was_predicted() {
    let folder = std::env::temp_dir().join(format!("minilab-memory-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pictures = pictures(&folder);
    let output = |key: &str, rest: &str| format!("[[output]]\nkey = \"{key}-{{key}}\"\n{rest}\n");
    // The slow ones at their fastest: more effort takes hardly more memory.
    let every_format: String = [("jpeg", 4), ("png", 4), ("webp", 4), ("gif", 4), ("avif", 0), ("jxl", 0)]
        .map(|(format, effort)| {
            let fields = "quality = 95\nresize = { width = 1500 }";
            output(format, &format!("format = \"{format}\"\neffort = {effort}\n{fields}"))
        })
        .concat();
    let whole = ["jpeg", "webp"].map(|f| output(f, &format!("format = \"{f}\""))).concat();
    let operations: String = [
        "trim = true\nresize = { width = 1000 }",
        "resize = { width = 900, height = 900, fit = \"cover\", position = \"attention\" }\nrounded = \"50%\"",
        "resize = { width = 1200, linear = true }\nblur = 9\ngrayscale = true",
        "resize = { width = 1200 }\nsharpen = true\nformat = \"png\"\ncolours = 32",
        "rotate = 90\nresize = { width = 800 }\nquality = \"auto\"\nformat = \"jpeg\"",
        "colour = \"keep\"\nformat = \"png\"\neffort = 4\nresize = { width = 1400 }",
        "format = \"manifest\"",
    ]
    .iter()
    .enumerate()
    .map(|(i, fields)| output(&i.to_string(), fields))
    .collect();
    // Small enough for sources that are averaged while they are decoded.
    let small = ["jpeg", "png"].map(|f| output(f, &format!("format = \"{f}\"\nresize = {{ width = 160 }}")));
    let recipes = [
        ("small", head() + &small.concat()),
        ("built-in", minilab_imaging::recipe::BUILT_IN.to_owned()),
        ("formats", head() + &every_format),
        ("whole", head() + &whole),
        ("operations", head() + &operations),
    ];
    // Encoders on their own, with what takes the most of them.
    let hardest = [
        "format = \"jpeg\"\nquality = 100\neffort = 9",
        "format = \"png\"\ncolours = 256",
        "format = \"png\"\neffort = 4",
        "format = \"gif\"",
        "format = \"webp\"\nquality = 89",
        "format = \"webp\"\nquality = 100",
        "format = \"webp\"\nlossless = true",
        "format = \"webp\"\nquality = 89\neffort = 9",
        "format = \"webp\"\nquality = 100\neffort = 9\nlossless = true",
        "format = \"webp\"\neffort = 5\nlossless = true",
        "format = \"avif\"\nquality = 89\neffort = 0",
        "format = \"avif\"\nquality = 100\neffort = 0",
        "format = \"jxl\"\nlossless = true\neffort = 0",
    ]
    .map(|fields| (fields.replace('\n', " "), head() + &output("p", fields)));
    let noisy = [
        ("noise.bmp", bmp(&noise(1600 * 1000 * 3), 1600)),
        ("noise.png", rgba_png(&noise(1600 * 1000 * 4), 1600)),
    ]
    .map(|(name, bytes)| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    });
    let recipes = recipes.map(|(name, recipe)| (name.to_owned(), recipe));
    let jobs = pictures
        .iter()
        .flat_map(|picture| {
            // Of the five JPEGs two do for what takes the longest, and of three
            // formats without compression one.
            let another = ["Oto", "Picos", "dogs", "made.qoi", "made.tif"].iter().any(|start| {
                picture.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
            });
            let long = |name: &str| name == "formats" || name == "operations";
            let recipes = recipes.iter().filter(move |(name, _)| !(another && long(name)));
            recipes.map(move |recipe| (picture, recipe))
        })
        .chain(noisy.iter().flat_map(|picture| hardest.iter().map(move |recipe| (picture, recipe))));
    let jobs = Mutex::new(jobs);
    let over = Mutex::new(Vec::new());
    // Each in a process of its own, two at a time.
    let work = || {
        loop {
            let next = jobs.lock().unwrap().next();
            let Some((picture, (recipe_name, recipe))) = next else { break };
            let name = picture.file_name().unwrap().to_str().unwrap();
            let (predicted, peak) = peaks(picture, recipe);
            let line =
                format!("{name} {recipe_name}: predicted {} MiB, peak {} MiB", predicted >> 20, peak >> 20);
            println!("{line}");
            // Half of what is set aside for tables and stacks hides nothing that grows
            // with the picture.
            let spare = if recipe_name.starts_with("format") { 8 << 20 } else { 0 };
            if peak + spare > predicted {
                over.lock().unwrap().push(line);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let over = over.into_inner().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(over.is_empty(), "{over:#?}");
}

/// Long EXIF that every print carries, and luma by way of RGB.
#[test]
fn metadata_and_odd_grey_take_no_more_memory_than_was_predicted() {
    let folder = std::env::temp_dir().join(format!("minilab-described-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    exif.resize(24 << 20, 7);
    let plain = print(&rgba_png(&noise(64 * 64 * 4), 64), "format = \"webp\"\nlossless = true");
    let length = |length: usize| (length as u32).to_le_bytes();
    let extended = [&b"VP8X"[..], &length(10), &[0x18, 0, 0, 0, 63, 0, 0, 63, 0, 0]].concat();
    let described = [&extended, &plain[12..], b"EXIF", &length(exif.len()), &exif].concat();
    let described = [b"RIFF", &length(described.len() + 4)[..], b"WEBP", &described].concat();
    let mut grey = Vec::new();
    let mut encoder = png::Encoder::new(&mut grey, 6000, 6000);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&vec![200; 6000 * 6000]).unwrap();
    let grey = print(&grey, "format = \"jpeg\"");
    let output = |key: &str, fields: &str| format!("[[output]]\nkey = \"{key}-{{key}}\"\n{fields}\n");
    let kept = ["webp", "png", "avif"]
        .map(|format| output(format, &format!("format = \"{format}\"\neffort = 0\nmetadata = \"all\"")));
    let crop =
        "crop = { left = 0, top = 0, width = 200, height = 200 }\nresize = { width = 180, linear = true }";
    for (name, bytes, outputs) in
        [("described.webp", described, kept.concat()), ("grey.jpg", grey, output("p", crop))]
    {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        let (predicted, peak) = peaks(&path, &(head() + &outputs));
        println!("{name}: predicted {} MiB, peak {} MiB", predicted >> 20, peak >> 20);
        assert!(peak <= predicted, "{name}: predicted {predicted}, peak {peak}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Where the memory is short, fewer threads work: nothing else is made, and nothing
/// is refused, for there being more of them.
#[test]
fn a_tight_memory_decides_the_same_whatever_the_threads() {
    let picture = rgba_png(&noise(1300 * 900 * 4), 1300);
    let fields = "format = \"png\"\neffort = 0\nresize = { width = 640 }";
    let outputs = ["a", "b"].map(|key| format!("[[output]]\nkey = \"{key}-{{key}}\"\n{fields}\n"));
    let recipe = Recipe::parse(&(head() + &outputs.concat())).unwrap();
    let made = |memory: u64, threads: usize| {
        let limits = Limits { memory, threads, ..recipe.limits };
        let prints = Mutex::new(Vec::new());
        let summary = render(&picture, "x", &recipe, &limits, &|print| {
            prints.lock().unwrap().push((print.output, print.bytes));
        })
        .ok()?;
        assert!(summary.predicted_memory <= memory);
        let mut prints = prints.into_inner().unwrap();
        prints.sort();
        Some((summary.predicted_memory, prints))
    };
    let (one, _) = made(1 << 30, 1).unwrap();
    let (two, _) = made(1 << 30, 2).unwrap();
    assert!(two > one + (2 << 20), "{one} {two}");
    let step = 1 << 20;
    let mut seen = std::collections::BTreeSet::new();
    for memory in (one - 8 * step..two + 2 * step).step_by(step as usize) {
        let single = made(memory, 1).map(|(_, prints)| prints);
        let several = made(memory, 3).map(|(_, prints)| prints);
        assert!(single == several, "with {memory} bytes");
        seen.insert(single);
    }
    // A whole decode and half a one, or none.
    assert!(seen.len() > 1);
}

#[test]
fn a_picture_too_large_for_the_memory_is_averaged_while_it_is_decoded() {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos");
    let rgb = pixels(&std::fs::read(photos.join("dragonfly-12mp.jpg")).unwrap(), 1800);
    let rgba: Vec<u8> = rgb
        .chunks_exact(3)
        .enumerate()
        .flat_map(|(at, p)| [p[0], p[1], p[2], if at % 1800 < 900 { 255 } else { 128 }])
        .collect();
    for (name, picture) in [("PNG", rgba_png(&rgba, 1800)), ("TIFF", tiff(&rgba, 1800, 4))] {
        let made = |width: u32, memory: u64| {
            let fields = format!("format = \"png\"\neffort = 0\nresize = {{ width = {width} }}");
            let recipe = Recipe::parse(&(head() + "[[output]]\nkey = \"p/{key}\"\n" + &fields)).unwrap();
            let limits = Limits { memory, threads: 1, ..recipe.limits };
            let done = Mutex::new(Vec::new());
            let summary =
                render(&picture, "x", &recipe, &limits, &|print| *done.lock().unwrap() = print.bytes)?;
            Ok::<_, minilab_imaging::Error>((summary.predicted_memory, samples(&done.into_inner().unwrap())))
        };
        let (whole_memory, whole) = made(600, 1 << 30).unwrap();
        let limit = whole_memory - (4 << 20);
        let (memory, averaged) = made(600, limit).unwrap();
        println!("{name}: {} MiB, averaged {} MiB", whole_memory >> 20, memory >> 20);
        assert!(memory <= limit && limit < whole_memory, "{name}: {memory} {limit} {whole_memory}");
        let psnr = psnr(&whole, &averaged);
        assert!(psnr > 40.0, "{name}: {psnr:.1} dB");
        // Nothing is enlarged for want of memory.
        assert!(matches!(made(1500, limit), Err(minilab_imaging::Error::OverLimit { .. })), "{name}");
    }
}

fn samples(png: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut samples).unwrap();
    samples
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * a.len() as f64 / squares.max(1e-9)).log10()
}
