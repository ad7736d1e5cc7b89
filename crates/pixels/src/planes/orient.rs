//! Planes turned as EXIF says.

use super::Planes;
use crate::geometry::{Orientation, Subsampling};

impl Planes {
    /// The picture turned upright.
    ///
    /// Where an axis of subsampled chroma has an odd length and is mirrored,
    /// the half chroma sample must already be its first one
    /// ([`Planes::resized`] sees to that); else chroma shifts by one luma
    /// sample.
    #[must_use]
    pub fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::UPRIGHT {
            return self;
        }
        let (width, height) = orientation.size(self.width(), self.height());
        let subsampling = match (orientation.transpose, self.subsampling()) {
            (true, Subsampling::S422) => Subsampling::S440,
            (true, Subsampling::S440) => Subsampling::S422,
            (true, Subsampling::S411) => Subsampling::S441,
            (true, Subsampling::S441) => Subsampling::S411,
            (_, same) => same,
        };
        let mut upright = Self::uninitialised(width, height, subsampling, Vec::new());
        for index in 0..subsampling.planes() {
            let stride = upright.dimensions(index).2 as usize;
            let plane = self.plane(index);
            let (w, h) = (plane.width as usize, plane.height as usize);
            let to = &mut upright.split_mut()[index][..];
            orientation.apply_into(plane.samples, w, h, plane.stride as usize, to, stride);
        }
        upright.pad();
        upright
    }
}
