use super::*;
use crate::encode::webp;
use crate::geometry::{CropBox, Size};
use crate::jpeg;
use crate::metadata::Attached;
use crate::scale::scaled;
use std::cell::Cell;

/// An encoder that says what it was asked for, and a decoder that adds as much
/// noise as a quality leaves out.
fn noisy(reference: &Picture) -> impl Fn(&[u8]) -> Result<Picture, Error> {
    let reference = reference.clone();
    move |bytes| {
        let noise = u32::from(100 - bytes[0].min(100)) / 2;
        let pixels = reference.pixels.iter().zip(0_u32..).map(|(&sample, at)| {
            let shift = at.wrapping_mul(2_654_435_761) >> 16 & 1;
            if shift == 0 { sample.saturating_add(noise as u8) } else { sample.saturating_sub(noise as u8) }
        });
        Ok(Picture::new(reference.size, reference.layout, pixels.collect()))
    }
}

fn scene(width: u32, height: u32, layout: Layout) -> Picture {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| {
        let pixel = [x * 255 / width, y * 255 / height, (x * y / 40) % 200, 255 - x * 100 / width];
        pixel.map(|v| v as u8).into_iter().take(layout.channels())
    });
    Picture::new(Size::new(width, height), layout, pixels.collect())
}

#[test]
fn the_target_is_met_in_few_encodes_and_the_same_way_every_time() {
    for layout in [Layout::Grey, Layout::Rgb, Layout::Rgba] {
        let reference = scene(160, 120, layout);
        for target in [30.0, 60.0, 80.0] {
            let count = Cell::new(0);
            let run = || {
                count.set(0);
                let encode = |quality| {
                    count.set(count.get() + 1);
                    Ok(vec![quality])
                };
                search(&reference, target, 1..=100, encode, noisy(&reference)).unwrap()
            };
            let found = run();
            assert!(found.reached && count.get() <= ENCODES, "{layout:?} {target}: {found:?}");
            assert_eq!(found.bytes, [found.quality]);
            // One quality less would miss: steps of this encoder are coarse.
            let judge = Judge::new(&reference).unwrap();
            let less = judge.score(&noisy(&reference)(&[found.quality - 2]).unwrap()).unwrap();
            assert!(
                found.score <= target + SLACK || less < target - SLACK,
                "{layout:?} {target}: {found:?} {less}"
            );
            assert_eq!(run(), found);
        }
    }
}

#[test]
fn a_target_out_of_reach_gives_the_best() {
    let reference = scene(100, 80, Layout::Rgb);
    let found = search(&reference, 95.0, 1..=60, |q| Ok(vec![q]), noisy(&reference)).unwrap();
    assert_eq!((found.reached, found.quality), (false, 60));
    // And one that every quality is over, the smallest.
    let found = search(&reference, -400.0, 20..=60, |q| Ok(vec![q]), noisy(&reference)).unwrap();
    assert_eq!((found.reached, found.quality), (true, 20));
}

/// A wall of bricks as WebP scores 81 at quality 65 and 75 at 35.
#[test]
fn a_score_that_hardly_falls_is_followed_down_in_time() {
    let score = |quality: u8| 68.0 + 0.2 * f64::from(quality);
    let mut bracket = Bracket::new(1..=100, 75.0);
    let tried = (0..ENCODES).map_while(|_| {
        let quality = bracket.next()?;
        bracket.learn(quality, score(quality));
        Some(quality)
    });
    let found = tried.map(score).find(|score| (score - 75.0).abs() <= CLOSE);
    assert!(found.is_some());
}

#[test]
fn every_size_can_be_scored_and_a_wrong_one_is_refused() {
    for (width, height) in [(1, 1), (7, 3), (1, 300)] {
        let small =
            Picture::new(Size::new(width, height), Layout::Rgb, vec![9; (width * height * 3) as usize]);
        let judge = Judge::new(&small).unwrap();
        assert!((judge.score(&small).unwrap() - 100.0).abs() < 1e-6);
        assert!(judge.score(&scene(9, 9, Layout::Rgb)).is_err());
    }
}

#[test]
fn a_large_picture_is_scored_in_its_middle() {
    for (width, height) in [(4000, 3000), (60_000, 100), (1, 3_000_000), (1920, 1080), (1, 1)] {
        let Rectangle { x, y, size } = middle(Size::new(width, height));
        assert!(x + size.width <= width && y + size.height <= height, "{width}x{height}");
        assert!(size.pixels() <= SCORED && size.width >= 1 && size.height >= 1, "{width}x{height}");
        if Size::new(width, height).pixels() <= SCORED {
            assert_eq!(size, Size::new(width, height));
        }
    }
    assert_eq!(middle(Size::new(4000, 3000)), Rectangle { x: 1409, y: 1057, size: Size::new(1182, 886) });
}

