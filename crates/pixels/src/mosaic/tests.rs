//! The flat-cell writer against libjpeg-turbo, and cell colours against Pillow's
//! definition.

use super::*;
use crate::geometry::{Orientation, Scale};
use crate::jpeg::{AppSegments, decode_planes, encode_planes, encode_rgb, header};
use proptest::prelude::*;
use std::num::NonZeroU32;

fn cells(count: u32) -> Grid {
    Grid::Cells(NonZeroU32::new(count).unwrap())
}

fn block(size: u32) -> Grid {
    Grid::Block(NonZeroU32::new(size).unwrap())
}

/// Colours without a pattern, the same for the same seed.
fn noise(seed: u32, index: usize) -> u8 {
    let mixed = (index as u32 ^ seed.rotate_left(16)).wrapping_mul(0x9e37_79b9);
    ((mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b) >> 24) as u8
}

fn mosaic(model: Model, grid: Grid, (width, height): (u32, u32), seed: u32) -> Mosaic {
    let count = (grid.count(width) * grid.count(height)) as usize;
    let colour = |cell: usize| {
        let mut colour = [0; 4];
        for (channel, sample) in colour.iter_mut().enumerate().take(model.channels()) {
            *sample = noise(seed, cell * 4 + channel);
        }
        colour
    };
    Mosaic {
        model,
        cells: (0..count).map(colour).collect(),
        columns: grid.edges(width),
        rows: grid.edges(height),
    }
}

fn decoded(jpeg: &[u8]) -> Planes {
    let header = header(jpeg).unwrap();
    decode_planes(jpeg, &header, Scale::Full, 1, Vec::new()).unwrap()
}

