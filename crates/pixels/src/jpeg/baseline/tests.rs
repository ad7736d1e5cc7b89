//! The samples are libjpeg's, and what is not sound is left to it.

use super::*;
use crate::geometry::Subsampling;
use crate::jpeg::tests::{jpeg, noisy, progressive};
use crate::jpeg::{Header, decode_by_libjpeg, header};
use crate::planes::Planes;
use crate::planes::tests::ALL;
use proptest::prelude::*;

fn decoded(bytes: &[u8], header: &Header<'_>, scale: Scale, threads: usize) -> Option<Planes> {
    let scan = Scan::read(bytes, header)?;
    let shape = scan.shape(scale);
    let mut planes = Planes::uninitialised(shape.width, shape.height, shape.subsampling, Vec::new());
    let mut window = scan.window(scale, [0; 3]);
    let mut settle = |window: &mut Window| {
        window.settle(&mut planes);
        Ok(())
    };
    scan.decode(scale, threads, &mut window, &mut settle).unwrap().then_some(planes)
}

#[test]
fn every_sampling_scale_and_size_is_what_libjpeg_makes_of_it() {
    for subsampling in ALL {
        for (width, height) in [(1, 1), (7, 9), (33, 17), (64, 64), (99, 130), (257, 31)] {
            for quality in [35, 85, 100] {
                let bytes = noisy(width, height, quality, subsampling);
                let header = header(&bytes).unwrap();
                for (scale, threads) in Scale::ALL.into_iter().flat_map(|scale| [(scale, 1), (scale, 2)]) {
                    let ours = decoded(&bytes, &header, scale, threads).unwrap();
                    let theirs = decode_by_libjpeg(&bytes, &header, scale, Vec::new()).unwrap();
                    for index in 0..subsampling.planes() {
                        let (ours, theirs) = (ours.plane(index), theirs.plane(index));
                        for row in 0..ours.height {
                            assert_eq!(
                                ours.row(row),
                                theirs.row(row),
                                "{subsampling:?} {width} × {height} {scale:?} plane {index} row {row}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// 150 × 90 pixels, noise, 4:2:0, a restart marker after each three MCUs; by
/// Pillow, `quality=80, restart_marker_blocks=3`.
const RESTARTS: &[u8] = include_bytes!("restarts.jpg");

#[test]
fn restart_markers_are_followed_and_missed() {
    let header = header(RESTARTS).unwrap();
    let theirs = decode_by_libjpeg(RESTARTS, &header, Scale::Full, Vec::new()).unwrap();
    assert_eq!(decoded(RESTARTS, &header, Scale::Full, 2), Some(theirs));
    // The first marker with the number of another.
    let mut wrong = RESTARTS.to_vec();
    let at = memchr::memmem::find(RESTARTS, &[0xff, 0xd0]).unwrap();
    wrong[at + 1] = 0xd3;
    assert_eq!(decoded(&wrong, &header, Scale::Full, 2), None);
}

#[test]
fn what_is_not_plain_and_sound_is_left_to_libjpeg() {
    let whole = jpeg(120, 90, Subsampling::S420);
    let header_of = |bytes: &[u8]| header(bytes).map(|header| Scan::read(bytes, &header).is_some());
    assert_eq!(header_of(&whole), Ok(true));
    assert_eq!(header_of(&progressive(120, 90)), Ok(false));
    let scanned = memchr::memmem::find(&whole, &[0xff, 0xda]).unwrap() + 14;
    for end in (scanned..whole.len()).step_by(37) {
        let header = header(&whole[..end]).unwrap();
        for threads in [1, 2] {
            assert_eq!(decoded(&whole[..end], &header, Scale::Full, threads), None, "{end}");
        }
    }
    let mut longer = whole[..whole.len() - 2].to_vec();
    longer.extend([0x12, 0x34, 0x56, 0xff, 0xd9]);
    assert_eq!(decoded(&longer, &header(&longer).unwrap(), Scale::Full, 2), None);
}

/// `bytes` with a segment after the start of the image.
fn with_segment(bytes: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&bytes[..2], &[0xff, marker], &length, payload, &bytes[2..]].concat()
}

#[test]
fn headers_that_libjpeg_refuses_are_left_to_it() {
    let whole = jpeg(40, 30, Subsampling::S420);
    let read = |bytes: &[u8]| header(bytes).is_ok_and(|header| Scan::read(bytes, &header).is_some());
    assert!(read(&with_segment(&whole, 0xfe, b"a comment")));
    assert!(!read(&with_segment(&whole, 0xf3, b"no meaning")));
    // A frame header with a byte to spare, and a second one.
    let at = memchr::memmem::find(&whole, &[0xff, 0xc0]).unwrap();
    let mut longer = whole.clone();
    longer[at + 3] += 1;
    longer.insert(at + 19, 0);
    assert!(!read(&longer));
    let frame = whole[at + 4..at + 19].to_vec();
    assert!(!read(&with_segment(&whole, 0xc0, &frame)));
}

/// Thousands of tables that no scan names would be minutes of work.
#[test]
fn tables_that_are_not_used_are_not_made() {
    let whole = jpeg(40, 30, Subsampling::S420);
    let mut table = vec![0x13];
    table.extend([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    table.extend(1..=9);
    let bytes = with_segment(&whole, 0xc4, &table.repeat(1000));
    let scan = Scan::read(&bytes, &header(&bytes).unwrap()).unwrap();
    assert_eq!(scan.ac.iter().flatten().count(), 2);
}

/// 16 × 8 pixels of grey whose AC codes are a run of two zeros before nothing, 1 and
/// the end of the block.
#[test]
fn a_run_of_zeros_before_nothing_ends_a_block() {
    let segment = |marker: u8, payload: &[u8]| {
        [&[0xff, marker], &(payload.len() as u16 + 2).to_be_bytes()[..], payload].concat()
    };
    let counts = |counts: &[u8]| {
        let mut all = [0; 16];
        all[..counts.len()].copy_from_slice(counts);
        all
    };
    let dc = [&[0x00][..], &counts(&[1, 1]), &[0, 5]].concat();
    let ac = [&[0x10][..], &counts(&[1, 1, 1]), &[0x20, 0x01, 0x00]].concat();
    let bytes = [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0][..], &[8; 64]].concat()),
        segment(0xc0, &[8, 0, 8, 0, 16, 1, 1, 0x11, 0]),
        segment(0xc4, &dc),
        segment(0xc4, &ac),
        segment(0xda, &[1, 1, 0x00, 0, 63, 0]),
        // DC 5 bits of 16, a run; DC nothing, 1, -1, the end; ones.
        vec![0b1010_0000, 0b0101_1001, 0b1011_1111, 0xff, 0xd9],
    ]
    .concat();
    let header = header(&bytes).unwrap();
    let ours = decoded(&bytes, &header, Scale::Full, 1);
    assert_eq!(ours, decode_by_libjpeg(&bytes, &header, Scale::Full, Vec::new()).ok());
    assert!(ours.is_some());
}

#[test]
fn an_error_of_who_gets_the_rows_ends_it() {
    let bytes = noisy(64, 640, 80, Subsampling::S444);
    let header = header(&bytes).unwrap();
    let scan = Scan::read(&bytes, &header).unwrap();
    for threads in [1, 2] {
        let mut calls = 0;
        let mut window = scan.window(Scale::Full, [0; 3]);
        let result = scan.decode(Scale::Full, threads, &mut window, &mut |_| {
            calls += 1;
            if calls == 3 { Err(crate::jpeg::malformed("enough")) } else { Ok(()) }
        });
        assert!(result.is_err() && calls == 3);
    }
}

proptest! {
    #[test]
    fn nothing_is_sound_that_libjpeg_refuses(
        damage in proptest::collection::vec(any::<(u16, u8)>(), 1..4),
        restarted in any::<bool>(),
    ) {
        let mut bytes = if restarted { RESTARTS.to_vec() } else { noisy(70, 50, 60, Subsampling::S420) };
        for (at, value) in damage {
            let length = bytes.len();
            bytes[usize::from(at) % length] = value;
        }
        // A damaged size may ask for a large picture: that is the caller's to check.
        if let Ok(header) = header(&bytes)
            && u64::from(header.width) * u64::from(header.height) < 1_000_000
            && let Some(ours) = decoded(&bytes, &header, Scale::Full, 1)
        {
            let theirs = decode_by_libjpeg(&bytes, &header, Scale::Full, Vec::new());
            // A warning of the header, which says nothing of the pixels.
            let revision = |error: &Error| error.to_string().contains("JFIF revision");
            if theirs.as_ref().is_err_and(revision) {
                return Ok(());
            }
            // Not the samples: values that no encoder writes overflow in different ways.
            prop_assert_eq!(theirs.map(|planes| planes.shape()), Ok(ours.shape()));
        }
    }
}
