//! The colour of every cell.
//!
//! Both filters are separable. Rows are added up first, straight into one
//! accumulator for each row of cells: that loop runs over whole rows and
//! vectorises; what is left for the columns is tiny.

use super::{Grid, Model, Mosaic};
use crate::geometry::{Orientation, Scale, Subsampling};
use crate::planes::{Plane, Planes};

/// What one cell takes of an axis: samples from `first`, with weights that add
/// up to one.
struct Span {
    first: usize,
    weights: Vec<f32>,
}

impl Span {
    fn normalised(first: usize, mut weights: Vec<f64>) -> Self {
        let total: f64 = weights.iter().sum();
        if total > 0.0 {
            for weight in &mut weights {
                *weight /= total;
            }
        }
        Self { first, weights: weights.into_iter().map(|weight| weight as f32).collect() }
    }
}

/// An axis of a stored plane: `samples` samples, of which the picture covers
/// the first `length` (the last one perhaps in part), each standing for
/// `pixels` pixels of the full picture.
struct Axis {
    samples: u32,
    length: f64,
    pixels: f64,
    full: u32,
    mirrored: bool,
}

impl Axis {
    fn spans(&self, grid: Grid) -> Vec<Span> {
        match grid {
            Grid::Cells(_) => self.triangles(grid.count(self.full)),
            Grid::Block(_) => self.boxes(&grid.edges(self.full)),
        }
    }

    /// How much of sample `index` is picture.
    fn coverage(&self, index: u32) -> f64 {
        (self.length - f64::from(index)).clamp(0.0, 1.0)
    }

    /// Pillow's `BILINEAR`: a triangle as wide as two cells, and never narrower
    /// than two samples.
    fn triangles(&self, count: u32) -> Vec<Span> {
        let scale = self.length / f64::from(count);
        let support = scale.max(1.0);
        (0..count)
            .map(|cell| {
                let centre = (f64::from(cell) + 0.5) * scale;
                let first = (centre - support + 0.5).max(0.0) as u32;
                let end = ((centre + support + 0.5) as u32).min(self.samples).max(first + 1);
                let weight = |index: u32| {
                    let distance = (f64::from(index) + 0.5 - centre).abs() / support;
                    (1.0 - distance).max(0.0) * self.coverage(index)
                };
                let weights: Vec<f64> = (first..end).map(weight).collect();
                Span::normalised(first as usize, weights)
            })
            .collect()
    }

    /// The mean of what lies between two edges, in stored order.
    fn boxes(&self, edges: &[u32]) -> Vec<Span> {
        let full = self.full;
        let mut sides: Vec<(u32, u32)> = edges
            .windows(2)
            .map(|pair| if self.mirrored { (full - pair[1], full - pair[0]) } else { (pair[0], pair[1]) })
            .collect();
        sides.sort_unstable();
        sides
            .into_iter()
            .map(|(start, end)| {
                let (start, end) = (f64::from(start) / self.pixels, f64::from(end) / self.pixels);
                let first = (start as u32).min(self.samples - 1);
                let stop = (end.ceil() as u32).clamp(first + 1, self.samples);
                let weight = |index: u32| {
                    let index = f64::from(index);
                    ((index + 1.0).min(end) - index.max(start)).max(0.0)
                };
                Span::normalised(first as usize, (first..stop).map(weight).collect())
            })
            .collect()
    }
}

/// Reduces rows of `channels` interleaved samples to `rows` × `columns` cells.
/// `row` loads a row of samples.
fn reduce(
    width: usize,
    channels: usize,
    columns: &[Span],
    rows: &[Span],
    row: impl Fn(usize, &mut [f32]),
) -> Vec<f32> {
    let samples = width * channels;
    let mut cells = Vec::with_capacity(columns.len() * rows.len() * channels);
    let mut line = vec![0.0; samples];
    // Triangles overlap their neighbours: as many sums are open at a time as
    // spans reach over one row.
    let mut open: Vec<(usize, Vec<f32>)> = Vec::new();
    let mut spare: Vec<Vec<f32>> = Vec::new();
    let mut next = 0;
    let last = rows.iter().map(|span| span.first + span.weights.len()).max().unwrap_or(0);
    for y in rows.first().map_or(0, |span| span.first)..last {
        while rows.get(next).is_some_and(|span| span.first <= y) {
            let mut sum = spare.pop().unwrap_or_default();
            sum.clear();
            sum.resize(samples, 0.0);
            open.push((next, sum));
            next += 1;
        }
        row(y, &mut line);
        for (cell, sum) in &mut open {
            let span = &rows[*cell];
            let weight = span.weights.get(y - span.first).copied().unwrap_or(0.0);
            for (total, &sample) in sum.iter_mut().zip(&line) {
                *total += weight * sample;
            }
        }
        while open.first().is_some_and(|(cell, _)| rows[*cell].first + rows[*cell].weights.len() <= y + 1) {
            let (_, sum) = open.remove(0);
            for span in columns {
                let part = &sum[span.first * channels..];
                for channel in 0..channels {
                    let taken = part.iter().skip(channel).step_by(channels);
                    cells.push(taken.zip(&span.weights).map(|(sample, weight)| sample * weight).sum());
                }
            }
            spare.push(sum);
        }
    }
    cells
}

