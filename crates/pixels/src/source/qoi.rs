//! The header of a QOI (<https://qoiformat.org/qoi-specification.pdf>).

use super::model::{Kind, Source};
use crate::Error;
use crate::colour::ColourSpace;
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};

/// Bytes of the header; the chunks follow.
pub(crate) const HEADER: usize = 14;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "QOI", detail: detail.into() }
}

pub(super) fn read(bytes: &[u8]) -> Result<Source<'_>, Error> {
    let Some(&[_, _, _, _, w0, w1, w2, w3, h0, h1, h2, h3, channels, colour]) = bytes.first_chunk::<HEADER>()
    else {
        return Err(malformed("it ends before its header is complete"));
    };
    let stored = Size::new(u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    if stored.width == 0 || stored.height == 0 {
        return Err(malformed(format!("its size is {} x {} pixels", stored.width, stored.height)));
    }
    let layout = match channels {
        3 => Layout::Rgb,
        4 => Layout::Rgba,
        other => return Err(malformed(format!("it claims {other} channels"))),
    };
    // "Purely informative" by the specification; encoders write either number
    // of sRGB samples, and no viewer asks.
    if colour > 1 {
        return Err(malformed(format!("it claims colour space {colour}")));
    }
    Ok(Source {
        bytes,
        stored,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        depth: Depth::Eight,
        layout,
        colour: ColourSpace::Srgb,
        exif: None,
        xmp: None,
        kind: Kind::Qoi,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_or_refused() {
        let header = |width: u8, channels: u8, colour: u8| {
            [b'q', b'o', b'i', b'f', 0, 0, 0, width, 0, 0, 0, 2, channels, colour]
        };
        assert_eq!(read(&header(3, 4, 0)).unwrap().stored, Size::new(3, 2));
        assert_eq!(read(&header(3, 3, 1)).unwrap().layout, Layout::Rgb);
        for bad in [header(0, 4, 0), header(3, 5, 0), header(3, 4, 2)] {
            assert!(matches!(read(&bad), Err(Error::Malformed { .. })), "{bad:?}");
        }
        assert!(matches!(read(&header(3, 4, 0)[..13]), Err(Error::Malformed { .. })));
    }
}
