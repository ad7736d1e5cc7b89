//! A picture in at most 256 colours: exact where it has no more, else chosen and
//! dithered.
//!
//! Colours are chosen as Wu and others do it: the box of colours with the
//! largest error is cut where that leaves the least (X. Wu, "Color quantization
//! by dynamic programming and principal analysis", 1992, by sorting instead of
//! tables), then Lloyd's k-means moves them to the middle of what they stand
//! for. Distances are those of Oklab (<https://bottosson.github.io/posts/oklab/>)
//! times alpha, so that what is hardly seen counts little. Rows are dithered to
//! and fro by Floyd and Steinberg's weights. No randomness: the same picture has
//! the same palette.
//!
//! Own code because quantette, the field's best permissive crate, knows no alpha,
//! and imagequant is GPL.

use crate::picture::{Layout, Picture};
use crate::srgb;

/// A picture of at most 256 colours.
pub(super) struct Indexed {
    /// RGBA, not premultiplied.
    pub(super) colours: Vec<[u8; 4]>,
    /// One a pixel.
    pub(super) indices: Vec<u8>,
}

/// Slots of the hash table; a power of two several times 256.
const SLOTS: usize = 1024;

impl Indexed {
    /// The picture as it is, colours in the order of first appearance. `None` as
    /// soon as a 257th colour turns up, early in any photo.
    pub(super) fn exact(picture: &Picture) -> Option<Self> {
        let mut colours: Vec<[u8; 4]> = Vec::with_capacity(256);
        let mut slots = [u16::MAX; SLOTS];
        let mut indices = Vec::new();
        let mut last: Option<([u8; 4], u8)> = None;
        for colour in colours_of(picture) {
            let index = match last {
                Some((same, index)) if same == colour => index,
                _ => lookup(colour, &mut colours, &mut slots)?,
            };
            last = Some((colour, index));
            indices.push(index);
        }
        Some(Self { colours, indices })
    }

    /// The picture in at most `most` (2 to 256) colours.
    pub(super) fn reduced(picture: &Picture, most: u16, dither: bool) -> Self {
        let most = usize::from(most.clamp(2, 256));
        if let Some(exact) = Self::exact(picture)
            && exact.colours.len() <= most
        {
            return exact;
        }
        let clear = colours_of(picture).any(|colour| colour[3] == 0);
        let points = points(picture);
        let mut colours = choose(&points, most - usize::from(clear));
        if clear {
            // Last, and asked for by name: nothing else may become invisible.
            colours.push([0; 4]);
        }
        let seen = &colours[..colours.len() - usize::from(clear)];
        let mut nearest = Nearest::new(seen);
        let strength = if dither { DITHER } else { 0.0 };
        let indices = diffuse(picture, &colours, &mut nearest, strength);
        Self { colours, indices }
    }
}

/// Bytes that [`Indexed::reduced`] takes at its peak: a key a pixel, later the
/// colours and indices; and all points three times with the tables.
pub(super) fn memory(pixels: u64) -> u64 {
    pixels * 10 + (40 << 20)
}

/// RGBA; what cannot be seen is one colour.
fn colours_of(picture: &Picture) -> impl Iterator<Item = [u8; 4]> + '_ {
    picture.pixels.chunks_exact(picture.layout.channels()).map(|pixel| match (picture.layout, pixel) {
        (Layout::Rgb, &[r, g, b]) => [r, g, b, 255],
        (Layout::Rgba, &[_, _, _, 0]) => [0; 4],
        (Layout::Rgba, &[r, g, b, a]) => [r, g, b, a],
        _ => [pixel[0], pixel[0], pixel[0], 255],
    })
}

fn lookup(colour: [u8; 4], colours: &mut Vec<[u8; 4]>, slots: &mut [u16; SLOTS]) -> Option<u8> {
    // Fibonacci hashing; the table is at most a quarter full, so a free slot is near.
    let mut slot = (u32::from_le_bytes(colour).wrapping_mul(0x9e37_79b1) >> 22) as usize;
    loop {
        match slots[slot] {
            u16::MAX => break,
            index if colours[usize::from(index)] == colour => return Some(index as u8),
            _ => slot = (slot + 1) % SLOTS,
        }
    }
    if colours.len() == 256 {
        return None;
    }
    slots[slot] = colours.len() as u16;
    colours.push(colour);
    Some((colours.len() - 1) as u8)
}

/// Where a colour lies: Oklab times alpha, and alpha; what is opaque lies apart,
/// so that no cut and no mean makes it translucent.
type Position = [f32; 4];

