//! Resizing plane by plane, in bands of rows that several threads share.

use super::{Plane, Planes, Shape};
use crate::Error;
use crate::geometry::{CropBox, Size, Subsampling};
use crate::parallel::for_each;
use crate::resample::{Axes, Filter, Rows, Stretch};
use std::ops::Range;

/// A plane is not cut into bands of fewer output rows than this: each allocates
/// its own rows in work.
const LEAST_BAND: usize = 64;

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
        return vec![Stretch { length: whole, from, from_length }];
    }
    let part = from_length * f64::from(remainder) / f64::from(length);
    let main = |from| Stretch { length: whole, from, from_length: from_length - part };
    let rest = |from| Stretch { length: 1, from, from_length: part };
    match (whole, remainder_first) {
        (0, _) => vec![rest(from)],
        (_, true) => vec![rest(from), main(from + part)],
        (_, false) => vec![main(from), rest(from + from_length - part)],
    }
}

/// How each plane of a picture becomes that of a print.
#[derive(Debug)]
pub(crate) struct Resizing {
    /// The print.
    pub(crate) shape: Shape,
    /// Of luma, and of chroma where there is some.
    axes: Vec<Axes>,
}

impl Resizing {
    /// The part `crop` of a picture of `source` at `width` × `height` with the
    /// sampling `subsampling`; grey stays grey whatever that is. `mirrored` says
    /// which axes (x, y) are mirrored later ([`Planes::oriented`]).
    pub(super) fn new(
        filter: Filter,
        source: Shape,
        crop: CropBox,
        (width, height): (u32, u32),
        subsampling: Subsampling,
        mirrored: (bool, bool),
    ) -> Self {
        let subsampling =
            if source.subsampling == Subsampling::Gray { Subsampling::Gray } else { subsampling };
        let axes = (0..subsampling.planes().min(2))
            .map(|index| {
                let (fx, fy) = if index == 0 { (1, 1) } else { subsampling.factors() };
                let (sx, sy) = if index == 0 { (1, 1) } else { source.subsampling.factors() };
                let columns = stretches(width, fx, crop.left, crop.width, sx, mirrored.0);
                let rows = stretches(height, fy, crop.top, crop.height, sy, mirrored.1);
                let (width, height, _) = source.dimensions(index);
                Axes::new(filter, &columns, &rows, Size::new(width, height))
            })
            .collect();
        Self { shape: Shape::new(width, height, subsampling), axes }
    }

    /// The axes of plane `index`.
    pub(crate) fn axes(&self, index: usize) -> &Axes {
        &self.axes[index.min(1)]
    }
}

/// Some rows of a plane of the print.
struct Band<'a> {
    source: Plane<'a>,
    axes: &'a Axes,
    rows: Range<usize>,
    target: &'a mut [u8],
    stride: usize,
}

impl Planes {
    /// The part `crop` of the picture at `width` × `height` with the sampling
    /// `subsampling`, by Lanczos 3 with area support. `mirrored` says which
    /// axes (x, y) are mirrored later ([`Planes::oriented`]).
    ///
    /// Grey stays grey whatever `subsampling` is.
    pub fn resized(
        &self,
        crop: CropBox,
        size: (u32, u32),
        subsampling: Subsampling,
        mirrored: (bool, bool),
        threads: usize,
    ) -> Result<Self, Error> {
        let resizing = Resizing::new(Filter::Lanczos3, self.shape, crop, size, subsampling, mirrored);
        self.resampled(&resizing, threads)
    }

    /// The same picture with chroma for every pixel, interpolated linearly
    /// between the centres of the samples (libjpeg's "fancy" upsampling).
    pub(super) fn upsampled(&self) -> Result<Self, Error> {
        let size = (self.width(), self.height());
        let whole = CropBox::whole(size.0, size.1);
        let never = (false, false);
        self.resampled(&Resizing::new(Filter::Triangle, self.shape, whole, size, Subsampling::S444, never), 1)
    }

    pub(super) fn resampled(&self, resizing: &Resizing, threads: usize) -> Result<Self, Error> {
        let Shape { width, height, subsampling } = resizing.shape;
        let mut print = Self::uninitialised(width, height, subsampling, Vec::new());
        let mut bands = Vec::new();
        for (index, target) in print.split_mut().into_iter().enumerate().take(subsampling.planes()) {
            let (_, height, stride) = resizing.shape.dimensions(index);
            let (height, stride) = (height as usize, stride as usize);
            // Chroma planes are small and two: a band each will do.
            let share = if index == 0 { threads.max(1) } else { 1 };
            let band = height.div_ceil(share).max(LEAST_BAND);
            let bands_of_rows = target[..height * stride].chunks_mut(band * stride);
            bands.extend((0..height).step_by(band).zip(bands_of_rows).map(|(first, target)| Band {
                source: self.plane(index),
                axes: resizing.axes(index),
                rows: first..height.min(first + band),
                target,
                stride,
            }));
        }
        for_each(threads, bands, |band| {
            band.resize();
            Ok(())
        })?;
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

impl Band<'_> {
    fn resize(self) {
        let Plane { samples, stride, .. } = self.source;
        let source = Rows { samples, first: 0, stride: stride as usize, channels: 1 };
        self.axes.resample(source, self.rows, self.target, self.stride);
    }
}
