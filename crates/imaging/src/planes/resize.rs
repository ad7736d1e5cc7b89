//! Resizing plane by plane, in bands of rows that several threads share.

use super::threads::for_each_with;
use super::{Plane, Planes, Subsampling};
use crate::Error;
use fast_image_resize::images::{TypedCroppedImage, TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

/// A plane is not cut into bands of fewer output rows than this. Every band
/// computes the filter's coefficients anew, about 1 ms for 2,048 columns: bands
/// of 128 rows measured twice the time of bands of 512.
const LEAST_BAND: u32 = 256;

/// A part of a picture, in pixels of luma; edges may lie within a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CropBox {
    /// Left edge.
    pub(crate) left: f64,
    /// Top edge.
    pub(crate) top: f64,
    /// Width.
    pub(crate) width: f64,
    /// Height.
    pub(crate) height: f64,
}

impl CropBox {
    /// The whole of a `width` × `height` picture.
    pub(crate) fn whole(width: u32, height: u32) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// The same part of the picture at `factor` times its size.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            left: self.left * factor,
            top: self.top * factor,
            width: self.width * factor,
            height: self.height * factor,
        }
    }
}

/// A stretch of one axis: destination samples and the source they show.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    at: u32,
    length: u32,
    from: f64,
    from_length: f64,
}

/// How one axis of a plane maps to its source.
///
/// Chroma is centred on its luma samples, so that a box of luma is the same box
/// of chroma divided by the factor. Where the length of the print is no
/// multiple of the factor, one chroma sample stands for the remainder only and
/// is made apart; otherwise chroma would drift by up to one luma sample across
/// the picture. `remainder_first` puts it at the start, for an axis that is
/// mirrored later.
fn stretches(
    length: u32,
    factor: u32,
    from: f64,
    from_length: f64,
    from_factor: u32,
    remainder_first: bool,
) -> Vec<Stretch> {
    let (from, from_length) = (from / f64::from(from_factor), from_length / f64::from(from_factor));
    let (whole, remainder) = (length / factor, length % factor);
    if remainder == 0 {
        return vec![Stretch { at: 0, length: whole, from, from_length }];
    }
    let part = from_length * f64::from(remainder) / f64::from(length);
    let main = Stretch {
        at: u32::from(remainder_first),
        length: whole,
        from: if remainder_first { from + part } else { from },
        from_length: from_length - part,
    };
    let rest = Stretch {
        at: if remainder_first { 0 } else { whole },
        length: 1,
        from: if remainder_first { from } else { from + from_length - part },
        from_length: part,
    };
    if whole == 0 { vec![rest] } else { vec![main, rest] }
}

/// Some rows of a plane of the print.
struct Band<'a> {
    source: Plane<'a>,
    target: &'a mut [u8],
    stride: u32,
    columns: Vec<Stretch>,
    rows: Stretch,
}

impl Planes {
    /// The part `crop` of the picture at `width` × `height` with the sampling
    /// `subsampling`, by Lanczos 3 with area support. `mirrored` says which
    /// axes (x, y) are mirrored later ([`Planes::oriented`]).
    ///
    /// Grey stays grey whatever `subsampling` is.
    pub(crate) fn resized(
        &self,
        crop: CropBox,
        (width, height): (u32, u32),
        subsampling: Subsampling,
        mirrored: (bool, bool),
        threads: usize,
    ) -> Result<Self, Error> {
        self.resampled(crop, (width, height), subsampling, mirrored, threads, FilterType::Lanczos3)
    }

    /// The same picture with chroma for every pixel, interpolated linearly
    /// between the centres of the samples (libjpeg's "fancy" upsampling).
    pub(super) fn upsampled(&self) -> Result<Self, Error> {
        let size = (self.width, self.height);
        let whole = CropBox::whole(size.0, size.1);
        self.resampled(whole, size, Subsampling::S444, (false, false), 1, FilterType::Bilinear)
    }

