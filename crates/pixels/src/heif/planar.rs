//! Pictures as luma and chroma of up to 16 bits, and their way to RGB.
//!
//! Owns the canvas that tiles are laid on and the conversion by code points of
//! ITU-T H.273 (matrix and range). Refuses matrices that are not linear in the
//! samples, or that nobody writes. Primaries and transfer are left to colour
//! management.

use super::Fault;
use super::cicp::Cicp;
use crate::geometry::Size;
use crate::picture::{Layout, Picture, Sample};

/// A type that samples are kept in.
pub(crate) trait Stored: Copy + Default + Into<u16> {
    /// `sample`, which this type can hold.
    fn of(sample: u16) -> Self;
}

impl Stored for u8 {
    fn of(sample: u16) -> Self {
        sample as Self
    }
}

impl Stored for u16 {
    fn of(sample: u16) -> Self {
        sample
    }
}

/// Samples of one tile, as a decoder hands them over: plane 0 is luma, 1 and 2
/// are chroma.
pub(crate) trait Tile {
    /// Copies the start of row `y` of plane `index`.
    fn copy_row<S: Stored>(&self, index: usize, y: usize, to: &mut [S]);
}

/// A whole picture in planes, each of its own size, without padding.
#[derive(Debug)]
pub(crate) struct Planar<S> {
    size: Size,
    /// Bits of a sample.
    depth: u8,
    /// Whether chroma has half the width, and half the height; `None` without chroma.
    chroma: Option<(bool, bool)>,
    planes: [Vec<S>; 3],
}

impl<S: Stored> Planar<S> {
    /// Planes of zeros.
    pub(crate) fn new(size: Size, depth: u8, chroma: Option<(bool, bool)>) -> Self {
        let mut planar = Self { size, depth, chroma, planes: Default::default() };
        for index in 0..planar.count() {
            let (width, height) = planar.dimensions(index);
            planar.planes[index] = vec![S::default(); width * height];
        }
        planar
    }

    fn count(&self) -> usize {
        if self.chroma.is_some() { 3 } else { 1 }
    }

    /// Columns and rows of plane `index`.
    fn dimensions(&self, index: usize) -> (usize, usize) {
        let (x, y) = match self.chroma {
            Some(halved) if index > 0 => halved,
            _ => (false, false),
        };
        let side = |side: u32, halved: bool| side.div_ceil(1 << u32::from(halved)) as usize;
        (side(self.size.width, x), side(self.size.height, y))
    }

    /// Lays a tile of `size` at (`x`, `y`); what stands out is left off.
    /// Refuses a tile that would begin between samples of chroma.
    pub(crate) fn lay(&mut self, tile: &impl Tile, size: Size, (x, y): (u32, u32)) -> Result<(), Fault> {
        let halved = self.chroma.unwrap_or_default();
        if (halved.0 && x % 2 == 1) || (halved.1 && y % 2 == 1) {
            return Err(Fault::malformed("its tiles begin between samples of chroma"));
        }
        for index in 0..self.count() {
            let (halved_x, halved_y) = if index == 0 { (false, false) } else { halved };
            let (width, height) = self.dimensions(index);
            let (left, top) = ((x >> u32::from(halved_x)) as usize, (y >> u32::from(halved_y)) as usize);
            let tile_width = size.width.div_ceil(1 << u32::from(halved_x)) as usize;
            let tile_height = size.height.div_ceil(1 << u32::from(halved_y)) as usize;
            let length = tile_width.min(width.saturating_sub(left));
            for row in 0..tile_height.min(height.saturating_sub(top)) {
                let start = (top + row) * width + left;
                tile.copy_row(index, row, &mut self.planes[index][start..start + length]);
            }
        }
        Ok(())
    }
}

/// How samples become red, green and blue, all in the range 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Matrix {
    /// Planes are green, blue, red.
    Identity,
    /// Red and blue weigh this much in luma.
    Weights { red: f32, blue: f32 },
    /// Luma and two differences, without weights.
    YCgCo,
}

