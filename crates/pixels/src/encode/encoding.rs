//! How a print is encoded, in the terms that all formats share.

use crate::quality::Quality;

/// How a print is encoded, besides its format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Encoding {
    /// How good it is.
    pub quality: Quality,
    /// Time spent on smaller files, 0 (fastest) to 9 (smallest); by the format
    /// where absent.
    pub effort: Option<u8>,
    /// Exactly the pixels, in WebP and JPEG XL.
    pub lossless: bool,
    /// Colours of a PNG's palette, 2–256; as many as there are where absent.
    pub colours: Option<u16>,
    /// Shows through where the format has no alpha: red, green, blue, alpha.
    pub background: [u8; 4],
}

impl Default for Encoding {
    /// Quality 80 on the encoder's own scale, white behind what is transparent.
    fn default() -> Self {
        Self {
            quality: Quality::Fixed(80),
            effort: None,
            lossless: false,
            colours: None,
            background: [255; 4],
        }
    }
}
