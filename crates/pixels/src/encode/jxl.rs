//! JPEG XL over `jixel`, one thread, 8 or 16 bits a sample.
//!
//! Quality is libjxl's scale: 90 is visually the same (a distance of 1), 100 is
//! without loss. Alpha is always without loss, as in libjxl.

use crate::Error;
use crate::metadata::Attached;
use crate::picture::{Depth, Layout, Picture, Sample};
use jixel::{EncodeConfig, Speed};

/// Encodes pixels: `quality` 1–100, `effort` 0–9.
pub(crate) fn encode<S: Sample>(
    picture: &Picture<S>,
    quality: u8,
    effort: u8,
    attached: &Attached,
) -> Result<Vec<u8>, Error> {
    // A distance of 0 is refused, also where it is not asked.
    let mut config = EncodeConfig::default()
        .with_num_threads(1)
        .with_speed(speed(effort))
        .with_distance(distance(quality.min(99)))
        .with_lossless(quality >= 100)
        .with_alpha_distance(0.0);
    if let Some(icc) = &attached.icc {
        config = config.with_icc_profile(icc.clone());
    }
    if let Some(exif) = &attached.exif {
        config = config.with_exif(exif.clone());
    }
    if let Some(xmp) = &attached.xmp {
        config = config.with_xmp(xmp.clone());
    }
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let file = match S::DEPTH {
        Depth::Eight => {
            let samples: &[u8] = bytemuck::cast_slice(&picture.pixels);
            match picture.layout {
                Layout::Grey => jixel::encode_image_gray(samples, width, height, &config),
                Layout::Rgb => jixel::encode_image(samples, width, height, &config),
                Layout::Rgba => jixel::encode_image_with_alpha(samples, width, height, &config),
            }
        }
        Depth::Sixteen => {
            let samples: &[u16] = bytemuck::cast_slice(&picture.pixels);
            match picture.layout {
                Layout::Grey => jixel::encode_image_gray_16bit(samples, width, height, &config),
                Layout::Rgb => jixel::encode_image_16bit(samples, width, height, &config),
                Layout::Rgba => jixel::encode_image_with_alpha_16bit(samples, width, height, &config),
            }
        }
    };
    file.map_err(|e| Error::Codec { format: "JPEG XL", detail: format!("{e:?}") })
}

/// The encoder's tiers; the last would need metrics that are not compiled in.
const fn speed(effort: u8) -> Speed {
    match effort {
        0 | 1 => Speed::UltraFast,
        2 => Speed::Fastest,
        3 | 4 => Speed::Fast,
        5 | 6 => Speed::Medium,
        7 => Speed::MediumSlow,
        _ => Speed::Slow,
    }
}

/// Bytes that encoding takes at its peak, the picture not counted: measured on
/// 1.2 megapixels, without loss, which takes the most (64, 92 and 292 bytes a
/// pixel for efforts up to 4, 6 and 9), and a margin.
pub(crate) fn memory(pixels: u64, effort: u8) -> u64 {
    let bytes = match effort {
        0..=4 => 110,
        5 | 6 => 130,
        7 => 190,
        _ => 350,
    };
    pixels * bytes + (8 << 20)
}

/// libjxl's distance for a quality (`JxlEncoderDistanceFromQuality`).
fn distance(quality: u8) -> f32 {
    let q = f32::from(quality);
    if q >= 30.0 { 0.1 + (100.0 - q) * 0.09 } else { 53.0 / 3000.0 * q * q - 23.0 / 20.0 * q + 25.0 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn distances_are_libjxls() {
        for (quality, expected) in [(99, 0.19), (90, 1.0), (80, 1.9), (30, 6.4), (10, 15.27)] {
            assert!((super::distance(quality) - expected).abs() < 0.01, "{quality}");
        }
    }
}