impl Matrix {
    /// By the code point of H.273, 8.3.
    fn of(code: u16) -> Result<Self, Fault> {
        let weights = |red, blue| Ok(Self::Weights { red, blue });
        match code {
            0 => Ok(Self::Identity),
            1 => weights(0.2126, 0.0722),
            4 => weights(0.30, 0.11),
            // Nobody says otherwise: what JPEG has, as MIAF asks (7.3.6.4).
            2 | 5 | 6 => weights(0.299, 0.114),
            7 => weights(0.212, 0.087),
            8 => Ok(Self::YCgCo),
            9 => weights(0.2627, 0.0593),
            _ => Err(Fault::unsupported(format!("colours by matrix {code} of H.273"))),
        }
    }
}

/// Scale and offset that bring samples into 0 to 1 (luma) and −½ to ½ (chroma).
#[derive(Debug, Clone, Copy)]
struct Range {
    luma: (f32, f32),
    chroma: (f32, f32),
}

impl Range {
    /// H.273, 8.3: equations 20 to 31.
    fn of(depth: u8, full: bool) -> Self {
        let unit = (1_u32 << (depth - 8)) as f32;
        let most = ((1_u32 << depth) - 1) as f32;
        let middle = (1_u32 << (depth - 1)) as f32;
        if full {
            Self { luma: (1.0 / most, 0.0), chroma: (1.0 / most, middle) }
        } else {
            Self { luma: (1.0 / (219.0 * unit), 16.0 * unit), chroma: (1.0 / (224.0 * unit), middle) }
        }
    }
}

/// The picture of `colour` and `alpha`, with samples of type `T`.
///
/// `alpha` has the size of `colour`; its luma covers, in the range that
/// `alpha_full` tells. Where the colours are premultiplied they are divided
/// again.
pub(crate) fn to_picture<S, T>(
    colour: &Planar<S>,
    cicp: Cicp,
    alpha: Option<(&Planar<S>, bool)>,
    premultiplied: bool,
) -> Result<Picture<T>, Fault>
where
    S: Stored,
    T: Sample,
{
    let size = colour.size;
    let mut matrix = Matrix::of(cicp.matrix)?;
    if matrix == Matrix::Identity && colour.chroma.is_some_and(|halved| halved != (false, false)) {
        return Err(Fault::malformed("its colours are green, blue and red of different sizes"));
    }
    let grey = colour.chroma.is_none();
    if grey {
        matrix = Matrix::Identity; // there is but one plane
    }
    let layout = match (alpha, grey) {
        (Some(_), _) => Layout::Rgba,
        (None, true) => Layout::Grey,
        (None, false) => Layout::Rgb,
    };
    let (width, height) = (size.width as usize, size.height as usize);
    let channels = layout.channels();
    let mut pixels = vec![T::from_u32(0); width * height * channels];
    let mut rows = Rows::new(colour, Range::of(colour.depth, cicp.full_range), matrix == Matrix::Identity);
    let alpha = alpha.map(|(planar, full)| (planar, Range::of(planar.depth, full)));
    for (y, out) in pixels.chunks_exact_mut(width * channels).enumerate() {
        rows.read(y);
        match layout {
            Layout::Grey => {
                for (out, &luma) in out.iter_mut().zip(&rows.planes[0]) {
                    *out = stored(luma);
                }
            }
            Layout::Rgb => {
                rows.convert(matrix, out.as_chunks_mut::<3>().0, |out, rgb| *out = rgb.map(stored));
            }
            Layout::Rgba => {
                let out = out.as_chunks_mut::<4>().0;
                if let Some((planar, range)) = &alpha {
                    let row = &planar.planes[0][y * width..(y + 1) * width];
                    for (out, &sample) in out.iter_mut().zip(row) {
                        out[3] = stored(normal(sample, range.luma));
                    }
                }
                rows.convert(if grey { Matrix::Identity } else { matrix }, out, |out, rgb| {
                    let cover = if premultiplied { (out[3].into() as f32) / T::MAX as f32 } else { 1.0 };
                    let divided = |value: f32| if cover > 0.0 { value / cover } else { 0.0 };
                    let [r, g, b] = rgb.map(|value| stored(divided(value)));
                    *out = [r, g, b, out[3]];
                });
            }
        }
    }
    Ok(Picture::new(size, layout, pixels))
}