/// Some pixels of nearly one colour.
#[derive(Clone, Copy)]
struct Point {
    at: Position,
    /// How many pixels.
    weight: f32,
    /// Their mean, RGBA.
    colour: [f32; 4],
}

/// Where opaque colours lie on the axis of alpha, beyond any distance of colour.
const OPAQUE: f32 = 4.0;

fn position(colour: [f32; 4], light: &[f32; 256]) -> Position {
    let linear = |value: f32| {
        let value = value.clamp(0.0, 255.0);
        let below = value as usize;
        let above = (below + 1).min(255);
        light[below] + (light[above] - light[below]) * (value - below as f32)
    };
    let [r, g, b] = [linear(colour[0]), linear(colour[1]), linear(colour[2])];
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    let alpha = colour[3] / 255.0;
    [
        alpha * (0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s),
        alpha * (1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s),
        alpha * (0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s),
        if alpha < 1.0 { alpha } else { OPAQUE },
    ]
}

fn light() -> [f32; 256] {
    std::array::from_fn(|sample| srgb::linear(sample as f64 / 255.0) as f32)
}

/// Most points that colours are chosen for: all that opaque colours can have.
/// Each is looked at for each colour of the palette, and kept three times.
const POINTS: usize = 1 << 18;

/// The colours that are seen, those alike in 6 bits of each channel and 4 of
/// alpha together, in the order of these bits; where that leaves too many, a bit
/// less of each.
fn points(picture: &Picture) -> Vec<Point> {
    (0..3).find_map(|coarser| points_of(picture, coarser)).unwrap_or_default()
}

/// `None` for more than [`POINTS`].
fn points_of(picture: &Picture, coarser: u32) -> Option<Vec<Point>> {
    let mut keys: Vec<u64> = Vec::with_capacity(picture.size.pixels() as usize);
    keys.extend(colours_of(picture).filter(|colour| colour[3] > 0).map(|colour| {
        let [r, g, b, a] = colour.map(u64::from);
        let a = if a == 255 { 16 } else { a >> (4 + coarser) };
        let [r, g, b] = [r, g, b].map(|v| v >> (2 + coarser));
        let bin = r << 17 | g << 11 | b << 5 | a;
        bin << 32 | u64::from(u32::from_be_bytes(colour))
    }));
    keys.sort_unstable();
    let bins = || keys.chunk_by(|one, other| one >> 32 == other >> 32);
    if bins().count() > POINTS {
        return None;
    }
    let light = light();
    let point = |bin: &[u64]| {
        let mut sums = [0_u64; 4];
        for &key in bin {
            for (sum, sample) in sums.iter_mut().zip((key as u32).to_be_bytes()) {
                *sum += u64::from(sample);
            }
        }
        let colour = sums.map(|sum| sum as f32 / bin.len() as f32);
        Point { at: position(colour, &light), weight: bin.len() as f32, colour }
    };
    Some(bins().map(point).collect())
}

/// A run of points, and what is wrong with giving all of them one colour.
struct Box_ {
    points: Vec<Point>,
    error: f64,
    axis: usize,
}

impl Box_ {
    fn new(points: Vec<Point>) -> Self {
        let mut weight = 0.0;
        let (mut sums, mut squares) = ([0.0; 4], [0.0; 4]);
        for point in &points {
            let w = f64::from(point.weight);
            weight += w;
            for (axis, &at) in point.at.iter().enumerate() {
                sums[axis] += w * f64::from(at);
                squares[axis] += w * f64::from(at) * f64::from(at);
            }
        }
        let spread: [f64; 4] = std::array::from_fn(|axis| squares[axis] - sums[axis] * sums[axis] / weight);
        let axis = (1..4).fold(0, |best, axis| if spread[axis] > spread[best] { axis } else { best });
        let error = if points.len() < 2 { 0.0 } else { spread.iter().sum() };
        Self { points, error, axis }
    }

    /// Both parts of the best cut across the longest axis.
    fn cut(mut self) -> (Self, Self) {
        let axis = self.axis;
        self.points.sort_by(|one, other| one.at[axis].total_cmp(&other.at[axis]));
        let totals = |points: &[Point]| {
            points.iter().fold((0.0, 0.0), |(weight, sum), point| {
                let w = f64::from(point.weight);
                (weight + w, sum + w * f64::from(point.at[axis]))
            })
        };
        let (all, all_sum) = totals(&self.points);
        let (mut weight, mut sum) = (0.0, 0.0);
        let mut best = (1, f64::NEG_INFINITY);
        for (index, point) in self.points[..self.points.len() - 1].iter().enumerate() {
            let w = f64::from(point.weight);
            weight += w;
            sum += w * f64::from(point.at[axis]);
            // The less error is left, the more these squares are.
            let gain = sum * sum / weight + (all_sum - sum) * (all_sum - sum) / (all - weight);
            if gain > best.1 {
                best = (index + 1, gain);
            }
        }
        let rest = self.points.split_off(best.0);
        // Else each part would keep the room of the whole.
        self.points.shrink_to_fit();
        (Self::new(self.points), Self::new(rest))
    }
}

