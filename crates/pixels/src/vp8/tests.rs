//! The encoder against libwebp: its decoder must see what the encoder saw, and its
//! encoder's files are not better.

use super::blocks::Blocks;
use super::kernels::{Kernels, Portable, Trial, Weighing};
use super::probabilities::DEFAULTS;
use super::quantizer::{Character, ChromaShift, Segment};
use super::rate::{Plane, Rates};
use super::*;
use proptest::prelude::*;

/// A file of `frame` and nothing else.
fn file(frame: &[u8]) -> Vec<u8> {
    let size = frame.len().next_multiple_of(2);
    let mut file = [b"RIFF", &(size as u32 + 12).to_le_bytes()[..], b"WEBPVP8 "].concat();
    file.extend_from_slice(&(frame.len() as u32).to_le_bytes());
    file.extend_from_slice(frame);
    file.resize(20 + size, 0);
    file
}

/// A picture with edges, texture, flat parts and colour.
fn picture(width: u32, height: u32, seed: u32) -> WebpPlanes {
    let sample = |x: u32, y: u32, plane: u32| {
        let noise = (x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663) ^ seed.wrapping_mul(83_492_791))
            .wrapping_mul(2_654_435_761)
            >> 26;
        let disc = (x.abs_diff(width / 3)).pow(2) + (y.abs_diff(height / 2)).pow(2) < (width / 4).pow(2);
        let slope = 60 + 100 * x / width.max(1) + 40 * plane;
        let value = if disc { 200 - 50 * plane } else { slope };
        (if y > height / 2 { value + noise } else { value }).min(235) as u8
    };
    let plane = |width: u32, height: u32, plane: u32| -> Vec<u8> {
        (0..height).flat_map(|y| (0..width).map(move |x| sample(x, y, plane))).collect()
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    WebpPlanes {
        y: plane(width, height, 0),
        u: plane(half_width, half_height, 1),
        v: plane(half_width, half_height, 2),
        width,
        height,
    }
}

/// The mean squared error of luma in what libwebp decodes.
fn luma_error(planes: &WebpPlanes, file: &[u8]) -> f64 {
    let decoded = webpx::decode_yuv(file).unwrap();
    let width = planes.width as usize;
    let rows = planes.y.chunks(width).zip(decoded.y.chunks(decoded.y_stride));
    let squares: f64 = rows
        .flat_map(|(source, row)| source.iter().zip(row))
        .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
        .sum();
    squares / planes.y.len() as f64
}

fn libwebp(planes: &WebpPlanes, quality: u8) -> Vec<u8> {
    let half = planes.width.div_ceil(2) as usize;
    let borrowed = webpx::YuvPlanesRef {
        y: &planes.y,
        y_stride: planes.width as usize,
        u: &planes.u,
        u_stride: half,
        v: &planes.v,
        v_stride: half,
        a: None,
        a_stride: 0,
        width: planes.width,
        height: planes.height,
    };
    let config = webpx::EncoderConfig::new().quality(quality.into()).method(4);
    webpx::Encoder::new_yuv(borrowed).config(config).encode(webpx::Unstoppable).unwrap()
}

#[test]
fn files_are_of_libwebps_size_and_error_at_every_quality() {
    for (width, height, seed) in [(640, 480, 1), (333, 517, 2)] {
        let planes = picture(width, height, seed);
        for quality in [0, 25, 50, 75, 80, 90, 95, 100] {
            let ours = file(&encode(&planes, quality).unwrap());
            let theirs = libwebp(&planes, quality);
            let (size, their_size) = (ours.len() as f64, theirs.len() as f64);
            assert!(size < 1.02 * their_size + 64.0, "{quality}: {size} bytes, libwebp {their_size}");
            let (error, their_error) = (luma_error(&planes, &ours), luma_error(&planes, &theirs));
            assert!(error < 1.03 * their_error + 0.1, "{quality}: error {error}, libwebp {their_error}");
        }
    }
}

/// A decoder whose predictions differ from the encoder's drifts: the lower right
/// corner of a picture of large quality would be far off.
#[test]
fn nothing_drifts_whatever_the_size() {
    for width in (1..40).chain([63, 64, 65, 160]) {
        for height in [1, 2, 15, 16, 17, 31, 33, 48] {
            let planes = picture(width, height, width * 64 + height);
            let ours = file(&encode(&planes, 100).unwrap());
            let decoded = webpx::decode_yuv(&ours).unwrap();
            assert_eq!((decoded.width, decoded.height), (width, height));
            assert!(luma_error(&planes, &ours) < 6.0, "{width} x {height}: {}", luma_error(&planes, &ours));
        }
    }
}

