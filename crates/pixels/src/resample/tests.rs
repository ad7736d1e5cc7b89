//! Both arithmetics against each other, against the definition, and on every
//! processor.

use super::fixed::{self, Rows};
use super::*;

/// Noise with edges, the same every time.
pub(crate) fn noise(samples: usize) -> Vec<u8> {
    let mut state = 7_u32;
    (0..samples)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let edge = if at / 9 % 2 == 0 { 20 } else { 190 };
            edge + (state >> 26) as u8
        })
        .collect()
}

fn whole(from: u32, to: u32) -> [Stretch; 1] {
    [Stretch { length: to, from: 0.0, from_length: f64::from(from) }]
}

/// By the definition, in double precision, neither rounded nor cut off.
pub(crate) fn by_definition(samples: &[f64], from: Size, to: Size, channels: usize) -> Vec<f64> {
    let weights = |from: u32, to: u32| -> Vec<Vec<f64>> {
        let step = f64::from(from) / f64::from(to);
        let wide = step.max(1.0);
        let sinc = |x: f64| {
            let x = x * std::f64::consts::PI;
            if x == 0.0 { 1.0 } else { x.sin() / x }
        };
        (0..to)
            .map(|at| {
                let centre = (f64::from(at) + 0.5) * step;
                let own: Vec<f64> = (0..from)
                    .map(|sample| (f64::from(sample) + 0.5 - centre) / wide)
                    .map(|x| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 })
                    .collect();
                let sum: f64 = own.iter().sum();
                own.iter().map(|weight| weight / sum).collect()
            })
            .collect()
    };
    let (columns, rows) = (weights(from.width, to.width), weights(from.height, to.height));
    let stride = from.width as usize * channels;
    let mut outputs = Vec::new();
    for row in &rows {
        let mixed: Vec<f64> = (0..stride)
            .map(|x| row.iter().enumerate().map(|(y, w)| w * samples[y * stride + x]).sum())
            .collect();
        for column in &columns {
            for channel in 0..channels {
                let samples = mixed[channel..].iter().step_by(channels);
                outputs.push(samples.zip(column).map(|(v, w)| v * w).sum());
            }
        }
    }
    outputs
}

const SIZES: [(Size, Size); 9] = [
    (Size::new(1200, 700), Size::new(90, 60)),
    (Size::new(1500, 1300), Size::new(100, 82)),
    (Size::new(211, 97), Size::new(100, 51)),
    (Size::new(97, 61), Size::new(150, 100)),
    (Size::new(64, 64), Size::new(64, 17)),
    (Size::new(64, 40), Size::new(31, 40)),
    (Size::new(300, 230), Size::new(9, 40)),
    (Size::new(120, 200), Size::new(40, 7)),
    (Size::new(3, 2), Size::new(17, 5)),
];

#[test]
fn both_arithmetics_are_the_definition() {
    for (from, to) in SIZES {
        for channels in [1, 3] {
            let samples = noise(from.pixels() as usize * channels);
            let exact: Vec<f64> = samples.iter().map(|&v| f64::from(v)).collect();
            let wanted = by_definition(&exact, from, to, channels);
            let source =
                Rows { samples: &samples, first: 0, stride: from.width as usize * channels, channels };
            let (columns, rows) = (whole(from.width, to.width), whole(from.height, to.height));
            let stride = to.width as usize * channels;
            let made = |axes: &Axes| {
                let mut target = vec![0; wanted.len()];
                axes.resample(source, 0..to.height as usize, &mut target, stride);
                target
            };
            let float = made(&Axes(Arithmetic::Float {
                columns: Axis::new(Filter::Lanczos3, &columns, from.width),
                rows: Axis::new(Filter::Lanczos3, &rows, from.height),
            }));
            let chosen = made(&Axes::new(Filter::Lanczos3, &columns, &rows, from));
            for (name, made, most) in [("float", float, 0.51), ("chosen", chosen, 0.75)] {
                let off = made
                    .iter()
                    .zip(&wanted)
                    .map(|(&made, wanted)| (f64::from(made) - wanted.clamp(0.0, 255.0)).abs());
                let worst = off.fold(0.0, f64::max);
                assert!(worst <= most, "{name}, {from:?} to {to:?}, {channels} channels: {worst}");
            }
        }
    }
}