/// JPEG and WebP of one picture as prints are written, and read back.
struct Codec {
    name: &'static str,
    encode: fn(&Picture, u8) -> Result<Vec<u8>, Error>,
    decode: fn(&[u8]) -> Result<Picture, Error>,
}

const CODECS: [Codec; 2] = [
    Codec {
        name: "JPEG",
        encode: |picture, quality| {
            let Size { width, height } = picture.size;
            let subsampling = jpeg::subsampling_for(quality);
            jpeg::encode_rgb(
                &picture.pixels,
                3,
                width,
                height,
                quality,
                subsampling,
                jpeg::AppSegments::default(),
            )
        },
        decode: read,
    },
    Codec {
        name: "WebP",
        encode: |picture, quality| {
            let settings = webp::Settings { quality, lossless: false, method: 4, shared: false };
            webp::encode(picture, settings, &Attached::default())
        },
        decode: |bytes| {
            let (pixels, width, height) = webpx::decode_rgb(bytes).unwrap();
            Ok(Picture::new(Size::new(width, height), Layout::Rgb, pixels))
        },
    },
];

#[expect(clippy::unnecessary_wraps, reason = "the decoder that a search wants")]
fn read(bytes: &[u8]) -> Result<Picture, Error> {
    let picture = turbojpeg::decompress(bytes, turbojpeg::PixelFormat::RGB).unwrap();
    let size = Size::new(picture.width as u32, picture.height as u32);
    Ok(Picture::new(size, Layout::Rgb, picture.pixels))
}

/// The table of the issue: `cargo test --release -p minilab-imaging --lib
/// quality::tests::demonstration -- --ignored --nocapture`.
///
/// Twenty pictures of 960 × 720 pixels, four from each of five photographs; what
/// a fixed quality of 80 takes is set against the search for the scores that it
/// has on average, so that both look alike over all.
#[test]
#[ignore = "takes minutes"]
#[expect(clippy::disallowed_methods, reason = "reads photographs for the library, which reads nothing")]
fn demonstration() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos");
    let mut pictures = Vec::new();
    for name in [
        "dragonfly-12mp.jpg",
        "dandelions.jpg",
        "Picos de Europa + snow.jpg",
        "Otoño en Aitzgorri.jpg",
        "dogs at the window.jpg",
    ] {
        let photo = read(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let (w, h) = (f64::from(photo.size.width), f64::from(photo.size.height));
        // The whole, and three parts of it ever closer.
        for (part, x, y) in [(1.0, 0.5, 0.5), (0.7, 0.1, 0.2), (0.5, 0.9, 0.6), (0.4, 0.5, 0.9)] {
            let height = (h * part).min(w * part * 0.75);
            let crop = CropBox {
                left: (w - height / 0.75) * x,
                top: (h - height) * y,
                width: height / 0.75,
                height,
            };
            pictures.push((name, scaled(&photo, crop, Size::new(960, 720))));
        }
    }
    for codec in &CODECS {
        let fixed: Vec<(usize, f64)> = pictures
            .iter()
            .map(|(_, picture)| {
                let bytes = (codec.encode)(picture, 80).unwrap();
                (bytes.len(), Judge::new(picture).unwrap().score(&(codec.decode)(&bytes).unwrap()).unwrap())
            })
            .collect();
        let (total, lowest) =
            fixed.iter().fold((0, f64::INFINITY), |(total, least), &(b, s)| (total + b, least.min(s)));
        let mean = fixed.iter().map(|(_, score)| score).sum::<f64>() / fixed.len() as f64;
        println!(
            "{}: fixed 80: {total} bytes, scores {lowest:.1} at the least, {mean:.1} on average",
            codec.name
        );
        for target in [60.0, 70.0, 80.0, 90.0, mean, lowest] {
            let (mut bytes, mut hits, mut encodes, mut sum, mut worst) = (0, 0, 0, 0.0, 0.0_f64);
            let mut qualities = Vec::new();
            for (name, picture) in &pictures {
                let encode = |quality| {
                    encodes += 1;
                    (codec.encode)(picture, quality)
                };
                let found = search(picture, target, 1..=100, encode, codec.decode).unwrap();
                bytes += found.bytes.len();
                hits += usize::from((found.score - target).abs() <= 2.0);
                sum += found.score;
                if (found.score - target).abs() > worst.abs() {
                    worst = found.score - target;
                }
                qualities.push(found.quality);
                if (found.score - target).abs() > 2.0 {
                    println!("    {name}: {:.2} at {}", found.score, found.quality);
                }
            }
            let count = pictures.len();
            println!(
                "  target {target:.1}: {hits}/{count} within 2, worst {worst:+.2}, mean {:.1}, {:.1} encodes, \
                 quality {}–{}, {bytes} bytes ({:+.1} % of fixed 80)",
                sum / count as f64,
                f64::from(encodes) / count as f64,
                qualities.iter().min().unwrap(),
                qualities.iter().max().unwrap(),
                100.0 * (bytes as f64 / total as f64 - 1.0),
            );
        }
    }
}
