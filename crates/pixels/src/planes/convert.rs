//! Planes to and from RGB (JFIF's full-range BT.601), and to the limited range
//! of WebP.

use super::{Plane, Planes};
use crate::Error;
use crate::geometry::{CropBox, Subsampling};

/// A picture as WebP has it: BT.601 in limited range, 4:2:0, chroma of
/// ⌈w / 2⌉ × ⌈h / 2⌉.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebpPlanes {
    /// Luma, `width` × `height` without padding, 16–235.
    pub(crate) y: Vec<u8>,
    /// Cb, ⌈`width` / 2⌉ × ⌈`height` / 2⌉ without padding, 16–240.
    pub(crate) u: Vec<u8>,
    /// Cr, likewise.
    pub(crate) v: Vec<u8>,
    /// Columns of luma.
    pub(crate) width: u32,
    /// Rows of luma.
    pub(crate) height: u32,
}

/// The planes that a WebP encoder takes without passing through RGB.
pub(crate) fn to_webp_yuv420(planes: &Planes) -> Result<WebpPlanes, Error> {
    let (width, height) = (planes.width(), planes.height());
    let resampled;
    let planes = match planes.subsampling() {
        Subsampling::S420 | Subsampling::Gray => planes,
        _ => {
            resampled = planes.resized(
                CropBox::whole(width, height),
                (width, height),
                Subsampling::S420,
                (false, false),
                1,
            )?;
            &resampled
        }
    };
    let luma = table(16.0, 219.0, 0.0);
    let chroma = table(128.0, 224.0, 128.0);
    let mapped = |plane: Plane<'_>, table: &[u8; 256]| -> Vec<u8> {
        (0..plane.height).flat_map(|y| plane.row(y).iter().map(|&s| table[usize::from(s)])).collect()
    };
    let y = mapped(planes.plane(0), &luma);
    let (u, v) = if planes.subsampling() == Subsampling::Gray {
        let neutral = vec![128; (width.div_ceil(2) * height.div_ceil(2)) as usize];
        (neutral.clone(), neutral)
    } else {
        (mapped(planes.plane(1), &chroma), mapped(planes.plane(2), &chroma))
    };
    Ok(WebpPlanes { y, u, v, width, height })
}

/// Weights of red, green and blue in limited range, in 16 bits of fraction.
const LUMA: [i32; 3] = [16_829, 33_039, 6416];
const CB: [i32; 3] = [-9714, -19_071, 28_785];
const CR: [i32; 3] = [28_785, -24_104, -4681];

impl WebpPlanes {
    /// The planes of grey or RGB pixels (`channels` 1 or 3), rows without padding;
    /// chroma is the mean of its pixels.
    pub(crate) fn of_pixels(pixels: &[u8], channels: usize, (width, height): (u32, u32)) -> Self {
        let chroma_size = (width.div_ceil(2) * height.div_ceil(2)) as usize;
        if channels == 1 {
            let luma = table(16.0, 219.0, 0.0);
            let y = pixels.iter().map(|&sample| luma[usize::from(sample)]).collect();
            let neutral = vec![128; chroma_size];
            return Self { y, u: neutral.clone(), v: neutral, width, height };
        }
        let weighed = |pixel: [i32; 3], weights: [i32; 3], zero: i32, bits: u32| {
            let sum: i32 = pixel.iter().zip(weights).map(|(sample, weight)| sample * weight).sum();
            (((zero << bits) + sum + (1 << (bits - 1))) >> bits) as u8
        };
        let pixels = pixels.as_chunks::<3>().0;
        let y = pixels.iter().map(|pixel| weighed(pixel.map(i32::from), LUMA, 16, 16)).collect();
        let (mut u, mut v) = (Vec::with_capacity(chroma_size), Vec::with_capacity(chroma_size));
        for rows in pixels.chunks(2 * width as usize) {
            let (upper, lower) = rows.split_at(width as usize);
            // The last row and column stand twice where they are alone.
            let lower = if lower.is_empty() { upper } else { lower };
            for (upper, lower) in upper.chunks(2).zip(lower.chunks(2)) {
                let mut sum = [0; 3];
                for four in [upper, lower].map(|pair| [pair[0], pair[pair.len() - 1]]).as_flattened() {
                    for (total, &sample) in sum.iter_mut().zip(four) {
                        *total += i32::from(sample);
                    }
                }
                u.push(weighed(sum, CB, 128, 18));
                v.push(weighed(sum, CR, 128, 18));
            }
        }
        Self { y, u, v, width, height }
    }
}