/// Rounds of k-means. After these, colours hardly move any more.
const ROUNDS: usize = 6;

/// At most `most` colours for `points`.
fn choose(points: &[Point], most: usize) -> Vec<[u8; 4]> {
    if points.is_empty() {
        return Vec::new();
    }
    let mut boxes = vec![Box_::new(points.to_vec())];
    while boxes.len() < most {
        let worst =
            (0..boxes.len()).fold(0, |w, index| if boxes[index].error > boxes[w].error { index } else { w });
        if boxes[worst].error <= 0.0 {
            break;
        }
        let (one, other) = boxes.swap_remove(worst).cut();
        boxes.extend([one, other]);
    }
    let light = light();
    let mut colours: Vec<[f32; 4]> = boxes.iter().map(|part| mean(part.points.iter())).collect();
    for _ in 0..ROUNDS {
        let positions: Vec<Position> = colours.iter().map(|&colour| position(colour, &light)).collect();
        let mut members: Vec<Vec<&Point>> = vec![Vec::new(); colours.len()];
        for point in points {
            members[closest(point.at, &positions)].push(point);
        }
        for (colour, members) in colours.iter_mut().zip(members).filter(|(_, members)| !members.is_empty()) {
            *colour = mean(members.into_iter());
        }
    }
    colours.iter().map(|colour| colour.map(|value| (value + 0.5).clamp(0.0, 255.0) as u8)).collect()
}

/// Colour by weight and alpha.
fn mean<'p>(points: impl Iterator<Item = &'p Point>) -> [f32; 4] {
    let (mut sums, mut alpha, mut weight) = ([0.0_f64; 3], 0.0, 0.0);
    for point in points {
        let covered = f64::from(point.weight) * f64::from(point.colour[3]);
        for (sum, &value) in sums.iter_mut().zip(&point.colour) {
            *sum += covered * f64::from(value);
        }
        alpha += covered;
        weight += f64::from(point.weight);
    }
    let [r, g, b] = sums.map(|sum| (sum / alpha) as f32);
    [r, g, b, (alpha / weight) as f32]
}

fn closest(at: Position, positions: &[Position]) -> usize {
    let mut best = (0, f32::INFINITY);
    for (index, other) in positions.iter().enumerate() {
        let [l, a, b, alpha] = [at[0] - other[0], at[1] - other[1], at[2] - other[2], at[3] - other[3]];
        let distance = l * l + a * a + b * b + alpha * alpha;
        if distance < best.1 {
            best = (index, distance);
        }
    }
    best.0
}

/// The nearest colour of a palette, remembered for all colours alike in 6 bits
/// of each channel and 3 of alpha.
struct Nearest {
    positions: Vec<Position>,
    light: [f32; 256],
    known: Vec<u16>,
}

impl Nearest {
    fn new(colours: &[[u8; 4]]) -> Self {
        let light = light();
        let positions = colours.iter().map(|colour| position(colour.map(f32::from), &light)).collect();
        Self { positions, light, known: vec![u16::MAX; 1 << 21] }
    }

    /// Of a colour of samples from 0 to 255.
    fn of(&mut self, colour: [f32; 4]) -> u8 {
        let level = |value: f32, most: f32| (value / 255.0 * most + 0.5) as usize;
        let [r, g, b] = [level(colour[0], 63.0), level(colour[1], 63.0), level(colour[2], 63.0)];
        let a = level(colour[3], 7.0);
        let bin = (a << 18) | (r << 12) | (g << 6) | b;
        if self.known[bin] == u16::MAX {
            let value = |level: usize, most: f32| level as f32 * 255.0 / most;
            let middle = [value(r, 63.0), value(g, 63.0), value(b, 63.0), value(a, 7.0)];
            self.known[bin] = closest(position(middle, &self.light), &self.positions) as u16;
        }
        self.known[bin] as u8
    }
}

/// How much of an error is handed on. All of it makes worms in flat colours.
const DITHER: f32 = 0.85;