fn rounded(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

impl Mosaic {
    /// The mosaic of planes that show a picture of `full` (width, height)
    /// stored pixels decoded at `scale`. `orientation` turns it upright; the
    /// grid is laid on the upright picture.
    pub fn from_planes(
        planes: &Planes,
        full: (u32, u32),
        scale: Scale,
        orientation: Orientation,
        grid: Grid,
    ) -> Self {
        let gray = planes.subsampling() == Subsampling::Gray;
        let mirrored = orientation.stored_flips();
        let mut cells = vec![[0; 4]; grid.count(full.0) as usize * grid.count(full.1) as usize];
        for index in 0..planes.subsampling().planes() {
            let plane = planes.plane(index);
            let factors = if index == 0 { (1, 1) } else { planes.subsampling().factors() };
            let axis = |samples: u32, full: u32, factor: u32, mirrored: bool| {
                let pixels = f64::from(scale.denominator() * factor);
                Axis { samples, length: f64::from(full) / pixels, pixels, full, mirrored }
            };
            let columns = axis(plane.width, full.0, factors.0, mirrored.0).spans(grid);
            let rows = axis(plane.height, full.1, factors.1, mirrored.1).spans(grid);
            for (cell, value) in cells.iter_mut().zip(reduce_plane(&plane, &columns, &rows)) {
                cell[index] = rounded(value);
            }
        }
        let count = |length| grid.count(length) as usize;
        let cells = orientation.apply(&cells, count(full.0), count(full.1));
        let (width, height) = orientation.size(full.0, full.1);
        let model = if gray { Model::Gray } else { Model::YCbCr };
        Self { model, cells, columns: grid.edges(width), rows: grid.edges(height) }
    }

    /// The mosaic of upright pixels, rows without padding. Transparent pixels
    /// count by their alpha.
    pub fn from_pixels(pixels: &[u8], (width, height): (u32, u32), model: Model, grid: Grid) -> Self {
        let axis = |full: u32| {
            let length = f64::from(full);
            Axis { samples: full, length, pixels: 1.0, full, mirrored: false }.spans(grid)
        };
        let (columns, rows) = (axis(width), axis(height));
        let channels = model.channels();
        let length = width as usize * channels;
        let values = reduce(width as usize, channels, &columns, &rows, |y, line| {
            let row = &pixels[y * length..(y + 1) * length];
            if model == Model::Rgba {
                for (to, &[r, g, b, a]) in line.as_chunks_mut::<4>().0.iter_mut().zip(row.as_chunks::<4>().0)
                {
                    let alpha = f32::from(a) / 255.0;
                    *to = [f32::from(r) * alpha, f32::from(g) * alpha, f32::from(b) * alpha, f32::from(a)];
                }
            } else {
                load(row, line);
            }
        });
        let cells = values
            .chunks_exact(channels)
            .map(|value| {
                let mut cell = [0; 4];
                let unit = if model == Model::Rgba { (value[3] / 255.0).max(f32::MIN_POSITIVE) } else { 1.0 };
                for (channel, (sample, &value)) in cell.iter_mut().zip(value).enumerate() {
                    *sample = rounded(if channel == 3 { value } else { value / unit });
                }
                if model == Model::Rgba && cell[3] == 0 { [0; 4] } else { cell }
            })
            .collect();
        Self { model, cells, columns: grid.edges(width), rows: grid.edges(height) }
    }
}

fn reduce_plane(plane: &Plane<'_>, columns: &[Span], rows: &[Span]) -> Vec<f32> {
    reduce(plane.width as usize, 1, columns, rows, |y, line| load(plane.row(y as u32), line))
}

fn load(row: &[u8], line: &mut [f32]) {
    for (to, &sample) in line.iter_mut().zip(row) {
        *to = f32::from(sample);
    }
}
