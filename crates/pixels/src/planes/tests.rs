//! Geometry of planes: where chroma lies, turning, and many prints of one
//! picture.

use super::prints::hand_out;
use super::*;
use crate::Error;
use crate::geometry::{CropBox, Orientation, Scale, Size};
use std::sync::{Barrier, Mutex};

fn decoded(full: (u32, u32), orientation: Orientation) -> Decoded {
    Decoded { full: Size::new(full.0, full.1), scale: Scale::Full, orientation }
}

/// A smooth picture: error of geometry shows as error of value.
fn gradient(width: u32, height: u32) -> Vec<u8> {
    let side = |at: u32, length: u32| (at * 200 / length.max(2)) as u8;
    (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [side(x, width) + 20, side(y, height) + 20, 120]))
        .collect()
}

fn worst(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

pub(crate) const ALL: [Subsampling; 7] = [
    Subsampling::Gray,
    Subsampling::S444,
    Subsampling::S422,
    Subsampling::S420,
    Subsampling::S440,
    Subsampling::S411,
    Subsampling::S441,
];

#[test]
fn rgb_survives_planes_of_every_sampling() {
    for subsampling in &ALL[1..] {
        for (width, height) in [(64, 48), (63, 47)] {
            let rgb = gradient(width, height);
            let back = Planes::from_rgb(&rgb, width, height, *subsampling).to_rgb().unwrap();
            assert!(worst(&rgb, &back) <= 14, "{subsampling:?} {width}×{height}: {}", worst(&rgb, &back));
        }
    }
}

#[test]
fn turning_a_print_and_printing_a_turned_picture_agree_on_odd_sizes() {
    let (width, height) = (203u32, 151u32);
    let rgb = gradient(width, height);
    let pixels = rgb.as_chunks::<3>().0;
    let source = Planes::from_rgb(&rgb, width, height, Subsampling::S444);
    for exif in 1..=8 {
        let orientation = Orientation::from_exif(exif);
        let upright = orientation.apply(pixels, width as usize, height as usize).into_flattened();
        let (w, h) = orientation.size(width, height);
        let size = (w / 3, h / 3);
        let expected = Planes::from_rgb(&upright, w, h, Subsampling::S444)
            .resized(CropBox::whole(w, h), size, Subsampling::S420, (false, false), 1)
            .unwrap();
        let print = Print {
            crop: CropBox::whole(w, h),
            width: size.0,
            height: size.1,
            subsampling: Subsampling::S420,
        };
        let made = Mutex::new(None);
        make_prints(&source, decoded((width, height), orientation), &[print], 2, &|_, planes| {
            *made.lock().unwrap() = Some(planes.clone());
            Ok(())
        })
        .unwrap();
        let made = made.into_inner().unwrap().unwrap();
        assert_eq!((made.width(), made.height()), size);
        for index in 0..3 {
            let (a, b) = (made.plane(index), expected.plane(index));
            let worst = (0..a.height).map(|y| worst(a.row(y), b.row(y))).max();
            assert!(worst <= Some(1), "orientation {exif}, plane {index}: {worst:?}");
        }
    }
}

#[test]
fn every_print_is_made_once_whatever_the_threads() {
    let source = Planes::from_rgb(&gradient(400, 300), 400, 300, Subsampling::S420);
    let print = |width, height| Print {
        crop: CropBox::whole(400, 300),
        width,
        height,
        subsampling: Subsampling::S420,
    };
    let prints = [print(40, 30), print(200, 150), print(100, 75), print(160, 120)];
    let run = |threads| {
        let made = Mutex::new(Vec::new());
        make_prints(
            &source,
            decoded((400, 300), Orientation::UPRIGHT),
            &prints,
            threads,
            &|index, planes| {
                made.lock().unwrap().push((index, planes.samples().to_vec()));
                Ok(())
            },
        )
        .unwrap();
        let mut made = made.into_inner().unwrap();
        made.sort();
        made
    };
    let one = run(1);
    assert_eq!(one.iter().map(|print| print.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn a_smaller_print_is_not_made_from_an_enlarged_one() {
    // Stripes of one sample: what is enlarged first loses contrast on the way down.
    let mut source = Planes::uninitialised(64, 64, Subsampling::Gray, Vec::new());
    source.samples_mut().iter_mut().zip(0_u32..).for_each(|(sample, at)| *sample = (at % 3 * 127) as u8);
    let print = |side| Print {
        crop: CropBox::whole(64, 64),
        width: side,
        height: side,
        subsampling: Subsampling::Gray,
    };
    let made = |prints: &[Print]| {
        let last = Mutex::new(None);
        make_prints(&source, decoded((64, 64), Orientation::UPRIGHT), prints, 1, &|index, planes| {
            if index + 1 == prints.len() {
                *last.lock().expect("unpoisoned") = Some(planes.clone());
            }
            Ok(())
        })
        .expect("made");
        last.into_inner().expect("unpoisoned").expect("every print is made")
    };
    assert_eq!(made(&[print(128), print(40)]), made(&[print(40)]));
}

#[test]
fn an_error_of_one_print_is_the_error_of_all() {
    let source = Planes::from_rgb(&gradient(40, 30), 40, 30, Subsampling::S420);
    let print = Print { crop: CropBox::whole(40, 30), width: 20, height: 15, subsampling: Subsampling::S420 };
    let refuse = |_: usize, _: &Planes| Err(Error::Codec { format: "test", detail: "full".into() });
    for threads in [1, 3] {
        let result =
            make_prints(&source, decoded((40, 30), Orientation::UPRIGHT), &[print; 4], threads, &refuse);
        assert_eq!(result, Err(Error::Codec { format: "test", detail: "full".into() }));
    }
}

#[test]
fn of_two_errors_the_one_of_the_larger_print_counts_however_soon_the_other_fails() {
    let planes = || Ok(Planes::from_rgb(&gradient(40, 30), 40, 30, Subsampling::S420));
    let print = Print { crop: CropBox::whole(40, 30), width: 40, height: 30, subsampling: Subsampling::S420 };
    let fails = |detail: usize| Error::Codec { format: "test", detail: detail.to_string() };
    // The other thread has the first print before the second is resized, and is
    // held up until this one fails at the second.
    let (taken, failing) = (Barrier::new(2), Barrier::new(2));
    let mut first_hand = |index| {
        if index == 1 {
            taken.wait();
        }
        planes()
    };
    let done = |index: usize, _: &Planes| {
        if index == 0 {
            taken.wait();
        }
        failing.wait();
        Err(fails(index))
    };
    let order = [(0, None), (1, None)];
    assert_eq!(hand_out(&[print; 2], &order, 2, &mut first_hand, &done), Err(fails(0)));
}

#[test]
fn an_error_of_a_larger_print_counts_before_one_of_resizing() {
    let print = Print { crop: CropBox::whole(40, 30), width: 40, height: 30, subsampling: Subsampling::S420 };
    let fails = |detail: &str| Error::Codec { format: "test", detail: detail.into() };
    for threads in 1..=3 {
        let mut first_hand = |index| match index {
            0 => Ok(Planes::from_rgb(&gradient(40, 30), 40, 30, Subsampling::S420)),
            _ => Err(fails("resizing")),
        };
        let order = [(0, None), (1, None)];
        let result = hand_out(&[print; 2], &order, threads, &mut first_hand, &|_, _| Err(fails("encoding")));
        assert_eq!(result, Err(fails("encoding")), "{threads} threads");
    }
}

#[test]
fn webp_planes_of_pixels_are_those_of_the_same_planes() {
    let rgb: Vec<u8> = (0..5 * 3 * 3).map(|at| (at * 53 % 256) as u8).collect();
    let planes = WebpPlanes::of_pixels(&rgb, 3, (5, 3));
    let expected = to_webp_yuv420(&Planes::from_rgb(&rgb, 5, 3, Subsampling::S420)).unwrap();
    // That way is rounded twice.
    for (ours, other) in [(&planes.y, expected.y), (&planes.u, expected.u), (&planes.v, expected.v)] {
        assert_eq!(ours.len(), other.len());
        assert!(ours.iter().zip(&other).all(|(a, b)| a.abs_diff(*b) <= 1), "{ours:?} {other:?}");
    }
    for (pixel, expected) in [
        ([255; 3], [235, 128, 128]),
        ([0; 3], [16, 128, 128]),
        ([255, 0, 0], [81, 90, 240]),
        ([0, 0, 255], [41, 240, 110]),
    ] {
        let WebpPlanes { y, u, v, .. } = WebpPlanes::of_pixels(&pixel, 3, (1, 1));
        assert_eq!([y[0], u[0], v[0]], expected, "{pixel:?}");
    }
    let grey = WebpPlanes::of_pixels(&[0, 255, 128], 1, (3, 1));
    assert_eq!((grey.y, grey.u, grey.v), (vec![16, 235, 126], vec![128; 2], vec![128; 2]));
}

#[test]
fn webp_planes_have_the_limited_range() {
    for subsampling in [Subsampling::S420, Subsampling::S444] {
        let white = Planes::from_rgb(&[255; 15 * 3], 5, 3, subsampling);
        let webp = to_webp_yuv420(&white).unwrap();
        assert_eq!((webp.y, webp.u, webp.v), (vec![235; 15], vec![128; 6], vec![128; 6]));
    }
    let black = Planes::from_rgb(&[0; 3], 1, 1, Subsampling::Gray);
    let webp = to_webp_yuv420(&black).unwrap();
    assert_eq!((webp.y, webp.u, webp.v), (vec![16], vec![128], vec![128]));
}
