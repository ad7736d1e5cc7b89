//! What libjpeg-turbo writes is read back, and damage is refused.

use super::*;
use crate::geometry::{Scale, Subsampling};
use crate::planes::Planes;
use proptest::prelude::*;

/// A JPEG of noise: coefficients of every size.
pub(crate) fn noisy(width: u32, height: u32, quality: u8, subsampling: Subsampling) -> Vec<u8> {
    let channels = if subsampling == Subsampling::Gray { 1 } else { 3 };
    let pixels = crate::resample::tests::noise((width * height) as usize * channels);
    encode_rgb(&pixels, channels, width, height, quality, subsampling, AppSegments::default()).unwrap()
}

fn picture(width: u32, height: u32) -> Vec<u8> {
    (0..width * height * 3).map(|i| ((i * 7) % 251) as u8 / 2 + (i / 97 % 100) as u8).collect()
}

pub(crate) fn jpeg(width: u32, height: u32, subsampling: Subsampling) -> Vec<u8> {
    let channels = if subsampling == Subsampling::Gray { 1 } else { 3 };
    let pixels = &picture(width, height)[..(width * height) as usize * channels];
    encode_rgb(pixels, channels, width, height, 85, subsampling, AppSegments::default()).unwrap()
}

pub(crate) fn progressive(width: u32, height: u32) -> Vec<u8> {
    let mut compressor = turbojpeg::Compressor::new().unwrap();
    compressor.set_progressive(true).unwrap();
    let image = turbojpeg::Image {
        pixels: picture(width, height),
        width: width as usize,
        pitch: width as usize * 3,
        height: height as usize,
        format: turbojpeg::PixelFormat::RGB,
    };
    compressor.compress_to_vec(image.as_deref()).unwrap()
}

#[test]
fn every_sampling_and_scale_decodes_to_planes() {
    use Subsampling::{Gray, S411, S420, S422, S440, S441, S444};
    for subsampling in [Gray, S444, S422, S420, S440, S411, S441] {
        for (width, height) in [(1, 1), (33, 17), (64, 64), (99, 130)] {
            let bytes = jpeg(width, height, subsampling);
            let header = header(&bytes).unwrap();
            assert_eq!((header.width, header.height, header.subsampling), (width, height, Some(subsampling)));
            assert!(header.is_planar() && !header.progressive);
            for scale in Scale::ALL {
                let planes = decode_planes(&bytes, &header, scale, 2, Vec::new()).unwrap();
                assert_eq!((planes.width(), planes.height()), (scale.of(width), scale.of(height)));
                let rgb = decode_rgb(&bytes, &header, scale).unwrap();
                assert_eq!(rgb.len(), (scale.of(width) * scale.of(height) * 3) as usize);
            }
        }
    }
}

#[test]
fn planes_encode_and_decode_to_nearly_themselves() {
    for (width, height) in [(40, 30), (41, 31), (1, 1)] {
        let planes =
            Planes::from_rgb(&vec![90; (width * height * 3) as usize], width, height, Subsampling::S420);
        let bytes = encode_planes(&planes, 95, AppSegments::default()).unwrap();
        let back = decode_planes(&bytes, &header(&bytes).unwrap(), Scale::Full, 1, Vec::new()).unwrap();
        assert!((0..height).all(|y| back.plane(0).row(y).iter().all(|s| s.abs_diff(90) <= 1)));
    }
}

#[test]
fn metadata_survives_and_long_profiles_are_joined() {
    let icc: Vec<u8> = (0..150_000u32).map(|i| (i % 253) as u8).collect();
    let segments = AppSegments { exif: Some(b"II*\0exif"), icc: Some(&icc), xmp: Some(b"<x/>") };
    let bytes = encode_rgb(&[1, 2, 3], 3, 1, 1, 80, Subsampling::S444, segments).unwrap();
    let found = header(&bytes).unwrap();
    assert_eq!(found.exif, Some(&b"II*\0exif"[..]));
    assert_eq!(found.xmp, Some(&b"<x/>"[..]));
    assert_eq!(found.icc.as_deref(), Some(&icc[..]));
    assert!(!AppSegments { exif: Some(&icc), ..AppSegments::default() }.fits());
}

#[test]
fn a_profile_in_more_parts_than_a_byte_counts_is_none() {
    let icc = vec![7; 100];
    let segments = AppSegments { icc: Some(&icc), ..AppSegments::default() };
    let bytes = encode_rgb(&[1, 2, 3], 3, 1, 1, 80, Subsampling::S444, segments).unwrap();
    let at = memchr::memmem::find(&bytes, b"ICC_PROFILE").unwrap() - 4;
    let segment = &bytes[at..at + 4 + 12 + 2 + icc.len()];
    let with = |parts: usize| [&bytes[..at], &segment.repeat(parts), &bytes[at + segment.len()..]].concat();
    assert!(header(&with(1)).unwrap().icc.is_some());
    for parts in [255, 256, 257, 600] {
        assert!(header(&with(parts)).unwrap().icc.is_none(), "{parts}");
    }
}

