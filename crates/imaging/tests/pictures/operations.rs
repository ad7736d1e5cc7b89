//! What a recipe asks for beyond a size, on pictures small enough to know every
//! pixel of.

use crate::corpus::head;
use minilab_imaging::recipe::{Asset, Format};
use minilab_imaging::{Error, Limit, Limits, Recipe, Rendition, render, render_until};
use serde_json::Value;
use std::io::Cursor;
use std::sync::Mutex;

fn recipe(outputs: &str) -> Recipe {
    Recipe::parse(&(head() + outputs)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn prints(picture: &[u8], recipe: &Recipe, key: &str) -> Vec<Rendition> {
    let done = Mutex::new(Vec::new());
    render(picture, key, recipe, &recipe.limits, &|print| done.lock().unwrap().push(print)).unwrap();
    let mut prints = done.into_inner().unwrap();
    prints.sort_by_key(|print| print.output);
    prints
}

/// The print of the only output.
fn print(picture: &[u8], fields: &str) -> Rendition {
    let recipe = recipe(&format!("[[output]]\nkey = \"p/{{key}}.{{ext}}\"\nformat = \"png\"\n{fields}\n"));
    prints(picture, &recipe, "a.x").remove(0)
}

fn png_of(width: u32, height: u32, colour: png::ColorType, depth: png::BitDepth, samples: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    out
}

/// Width, height, and the grey or red of each pixel.
fn shown(print: &Rendition) -> (u32, u32, Vec<u8>) {
    let mut decoder = png::Decoder::new(Cursor::new(&print.bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let channels = info.color_type.samples();
    (info.width, info.height, pixels.chunks_exact(channels).map(|pixel| pixel[0]).collect())
}

/// Three columns and two rows of greys.
fn six() -> Vec<u8> {
    png_of(3, 2, png::ColorType::Grayscale, png::BitDepth::Eight, &[10, 20, 30, 40, 50, 60])
}

#[test]
fn turns_are_clockwise_and_mirrors_come_after_them() {
    for (fields, width, height, pixels) in [
        ("", 3, 2, [10, 20, 30, 40, 50, 60]),
        ("rotate = 90", 2, 3, [40, 10, 50, 20, 60, 30]),
        ("rotate = 180", 3, 2, [60, 50, 40, 30, 20, 10]),
        ("rotate = 270", 2, 3, [30, 60, 20, 50, 10, 40]),
        ("rotate = -90", 2, 3, [30, 60, 20, 50, 10, 40]),
        ("flip = \"horizontal\"", 3, 2, [30, 20, 10, 60, 50, 40]),
        ("flip = \"vertical\"", 3, 2, [40, 50, 60, 10, 20, 30]),
        ("flip = \"both\"", 3, 2, [60, 50, 40, 30, 20, 10]),
        ("rotate = 90\nflip = \"horizontal\"", 2, 3, [10, 40, 20, 50, 30, 60]),
    ] {
        assert_eq!(shown(&print(&six(), fields)), (width, height, pixels.to_vec()), "{fields}");
    }
}

#[test]
fn a_crop_is_in_pixels_or_percent_and_never_leaves_the_picture() {
    for (fields, width, height, pixels) in [
        ("crop = { left = 1 }", 2, 2, vec![20, 30, 50, 60]),
        ("crop = { left = 1, top = 1, width = 1, height = 1 }", 1, 1, vec![50]),
        ("crop = { top = \"50%\", width = 2 }", 2, 1, vec![40, 50]),
        ("crop = { left = 99, width = 7 }", 1, 2, vec![30, 60]),
        ("crop = { left = 1, width = 99 }\nrotate = 90", 2, 2, vec![50, 20, 60, 30]),
    ] {
        assert_eq!(shown(&print(&six(), fields)), (width, height, pixels), "{fields}");
    }
}

#[test]
fn padding_comes_before_what_works_on_the_print_and_counts_in_its_size() {
    for (fields, width, height, pixels) in [
        ("extend = { left = 1 }", 4, 2, vec![255, 10, 20, 30, 255, 40, 50, 60]),
        (
            "extend = { right = \"34%\", top = \"50%\" }",
            4,
            3,
            vec![255, 255, 255, 255, 10, 20, 30, 255, 40, 50, 60, 255],
        ),
        ("extend = { left = 1 }\nrotate = 90", 3, 3, vec![255, 40, 10, 255, 50, 20, 255, 60, 30]),
        ("crop = { left = 2 }\nextend = { bottom = 1 }\nbackground = \"black\"", 1, 3, vec![30, 60, 0]),
        // Cells are averages of the padding, too.
        ("extend = { left = 3, bottom = 2 }\npixelate = { block = 6 }", 6, 4, vec![200; 24]),
    ] {
        let print = print(&six(), fields);
        assert_eq!(shown(&print), (width, height, pixels), "{fields}");
        assert_eq!((print.width, print.height), (width, height), "{fields}");
    }
    let recipe = recipe("[[output]]\nkey = \"p/{width}x{height}/{key}\"\nextend = 7\n");
    assert_eq!(prints(&six(), &recipe, "a.png")[0].key, "p/17x16/a.png");
    let limits = Limits { side: 16, ..recipe.limits };
    let refused = render(&six(), "a.png", &recipe, &limits, &|_| ()).unwrap_err();
    assert!(matches!(refused, Error::OverLimit { which: Limit::Side, .. }), "{refused}");
    let predicted = |extend: &str| {
        let text = head() + "[[output]]\nkey = \"p/{key}\"\n" + extend;
        minilab_imaging::predict(&six(), "a.png", &Recipe::parse(&text).unwrap(), &Limits::default()).unwrap()
    };
    assert!(predicted("extend = 1000") > predicted("") + 4 * 2000 * 2000);
}

#[test]
fn a_border_is_trimmed_before_the_print_has_its_size() {
    let mut samples = vec![200_u8; 12 * 10];
    for y in 3..7 {
        for x in 2..10 {
            samples[y * 12 + x] = 20;
        }
    }
    let picture = png_of(12, 10, png::ColorType::Grayscale, png::BitDepth::Eight, &samples);
    assert_eq!(shown(&print(&picture, "trim = true")), (8, 4, vec![20; 32]));
    assert_eq!(shown(&print(&picture, "trim = true\nresize = { width = 4 }")), (4, 2, vec![20; 8]));
    assert_eq!(shown(&print(&picture, "trim = { threshold = 190 }")).2.len(), 120, "all of it is border");
    let recipe = recipe("[[output]]\nkey = \"{stem}-{width}x{height}\"\ntrim = true\n");
    assert_eq!(prints(&picture, &recipe, "a.png")[0].key, "a-8x4");
}

#[test]
fn attention_keeps_what_stands_out() {
    let (width, height) = (300, 100);
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let stripe =
                if (240..280).contains(&x) && (30..70).contains(&y) { (x * 37 + y * 91) % 256 } else { 128 };
            samples.push(stripe as u8);
        }
    }
    let picture = png_of(width, height, png::ColorType::Grayscale, png::BitDepth::Eight, &samples);
    let spread = |position: &str| {
        let fields =
            format!("resize = {{ width = 100, height = 100, fit = \"cover\", position = \"{position}\" }}");
        let (_, _, pixels) = shown(&print(&picture, &fields));
        pixels.iter().filter(|&&v| v.abs_diff(128) > 20).count()
    };
    assert_eq!(spread("center"), 0);
    assert!(spread("attention") > 1000, "{}", spread("attention"));
}

#[test]
fn sixteen_bits_stay_where_the_print_can_hold_them() {
    let wide: Vec<u8> = (0..64_u16).flat_map(|i| (i * 1000 + 7).to_be_bytes()).collect();
    let picture = png_of(8, 8, png::ColorType::Grayscale, png::BitDepth::Sixteen, &wide);
    let decoded = png::Decoder::new(Cursor::new(print(&picture, "").bytes)).read_info().unwrap();
    assert_eq!(decoded.info().bit_depth, png::BitDepth::Sixteen);
    let mut reader = decoded;
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut samples).unwrap();
    assert_eq!(samples, wide);
    let few = print(&picture, "colours = 16");
    let reader = png::Decoder::new(Cursor::new(&few.bytes)).read_info().unwrap();
    assert!((reader.info().bit_depth as u8) <= 8);
}

#[test]
fn pixels_are_worked_on_in_the_documented_order() {
    let flat = png_of(40, 40, png::ColorType::Rgb, png::BitDepth::Eight, &[200, 40, 40].repeat(1600));
    let (_, _, grey) = shown(&print(&flat, "grayscale = true\nblur = 2\nsharpen = true"));
    assert!(grey.iter().all(|&v| v == grey[0]) && (60..160).contains(&grey[0]), "{grey:?}");
    // Round corners have alpha, so PNG keeps it and JPEG shows the background.
    let recipe = recipe(
        "[[output]]\nkey = \"a/{key}\"\nrounded = \"50%\"\nformat = \"png\"\n\
         [[output]]\nkey = \"b/{key}\"\nrounded = \"50%\"\nformat = \"jpeg\"\nbackground = \"#00ff00\"\nquality = 95\n",
    );
    let made = prints(&flat, &recipe, "x");
    let mut decoder = png::Decoder::new(Cursor::new(&made[0].bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let at = |x: usize, y: usize| &pixels[(y * 40 + x) * 4..][..4];
    assert_eq!((at(0, 0)[3], at(20, 20)), (0, &[200, 40, 40, 255][..]));
    let jpeg = print(&made[1].bytes, "");
    let (_, _, red) = shown(&jpeg);
    assert!(red[0] < 30 && red[20 * 40 + 20] > 180, "{} {}", red[0], red[20 * 40 + 20]);
}

#[test]
fn a_region_alone_is_pixelated() {
    let ramp: Vec<u8> = (0..100_u32).flat_map(|i| [(i * 2) as u8; 1]).collect();
    let picture = png_of(10, 10, png::ColorType::Grayscale, png::BitDepth::Eight, &ramp);
    let fields = "pixelate = { block = 50, region = { width = \"50%\", height = 5 } }";
    let (_, _, pixels) = shown(&print(&picture, fields));
    for (i, (&was, &is)) in ramp.iter().zip(&pixels).enumerate() {
        if i % 10 < 5 && i / 10 < 5 {
            assert_eq!(is, pixels[0], "{i}");
        } else {
            assert_eq!(is, was, "{i}");
        }
    }
}

#[test]
fn a_watermark_lies_where_it_is_put() {
    let white = png_of(2, 2, png::ColorType::Grayscale, png::BitDepth::Eight, &[255; 4]);
    let mut recipe = recipe(
        "[[output]]\nkey = \"a/{key}\"\nformat = \"png\"\nwatermark = { image = \"logo.png\", margin = 1 }\n\
         [[output]]\nkey = \"b/{key}\"\nformat = \"png\"\nwatermark = { image = \"logo.png\", position = \"top left\", opacity = 0.5 }\n",
    );
    let logo = Asset::File("logo.png".to_owned());
    assert_eq!(recipe.missing_assets(), std::slice::from_ref(&logo));
    let before = recipe.digest();
    assert!(recipe.supply(logo.clone(), b"no picture".to_vec()).is_err());
    recipe.supply(logo, white).unwrap();
    assert!(recipe.missing_assets().is_empty());
    assert_ne!(recipe.digest(), before, "another logo makes other prints");
    let black = png_of(5, 4, png::ColorType::Grayscale, png::BitDepth::Eight, &[0; 20]);
    let made = prints(&black, &recipe, "x");
    let lit = |print: &Rendition, x: usize, y: usize| shown(print).2[y * 5 + x];
    assert_eq!(
        [lit(&made[0], 2, 1), lit(&made[0], 3, 2), lit(&made[0], 4, 3), lit(&made[0], 1, 1)],
        [255, 255, 0, 0]
    );
    assert!(lit(&made[1], 0, 0).abs_diff(128) <= 1 && lit(&made[1], 2, 0) == 0);
}

#[test]
fn rules_choose_by_key_and_by_content() {
    let recipe = recipe(
        "[[output]]\nkey = \"all/{key}\"\n\
         [[rule]]\nmatch = \"avatars/**\"\ntype = \"png\"\n\
         [[rule.output]]\nkey = \"small/{key}\"\nresize = { width = 2 }\n\
         [[rule.output]]\nkey = \"round/{key}\"\nrounded = 1\n",
    );
    let keys =
        |key: &str| -> Vec<String> { prints(&six(), &recipe, key).into_iter().map(|p| p.key).collect() };
    assert_eq!(keys("avatars/x.jpg"), ["small/avatars/x.jpg", "round/avatars/x.jpg"]);
    assert_eq!(keys("photos/x.jpg"), ["all/photos/x.jpg"]);
}

#[test]
fn a_manifest_lists_every_print_and_a_placeholder_stands_in() {
    let recipe = recipe(
        "[[output]]\nkey = \"{stem}.json\"\nformat = \"manifest\"\n\
         [[output]]\nkey = \"{stem}.placeholder.{ext}\"\nformat = \"placeholder\"\n\
         [[output]]\nkey = \"2/{key}\"\nresize = { width = 2 }\n\
         [[output]]\nkey = \"whole/{key}\"\n\
         [[output]]\nkey = \"square/{key}\"\nresize = { width = 2, height = 2, fit = \"cover\" }\n",
    );
    let made = prints(&six(), &recipe, "a.png");
    let keys: Vec<&str> = made.iter().map(|print| print.key.as_str()).collect();
    assert_eq!(keys, ["a.json", "a.placeholder.json", "2/a.png", "whole/a.png", "square/a.png"]);
    assert_eq!((made[0].format, made[0].format.content_type()), (Format::Json, "application/json"));
    let manifest: Value = serde_json::from_slice(&made[0].bytes).unwrap();
    assert_eq!(manifest["source"]["key"], "a.png");
    assert_eq!((&manifest["source"]["width"], &manifest["source"]["height"]), (&3.into(), &2.into()));
    let prints = manifest["prints"].as_array().unwrap();
    for (entry, print) in prints.iter().zip(&made[2..]) {
        assert_eq!(entry["key"], print.key.as_str());
        assert_eq!(entry["bytes"], print.bytes.len());
        assert_eq!((&entry["width"], &entry["height"]), (&print.width.into(), &print.height.into()));
    }
    assert_eq!(prints.len(), 3);
    assert_eq!(manifest["srcset"]["image/png"], "2/a.png 2w, whole/a.png 3w");
    let placeholder: Value = serde_json::from_slice(&made[1].bytes).unwrap();
    assert_eq!(placeholder["width"], 3);
    for field in ["thumbhash", "blurhash", "dominant", "average"] {
        assert_eq!(placeholder[field], manifest["placeholder"][field]);
        assert!(placeholder[field].as_str().is_some_and(|text| text.len() > 5), "{field}: {placeholder}");
    }
}

#[test]
fn the_smallest_format_of_the_asked_quality_is_taken() {
    let photo =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/jpeg/prints/input.jpg"))
            .unwrap();
    let recipe = recipe(
        "[[output]]\nkey = \"auto/{stem}.{ext}\"\nformat = \"auto\"\nformats = [\"jpeg\", \"webp\", \"png\"]\ntarget = 70\n\
         [[output]]\nkey = \"jpeg/{stem}.{ext}\"\nformat = \"jpeg\"\nquality = \"auto\"\ntarget = 70\n\
         [[output]]\nkey = \"webp/{stem}.{ext}\"\nformat = \"webp\"\nquality = \"auto\"\ntarget = 70\n",
    );
    let made = prints(&photo, &recipe, "a.jpg");
    let smaller = if made[1].bytes.len() < made[2].bytes.len() { &made[1] } else { &made[2] };
    assert_eq!((made[0].format, made[0].bytes == smaller.bytes), (smaller.format, true));
    assert_eq!(made[0].key, format!("auto/a.{}", smaller.format.extension()));
}

/// Coloured noise: halved chroma cannot hold it, and whole chroma of quality 90
/// scores far more than was asked for.
#[test]
fn a_target_between_halved_and_whole_chroma_is_met() {
    let mut state = 7_u32;
    let mut samples = Vec::new();
    for i in 0..256 * 192_u32 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let base = 60 + i % 256 / 4;
        samples.extend([16, 20, 24].map(|shift| (base + (state >> shift & 63)) as u8));
    }
    let picture = png_of(256, 192, png::ColorType::Rgb, png::BitDepth::Eight, &samples);
    let sizes = |fields: &str| {
        let fields = format!("[[output]]\nkey = \"p/{{key}}\"\nformat = \"jpeg\"\n{fields}\n");
        prints(&picture, &recipe(&fields), "x").remove(0).bytes.len()
    };
    let (halved, whole) = (sizes("quality = 89"), sizes("quality = 90"));
    let met = sizes("quality = \"auto\"\ntarget = 75");
    assert!(met < whole, "{halved} at 89, {met}, {whole} at 90");
    assert!(met > halved / 2, "{halved} at 89, {met}, {whole} at 90");
}

#[test]
fn kept_colours_keep_their_profile() {
    for (case, file) in [("p3_jpeg", "input.jpg"), ("p3_png", "input.png"), ("p3_webp", "input.webp")] {
        let path = format!("{}/../../tests/golden/colour/{case}/{file}", env!("CARGO_MANIFEST_DIR"));
        let picture = std::fs::read(path).unwrap();
        let kept = print(&picture, "colour = \"keep\"");
        let plain = print(&picture, "");
        let profile = |print: &Rendition| {
            let reader = png::Decoder::new(Cursor::new(&print.bytes)).read_info().unwrap();
            reader.info().icc_profile.is_some()
        };
        assert!(profile(&kept) && !profile(&plain), "{case}");
        // Read again, what was kept is converted to what was converted at once.
        let again = shown(&print(&kept.bytes, ""));
        let worst = again.2.iter().zip(&shown(&plain).2).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(2), "{case}: {worst:?}");
    }
}

#[test]
fn prints_over_their_limits_are_refused() {
    let recipe = recipe("[[output]]\nkey = \"p/{key}\"\n");
    let over = |limits: &Limits, stop: &(dyn Fn() -> bool + Sync)| match render_until(
        &six(),
        "a",
        &recipe,
        limits,
        &|_| (),
        stop,
    ) {
        Err(Error::OverLimit { which, .. }) => Some(which),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    };
    let limits = Limits::default();
    assert_eq!(over(&limits, &|| false), None);
    assert_eq!(over(&Limits { output_bytes: 20, ..limits }, &|| false), Some(Limit::OutputBytes));
    assert_eq!(over(&limits, &|| true), Some(Limit::Seconds));
}

#[test]
fn over_the_memory_a_jpeg_is_decoded_smaller_rather_than_refused() {
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/photos/dragonfly-12mp.jpg");
    let photo = std::fs::read(photo).unwrap();
    let recipe = recipe("[[output]]\nkey = \"p/{key}\"\nresize = { width = 900 }\nformat = \"jpeg\"\n");
    let with = |memory: u64| {
        let limits = Limits { memory, ..recipe.limits };
        render(&photo, "a", &recipe, &limits, &|_| ()).map(|summary| summary.predicted_memory)
    };
    let usual = with(1 << 30).unwrap();
    let less = with(usual - 1).unwrap();
    assert!(less < usual, "{less} of {usual}");
    assert!(matches!(with(1 << 20), Err(Error::OverLimit { which: Limit::Memory, .. })));
}

#[test]
fn an_ultra_hdr_jpeg_is_its_base_picture_and_the_gain_map_is_noted() {
    let base =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/jpeg/444/input.jpg")).unwrap();
    let xmp =
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description hdrgm:Version=\"1.0\"/></x:xmpmeta>";
    let mut hdr = base[..2].to_vec();
    hdr.extend([0xff, 0xe1]);
    hdr.extend((xmp.len() as u16 + 2).to_be_bytes());
    hdr.extend(xmp);
    hdr.extend(&base[2..]);
    // The map is a JPEG of its own behind the picture.
    hdr.extend(&base);
    let limits = Limits::default();
    assert!(minilab_imaging::inspect(&hdr, &limits).unwrap().gain_map);
    assert!(!minilab_imaging::inspect(&base, &limits).unwrap().gain_map);
    assert_eq!(shown(&print(&hdr, "")), shown(&print(&base, "")));
}

#[test]
fn every_format_shows_the_same_picture() {
    let photo =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/jpeg/prints/input.jpg"));
    let photo = photo.unwrap();
    let plain = shown(&print(&photo, "")).2;
    for (format, quality, mean) in [("jpeg", 95, 2.0), ("webp", 95, 3.0), ("avif", 90, 3.0), ("jxl", 90, 3.0)]
    {
        let fields = format!("[[output]]\nkey = \"p\"\nformat = \"{format}\"\nquality = {quality}\n");
        let made = prints(&photo, &recipe(&fields.replace("\"p\"", "\"p/{key}\"")), "x").remove(0);
        let again = shown(&print(&made.bytes, "")).2;
        let sum: u64 = plain.iter().zip(&again).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let found = sum as f64 / plain.len() as f64;
        assert!(found < mean, "{format}: {found:.2} on average");
    }
    for format in ["png", "webp", "jxl"] {
        let fields = format!("[[output]]\nkey = \"p/{{key}}\"\nformat = \"{format}\"\nlossless = true\n");
        let made = prints(&photo, &recipe(&fields), "x").remove(0);
        assert!(shown(&print(&made.bytes, "")).2 == plain, "{format} without loss");
    }
}

#[test]
fn animations_keep_the_frames_that_are_asked_for() {
    let gif =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gif/disposal_1/input.gif"));
    let gif = gif.unwrap();
    let frames = minilab_imaging::inspect(&gif, &Limits::default()).unwrap().frames;
    assert!(frames > 2);
    let with = |fields: &str| {
        let text = format!("[[output]]\nkey = \"p/{{key}}.{{ext}}\"\n{fields}\n");
        let made = prints(&gif, &recipe(&text), "x").remove(0);
        let found = minilab_imaging::inspect(&made.bytes, &Limits::default()).unwrap().frames;
        assert_eq!(made.frames, found, "{fields}");
        found
    };
    for format in ["gif", "webp", "png"] {
        assert_eq!(with(&format!("format = \"{format}\"")), frames, "{format}");
        assert_eq!(with(&format!("format = \"{format}\"\nframes = 2")), 2, "{format}");
        assert_eq!(with(&format!("format = \"{format}\"\nframes = 1")), 1, "{format}");
    }
    assert_eq!(with("format = \"jpeg\""), 1);
}