/// Indices of `colours`, rows to and fro, errors handed on to pixels that are
/// seen. Where `strength` is 0 each pixel is on its own.
fn diffuse(picture: &Picture, colours: &[[u8; 4]], nearest: &mut Nearest, strength: f32) -> Vec<u8> {
    let width = picture.size.width as usize;
    let pixels: Vec<[u8; 4]> = colours_of(picture).collect();
    let mut indices = vec![0_u8; pixels.len()];
    // One pixel more on either side, so that no edge is a case of its own.
    let mut here = vec![[0.0_f32; 4]; width + 2];
    let mut below = here.clone();
    for (y, (row, out)) in pixels.chunks_exact(width).zip(indices.chunks_exact_mut(width)).enumerate() {
        let forth = y % 2 == 0;
        for step in 0..width {
            let x = if forth { step } else { width - 1 - step };
            let pixel = row[x];
            if pixel[3] == 0 {
                out[x] = (colours.len() - 1) as u8;
                continue;
            }
            let error = here[x + 1];
            let wanted: [f32; 4] =
                std::array::from_fn(|channel| (f32::from(pixel[channel]) + error[channel]).clamp(0.0, 255.0));
            let index = nearest.of(wanted);
            out[x] = index;
            if strength > 0.0 {
                let got = colours[usize::from(index)];
                let (ahead, behind) = if forth { (x + 2, x) } else { (x, x + 2) };
                for channel in 0..4 {
                    let error = strength * (wanted[channel] - f32::from(got[channel]));
                    here[ahead][channel] += error * 7.0 / 16.0;
                    below[behind][channel] += error * 3.0 / 16.0;
                    below[x + 1][channel] += error * 5.0 / 16.0;
                    below[ahead][channel] += error / 16.0;
                }
            }
        }
        std::mem::swap(&mut here, &mut below);
        below.fill([0.0; 4]);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    fn shown(indexed: &Indexed) -> Vec<[u8; 4]> {
        indexed.indices.iter().map(|&index| indexed.colours[usize::from(index)]).collect()
    }

    #[test]
    fn a_picture_of_few_colours_keeps_them() {
        let picture = Picture::new(Size::new(3, 1), Layout::Rgb, vec![1, 2, 3, 250, 2, 3, 1, 2, 3]);
        let indexed = Indexed::reduced(&picture, 2, true);
        assert_eq!(shown(&indexed), [[1, 2, 3, 255], [250, 2, 3, 255], [1, 2, 3, 255]]);
    }

    #[test]
    fn few_colours_stand_for_many_and_dithering_keeps_the_mean() {
        let ramp = |x: u32| [(x * 2) as u8, 255 - (x * 2) as u8, 90];
        let pixels = (0..64).flat_map(|_| (0..128).flat_map(ramp)).collect();
        let picture = Picture::new(Size::new(128, 64), Layout::Rgb, pixels);
        for most in [2, 7, 16, 100] {
            let indexed = Indexed::reduced(&picture, most, true);
            assert!(indexed.colours.len() <= usize::from(most));
            // Blocks of 16 pixels a side look as they did.
            let shown = shown(&indexed);
            let mut worst = 0;
            for block in 0..8 {
                let sum: i32 =
                    (0..64 * 16).map(|i| i32::from(shown[i / 16 * 128 + block * 16 + i % 16][0])).sum();
                let wanted = (block * 16 * 2 + 15) as i32;
                worst = worst.max((sum / 1024 - wanted).abs());
            }
            // Two colours cannot show what lies beyond them.
            assert!(worst <= if most < 16 { 60 } else { 3 }, "{most} colours: {worst}");
            assert_eq!(Indexed::reduced(&picture, most, true).indices, indexed.indices);
        }
    }

    #[test]
    fn clear_stays_clear_and_opaque_opaque() {
        let pixels: Vec<u8> = (0..64 * 64_u32)
            .flat_map(|i| {
                let (x, y) = (i % 64, i / 64);
                let alpha = if x < 20 {
                    0
                } else if x < 24 {
                    (x - 19) * 50
                } else {
                    255
                };
                [(y * 4) as u8, (x * 4) as u8, (x * y % 256) as u8, alpha as u8]
            })
            .collect();
        let picture = Picture::new(Size::new(64, 64), Layout::Rgba, pixels);
        for most in [8, 64, 256] {
            let indexed = Indexed::reduced(&picture, most, true);
            for (before, after) in picture.pixels.as_chunks::<4>().0.iter().zip(shown(&indexed)) {
                assert_eq!(before[3] == 0, after == [0; 4], "{most}: {before:?} as {after:?}");
                if before[3] == 255 {
                    assert!(after[3] == 255, "{most}: {before:?} as {after:?}");
                }
            }
        }
    }
}
