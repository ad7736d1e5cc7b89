//! Pictures brighter than white: PQ and HLG brought into sRGB.
//!
//! Owns: the transfer functions and the tone curve. Refuses: profiles, which
//! are `colour`'s.
//!
//! Sources: SMPTE ST 2084 (PQ), ITU-R BT.2100-2 (HLG, with the system gamma of
//! a display of 1,000 cd/m²), ITU-R BT.2408 (reference white at 203 cd/m²),
//! ITU-R BT.2087 (primaries). White and what is darker keep their light up to
//! three quarters; above, an exponential shoulder ends at full. The brightest
//! channel decides and all follow, so that hues stay.

use crate::picture::{Layout, Picture, Sample};

/// Reference white, in cd/m².
const WHITE: f32 = 203.0;
/// Where the shoulder begins, of reference white.
const KNEE: f32 = 0.75;

/// A conversion of one kind of HDR samples.
pub(crate) struct ToneMapping {
    /// Light of each code: cd/m² over reference white; for HLG, the scene's
    /// light from 0 to 1.
    light: Vec<f32>,
    hlg: bool,
    primaries: Primaries,
}

#[derive(Clone, Copy, PartialEq)]
enum Primaries {
    Bt709,
    Bt2020,
    P3,
}

impl Primaries {
    /// To linear BT.709, rows of the matrix.
    const fn to_709(self) -> [[f32; 3]; 3] {
        match self {
            Self::Bt709 => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            Self::Bt2020 => {
                [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
            }
            Self::P3 => [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
        }
    }
}

impl ToneMapping {
    /// For samples of `S` with code points of ITU-T H.273; `None` where the
    /// transfer is neither PQ nor HLG.
    pub(crate) fn of<S: Sample>(primaries: u8, transfer: u8) -> Option<Self> {
        let primaries = match primaries {
            9 => Primaries::Bt2020,
            12 => Primaries::P3,
            _ => Primaries::Bt709,
        };
        let hlg = match transfer {
            16 => false,
            18 => true,
            _ => return None,
        };
        let code = |code: u32| code as f32 / S::MAX as f32;
        let light = (0..=S::MAX).map(|v| if hlg { scene(code(v)) } else { pq(code(v)) / WHITE }).collect();
        Some(Self { light, hlg, primaries })
    }

    /// Converts a picture in place.
    pub(crate) fn apply<S: Sample>(&self, picture: &mut Picture<S>) {
        let channels = picture.layout.channels();
        if picture.layout == Layout::Grey {
            for v in &mut picture.pixels {
                *v = self.pixel([*v; 3])[1];
            }
            return;
        }
        for pixel in picture.pixels.chunks_exact_mut(channels) {
            let rgb = self.pixel([pixel[0], pixel[1], pixel[2]]);
            pixel[..3].copy_from_slice(&rgb);
        }
    }

    fn pixel<S: Sample>(&self, codes: [S; 3]) -> [S; 3] {
        let mut rgb = codes.map(|code| {
            let at: u32 = code.into();
            self.light[at as usize]
        });
        if self.hlg {
            let luminance = 0.2627 * rgb[0] + 0.6780 * rgb[1] + 0.0593 * rgb[2];
            let gain = luminance.powf(0.2) * 1000.0 / WHITE;
            rgb = rgb.map(|light| light * gain);
        }
        let brightest = rgb[0].max(rgb[1]).max(rgb[2]);
        if brightest > KNEE {
            let most = 1.0 - KNEE;
            let mapped = KNEE + most * (1.0 - (-(brightest - KNEE) / most).exp());
            rgb = rgb.map(|light| light * mapped / brightest);
        }
        self.primaries.to_709().map(|[r, g, b]| {
            let light = (r * rgb[0] + g * rgb[1] + b * rgb[2]).clamp(0.0, 1.0);
            S::from_u32((encoded(light) * S::MAX as f32).round() as u32)
        })
    }
}

/// cd/m² of a PQ code from 0 to 1.
#[inline]
fn pq(code: f32) -> f32 {
    const M1: f32 = 2610.0 / 16_384.0;
    const M2: f32 = 2523.0 / 4096.0 * 128.0;
    const C1: f32 = 3424.0 / 4096.0;
    const C2: f32 = 2413.0 / 4096.0 * 32.0;
    const C3: f32 = 2392.0 / 4096.0 * 32.0;
    let root = code.powf(1.0 / M2);
    10_000.0 * ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1)
}

/// The scene's light, 0 to 1, of an HLG code from 0 to 1.
#[inline]
fn scene(code: f32) -> f32 {
    const A: f32 = 0.178_832_77;
    const B: f32 = 0.284_668_92;
    const C: f32 = 0.559_910_7;
    if code <= 0.5 { code * code / 3.0 } else { (((code - C) / A).exp() + B) / 12.0 }
}

/// sRGB's code of light, both from 0 to 1 (IEC 61966-2-1).
#[inline]
fn encoded(light: f32) -> f32 {
    if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    fn grey(transfer: u8, code: f32) -> u8 {
        let mapping = ToneMapping::of::<u16>(9, transfer).unwrap();
        let code = (code * 65_535.0).round() as u16;
        let mut picture = Picture::new(Size::new(1, 1), Layout::Rgb, vec![code; 3]);
        mapping.apply(&mut picture);
        let [r, g, b] = [0, 1, 2].map(|i| picture.pixels[i].narrowed());
        assert!(r.abs_diff(g) <= 1 && b.abs_diff(g) <= 1, "grey stays grey: {r} {g} {b}");
        g
    }

    #[test]
    fn the_curves_meet_their_standards() {
        // BT.2408, table 1: reference white is 58 % of PQ and 75 % of HLG.
        assert!((pq(0.5806) - 203.0).abs() < 1.0, "{}", pq(0.5806));
        assert!((pq(1.0) - 10_000.0).abs() < 1.0);
        assert!((scene(0.75).powf(1.2) * 1000.0 - 203.0).abs() < 1.0);
        assert!((scene(1.0) - 1.0).abs() < 1e-3 && (scene(0.5) - 1.0 / 12.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_darker_than_white_keeps_its_light_and_highlights_do_not_clip() {
        // A grey of 18 % of reference white: PQ code 0.4109 is 36.5 cd/m². sRGB's code of 0.18 is 118.
        assert!(grey(16, 0.4109).abs_diff(118) <= 2, "{}", grey(16, 0.4109));
        let white = grey(16, 0.5806);
        assert!((235..=250).contains(&white), "{white}");
        let bright = grey(16, 0.7);
        assert!(bright > white && grey(16, 1.0) >= bright);
        assert_eq!(grey(16, 0.0), 0);
        assert!(grey(18, 0.75).abs_diff(white) <= 1);
        assert_eq!(grey(18, 0.0), 0);
    }

    #[test]
    fn only_hdr_is_mapped_and_alpha_is_left_alone() {
        assert!(ToneMapping::of::<u8>(9, 13).is_none());
        let mapping = ToneMapping::of::<u8>(12, 18).unwrap();
        let mut picture = Picture::new(Size::new(1, 1), Layout::Rgba, vec![200_u8, 90, 30, 77]);
        mapping.apply(&mut picture);
        assert_eq!(picture.pixels[3], 77);
        assert!(picture.pixels[0] > picture.pixels[1] && picture.pixels[1] > picture.pixels[2]);
    }
}
