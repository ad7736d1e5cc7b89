//! Gaussian filtering of rows of floats, edges extended (the picture goes on
//! with its outermost pixels, as in libvips).
//!
//! A small sigma is convolved as it stands. For a larger one the picture is
//! first reduced to means of `k` × `k` pixels, filtered there, and drawn large
//! again with a cubic B-spline; both of these blur by a known variance, which
//! the filter leaves out. So the cost falls as sigma grows, and memory holds a
//! few rows, or a picture reduced by 4 or more, but never a whole one of floats.

/// Sigmas from here on are filtered on a reduced picture, so that the kernel
/// has at most 37 taps.
const DIRECT: f64 = 6.0;
/// Pixels of a reduced picture to one sigma, at the least: a Gaussian sampled
/// more coarsely would show the grid.
const SAMPLING: f64 = 3.0;
/// Where the kernel is cut off, in sigmas. What is lost is 0.3 % of its area,
/// which normalising gives back.
const REACH: f64 = 3.0;

/// Blurs `height` rows of `width` pixels of `channels` samples.
///
/// `load(y, row)` gives row `y`, perhaps more than once; `store(y, row)` takes
/// each blurred row, from the top.
pub(super) fn gaussian(
    (width, height): (usize, usize),
    channels: usize,
    sigma: f64,
    load: impl Fn(usize, &mut [f32]),
    mut store: impl FnMut(usize, &mut [f32]),
) {
    if sigma < DIRECT {
        let kernel = kernel(sigma);
        convolve((width, height), channels, &kernel, kernel.len() / 2, load, store);
        return;
    }
    let factor = (sigma / SAMPLING) as usize;
    let k = factor as f64;
    // Variances, in pixels of the reduced picture: of the means, and of the
    // cubic B-spline, which is four boxes of width 1 convolved.
    let means = (1.0 - 1.0 / (k * k)) / 12.0;
    let spline = 4.0 / 12.0;
    let kernel = kernel((sigma * sigma / (k * k) - means - spline).sqrt());
    // Of the reduced picture, what the spline reads beyond the edges.
    let border = 2;
    let reduced = Reduced::new((width, height), channels, factor, kernel.len() / 2 + border, load);
    let mut small = Vec::with_capacity(reduced.samples.len());
    let length = reduced.columns * channels;
    convolve(
        (reduced.columns, reduced.rows),
        channels,
        &kernel,
        kernel.len() / 2,
        |y, row| row.copy_from_slice(&reduced.samples[y * length..(y + 1) * length]),
        |_, row| small.extend_from_slice(row),
    );

    let across = Spline::new(width, factor, reduced.border);
    let down = Spline::new(height, factor, reduced.border);
    let mut column = vec![0.0; length];
    let mut row = vec![0.0; width * channels];
    for y in 0..height {
        let (first, weights) = down.taps[y];
        let rows = |tap: usize| &small[(first + tap) * length..(first + tap + 1) * length];
        for (x, sum) in column.iter_mut().enumerate() {
            *sum = weights[0] * rows(0)[x]
                + weights[1] * rows(1)[x]
                + weights[2] * rows(2)[x]
                + weights[3] * rows(3)[x];
        }
        for (pixel, &(first, weights)) in row.chunks_exact_mut(channels).zip(&across.taps) {
            let taps = &column[first * channels..(first + 4) * channels];
            for (channel, sample) in pixel.iter_mut().enumerate() {
                *sample = weights[0] * taps[channel]
                    + weights[1] * taps[channels + channel]
                    + weights[2] * taps[2 * channels + channel]
                    + weights[3] * taps[3 * channels + channel];
            }
        }
        store(y, &mut row);
    }
}

