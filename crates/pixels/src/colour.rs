//! Colour management: whatever a picture says of its colour, its prints are
//! sRGB. Owns the decision whether anything must be converted, and the
//! conversion, perceptual, over moxcms.
//!
//! A profile that cannot be read, or that is of another colour model than the
//! picture, is ignored and the samples are taken as sRGB, as browsers do: a
//! broken profile is no reason to lose a picture.

use crate::geometry::Size;
use crate::hdr::ToneMapping;
use crate::picture::{Layout, Picture, Sample};
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    MatrixCoefficients, ParsingOptions, RenderingIntent, ToneReprCurve, TransferCharacteristics,
    TransformExecutor, TransformOptions, XyY,
};
use std::borrow::Cow;
use std::sync::Arc;

/// CIE 1931 x and y of the white point and the primaries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chromaticities {
    /// The white point.
    pub white: (f32, f32),
    /// The red primary.
    pub red: (f32, f32),
    /// The green primary.
    pub green: (f32, f32),
    /// The blue primary.
    pub blue: (f32, f32),
}

/// What a header says of colour.
#[derive(Debug, Clone)]
pub enum ColourSpace<'a> {
    /// It says sRGB, or nothing.
    Srgb,
    /// An ICC profile.
    Icc(Cow<'a, [u8]>),
    /// An ICC profile that only the decoder gets at: compressed, in a PNG. It has at
    /// most as many bytes as that.
    InFile {
        /// Bytes at the most.
        most: u64,
    },
    /// Code points of ITU-T H.273.
    Cicp {
        /// `ColourPrimaries`.
        primaries: u8,
        /// `TransferCharacteristics`.
        transfer: u8,
    },
    /// PNG's gAMA (of encoding, so sRGB's is about 1/2.2) and cHRM.
    Gamma {
        /// The exponent.
        gamma: f64,
        /// White point and primaries, where they are said.
        chromaticities: Option<Chromaticities>,
    },
}

/// A conversion to sRGB that changes something.
pub struct Conversion<S>(Change<S>);

enum Change<S> {
    /// For pictures of one channel: what each sample becomes.
    Grey(Box<[S]>),
    /// RGB or RGBA to the same layout.
    Rgb { rgb: Arc<Executor<S>>, rgba: Arc<Executor<S>> },
    /// CMYK, full being full ink, to RGB.
    Cmyk(Arc<Executor<S>>),
    /// Grey, RGB or RGBA that is brighter than white.
    Hdr(ToneMapping),
}

type Executor<S> = dyn TransformExecutor<S> + Send + Sync;

/// Samples that colour management knows.
pub trait Convertible: Sample {
    /// A transform between layouts of four channels at most.
    fn executor(
        profile: &ColorProfile,
        from: moxcms::Layout,
        to: moxcms::Layout,
        options: TransformOptions,
    ) -> Option<Arc<Executor<Self>>>;
}

impl Convertible for u8 {
    fn executor(
        profile: &ColorProfile,
        from: moxcms::Layout,
        to: moxcms::Layout,
        options: TransformOptions,
    ) -> Option<Arc<Executor<Self>>> {
        profile.create_transform_8bit(from, &ColorProfile::new_srgb(), to, options).ok()
    }
}

impl Convertible for u16 {
    fn executor(
        profile: &ColorProfile,
        from: moxcms::Layout,
        to: moxcms::Layout,
        options: TransformOptions,
    ) -> Option<Arc<Executor<Self>>> {
        profile.create_transform_16bit(from, &ColorProfile::new_srgb(), to, options).ok()
    }
}

/// The colour model of samples as decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// One channel.
    Grey,
    /// Three.
    Rgb,
    /// Four inks.
    Cmyk,
}

impl Model {
    /// That of decoded pixels.
    pub fn of(layout: Layout) -> Self {
        if layout == Layout::Grey { Self::Grey } else { Self::Rgb }
    }
}

