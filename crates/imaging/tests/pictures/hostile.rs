//! Damaged and malicious pictures: whatever the bytes, `render` answers, in
//! little time and memory, and what is cut off gives no prints.

use crate::corpus;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use minilab_imaging::{Error, Limit, Limits, Recipe, inspect, predict, render};
use std::io::Write;

fn attempt(bytes: &[u8], recipe: &Recipe, limits: &Limits) -> Result<(), Error> {
    render(bytes, "input.x", recipe, limits, &|_| ()).map(|_| ())
}

/// xorshift64*: the same damage on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

#[test]
fn what_is_cut_off_is_refused() {
    for case in corpus::cases() {
        let recipe = Recipe::parse(&case.recipe).unwrap();
        for part in 0..50 {
            let cut = case.input.len() * part / 50;
            match attempt(&case.input[..cut], &recipe, &recipe.limits) {
                Err(Error::Malformed { .. } | Error::NotAnImage { .. }) => {}
                other => panic!("{} cut to {cut} of {} bytes: {other:?}", case.name, case.input.len()),
            }
        }
    }
}

/// One small print: what is tested is the way to the pixels, and encoders of
/// full effort would take most of the time.
fn small_print() -> Recipe {
    let output = "[[output]]\nkey = \"{key}\"\nformat = \"png\"\neffort = 0\nresize = { width = 16 }\n";
    Recipe::parse(&(corpus::head() + output)).unwrap()
}

fn flip_bits(flips: usize) {
    let recipe = small_print();
    let limits = Limits { pixels: 4_000_000, side: 4_000, ..recipe.limits };
    for case in corpus::cases() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ case.input.len() as u64);
        for flip in 0..flips {
            let mut bytes = case.input.clone();
            // Headers break in more ways than pixels do.
            let reach = if flip % 2 == 0 { bytes.len().min(200) } else { bytes.len() };
            let at = random.below(reach);
            bytes[at] ^= 1 << random.below(8);
            if let Err(error @ Error::Codec { .. }) = attempt(&bytes, &recipe, &limits) {
                panic!("{} with bit flipped in byte {at}: {error}", case.name);
            }
        }
    }
}

#[test]
fn flipped_bits_are_answered() {
    flip_bits(12);
}

/// Numbers that sizes, counts and offsets are compared with.
const EDGES: [u32; 12] =
    [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];

/// A file after one to eight damages: bits, numbers of any size and order, bytes
/// cut out, said twice, or taken from another file.
fn mutated(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=random.below(8) {
        if out.len() < 8 {
            break;
        }
        let reach = if random.below(2) == 0 { out.len().min(400) } else { out.len() };
        let at = random.below(reach);
        let length = random.below(out.len() - at).min(1 << random.below(10));
        match random.below(7) {
            0 => out[at] ^= 1 << random.below(8),
            1 => out[at] = random.below(256) as u8,
            2 => {
                let edge = EDGES[random.below(EDGES.len())];
                let four = if random.below(2) == 0 { edge.to_be_bytes() } else { edge.to_le_bytes() };
                let count = [1, 2, 4][random.below(3)].min(out.len() - at);
                let from = if random.below(2) == 0 { 0 } else { 4 - count };
                out[at..at + count].copy_from_slice(&four[from..from + count]);
            }
            3 => drop(out.drain(at..at + length)),
            4 => {
                let again = out[at..at + length].to_vec();
                out.splice(at..at, again);
            }
            5 => {
                let from = random.below(other.len());
                let part = &other[from..(from + length).min(other.len())];
                out.splice(at..(at + part.len()).min(out.len()), part.iter().copied());
            }
            _ => out.truncate(at),
        }
    }
    out
}