/// Maps 0–255 around `zero` to a range `span` wide around `to_zero`.
fn table(to_zero: f64, span: f64, zero: f64) -> [u8; 256] {
    let mut table = [0; 256];
    for (sample, mapped) in table.iter_mut().enumerate() {
        *mapped = (to_zero + (sample as f64 - zero) * span / 255.0).round() as u8;
    }
    table
}

impl Planes {
    /// RGB pixels, rows without padding. Subsampled chroma is interpolated
    /// between its centres (triangle filter, as libjpeg's "fancy" upsampling).
    pub fn to_rgb(&self) -> Result<Vec<u8>, Error> {
        let (width, height) = (self.width() as usize, self.height() as usize);
        let mut rgb = vec![0; width * height * 3];
        if self.subsampling() == Subsampling::Gray {
            let luma = self.plane(0);
            for (y, out) in rgb.chunks_exact_mut(width * 3).enumerate() {
                for (pixel, &l) in out.as_chunks_mut::<3>().0.iter_mut().zip(luma.row(y as u32)) {
                    *pixel = [l; 3];
                }
            }
            return Ok(rgb);
        }
        let upsampled;
        let full = if self.subsampling() == Subsampling::S444 {
            self
        } else {
            upsampled = self.upsampled()?;
            &upsampled
        };
        let planes = [full.plane(0), full.plane(1), full.plane(2)];
        for (y, out) in rgb.chunks_exact_mut(width * 3).enumerate() {
            let [luma, cb, cr] = planes.map(|plane| {
                let start = y * plane.stride as usize;
                &plane.samples[start..start + width]
            });
            for (((pixel, &l), &b), &r) in out.as_chunks_mut::<3>().0.iter_mut().zip(luma).zip(cb).zip(cr) {
                *pixel = ycc_to_rgb([l, b, r]);
            }
        }
        Ok(rgb)
    }

    /// Planes of RGB pixels (rows without padding); chroma is the mean of its
    /// pixels.
    pub fn from_rgb(rgb: &[u8], width: u32, height: u32, subsampling: Subsampling) -> Self {
        let mut planes = Self::uninitialised(width, height, subsampling, Vec::new());
        let (fx, fy) = subsampling.factors();
        let (_, _, stride) = planes.dimensions(0);
        let (_, _, chroma_stride) = planes.dimensions(1);
        let [luma, cb, cr] = planes.split_mut();
        let pixels = rgb.as_chunks::<3>().0;
        for (y, row) in pixels.chunks_exact(width as usize).enumerate() {
            let out = &mut luma[y * stride as usize..];
            for (sample, &pixel) in out.iter_mut().zip(row) {
                *sample = rgb_to_ycc(pixel)[0];
            }
        }
        if subsampling != Subsampling::Gray {
            let rows: Vec<&[[u8; 3]]> = pixels.chunks_exact(width as usize).collect();
            for (y, rows) in rows.chunks(fy as usize).enumerate() {
                for x in 0..chroma_stride as usize {
                    let columns = x * fx as usize..((x + 1) * fx as usize).min(width as usize);
                    let count = (columns.len() * rows.len()) as u32;
                    let mut sum = [0u32; 3];
                    for pixel in rows.iter().flat_map(|row| &row[columns.clone()]) {
                        for (total, &sample) in sum.iter_mut().zip(pixel) {
                            *total += u32::from(sample);
                        }
                    }
                    let [_, b, r] = rgb_to_ycc(sum.map(|total| ((total + count / 2) / count) as u8));
                    cb[y * chroma_stride as usize + x] = b;
                    cr[y * chroma_stride as usize + x] = r;
                }
            }
        }
        planes.pad();
        planes
    }
}

/// JFIF's conversion in 16-bit fixed point, with the rounding of libjpeg, so
/// that one colour gets the same samples whoever converts it.
pub(crate) fn rgb_to_ycc([r, g, b]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    const CENTRE: i32 = (128 << 16) + HALF - 1;
    let [r, g, b] = [r, g, b].map(i32::from);
    let y = (19_595 * r + 38_470 * g + 7_471 * b + HALF) >> 16;
    let cb = (-11_059 * r - 21_709 * g + 32_768 * b + CENTRE) >> 16;
    let cr = (32_768 * r - 27_439 * g - 5_329 * b + CENTRE) >> 16;
    [y as u8, cb as u8, cr as u8]
}

/// The way back.
pub(crate) fn ycc_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let r = y + ((91_881 * cr + HALF) >> 16);
    let g = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let b = y + ((116_130 * cb + HALF) >> 16);
    [r, g, b].map(|sample| sample.clamp(0, 255) as u8)
}
