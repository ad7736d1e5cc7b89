//! ThumbHash (<https://evanw.github.io/thumbhash/>): a blurred picture with its
//! aspect ratio and alpha in about 25 bytes.
//!
//! Written after the format's reference, in double precision as that is: in
//! single precision steps that lie on a tie come out otherwise.

use crate::picture::Picture;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::f64::consts::PI;

/// The hash in standard base64 with padding, as `atob` in a browser reads it.
pub(super) fn thumbhash(picture: &Picture) -> String {
    BASE64_STANDARD.encode(bytes(picture))
}

fn bytes(picture: &Picture) -> Vec<u8> {
    let rgba = picture.clone().into_rgba();
    let size = (rgba.size.width as usize, rgba.size.height as usize);
    let pixels: Vec<[f64; 4]> =
        rgba.pixels.as_chunks::<4>().0.iter().map(|pixel| pixel.map(|v| f64::from(v) / 255.0)).collect();

    let mut mean = [0.0; 4];
    for [r, g, b, a] in &pixels {
        for (sum, more) in mean.iter_mut().zip([a * r, a * g, a * b, *a]) {
            *sum += more;
        }
    }
    let seen = mean[3];
    let mean = if seen > 0.0 { mean.map(|sum| sum / seen) } else { mean };
    let has_alpha = seen < pixels.len() as f64;

    // Luma, yellow against blue, red against green; over the mean colour where
    // there is alpha.
    let plane = |of: &dyn Fn([f64; 3], f64) -> f64| -> Vec<f64> {
        pixels
            .iter()
            .map(|&[r, g, b, a]| {
                let over = |sample: f64, below: f64| below * (1.0 - a) + a * sample;
                of([over(r, mean[0]), over(g, mean[1]), over(b, mean[2])], a)
            })
            .collect()
    };
    // Fewer waves of luma where alpha wants some too.
    let most = if has_alpha { 5.0 } else { 7.0 };
    let longest = size.0.max(size.1) as f64;
    let waves = |side: usize| (most * side as f64 / longest).round().max(1.0) as usize;
    let (across, down) = (waves(size.0), waves(size.1));
    let luma = Channel::of(&plane(&|[r, g, b], _| (r + g + b) / 3.0), size, across.max(3), down.max(3));
    let yellow = Channel::of(&plane(&|[r, g, b], _| f64::midpoint(r, g) - b), size, 3, 3);
    let red = Channel::of(&plane(&|[r, g, _], _| r - g), size, 3, 3);
    let alpha = has_alpha.then(|| Channel::of(&plane(&|_, a| a), size, 5, 5));

    let step = |value: f64| value.round() as u32;
    let wide = size.0 > size.1;
    let first = step(63.0 * luma.mean)
        | step(31.5 + 31.5 * yellow.mean) << 6
        | step(31.5 + 31.5 * red.mean) << 12
        | step(31.0 * luma.scale) << 18
        | u32::from(has_alpha) << 23;
    let second = (if wide { down } else { across }) as u32
        | step(63.0 * yellow.scale) << 3
        | step(63.0 * red.scale) << 9
        | u32::from(wide) << 15;
    let mut bytes = Vec::with_capacity(25);
    bytes.extend_from_slice(&first.to_le_bytes()[..3]);
    bytes.extend_from_slice(&second.to_le_bytes()[..2]);
    if let Some(alpha) = &alpha {
        bytes.push((step(15.0 * alpha.mean) | step(15.0 * alpha.scale) << 4) as u8);
    }
    let channels = [Some(luma), Some(yellow), Some(red), alpha];
    let nibbles: Vec<u32> = channels
        .into_iter()
        .flatten()
        .flat_map(|channel| channel.waves)
        .map(|wave| step(15.0 * wave))
        .collect();
    bytes.extend(nibbles.chunks(2).map(|pair| (pair[0] | pair.get(1).unwrap_or(&0) << 4) as u8));
    bytes
}

/// A plane as cosines.
struct Channel {
    mean: f64,
    /// The amplitude of the strongest wave.
    scale: f64,
    /// Waves from 0 to 1, 0.5 being none.
    waves: Vec<f64>,
}

impl Channel {
    /// The waves of the upper left triangle of `across` × `down`.
    fn of(plane: &[f64], (width, height): (usize, usize), across: usize, down: usize) -> Self {
        let wave = |component: usize, at: usize, length: usize| {
            (PI / length as f64 * component as f64 * (at as f64 + 0.5)).cos()
        };
        let (mut mean, mut scale, mut waves) = (0.0, 0.0_f64, Vec::new());
        for j in 0..down {
            for i in (0..across).take_while(|i| i * down < across * (down - j)) {
                let columns: Vec<f64> = (0..width).map(|x| wave(i, x, width)).collect();
                let mut sum = 0.0;
                for (y, row) in plane.chunks_exact(width).enumerate() {
                    let rows = wave(j, y, height);
                    for (sample, column) in row.iter().zip(&columns) {
                        sum += sample * column * rows;
                    }
                }
                let value = sum / plane.len() as f64;
                if (i, j) == (0, 0) {
                    mean = value;
                } else {
                    scale = scale.max(value.abs());
                    waves.push(value);
                }
            }
        }
        if scale > 0.0 {
            for wave in &mut waves {
                *wave = 0.5 + 0.5 / scale * *wave;
            }
        }
        Self { mean, scale, waves }
    }
}
