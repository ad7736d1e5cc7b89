//! Prints made row by row are those of the whole picture, and none is made of an
//! unsound one.

use super::*;
use crate::geometry::{CropBox, Orientation, Scale, Size};
use crate::jpeg;
use crate::planes::make_prints;
use std::sync::Mutex;

#[test]
fn prints_made_while_rows_come_are_those_of_the_whole_picture() {
    let bytes = jpeg::tests::noisy(290, 333, 80, Subsampling::S420);
    let header = jpeg::header(&bytes).unwrap();
    let scan = Scan::read(&bytes, &header).unwrap();
    let part = |left, top, width, height| CropBox { left, top, width, height };
    for orientation in (1..=8).map(Orientation::from_exif) {
        let (width, height) = orientation.size(290, 333);
        let print = |crop, width, height, subsampling| Print { crop, width, height, subsampling };
        let whole = CropBox::whole(width, height);
        let prints = [
            print(whole, 101, 115, Subsampling::S420),
            print(whole, 40, 46, Subsampling::S420),
            print(whole, 31, 17, Subsampling::S444),
            print(part(20.0, 30.5, 99.0, 71.25), 230, 160, Subsampling::S420),
            print(part(5.0, 250.0, 200.0, 40.0), 7, 3, Subsampling::S444),
            print(whole, width, height, Subsampling::S420),
        ];
        for (scale, threads) in [(Scale::Full, 1), (Scale::Full, 3), (Scale::Half, 2), (Scale::Eighth, 2)] {
            let decoded = Decoded { full: Size::new(290, 333), scale, orientation };
            let planes = jpeg::decode_planes(&bytes, &header, scale, 1, Vec::new()).unwrap();
            let (at_once, flowing) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
            let keep = |made: &Mutex<Vec<(usize, Planes)>>, index, planes: &Planes| {
                made.lock().unwrap().push((index, planes.clone()));
                Ok(())
            };
            make_prints(&planes, decoded, &prints, threads, &|index, planes| keep(&at_once, index, planes))
                .unwrap();
            let done = |index: usize, planes: &Planes| keep(&flowing, index, planes);
            assert!(stream_prints(&scan, decoded, &prints, threads, (&|| Ok(()), &done)).unwrap());
            let [at_once, flowing] = [at_once, flowing].map(|made| {
                let mut made = made.into_inner().unwrap();
                made.sort_by_key(|(index, _)| *index);
                made
            });
            assert_eq!(at_once.len(), prints.len());
            assert!(at_once == flowing, "{orientation:?} {scale:?}");
        }
    }
}

#[test]
fn nothing_is_handed_out_of_a_picture_that_proves_unsound() {
    let mut bytes = jpeg::tests::noisy(64, 640, 80, Subsampling::S420);
    let at = bytes.len() - 40;
    bytes.truncate(at);
    let header = jpeg::header(&bytes).unwrap();
    let scan = Scan::read(&bytes, &header).unwrap();
    let print = Print {
        crop: CropBox { left: 0.0, top: 0.0, width: 64.0, height: 64.0 },
        width: 8,
        height: 8,
        subsampling: Subsampling::S420,
    };
    let decoded = Decoded { full: Size::new(64, 640), scale: Scale::Full, orientation: Orientation::UPRIGHT };
    for threads in [1, 2] {
        let streamed = |in_time: &dyn Fn() -> Result<(), Error>| {
            stream_prints(&scan, decoded, &[print], threads, (in_time, &|_, _| panic!("handed out")))
        };
        assert_eq!(streamed(&|| Ok(())), Ok(false));
        let rows = std::cell::Cell::new(0);
        let late = || Error::Codec { format: "JPEG", detail: "too late".to_owned() };
        let in_time = || {
            rows.set(rows.get() + 1);
            if rows.get() > 2 { Err(late()) } else { Ok(()) }
        };
        assert_eq!((streamed(&in_time), rows.get()), (Err(late()), 3), "its end is not waited for");
    }
}
