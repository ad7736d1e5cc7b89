//! How coarse each part of a picture may be: from a quality and what is known of
//! the picture to steps, to the price of a bit, and to the strength of the
//! decoder's filter. Owns libwebp's model of them, so that its qualities mean the
//! same here: a quality of 80 makes files of the same size and look.

use super::tables::{AC_STEPS, DC_STEPS};

/// Parts of a picture that are quantized alike.
pub(super) const SEGMENTS: usize = 4;

/// How strongly steps follow what a part can bear, in hundredths.
const SHAPING: i32 = 50;

/// How strongly a decoder is to smooth the edges of blocks, in hundredths.
const SMOOTHING: i32 = 60;

/// A step of quantization, and how coefficients are divided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) size: i16,
    /// 2¹⁷ / `size`.
    pub(super) inverse: u16,
    /// What is added before the last 17 bits are cut off: less than a half makes
    /// more coefficients 0.
    pub(super) bias: u16,
}

impl Step {
    const fn new(size: u16, bias: u16) -> Self {
        Self { size: size as i16, inverse: (0x2_0000 / size as u32) as u16, bias: bias << 9 }
    }
}

/// The steps of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Matrix {
    pub(super) dc: Step,
    pub(super) ac: Step,
    /// What is added to each coefficient before it is divided.
    pub(super) sharpen: [i16; 16],
}

impl Matrix {
    fn new(dc: u16, ac: u16, (dc_bias, ac_bias): (u16, u16)) -> Self {
        Self { dc: Step::new(dc, dc_bias), ac: Step::new(ac, ac_bias), sharpen: [0; 16] }
    }

    /// High frequencies a little up, by their distance from DC.
    fn sharpened(mut self) -> Self {
        // DC is at no distance.
        let distance = |at: usize| (at % 4 + at / 4).min(3) as i16;
        self.sharpen = std::array::from_fn(|at| (30 * distance(at) * self.ac.size) >> 11);
        self
    }

    /// The step of the coefficient at `at`.
    pub(super) const fn step(&self, at: usize) -> Step {
        if at == 0 { self.dc } else { self.ac }
    }

    /// The level of the coefficient at `at`, which has no sharpening.
    pub(super) fn level(&self, at: usize, value: i32) -> i16 {
        let step = self.step(at);
        let size = value.unsigned_abs() * u32::from(step.inverse) + u32::from(step.bias);
        ((size >> 17) as i32 * value.signum()) as i16
    }

    /// The mean step.
    const fn mean(&self) -> i32 {
        (self.dc.size as i32 + 15 * self.ac.size as i32 + 8) >> 4
    }
}

/// What a bit costs against a squared error / 256, for each kind of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prices {
    /// Between the modes of a macroblock's luma.
    pub(super) whole: i32,
    /// Between the modes of a subblock.
    pub(super) subblock: i32,
    /// Between one mode for a macroblock and one for each subblock.
    pub(super) split: i32,
    /// Between the modes of chroma.
    pub(super) chroma: i32,
    /// What texture counts, / 256.
    pub(super) texture: i32,
}

impl Prices {
    /// What a difference of textures counts beside squared errors.
    pub(super) const fn textured(&self, difference: i32) -> i32 {
        (self.texture * difference + 128) >> 8
    }
}

/// How a part of a picture is quantized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// 0–127.
    pub(super) index: u8,
    /// 0–63.
    pub(super) filter: u8,
    /// Luma without, or with, its DC.
    pub(super) luma: Matrix,
    /// The DCs of a macroblock's luma.
    pub(super) second: Matrix,
    pub(super) chroma: Matrix,
    pub(super) prices: Prices,
}

/// What an analysis says about a part of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Character {
    /// What it can bear compared with the mean, −127 (nothing) to 127.
    pub(super) bears: i32,
    /// Its distance from the part that bears least, 0–255.
    pub(super) above: i32,
}

/// What the frame's header has of the steps of chroma: added to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChromaShift {
    pub(super) dc: i32,
    pub(super) ac: i32,
}

impl ChromaShift {
    /// For a picture whose chroma can bear `susceptibility`: 30 little, 64 as
    /// usual, 100 a lot.
    pub(super) fn of(susceptibility: i32) -> Self {
        let ac = (susceptibility - 64) * 10 / 70 * SHAPING / 100;
        Self { dc: -4 * SHAPING / 100, ac: ac.clamp(-4, 6) }
    }
}

impl Segment {
    /// `quality` is 0–100.
    pub(super) fn new(quality: u8, character: Character, shift: ChromaShift) -> Self {
        let quality = f64::from(quality) / 100.0;
        // JPEG's usual 75 is to be the middle, and sizes go with the cube of a step.
        let linear = if quality < 0.75 { quality * (2.0 / 3.0) } else { 2.0 * quality - 1.0 };
        let amplitude = 0.9 * f64::from(SHAPING) / 100.0 / 128.0;
        let exponent = 1.0 - amplitude * f64::from(character.bears);
        let compression = linear.cbrt().powf(exponent);
        let index = (127.0 * (1.0 - compression)) as i32;
        let at = |index: i32, highest: i32| index.clamp(0, highest) as usize;
        let (dc, ac) = (u16::from(DC_STEPS[at(index, 127)]), AC_STEPS[at(index, 127)]);
        let luma = Matrix::new(dc, ac, (96, 110)).sharpened();
        // Section 14.1.
        let second = Matrix::new(2 * dc, (ac * 155 / 100).max(8), (96, 108));
        let chroma = Matrix::new(
            DC_STEPS[at(index + shift.dc, 117)].into(),
            AC_STEPS[at(index + shift.ac, 127)],
            (110, 115),
        );
        let [fine, coarse, coloured] = [luma.mean(), second.mean(), chroma.mean()];
        let prices = Prices {
            whole: 3 * coarse * coarse,
            subblock: ((3 * fine * fine) >> 7).max(1),
            split: ((fine * fine) >> 7).max(1),
            chroma: ((3 * coloured * coloured) >> 6).max(1),
            texture: ((SHAPING * fine) >> 5).max(1),
        };
        let strength = i32::from(ac >> 2).min(63) * 5 * SMOOTHING / (256 + character.above);
        // Weaker ones cost a decoder more than they show.
        let filter = if strength < 2 { 0 } else { strength.min(63) as u8 };
        Self { index: at(index, 127) as u8, filter, luma, second, chroma, prices }
    }

    /// Makes the decoder's filter strong enough for the largest edge between the
    /// blocks of a macroblock that have DCs alone.
    pub(super) fn smooth(&mut self, edge: i32) {
        let strength = ((edge * i32::from(self.second.ac.size)) >> 3).min(63) as u8;
        self.filter = self.filter.max(strength);
    }

    /// Below this error a flat macroblock's edges need no smoothing.
    pub(super) fn least_error(&self) -> i32 {
        20 * i32::from(self.luma.dc.size)
    }
}