impl<S: Convertible> Conversion<S> {
    /// `None` where there is nothing to convert, or nothing that can be done.
    pub fn to_srgb(space: &ColourSpace<'_>, model: Model) -> Option<Self> {
        if let (ColourSpace::Cicp { primaries, transfer }, Model::Grey | Model::Rgb) = (space, model)
            && let Some(mapping) = ToneMapping::of::<S>(*primaries, *transfer)
        {
            return Some(Self(Change::Hdr(mapping)));
        }
        let profile = match space {
            ColourSpace::Srgb | ColourSpace::InFile { .. } => return None,
            ColourSpace::Icc(bytes) => {
                ColorProfile::new_from_slice_with_options(bytes, ParsingOptions::default()).ok()?
            }
            ColourSpace::Cicp { primaries, transfer } => cicp(*primaries, *transfer)?,
            ColourSpace::Gamma { gamma, chromaticities } => gamma_profile(*gamma, *chromaticities)?,
        };
        match (profile.color_space, model) {
            (DataColorSpace::Gray, Model::Grey) => grey_table(&profile, moxcms::Layout::Gray),
            (DataColorSpace::Rgb, Model::Grey) => grey_table(&profile, moxcms::Layout::Rgb),
            (DataColorSpace::Rgb, Model::Rgb) => {
                let rgb = executor(&profile, moxcms::Layout::Rgb, moxcms::Layout::Rgb)?;
                if is_identity(&*rgb) {
                    return None;
                }
                let rgba = executor(&profile, moxcms::Layout::Rgba, moxcms::Layout::Rgba)?;
                Some(Self(Change::Rgb { rgb, rgba }))
            }
            // Four channels travel under the name of RGBA.
            (DataColorSpace::Cmyk, Model::Cmyk) => {
                executor(&profile, moxcms::Layout::Rgba, moxcms::Layout::Rgb).map(Change::Cmyk).map(Self)
            }
            _ => None,
        }
    }

    /// Converts a grey, RGB or RGBA picture in place. A conversion made for
    /// another model leaves it as it is.
    pub fn apply(&self, picture: &mut Picture<S>) {
        match (&self.0, picture.layout) {
            (Change::Grey(table), Layout::Grey) => {
                for v in &mut picture.pixels {
                    let at: u32 = (*v).into();
                    *v = table[at as usize];
                }
            }
            (Change::Rgb { rgb, .. }, Layout::Rgb) => in_place(&**rgb, &mut picture.pixels, 3),
            (Change::Hdr(mapping), _) => mapping.apply(picture),
            (Change::Rgb { rgba, .. }, Layout::Rgba) => in_place(&**rgba, &mut picture.pixels, 4),
            _ => {}
        }
    }
}

/// RGB of CMYK samples where 255 is full ink.
///
/// Without a profile: each of red, green and blue is (255 − ink)(255 − black) / 255,
/// which is what libjpeg's users and Pillow do; there is no right answer.
pub(crate) fn cmyk_to_rgb(cmyk: &[u8], size: Size, conversion: Option<&Conversion<u8>>) -> Picture {
    let mut pixels = vec![0_u8; size.pixels() as usize * 3];
    let converted = match conversion {
        Some(Conversion(Change::Cmyk(transform))) => transform.transform(cmyk, &mut pixels).is_ok(),
        _ => false,
    };
    if !converted {
        let (inks, _) = cmyk.as_chunks::<4>();
        let (rgb, _) = pixels.as_chunks_mut::<3>();
        for (rgb, &[c, m, y, k]) in rgb.iter_mut().zip(inks) {
            let light = |ink: u8| (u32::from(255 - ink) * u32::from(255 - k) + 127) / 255;
            *rgb = [light(c) as u8, light(m) as u8, light(y) as u8];
        }
    }
    Picture::new(size, Layout::Rgb, pixels)
}

/// Samples converted at once: small enough for the cache, large enough to
/// hide the call.
const CHUNK: usize = 1 << 14;

fn in_place<S: Convertible>(transform: &Executor<S>, pixels: &mut [S], channels: usize) {
    let mut source = vec![S::default(); CHUNK * channels];
    for chunk in pixels.chunks_mut(CHUNK * channels) {
        let source = &mut source[..chunk.len()];
        source.copy_from_slice(chunk);
        // The lengths match by construction, which is all that it can refuse.
        if transform.transform(source, chunk).is_err() {
            chunk.copy_from_slice(source);
        }
    }
}