fn normal(sample: impl Into<u16>, (scale, offset): (f32, f32)) -> f32 {
    (f32::from(sample.into()) - offset) * scale
}

/// The nearest sample to `value`, 1 being the most.
fn stored<T: Sample>(value: f32) -> T {
    // A cast to an unsigned number stops at its ends.
    T::from_u32(((value * T::MAX as f32 + 0.5) as u32).min(T::MAX))
}

/// One row of a picture, chroma brought to the size of luma.
struct Rows<'a, S> {
    planar: &'a Planar<S>,
    range: Range,
    /// Chroma is treated as luma: green, blue and red.
    plain: bool,
    planes: [Vec<f32>; 3],
    /// A row of chroma, blended of two.
    blended: Vec<f32>,
}

impl<'a, S: Stored> Rows<'a, S> {
    fn new(planar: &'a Planar<S>, range: Range, plain: bool) -> Self {
        let row = || vec![0.0; planar.size.width as usize];
        let planes =
            if planar.chroma.is_some() { [row(), row(), row()] } else { [row(), Vec::new(), Vec::new()] };
        Self { planar, range, plain, planes, blended: row() }
    }

    fn read(&mut self, y: usize) {
        for index in 0..self.planar.count() {
            let (width, height) = self.planar.dimensions(index);
            let plane = &self.planar.planes[index];
            let row = |y: usize| &plane[y * width..(y + 1) * width];
            let scale = if index == 0 || self.plain { self.range.luma } else { self.range.chroma };
            let out = &mut self.planes[index];
            let halved = self.planar.chroma.filter(|_| index > 0).unwrap_or_default();
            if halved == (false, false) {
                for (out, &sample) in out.iter_mut().zip(row(y)) {
                    *out = normal(sample, scale);
                }
                continue;
            }
            // Samples of chroma lie between those of luma, so that each is
            // weighed 3 to 1 with its neighbour.
            let blended = &mut self.blended[..width];
            if halved.1 {
                let near = y / 2;
                let far =
                    if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(height - 1) };
                for ((out, &near), &far) in blended.iter_mut().zip(row(near)).zip(row(far)) {
                    *out = 0.75 * normal(near, scale) + 0.25 * normal(far, scale);
                }
            } else {
                for (out, &sample) in blended.iter_mut().zip(row(y)) {
                    *out = normal(sample, scale);
                }
            }
            widen(blended, out);
        }
    }

    /// Gives the red, green and blue of each pixel of the row to `put`.
    fn convert<O>(&self, matrix: Matrix, out: &mut [O], put: impl Fn(&mut O, [f32; 3])) {
        let [first, second, third] = &self.planes;
        if second.is_empty() {
            for (out, &luma) in out.iter_mut().zip(first) {
                put(out, [luma; 3]);
            }
            return;
        }
        let samples = first.iter().zip(second).zip(third).map(|((&a, &b), &c)| (a, b, c));
        match matrix {
            Matrix::Identity => {
                for (out, (green, blue, red)) in out.iter_mut().zip(samples) {
                    put(out, [red, green, blue]);
                }
            }
            Matrix::YCgCo => {
                for (out, (luma, cg, co)) in out.iter_mut().zip(samples) {
                    put(out, [luma - cg + co, luma + cg, luma - cg - co]);
                }
            }
            Matrix::Weights { red, blue } => {
                let green = 1.0 - red - blue;
                let (to_red, to_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
                let (red_to_green, blue_to_green) = (red * to_red / green, blue * to_blue / green);
                for (out, (luma, cb, cr)) in out.iter_mut().zip(samples) {
                    put(
                        out,
                        [
                            luma + to_red * cr,
                            luma - red_to_green * cr - blue_to_green * cb,
                            luma + to_blue * cb,
                        ],
                    );
                }
            }
        }
    }
}