    fn resampled(
        &self,
        crop: CropBox,
        (width, height): (u32, u32),
        subsampling: Subsampling,
        mirrored: (bool, bool),
        threads: usize,
        filter: FilterType,
    ) -> Result<Self, Error> {
        let subsampling = if self.subsampling == Subsampling::Gray { Subsampling::Gray } else { subsampling };
        let mut print = Self::uninitialised(width, height, subsampling, Vec::new());
        let mut bands = Vec::new();
        let dimensions = [0, 1, 2].map(|index| print.dimensions(index));
        for (index, target) in print.split_mut().into_iter().enumerate().take(subsampling.planes()) {
            let (fx, fy) = if index == 0 { (1, 1) } else { subsampling.factors() };
            let (sx, sy) = if index == 0 { (1, 1) } else { self.subsampling.factors() };
            let columns = stretches(width, fx, crop.left, crop.width, sx, mirrored.0);
            let mut rows = stretches(height, fy, crop.top, crop.height, sy, mirrored.1);
            rows.sort_by_key(|stretch| stretch.at);
            let stride = dimensions[index].2;
            let mut target = target;
            for stretch in rows {
                let step = stretch.from_length / f64::from(stretch.length);
                // Chroma planes are small and two: a band each will do.
                let share = if index == 0 { threads.max(1) as u32 } else { 1 };
                let band = stretch.length.div_ceil(share).max(LEAST_BAND);
                for first in (0..stretch.length).step_by(band as usize) {
                    let count = band.min(stretch.length - first);
                    let (samples, rest) = target.split_at_mut((count * stride) as usize);
                    target = rest;
                    bands.push(Band {
                        source: self.plane(index),
                        target: samples,
                        stride,
                        columns: columns.clone(),
                        rows: Stretch {
                            at: 0,
                            length: count,
                            from: stretch.from + step * f64::from(first),
                            from_length: step * f64::from(count),
                        },
                    });
                }
            }
        }
        for_each_with(bands, threads, Resizer::new, |resizer, band| band.resize(resizer, filter))?;
        print.pad();
        Ok(print)
    }

    /// Fills the padding of luma: encoders read it.
    pub(crate) fn pad(&mut self) {
        let (width, height, stride) = self.dimensions(0);
        let (width, height, stride) = (width as usize, height as usize, stride as usize);
        let luma = &mut *self.split_mut()[0];
        if stride > width {
            for row in luma.chunks_mut(stride).take(height) {
                let last = row[width - 1];
                row[width..].fill(last);
            }
        }
        let mut end = height * stride;
        while end < luma.len() {
            luma.copy_within(end - stride..end, end);
            end += stride;
        }
    }
}

fn failed(detail: impl std::fmt::Display) -> Error {
    Error::Codec { format: "resize", detail: detail.to_string() }
}

impl Band<'_> {
    fn resize(self, resizer: &mut Resizer, filter: FilterType) -> Result<(), Error> {
        let plane = self.source;
        let samples = &plane.samples[..(plane.stride * plane.height) as usize];
        let padded = TypedImageRef::<U8>::from_buffer(plane.stride, plane.height, samples).map_err(failed)?;
        let source = TypedCroppedImage::from_ref(&padded, 0, 0, plane.width, plane.height).map_err(failed)?;
        let rows = self.rows;
        let mut target =
            TypedImage::<U8>::from_buffer(self.stride, rows.length, self.target).map_err(failed)?;
        for columns in &self.columns {
            // Rounding may put an edge a hair outside.
            let (left, top) =
                (columns.from.min(f64::from(plane.width)), rows.from.min(f64::from(plane.height)));
            let width = columns.from_length.min(f64::from(plane.width) - left);
            let height = rows.from_length.min(f64::from(plane.height) - top);
            let options = ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(filter))
                .crop(left, top, width, height);
            let mut target =
                TypedCroppedImageMut::from_ref(&mut target, columns.at, 0, columns.length, rows.length)
                    .map_err(failed)?;
            resizer.resize_typed(&source, &mut target, &options).map_err(failed)?;
        }
        Ok(())
    }
}