fn executor<S: Convertible>(
    profile: &ColorProfile,
    from: moxcms::Layout,
    to: moxcms::Layout,
) -> Option<Arc<Executor<S>>> {
    let options = TransformOptions { rendering_intent: RenderingIntent::Perceptual, ..Default::default() };
    S::executor(profile, from, to, options)
}

/// Whether greys and strong colours all come out within one step of 255 of
/// themselves. Asking the transform is surer than comparing names, matrices and
/// curves: sRGB profiles are many.
fn is_identity<S: Convertible>(transform: &Executor<S>) -> bool {
    let mut source: Vec<S> = (0..=255).flat_map(|v| [S::widened(v); 3]).collect();
    for r in (0..=255_u8).step_by(51) {
        for g in (0..=255_u8).step_by(51) {
            for b in (0..=255_u8).step_by(51) {
                source.extend([r, g, b].map(S::widened));
            }
        }
    }
    let mut target = vec![S::default(); source.len()];
    transform.transform(&source, &mut target).is_ok() && source.iter().zip(&target).all(|(a, b)| near(*a, *b))
}

/// Whether two samples differ by one step of 255 at most.
fn near<S: Sample>(a: S, b: S) -> bool {
    let (a, b): (u32, u32) = (a.into(), b.into());
    a.abs_diff(b) <= S::MAX / 255
}

/// What every grey becomes; `None` where all stay.
fn grey_table<S: Convertible>(profile: &ColorProfile, from: moxcms::Layout) -> Option<Conversion<S>> {
    let channels = if from == moxcms::Layout::Gray { 1 } else { 3 };
    let greys: Vec<S> = (0..=S::MAX).map(S::from_u32).collect();
    let ramp: Vec<S> = greys.iter().flat_map(|&v| std::iter::repeat_n(v, channels)).collect();
    let mut rgb = vec![S::default(); greys.len() * 3];
    executor(profile, from, moxcms::Layout::Rgb)?.transform(&ramp, &mut rgb).ok()?;
    let table: Box<[S]> = rgb.chunks_exact(3).map(|rgb| rgb[1]).collect();
    let same = greys.iter().zip(&table).all(|(from, to)| near(*from, *to));
    (!same).then_some(Conversion(Change::Grey(table)))
}

/// The ICC profile that says what `space` says; `None` for sRGB, which needs
/// none, and where there is none.
pub fn profile(space: &ColourSpace<'_>) -> Option<Vec<u8>> {
    match space {
        ColourSpace::Srgb | ColourSpace::InFile { .. } => None,
        ColourSpace::Icc(bytes) => Some(bytes.to_vec()),
        ColourSpace::Cicp { primaries, transfer } => cicp(*primaries, *transfer)?.encode().ok(),
        ColourSpace::Gamma { gamma, chromaticities } => gamma_profile(*gamma, *chromaticities)?.encode().ok(),
    }
}

fn cicp(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    Some(ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    }))
}