/// Twice as many samples, each 3 parts of the nearest and 1 of the next.
fn widen(from: &[f32], to: &mut [f32]) {
    let last = from.len() - 1;
    let at = |i: usize| from[i.min(last)];
    let mut pairs = to.chunks_exact_mut(2);
    let mut before = at(0);
    for (i, pair) in pairs.by_ref().enumerate() {
        let (here, after) = (at(i), at(i + 1));
        pair[0] = 0.75 * here + 0.25 * before;
        pair[1] = 0.75 * here + 0.25 * after;
        before = here;
    }
    if let [end] = pairs.into_remainder() {
        *end = 0.75 * at(last) + 0.25 * before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Planes of one sample each.
    struct Flat<'a>(&'a [u8]);

    impl Tile for Flat<'_> {
        fn copy_row<S: Stored>(&self, index: usize, _: usize, to: &mut [S]) {
            to.fill(S::of(self.0[index].into()));
        }
    }

    fn rgb(samples: &[u8], matrix: u16, full_range: bool) -> [u8; 3] {
        let size = Size::new(2, 2);
        let mut planar = Planar::new(size, 8, Some((false, false)));
        planar.lay(&Flat(samples), size, (0, 0)).unwrap();
        let cicp = Cicp { primaries: 1, transfer: 13, matrix, full_range };
        let picture = to_picture::<u8, u8>(&planar, cicp, None, false).unwrap();
        [picture.pixels[0], picture.pixels[1], picture.pixels[2]]
    }

    #[test]
    fn samples_become_rgb_by_matrix_and_range() {
        // Black and white of the limited range; red of BT.601 and of BT.709.
        assert_eq!(rgb(&[16, 128, 128], 1, false), [0, 0, 0]);
        assert_eq!(rgb(&[235, 128, 128], 9, false), [255, 255, 255]);
        assert_eq!(rgb(&[235, 128, 128], 6, true), [235, 235, 235]);
        assert_eq!(rgb(&[90, 128, 128], 0, true), [128, 90, 128]);
        // R = Y + 1.402 Cr, G = Y − 0.714136 Cr, by hand: Y 90, Cr 112.
        assert_eq!(rgb(&[90, 128, 240], 6, true), [247, 10, 90]);
        // The same for BT.709, limited: (74 / 219, 0, ½): Y + 0.7874, Y − 0.23406.
        assert_eq!(rgb(&[90, 128, 240], 1, false), [255, 26, 86]);
        // BT.2020: Y + 0.7373, Y − 0.28568.
        assert_eq!(rgb(&[90, 128, 240], 9, false), [255, 13, 86]);
        assert_eq!(rgb(&[128, 128, 240], 8, true), [240, 128, 16]);
    }

    #[test]
    fn chroma_is_widened_between_its_samples() {
        let mut to = [0.0; 5];
        widen(&[0.0, 4.0, 8.0], &mut to);
        assert!(to.iter().zip([0.0, 1.0, 3.0, 5.0, 7.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{to:?}");
        let mut one = [0.0; 1];
        widen(&[3.0], &mut one);
        assert!((one[0] - 3.0).abs() < 1e-6, "{one:?}");
    }

    #[test]
    fn an_unknown_matrix_is_unsupported() {
        for code in [10, 11, 14, 99] {
            assert!(matches!(Matrix::of(code), Err(Fault::Unsupported(_))), "{code}");
        }
    }
}