/// How many visible samples differ, and the first place where they do.
fn differences(ours: &Planes, theirs: &Planes) -> (usize, String) {
    assert_eq!(ours.subsampling(), theirs.subsampling());
    let mut count = 0;
    let mut first = String::new();
    for index in 0..ours.subsampling().planes() {
        let (a, b) = (ours.plane(index), theirs.plane(index));
        assert_eq!((a.width, a.height), (b.width, b.height));
        for y in 0..a.height {
            for (x, (a, b)) in a.row(y).iter().zip(b.row(y)).enumerate().filter(|(_, (a, b))| a != b) {
                if count == 0 {
                    first = format!("plane {index}, ({x}, {y}): {a} instead of {b}");
                }
                count += 1;
            }
        }
    }
    (count, first)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn decodes_to_the_pixels_of_libjpeg_turbos_encoding(
        width in 16u32..400,
        height in 16u32..400,
        count in 1u32..20,
        size in 16u32..90,
        by_size in any::<bool>(),
        quality in 1u8..=100,
        halved in any::<bool>(),
        gray in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let model = if gray { Model::Gray } else { Model::Rgb };
        let subsampling = if halved { Subsampling::S420 } else { Subsampling::S444 };
        let grid = if by_size { block(size) } else { cells(count.min(width / 16).min(height / 16)) };
        let mosaic = mosaic(model, grid, (width, height), seed);
        let ours = write_jpeg(&mosaic, quality, subsampling, AppSegments::default()).unwrap();
        let theirs = encode_rgb(
            &mosaic.expand(), model.channels(), width, height, quality, subsampling, AppSegments::default(),
        ).unwrap();
        let (count, first) = differences(&decoded(&ours), &decoded(&theirs));
        // Cells cut off at the edge may make a mosaic one of small cells.
        if !jpeg::has_small_cells(&mosaic) {
            prop_assert_eq!(count, 0, "{}", first);
        }
    }

    #[test]
    fn small_cells_are_encoded_from_their_planes(
        width in 1u32..200, height in 1u32..200, size in 1u32..16, quality in 1u8..=100, seed in any::<u32>(),
    ) {
        let mosaic = mosaic(Model::YCbCr, block(size), (width, height), seed);
        let ours = write_jpeg(&mosaic, quality, Subsampling::S420, AppSegments::default()).unwrap();
        let theirs = encode_planes(&mosaic.to_planes(Subsampling::S420), quality, AppSegments::default()).unwrap();
        let (count, first) = differences(&decoded(&ours), &decoded(&theirs));
        if jpeg::has_small_cells(&mosaic) {
            prop_assert_eq!(count, 0, "{}", first);
        }
    }

    #[test]
    fn every_pixel_has_one_cell(length in 1u32..5000, count in 1u32..100) {
        for grid in [cells(count), block(count)] {
            let edges = grid.edges(length);
            prop_assert_eq!(edges.len() as u32, grid.count(length) + 1);
            prop_assert_eq!((edges[0], edges[edges.len() - 1]), (0, length));
            prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_flat_picture_has_cells_of_its_colour(
        width in 1u32..200, height in 1u32..200, count in 1u32..70, colour in any::<[u8; 3]>(),
    ) {
        let pixels = colour.repeat((width * height) as usize);
        for grid in [cells(count), block(count)] {
            let mosaic = Mosaic::from_pixels(&pixels, (width, height), Model::Rgb, grid);
            let [r, g, b] = colour;
            prop_assert!(mosaic.cells.iter().all(|&cell| cell == [r, g, b, 0]));
        }
    }
}

#[test]
fn a_block_is_the_mean_of_its_pixels_and_the_last_ones_are_cut_off() {
    let pixels: Vec<u8> = vec![
        0, 10, 20, 30, 100, //
        4, 14, 24, 34, 104, //
        200, 200, 100, 100, 7,
    ];
    let mosaic = Mosaic::from_pixels(&pixels, (5, 3), Model::Gray, block(2));
    let samples: Vec<u8> = mosaic.cells.iter().map(|cell| cell[0]).collect();
    assert_eq!(samples, [7, 27, 102, 200, 100, 7]);
    assert_eq!((mosaic.columns, mosaic.rows), (vec![0, 2, 4, 5], vec![0, 2, 3]));
}

#[test]
fn transparent_pixels_count_by_their_alpha() {
    let pixels = [200, 100, 50, 255, 0, 255, 255, 0, 10, 20, 30, 0, 40, 50, 60, 0];
    let mosaic = Mosaic::from_pixels(&pixels, (4, 1), Model::Rgba, block(2));
    assert_eq!(mosaic.cells, [[200, 100, 50, 128], [0, 0, 0, 0]]);
}

#[test]
fn a_mosaic_of_turned_planes_is_the_mosaic_of_the_upright_picture() {
    let (width, height) = (67u32, 45u32);
    let pixels: Vec<u8> = (0..(width * height) as usize).map(|index| noise(7, index)).collect();
    let planes = Planes::uninitialised(width, height, Subsampling::Gray, pixels.clone());
    let pixels: Vec<[u8; 1]> = pixels.into_iter().map(|sample| [sample]).collect();
    for exif in 1..=8 {
        let orientation = Orientation::from_exif(exif);
        let upright = orientation.apply(&pixels, width as usize, height as usize).into_flattened();
        let size = orientation.size(width, height);
        for grid in [cells(5), block(8)] {
            let turned = Mosaic::from_planes(&planes, (width, height), Scale::Full, orientation, grid);
            let expected = Mosaic::from_pixels(&upright, size, Model::Gray, grid);
            assert_eq!(
                (&turned.columns, &turned.rows),
                (&expected.columns, &expected.rows),
                "{exif} {grid:?}"
            );
            let worst = turned.cells.iter().zip(&expected.cells).map(|(a, b)| a[0].abs_diff(b[0])).max();
            assert!(worst <= Some(1), "orientation {exif}, {grid:?}: {worst:?}");
        }
    }
}

#[test]
fn rows_of_pixels_repeat_to_the_whole_picture() {
    let mosaic = mosaic(Model::Rgba, cells(3), (7, 10), 1);
    let rows: Vec<(Vec<u8>, u32)> = mosaic.pixel_rows().collect();
    assert_eq!(rows.iter().map(|row| row.1).sum::<u32>(), 10);
    assert!(rows.iter().all(|row| row.0.len() == 7 * 4));
    assert_eq!(mosaic.expand().len(), 7 * 10 * 4);
}

#[test]
fn a_mosaic_costs_less_than_half_the_bytes_of_standard_tables() {
    let mosaic = mosaic(Model::YCbCr, cells(8), (4000, 3000), 3);
    let ours = write_jpeg(&mosaic, 80, Subsampling::S420, AppSegments::default()).unwrap();
    let planes = mosaic.to_planes(Subsampling::S420);
    let theirs = encode_planes(&planes, 80, AppSegments::default()).unwrap();
    assert!(ours.len() * 2 < theirs.len(), "{} bytes, {} with standard tables", ours.len(), theirs.len());
}