#[test]
fn a_truncated_picture_is_malformed_wherever_it_ends() {
    for whole in [jpeg(120, 90, Subsampling::S420), progressive(120, 90)] {
        for end in [0, 1, 2, 3, 20, whole.len() / 2, whole.len() - 3, whole.len() - 2] {
            let bytes = &whole[..end];
            let result = header(bytes).and_then(|h| decode_planes(bytes, &h, Scale::Full, 1, Vec::new()));
            assert!(matches!(result, Err(Error::Malformed { .. })), "{end} of {}: {result:?}", whole.len());
        }
    }
}

#[test]
fn bytes_after_the_end_are_no_damage() {
    let mut bytes = jpeg(50, 40, Subsampling::S420);
    bytes.extend_from_slice(b"a thumbnail of the maker's");
    let header = header(&bytes).unwrap();
    assert!(decode_planes(&bytes, &header, Scale::Full, 1, Vec::new()).is_ok());
}

#[test]
fn a_progressive_bomb_is_refused_by_its_header() {
    let whole = progressive(64, 64);
    assert!(header(&whole).unwrap().progressive);
    let scan = memchr::memmem::rfind(&whole, &[0xff, 0xda]).unwrap();
    let (body, last) = whole.split_at(scan);
    let mut bomb = body.to_vec();
    for _ in 0..200 {
        bomb.extend_from_slice(&last[..last.len() - 2]);
    }
    bomb.extend([0xff, 0xd9]);
    let error = header(&bomb).unwrap_err();
    assert!(error.to_string().contains("more than 100 progressive scans"), "{error}");
}

#[test]
fn a_progressive_picture_is_predicted_to_hold_its_coefficients() {
    let (baseline, progressive) = (jpeg(640, 480, Subsampling::S444), progressive(640, 480));
    let memory = |bytes: &[u8]| header(bytes).unwrap().planes_memory(Scale::Full);
    assert_eq!(memory(&progressive) - memory(&baseline), 640 * 480 * 3 * 2);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut noise in proptest::collection::vec(any::<(u16, u8)>(), 1..8)) {
        noise.sort_unstable();
        let mut bytes = jpeg(70, 50, Subsampling::S420);
        for (at, value) in noise {
            let length = bytes.len();
            bytes[usize::from(at) % length] = value;
        }
        // A damaged size field may ask for a large picture: that is the
        // caller's limit to check.
        if let Ok(header) = header(&bytes)
            && u64::from(header.width) * u64::from(header.height) < 4_000_000
        {
            let planes = decode_planes(&bytes, &header, Scale::Full, 1, Vec::new());
            let sizes = planes.map(|p| (p.width(), p.height()));
            prop_assert!(sizes.is_err() || sizes == Ok((header.width, header.height)));
        }
    }

    #[test]
    fn headers_of_arbitrary_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut whole = vec![0xff, 0xd8];
        whole.extend(bytes);
        prop_assert!(header(&whole).map_or(true, |h| h.width > 0 && h.height > 0));
    }
}

/// libjpeg takes no notice of a JFIF segment that is cut short.
#[test]
fn a_cut_jfif_segment_says_nothing_of_colour() {
    let whole = jpeg(16, 16, Subsampling::S444);
    assert_eq!(whole[2..4], [0xff, 0xe0]);
    let rest = &whole[2 + 2 + 16..];
    let adobe = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0";
    let color = |jfif: &[u8]| {
        let length = (jfif.len() as u16 + 2).to_be_bytes();
        let bytes = [&[0xff, 0xd8, 0xff, 0xe0], &length[..], jfif, adobe, rest].concat();
        header(&bytes).unwrap().color
    };
    assert_eq!(color(b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"), Color::YCbCr);
    assert_ne!(color(b"JFIF\0"), Color::YCbCr);
}

#[test]
fn the_layout_is_turbojpegs() {
    for subsampling in crate::planes::tests::ALL {
        for (width, height) in [(1, 1), (2, 3), (5, 4), (17, 33), (64, 48)] {
            let planes = Planes::uninitialised(width, height, subsampling, Vec::new());
            let turbo = turbo(subsampling);
            let expected = turbojpeg::yuv_pixels_len(width as usize, 1, height as usize, turbo).unwrap();
            assert_eq!(planes.samples().len(), expected, "{subsampling:?} {width}×{height}");
        }
    }
}
