//! BlurHash (<https://github.com/woltapp/blurhash/blob/master/Algorithm.md>): a
//! blurred picture as text of some 30 characters, without aspect ratio or alpha.

use crate::picture::Picture;
use crate::srgb;
use std::f64::consts::PI;

/// Components along the longer and the shorter side: the 4 × 3 that the format's
/// authors recommend.
const COMPONENTS: (usize, usize) = (4, 3);

const DIGITS: &[u8; 83] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/// The hash of the picture as it lies on white.
pub(super) fn blurhash(picture: &Picture) -> String {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let (longer, shorter) = COMPONENTS;
    let (across, down) = if width >= height { (longer, shorter) } else { (shorter, longer) };
    let light: [f64; 256] = std::array::from_fn(|sample| srgb::linear(sample as f64 / 255.0));
    let rgb = picture.flattened([255; 4]).into_owned().into_rgb();
    let pixels = rgb.pixels.as_chunks::<3>().0;

    let wave = |component: usize, at: usize, length: usize| {
        (PI * component as f64 * at as f64 / length as f64).cos()
    };
    let component = |i: usize, j: usize| {
        let mut sums = [0.0; 3];
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            let down = wave(j, y, height);
            for (x, pixel) in row.iter().enumerate() {
                let basis = wave(i, x, width) * down;
                for (sum, &sample) in sums.iter_mut().zip(pixel) {
                    *sum += basis * light[usize::from(sample)];
                }
            }
        }
        let scale = if (i, j) == (0, 0) { 1.0 } else { 2.0 } / (width * height) as f64;
        sums.map(|sum| sum * scale)
    };
    let [mean, waves @ ..] = &(0..down)
        .flat_map(|j| (0..across).map(move |i| (i, j)))
        .map(|(i, j)| component(i, j))
        .collect::<Vec<_>>()[..]
    else {
        return String::new();
    };

    let mut hash = String::with_capacity(28);
    push(&mut hash, (across - 1) + (down - 1) * 9, 1);
    let most = waves.iter().flatten().fold(0.0_f64, |most, value| most.max(value.abs()));
    let step = (most * 166.0 - 0.5).floor().clamp(0.0, 82.0);
    push(&mut hash, step as usize, 1);
    let [r, g, b] = mean.map(|value| (srgb::encoded(value.clamp(0.0, 1.0)) * 255.0 + 0.5) as usize);
    push(&mut hash, (r << 16) + (g << 8) + b, 4);
    let unit = (step + 1.0) / 166.0;
    for &wave in waves {
        let [r, g, b] = wave.map(|value| {
            let root = (value / unit).abs().sqrt().copysign(value);
            (root * 9.0 + 9.5).floor().clamp(0.0, 18.0) as usize
        });
        push(&mut hash, r * 19 * 19 + g * 19 + b, 2);
    }
    hash
}

/// `value` in `length` digits of base 83.
fn push(hash: &mut String, value: usize, length: u32) {
    for place in (0..length).rev() {
        hash.push(char::from(DIGITS[value / 83_usize.pow(place) % 83]));
    }
}
