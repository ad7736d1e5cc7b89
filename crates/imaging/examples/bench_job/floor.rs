//! What no pixel path can be faster than: the job's decode and its encodes with
//! the same library, and nothing between them.
//!
//! Owns: nothing that the product uses. Refuses: scaling; the planes that it
//! encodes are those of our own prints, decoded before the clock runs.

use std::error::Error;

use minilab_imaging::Rendition;
use turbojpeg::{Compressor, Decompressor, YuvImage, yuv_pixels_len};

/// The prints' planes, and room for the source's.
pub(crate) struct Floor {
    prints: Vec<(Rendition, YuvImage<Vec<u8>>)>,
    decoded: YuvImage<Vec<u8>>,
}

impl Floor {
    /// `prints` are JPEGs.
    pub(crate) fn new(picture: &[u8], prints: Vec<Rendition>) -> Result<Self, Box<dyn Error>> {
        let header = turbojpeg::read_header(picture)?;
        let (width, height, subsamp, align) = (header.width, header.height, header.subsamp, 1);
        let pixels = vec![0; yuv_pixels_len(width, align, height, subsamp)?];
        let prints = prints.into_iter().map(|print| {
            let planes = turbojpeg::decompress_to_yuv(&print.bytes)?;
            Ok::<_, turbojpeg::Error>((print, planes))
        });
        let decoded = YuvImage { pixels, width, align, height, subsamp };
        Ok(Self { prints: prints.collect::<Result<_, _>>()?, decoded })
    }

    /// One decode, and each print encoded, one after another.
    pub(crate) fn run(&mut self, picture: &[u8]) -> Result<Vec<Rendition>, Box<dyn Error>> {
        Decompressor::new()?.decompress_to_yuv(picture, self.decoded.as_deref_mut())?;
        let files = self.prints.iter().map(|(print, planes)| {
            let mut compressor = Compressor::new()?;
            compressor.set_quality(80)?;
            Ok(Rendition { bytes: compressor.compress_yuv_to_vec(planes.as_deref())?, ..print.clone() })
        });
        files.collect()
    }
}