/// Every print that takes a way of its own through the pixels.
fn many_prints() -> Recipe {
    let outputs = [
        "format = \"png\"\neffort = 0\nresize = { width = 20, height = 30, fit = \"contain\" }\ncolour = \"keep\"",
        "pixelate = { cells = 7 }\nformat = \"jpeg\"\nmetadata = \"all\"",
        "trim = true\nrotate = 90\nrounded = \"50%\"\nformat = \"webp\"\neffort = 0\nresize = { width = 24 }",
    ];
    let text = outputs.iter().enumerate().map(|(i, f)| format!("[[output]]\nkey = \"{i}/{{key}}\"\n{f}\n"));
    Recipe::parse(&(corpus::head() + &text.collect::<String>())).unwrap()
}

#[test]
#[ignore = "minutes; `make soak` runs it"]
fn very_much_damage_is_answered() {
    let (recipe, cases) = (many_prints(), corpus::cases());
    let limits = Limits { pixels: 1_000_000, side: 4_000, frames: 20, ..recipe.limits };
    let mut slowest = (std::time::Duration::ZERO, String::new());
    for (number, case) in cases.iter().enumerate() {
        let other = &cases[(number * 7 + 3) % cases.len()];
        let mut random = Random(0x2545_f491_4f6c_dd1d ^ number as u64);
        for round in 0..500 {
            let bytes = mutated(&case.input, &other.input, &mut random);
            let start = std::time::Instant::now();
            let answer = attempt(&bytes, &recipe, &limits);
            let name = format!("{} damaged for the {round}th time", case.name);
            if let Err(error @ Error::Codec { .. }) = answer {
                std::fs::write(std::env::temp_dir().join("minilab-damaged"), &bytes).unwrap();
                panic!("{name}: {error}; the picture is minilab-damaged in the folder of temporary files");
            }
            slowest = slowest.max((start.elapsed(), name));
        }
    }
    println!("the slowest took {:?}: {}", slowest.0, slowest.1);
    assert!(slowest.0.as_secs() < 10, "{slowest:?}");
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn png(width: u32, height: u32, depth: u8, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut ihdr = width.to_be_bytes().to_vec();
    ihdr.extend(height.to_be_bytes());
    ihdr.extend([depth, 0, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let all = [(b"IHDR", ihdr)].into_iter().chain(chunks.iter().map(|(k, d)| (*k, d.clone())));
    for (kind, data) in all.chain([(b"IEND", Vec::new())]) {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(&data);
        out.extend(crc.sum().to_be_bytes());
    }
    out
}

fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8, 0xff, 0xc0, 0, 17, 8];
    out.extend(height.to_be_bytes());
    out.extend(width.to_be_bytes());
    out.extend([3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
    out.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    out
}

fn gif(width: u16, height: u16, frame: (u16, u16), frames: usize) -> Vec<u8> {
    let mut out = b"GIF89a".to_vec();
    out.extend(width.to_le_bytes());
    out.extend(height.to_le_bytes());
    out.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    for _ in 0..frames {
        out.extend([0x2c, 0, 0, 0, 0]);
        out.extend(frame.0.to_le_bytes());
        out.extend(frame.1.to_le_bytes());
        out.extend([0, 2, 2, 0x44, 0x01, 0]);
    }
    out.push(0x3b);
    out
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | (height - 1) << 14;
    let mut out = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f".to_vec();
    out.extend(bits.to_le_bytes());
    out.push(0);
    out
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let cases: &[(&str, Vec<u8>, Limit)] = &[
        ("a JPEG of 65,535 pixels square", jpeg_header(65_535, 65_535), Limit::Side),
        ("a JPEG of 29,999 pixels square", jpeg_header(29_999, 29_999), Limit::Pixels),
        ("a PNG of 2³¹ − 1 pixels square", png(0x7fff_ffff, 0x7fff_ffff, 8, &[]), Limit::Side),
        ("a PNG of 30,000 pixels square", png(30_000, 30_000, 16, &[]), Limit::Pixels),
        ("a GIF with a giant screen", gif(65_535, 65_535, (1, 1), 1), Limit::Side),
        ("a GIF with a giant frame", gif(10, 10, (65_535, 65_535), 1), Limit::Pixels),
        ("a GIF of 400 frames", gif(10, 10, (1, 1), 400), Limit::Frames),
        ("a WebP of 16,384 pixels square", webp(16_384, 16_384), Limit::Pixels),
    ];
    let (recipe, limits) = (Recipe::built_in(), Limits::default());
    for (name, bytes, limit) in cases {
        for result in [attempt(bytes, &recipe, &limits), inspect(bytes, &limits).map(|_| ())] {
            match result {
                Err(Error::OverLimit { which, .. }) => assert_eq!(which, *limit, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_small_file_of_many_pixels_needs_the_memory_that_it_says() {
    let rows = vec![0; 49_000_000 / 8 + 7_000];
    let bytes = png(7_000, 7_000, 1, &[(b"IDAT", zlib(&rows))]);
    assert!(bytes.len() < 20_000);
    let tight = Limits { memory: 64 << 20, ..Limits::default() };
    let Err(Error::OverLimit { which: Limit::Memory, .. }) = attempt(&bytes, &Recipe::built_in(), &tight)
    else {
        panic!("49 megapixels do not fit 64 MiB");
    };
}

#[test]
fn a_profile_that_inflates_to_gigabytes_is_stopped() {
    let mut iccp = b"bomb\0\0".to_vec();
    iccp.extend(zlib(&vec![0; 256 << 20]));
    let bytes = png(8, 8, 8, &[(b"iCCP", iccp), (b"IDAT", zlib(&[0; 72]))]);
    match attempt(&bytes, &Recipe::built_in(), &Limits::default()) {
        Ok(()) | Err(Error::OverLimit { .. } | Error::Malformed { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

/// A WebP of one pixel with a profile of `length` bytes.
fn webp_with_profile(length: usize) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut out = kind.to_vec();
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
        out.resize(out.len().next_multiple_of(2), 0);
        out
    };
    let extended = chunk(b"VP8X", &[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let payload = [extended, chunk(b"ICCP", &vec![0; length]), webp(1, 1)[12..].to_vec()].concat();
    let mut out = b"RIFF".to_vec();
    out.extend((payload.len() as u32 + 4).to_le_bytes());
    out.extend(b"WEBP");
    out.extend(payload);
    out
}

#[test]
fn a_profile_larger_than_any_is_refused_in_every_format() {
    let read = |length| inspect(&webp_with_profile(length), &Limits::default());
    assert!(read(4 << 20).is_ok());
    match read((4 << 20) + 1) {
        Err(error @ Error::OverLimit { which: Limit::Memory, .. }) => {
            assert!(error.to_string().contains("profile"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// Each `use` of a picture decodes and keeps it anew.
#[test]
fn pictures_inside_a_drawing_are_counted_as_often_as_they_are_used() {
    let junk = vec![7; 1 << 20];
    let inside = png(8, 8, 8, &[(b"juNk", junk), (b"IDAT", zlib(&[0; 72]))]);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64: String = inside
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte))
                << (8 * (3 - three.len()));
            let letter = move |at: usize| alphabet[(bits >> (18 - 6 * at)) as usize & 63] as char;
            (0..4).map(move |at| if at <= three.len() { letter(at) } else { '=' })
        })
        .collect();
    let drawing = |uses: usize| {
        let picture = format!("<image id='p' width='8' height='8' href='data:image/png;base64,{base64}'/>");
        let uses = "<use href='#p' x='9'/>".repeat(uses);
        format!("<svg xmlns='http://www.w3.org/2000/svg' width='99' height='9'>{picture}{uses}</svg>")
            .into_bytes()
    };
    let needed = |uses| predict(&drawing(uses), "a.svg", &small_print(), &Limits::default());
    let more = needed(20).unwrap() - needed(0).unwrap();
    assert!(more > 20 << 20, "{more}");
    match needed(60) {
        Err(Error::Unsupported { feature, .. }) => assert!(feature.contains("pictures inside"), "{feature}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_that_is_shown_for_ever_is_shown_for_hours() {
    let control = |number: u8| {
        let mut data = vec![0, 0, 0, number, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        // 65,535 seconds.
        data.extend([0xff, 0xff, 0, 1, 0, 0]);
        data
    };
    let pixels = |ink: u8| zlib(&[0, ink, ink, ink, ink, ink, ink, ink, ink].repeat(8));
    let second = [&[0, 0, 0, 2][..], &pixels(200)].concat();
    let bytes = png(
        8,
        8,
        8,
        &[
            (b"acTL", vec![0, 0, 0, 2, 0, 0, 0, 0]),
            (b"fcTL", control(0)),
            (b"IDAT", pixels(9)),
            (b"fcTL", control(1)),
            (b"fdAT", second),
        ],
    );
    for format in ["webp", "gif", "png"] {
        let output = format!("[[output]]\nkey = \"{{key}}\"\nformat = \"{format}\"\n");
        let recipe = Recipe::parse(&(corpus::head() + &output)).unwrap();
        let frames = std::sync::Mutex::new(0);
        render(&bytes, "a.png", &recipe, &Limits::default(), &|print| *frames.lock().unwrap() = print.frames)
            .unwrap_or_else(|error| panic!("{format}: {error}"));
        assert_eq!(frames.into_inner().unwrap(), 2, "{format}");
    }
}

/// What is tried for `quality = "auto"` is no picture that arrives.
#[test]
fn the_limits_of_files_are_not_those_of_tries() {
    let output = |fields: &str| {
        let output = format!("[[output]]\nkey = \"{{key}}\"\nformat = \"jpeg\"\n{fields}\n");
        Recipe::parse(&(corpus::head() + &output)).unwrap()
    };
    let mut random = Random(7);
    let rows: Vec<u8> = (0..200)
        .flat_map(|_| (0..201).map(|x| if x == 0 { 0 } else { random.below(256) as u8 }).collect::<Vec<_>>())
        .collect();
    let noise = png(200, 200, 8, &[(b"IDAT", zlib(&rows))]);
    let small = std::sync::Mutex::new(Vec::new());
    let keep = |print: minilab_imaging::Rendition| *small.lock().unwrap() = print.bytes;
    render(&noise, "a.png", &output("quality = 20"), &Limits::default(), &keep).unwrap();
    let small = small.into_inner().unwrap();
    let limits = Limits { input_bytes: small.len() as u64, pixels: 40_000, side: 400, ..Limits::default() };
    let recipe = output("quality = \"auto\"\ntarget = 95\nresize = { width = 400 }");
    render(&small, "a.jpg", &recipe, &limits, &|print| assert!(print.bytes.len() > small.len())).unwrap();
}

#[test]
fn two_hundred_frames_are_all_kept() {
    let bytes = gif(30, 20, (1, 1), 200);
    let recipe = corpus::head() + "[[output]]\nkey = \"{stem}.{ext}\"\nresize = { width = 10 }\n";
    let frames = std::sync::Mutex::new(0);
    render(&bytes, "a.gif", &Recipe::parse(&recipe).unwrap(), &Limits::default(), &|print| {
        *frames.lock().unwrap() = print.frames;
    })
    .unwrap();
    assert_eq!(frames.into_inner().unwrap(), 200);
}

#[test]
fn anything_else_is_named() {
    for (bytes, found) in [(&b""[..], "an empty object"), (b"hello", "text"), (b"%PDF-1.4", "a PDF document")]
    {
        let expected = Err(Error::NotAnImage { found: found.to_owned() });
        assert_eq!(attempt(bytes, &Recipe::built_in(), &Limits::default()), expected);
    }
}