#[test]
fn noise_of_extreme_values_is_coded() {
    let extreme = |at: usize| 255 * ((at.wrapping_mul(2_654_435_761) >> 13) % 2) as u8;
    let planes = WebpPlanes {
        y: (0..96 * 80).map(extreme).collect(),
        u: (0..48 * 40).map(extreme).collect(),
        v: (7..48 * 40 + 7).map(extreme).collect(),
        width: 96,
        height: 80,
    };
    for (quality, most) in [(0, 9000.0), (80, 300.0), (100, 6.0)] {
        let ours = file(&encode(&planes, quality).unwrap());
        let theirs = luma_error(&planes, &libwebp(&planes, quality));
        let error = luma_error(&planes, &ours);
        assert!(error < most && error < 1.1 * theirs + 1.0, "{quality}: {error}, libwebp {theirs}");
    }
}

#[test]
fn a_frame_that_cannot_hold_its_modes_is_not_made() {
    let segments = Segments::of(Portable, &Source::new(&picture(64, 64, 9)), 80);
    // The dearest modes, on and on.
    let split = choose::Luma::Split([7, 4, 9, 6, 8, 5, 7, 4, 9, 6, 8, 5, 7, 4, 9, 6]);
    let modes = vec![Modes { segment: 0, luma: split, chroma: 1 }; 150_000];
    assert!(frame::first_partition(4, &segments, &modes[..16], &DEFAULTS).is_some());
    assert!(frame::first_partition(4, &segments, &modes, &DEFAULTS).is_none());
}

#[test]
fn both_ways_write_the_same_file() {
    let planes = picture(150, 90, 3);
    for quality in [5, 80, 99] {
        assert!(encode(&planes, quality) == encode_with(Portable, &planes, quality), "{quality}");
    }
}

fn blocks(range: std::ops::RangeInclusive<i16>) -> impl Strategy<Value = Blocks> {
    prop::array::uniform16(prop::array::uniform16(range))
}

#[cfg(target_arch = "x86_64")]
proptest! {
    #[test]
    fn every_processor_does_the_same(
        source in blocks(0..=255),
        predicted in blocks(0..=255),
        edge in prop::array::uniform16(any::<u8>()),
        neighbours in prop::array::uniform16(0_u8..3),
        quality in 0_u8..=100,
    ) {
        let Some(avx2) = kernels::Avx2::summon() else { return Ok(()) };
        let segment = Segment::new(quality, Character::default(), ChromaShift::of(64));
        let (mut a, mut b) = (Trial::new(), Trial::new());
        let (mut first, mut second) = ([[0; 16]; 16], [[0; 16]; 16]);
        Portable.forward(&source, &predicted, &mut first);
        avx2.forward(&source, &predicted, &mut second);
        prop_assert_eq!(first, second);
        for together in [false, true] {
            prop_assert_eq!(Portable.magnitudes(&first, together), avx2.magnitudes(&first, together));
        }
        let weights = Portable.weigh(&source);
        prop_assert_eq!(weights, avx2.weigh(&source));
        Portable.quantize(&mut first, &segment.luma, &mut a);
        avx2.quantize(&mut second, &segment.luma, &mut b);
        prop_assert_eq!(first, second);
        Portable.reconstruct(&source, &predicted, &first, Some(&weights), &mut a);
        avx2.reconstruct(&source, &predicted, &first, Some(&weights), &mut b);
        prop_assert_eq!(&a, &b);
        let rates = Rates::new(&DEFAULTS);
        for plane in [Plane::LumaRest, Plane::Second, Plane::Chroma, Plane::Luma] {
            Portable.count(rates.of(plane), &neighbours, &mut a);
            avx2.count(rates.of(plane), &neighbours, &mut b);
            prop_assert_eq!(a.bits, b.bits);
        }
        let modes = std::array::from_fn(|mode| 300 * mode as u16);
        let weighing = Weighing {
            matrix: &segment.luma,
            prices: &segment.prices,
            modes: &modes,
            rates: rates.of(Plane::Luma),
            neighbours: neighbours[0],
            texture: weights[0],
        };
        Portable.subblock(&source[0], &edge, weighing, &mut a);
        avx2.subblock(&source[0], &edge, weighing, &mut b);
        prop_assert_eq!(&a, &b);
    }
}