#[test]
fn every_processor_makes_the_same_samples() {
    for ((from, to), channels) in SIZES.into_iter().flat_map(|sizes| [(sizes, 1), (sizes, 3)]) {
        let samples = noise(from.pixels() as usize * channels);
        let columns = Axis::<i16>::new(Filter::Lanczos3, &whole(from.width, to.width), from.width);
        let rows = Axis::<i16>::new(Filter::Lanczos3, &whole(from.height, to.height), from.height);
        let source = Rows { samples: &samples, first: 0, stride: from.width as usize * channels, channels };
        let stride = to.width as usize * channels;
        let mut made = vec![0; to.pixels() as usize * channels];
        let mut work = fixed::Work::new(&columns, &rows, channels);
        work.resample(source, 0..to.height as usize, &mut made, stride);
        let mut portable = vec![0; made.len()];
        work.resample_by(fixed::Portable, source, 0..to.height as usize, &mut portable, stride);
        assert_eq!(made, portable, "{from:?} to {to:?}");
    }
}

#[test]
fn whatever_is_flat_stays_so() {
    let crop = |from: f64, from_length: f64, length| [Stretch { length, from, from_length }];
    let mut stretches = vec![
        (crop(10.3, 51.7, 90), crop(2.0, 66.0, 200)),
        (crop(0.0, 90.0, 2), crop(0.0, 70.0, 2)),
        (crop(89.5, 0.5, 3), crop(69.9, 0.1, 3)),
    ];
    // Many weights, each of which is rounded.
    stretches.extend((5..90).map(|length| (crop(0.0, 90.0, length), crop(0.5, 69.0, 70.min(94 - length)))));
    for (columns, rows) in stretches {
        for filter in [Filter::Lanczos3, Filter::Triangle] {
            let axes = Axes::new(filter, &columns, &rows, Size::new(90, 70));
            let (width, height) = (columns[0].length as usize, rows[0].length as usize);
            for value in (0..=255).step_by(3) {
                let samples = vec![value; 90 * 70];
                let mut target = vec![!value; width * height];
                let source = Rows { samples: &samples, first: 0, stride: 90, channels: 1 };
                axes.resample(source, 0..height, &mut target, width);
                assert!(target.iter().all(|&v| v == value), "{value}, {columns:?}, {rows:?}");
            }
        }
    }
}

#[test]
fn rows_made_in_parts_are_the_rows_made_at_once() {
    let from = Size::new(130, 240);
    let samples = noise(from.pixels() as usize);
    // The last row stands for less, as the last row of chroma may.
    for (length, from_length) in [(60, 239.0), (20, 230.0)] {
        let rest = Stretch { length: 1, from: from_length, from_length: 240.0 - from_length };
        let rows = [Stretch { length, from: 0.0, from_length }, rest];
        let both = |columns: &[Stretch], rows: &[Stretch]| {
            Axes(Arithmetic::Float {
                columns: Axis::new(Filter::Lanczos3, columns, from.width),
                rows: Axis::new(Filter::Lanczos3, rows, from.height),
            })
        };
        let columns = whole(130, 70);
        for axes in [Axes::new(Filter::Lanczos3, &columns, &rows, from), both(&columns, &rows)] {
            let source = Rows { samples: &samples, first: 0, stride: 130, channels: 1 };
            let height = length as usize + 1;
            let mut once = vec![0; 70 * height];
            axes.resample(source, 0..height, &mut once, 70);
            let mut parts = vec![0; once.len()];
            let mut work = axes.work(1);
            for first in (0..height).step_by(7) {
                let end = height.min(first + 7);
                // No more of the source than it says.
                let reach = axes.reach(first..end);
                let rows = &samples[reach.start * 130..reach.end * 130];
                let source = Rows { samples: rows, first: reach.start, stride: 130, channels: 1 };
                work.resample(source, first..end, &mut parts[first * 70..end * 70], 70);
            }
            assert_eq!(once, parts);
        }
    }
}

#[test]
fn nothing_but_what_is_needed_is_read_and_weights_are_whole() {
    let part = [Stretch { length: 20, from: 100.0, from_length: 40.0 }];
    let axis = Axis::<i16>::new(Filter::Lanczos3, &part, 1000);
    assert_eq!(axis.reads(), 95..145);
    for at in 0..axis.len() {
        assert_eq!(axis.weights(at).iter().map(|&w| i32::from(w)).sum::<i32>(), 16_384);
    }
    let same = Axis::<i16>::new(Filter::Lanczos3, &whole(50, 50), 50);
    assert!(same.is_copy() && same.weights(17) == [16_384]);
    let shifted = [Stretch { length: 30, from: 5.0, from_length: 30.0 }];
    let shifted = Axis::<i16>::new(Filter::Lanczos3, &shifted, 50);
    assert!(shifted.is_copy() && shifted.reads() == (5..35));
}