/// `None` where gamma and primaries are sRGB's near enough: most encoders that
/// write gAMA mean sRGB by 1/2.2.
fn gamma_profile(gamma: f64, chromaticities: Option<Chromaticities>) -> Option<ColorProfile> {
    const SRGB: Chromaticities =
        Chromaticities { white: (0.3127, 0.329), red: (0.64, 0.33), green: (0.3, 0.6), blue: (0.15, 0.06) };
    let points = |c: &Chromaticities| [c.white, c.red, c.green, c.blue];
    let near = |a: (f32, f32), b: (f32, f32)| (a.0 - b.0).abs() < 0.002 && (a.1 - b.1).abs() < 0.002;
    let primaries = chromaticities
        .filter(|c| points(c).iter().all(|(x, y)| (0.0..1.0).contains(x) && (0.01..1.0).contains(y)))
        .filter(|c| !points(c).into_iter().zip(points(&SRGB)).all(|(a, b)| near(a, b)));
    let srgb_curve = (gamma - 1.0 / 2.2).abs() < 0.01;
    if (srgb_curve && primaries.is_none()) || !(0.05..=5.0).contains(&gamma) {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    if let Some(c) = primaries {
        let point = |(x, y): (f32, f32)| Chromaticity { x, y };
        profile.update_rgb_colorimetry(
            XyY { x: f64::from(c.white.0), y: f64::from(c.white.1), yb: 1.0 },
            ColorPrimaries { red: point(c.red), green: point(c.green), blue: point(c.blue) },
        );
    }
    profile.cicp = None;
    if !srgb_curve {
        let curve = ToneReprCurve::Parametric(vec![(1.0 / gamma) as f32]);
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    }
    Some(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icc(profile: &ColorProfile) -> ColourSpace<'static> {
        ColourSpace::Icc(Cow::Owned(profile.encode().unwrap()))
    }

    fn convert(space: &ColourSpace<'_>, rgb: [u8; 3]) -> [u8; 3] {
        let mut picture = Picture::new(Size::new(1, 1), Layout::Rgb, rgb.to_vec());
        if let Some(conversion) = Conversion::to_srgb(space, Model::Rgb) {
            conversion.apply(&mut picture);
        }
        [picture.pixels[0], picture.pixels[1], picture.pixels[2]]
    }

    #[test]
    fn srgb_in_any_guise_costs_nothing() {
        let srgb = icc(&ColorProfile::new_srgb());
        assert!(Conversion::<u8>::to_srgb(&srgb, Model::Rgb).is_none());
        assert!(Conversion::<u16>::to_srgb(&srgb, Model::Grey).is_none());
        let cicp = ColourSpace::Cicp { primaries: 1, transfer: 13 };
        assert!(Conversion::<u16>::to_srgb(&cicp, Model::Rgb).is_none());
        let gamma = ColourSpace::Gamma { gamma: 0.45455, chromaticities: None };
        assert!(Conversion::<u8>::to_srgb(&gamma, Model::Rgb).is_none());
    }

    #[test]
    fn wide_gamuts_are_brought_into_srgb() {
        // By the primaries of SMPTE EG 432-1 and IEC 61966-2-1 and sRGB's curve,
        // in floating point: 214.9, 92.6, 31.0.
        let p3 = icc(&ColorProfile::new_display_p3());
        let [r, g, b] = convert(&p3, [200, 100, 50]);
        assert!(r.abs_diff(215) <= 1 && g.abs_diff(93) <= 1 && b.abs_diff(31) <= 1, "{r} {g} {b}");
        assert_eq!(convert(&p3, [128, 128, 128]), [128, 128, 128]);
        let cicp = convert(&ColourSpace::Cicp { primaries: 12, transfer: 13 }, [200, 100, 50]);
        assert!(cicp[0].abs_diff(r) <= 1 && cicp[1].abs_diff(g) <= 1 && cicp[2].abs_diff(b) <= 1);
    }

    #[test]
    fn linear_samples_are_brightened() {
        let linear = ColourSpace::Gamma { gamma: 1.0, chromaticities: None };
        // sRGB's curve (IEC 61966-2-1): 55/255 linear is 128.
        assert!(convert(&linear, [55, 55, 55])[1].abs_diff(128) <= 1);
        let Some(Conversion(Change::Grey(table))) = Conversion::<u8>::to_srgb(&linear, Model::Grey) else {
            panic!("a table for grey");
        };
        assert!(table[55].abs_diff(128) <= 1);
    }

    #[test]
    fn a_profile_that_cannot_be_read_is_ignored() {
        let broken = ColourSpace::Icc(Cow::Borrowed(b"no profile"));
        assert!(Conversion::<u8>::to_srgb(&broken, Model::Rgb).is_none());
        assert_eq!(convert(&broken, [1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn plain_cmyk_is_inks_under_black() {
        let size = Size::new(3, 1);
        let picture = cmyk_to_rgb(&[0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255], size, None);
        assert_eq!(picture.pixels, [255, 255, 255, 0, 255, 255, 0, 0, 0]);
    }
}