/// An odd number of weights that add up to one.
fn kernel(sigma: f64) -> Vec<f32> {
    let radius = (REACH * sigma).ceil().max(1.0) as i32;
    let weight = |x: i32| (-0.5 * (f64::from(x) / sigma).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    (-radius..=radius).map(|x| (weight(x) / total) as f32).collect()
}

/// Convolves rows and columns with `kernel` of 2 `radius` + 1 weights.
fn convolve(
    (width, height): (usize, usize),
    channels: usize,
    kernel: &[f32],
    radius: usize,
    load: impl Fn(usize, &mut [f32]),
    mut store: impl FnMut(usize, &mut [f32]),
) {
    let length = width * channels;
    let mut line = vec![0.0_f32; length + 2 * radius * channels];
    // The rows that the kernel reaches, filtered across: row y in slot y modulo
    // their number.
    let slots = kernel.len().min(height);
    let mut ring = vec![0.0_f32; slots * length];
    let mut out = vec![0.0_f32; length];
    let mut next = 0;
    for y in 0..height {
        while next < height && next <= y + radius {
            load(next, &mut line[radius * channels..radius * channels + length]);
            extend(&mut line, radius, channels);
            let slot = next % slots;
            let across = &mut ring[slot * length..(slot + 1) * length];
            across.fill(0.0);
            for (tap, &weight) in kernel.iter().enumerate() {
                add(across, &line[tap * channels..], weight);
            }
            next += 1;
        }
        out.fill(0.0);
        for (tap, &weight) in kernel.iter().enumerate() {
            let row = (y + tap).saturating_sub(radius).min(height - 1);
            add(&mut out, &ring[row % slots * length..], weight);
        }
        store(y, &mut out);
    }
}

fn add(sums: &mut [f32], samples: &[f32], weight: f32) {
    for (sum, &sample) in sums.iter_mut().zip(samples) {
        *sum += weight * sample;
    }
}

/// Repeats the outermost pixels of a row into the `border` pixels around it.
fn extend(line: &mut [f32], border: usize, channels: usize) {
    let edge = border * channels;
    let end = line.len() - edge;
    for x in 0..border {
        line.copy_within(edge..edge + channels, x * channels);
        line.copy_within(end - channels..end, end + x * channels);
    }
}

/// A picture of the means of `factor` × `factor` pixels, with a border of what
/// lies beyond the edges.
struct Reduced {
    columns: usize,
    rows: usize,
    border: usize,
    samples: Vec<f32>,
}

impl Reduced {
    fn new(
        (width, height): (usize, usize),
        channels: usize,
        factor: usize,
        border: usize,
        load: impl Fn(usize, &mut [f32]),
    ) -> Self {
        let (inner, inner_rows) = (width.div_ceil(factor), height.div_ceil(factor));
        let columns = inner + 2 * border;
        let rows = inner_rows + 2 * border;
        let length = columns * channels;
        let mut samples = vec![0.0_f32; length * rows];
        let mut line = vec![0.0_f32; width * channels];
        let mut cells = vec![0.0_f32; length];
        for y in 0..height {
            load(y, &mut line);
            across(&line, &mut cells, channels, factor, border);
            // Beyond the top and the bottom stands the outermost row.
            let part = 1.0 / factor as f32;
            let row = border + y / factor;
            // The last cell may reach beyond the picture.
            let times = if y + 1 == height { inner_rows * factor - y } else { 1 };
            add(&mut samples[row * length..(row + 1) * length], &cells, part * times as f32);
            if y == 0 {
                for row in 0..border {
                    samples[row * length..(row + 1) * length].copy_from_slice(&cells);
                }
            }
            if y + 1 == height {
                for row in border + inner_rows..rows {
                    samples[row * length..(row + 1) * length].copy_from_slice(&cells);
                }
            }
        }
        Self { columns, rows, border, samples }
    }
}

/// Means of `factor` pixels of a row each.
fn across(line: &[f32], cells: &mut [f32], channels: usize, factor: usize, border: usize) {
    let inner = (line.len() / channels).div_ceil(factor);
    let edge = &line[line.len() - channels..];
    for (cell, pixels) in
        cells[border * channels..].chunks_exact_mut(channels).zip(line.chunks(factor * channels))
    {
        for (channel, mean) in cell.iter_mut().enumerate() {
            let missing = factor - pixels.len() / channels;
            let sum: f32 = pixels[channel..].iter().step_by(channels).sum();
            *mean = (sum + missing as f32 * edge[channel]) / factor as f32;
        }
    }
    for x in 0..border {
        cells[x * channels..(x + 1) * channels].copy_from_slice(&line[..channels]);
        let after = (border + inner + x) * channels;
        cells[after..after + channels].copy_from_slice(edge);
    }
}

/// For every pixel of an axis the first of four reduced samples, and their weights.
struct Spline {
    taps: Vec<(usize, [f32; 4])>,
}

impl Spline {
    fn new(length: usize, factor: usize, border: usize) -> Self {
        let taps = (0..length)
            .map(|x| {
                // In samples whose centres are the whole numbers.
                let at = (x as f64 + 0.5) / factor as f64 - 0.5 + border as f64;
                let t = at - at.floor();
                let u = 1.0 - t;
                let weights = [
                    u.powi(3) / 6.0,
                    2.0 / 3.0 - 0.5 * t * t * (2.0 - t),
                    2.0 / 3.0 - 0.5 * u * u * (2.0 - u),
                    t.powi(3) / 6.0,
                ];
                (at.floor() as usize - 1, weights.map(|weight| weight as f32))
            })
            .collect();
        Self { taps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plain Gaussian, cut off far out, of one row.
    fn reference(row: &[f32], sigma: f64) -> Vec<f32> {
        let radius = (6.0 * sigma).ceil() as i64;
        let weight = |x: i64| (-0.5 * (x as f64 / sigma).powi(2)).exp();
        let total: f64 = (-radius..=radius).map(weight).sum();
        (0..row.len() as i64)
            .map(|x| {
                let sample = |d: i64| f64::from(row[(x + d).clamp(0, row.len() as i64 - 1) as usize]);
                ((-radius..=radius).map(|d| weight(d) * sample(d)).sum::<f64>() / total) as f32
            })
            .collect()
    }

    fn blurred_row(row: &[f32], sigma: f64) -> Vec<f32> {
        let mut out = Vec::new();
        gaussian(
            (row.len(), 1),
            1,
            sigma,
            |_, line| line.copy_from_slice(row),
            |_, line| out.extend_from_slice(line),
        );
        out
    }

    #[test]
    fn an_edge_is_blurred_as_a_plain_gaussian_does_whatever_the_sigma() {
        let row: Vec<f32> = (0..301).map(|x| if x < 140 { 0.0 } else { 255.0 }).collect();
        for sigma in [0.3, 0.5, 1.0, 2.5, 5.9, 6.0, 7.7, 9.9, 17.0, 40.0, 150.0, 1000.0] {
            let (got, wanted) = (blurred_row(&row, sigma), reference(&row, sigma));
            let worst = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.6, "sigma {sigma}: off by {worst}");
        }
    }

    #[test]
    fn flat_stays_flat_and_columns_are_blurred_as_rows_are() {
        for sigma in [0.4, 3.0, 5.0, 33.0, 1000.0] {
            for (width, height) in [(1, 1), (7, 1), (1, 9), (23, 14)] {
                let mut rows = Vec::new();
                gaussian(
                    (width, height),
                    3,
                    sigma,
                    |_, line| line.as_chunks_mut::<3>().0.fill([10.0, 99.0, 255.0]),
                    |_, line| rows.extend_from_slice(line),
                );
                assert_eq!(rows.len(), width * height * 3);
                for pixel in rows.as_chunks::<3>().0 {
                    for (got, wanted) in pixel.iter().zip([10.0, 99.0, 255.0]) {
                        assert!((got - wanted).abs() < 1e-3, "{width}x{height} sigma {sigma}: {pixel:?}");
                    }
                }
            }
            let edge: Vec<f32> = (0..90).map(|x| if x % 40 < 17 { 0.0 } else { 200.0 }).collect();
            let mut column = Vec::new();
            gaussian((1, 90), 1, sigma, |y, line| line[0] = edge[y], |_, line| column.push(line[0]));
            for (down, across) in column.iter().zip(blurred_row(&edge, sigma)) {
                assert!((down - across).abs() < 0.01, "sigma {sigma}");
            }
        }
    }
}
