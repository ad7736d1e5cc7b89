//! The header of a WebP (RFC 9649): the RIFF chunks, walked without decoding.

use super::model::{Kind, Source};
use super::shared::turned_by;
use crate::Error;
use crate::colour::ColourSpace;
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use std::borrow::Cow;

pub(crate) use super::headers::WebpHeader;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "WebP", detail: detail.into() }
}

/// The chunks of a RIFF payload, in order, until it ends or breaks off.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let data = tail.get(..length)?;
        rest = tail.get(length + (length & 1)..).unwrap_or_default();
        Some(([head[0], head[1], head[2], head[3]], data))
    })
}

pub(super) fn read(bytes: &[u8]) -> Result<Source<'_>, Error> {
    let declared = bytes.get(4..8).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_le_bytes(*b));
    // 8 bytes of RIFF header are not counted by their own length field.
    let Some(payload) = declared.and_then(|n| bytes.get(12..8 + n as usize)) else {
        return Err(malformed("it is cut off: its header promises more bytes"));
    };
    let mut canvas = None;
    let mut flags = 0;
    let (mut icc, mut exif, mut xmp) = (None, None, None);
    let mut frames = 0_u32;
    let mut image = None;
    for (kind, data) in chunks(payload) {
        match &kind {
            b"VP8X" => {
                let Some(&[f, _, _, _, w0, w1, w2, h0, h1, h2]) = data.first_chunk::<10>() else {
                    return Err(malformed("its VP8X chunk is cut off"));
                };
                flags = f;
                canvas = Some(Size::new(
                    u32::from_le_bytes([w0, w1, w2, 0]) + 1,
                    u32::from_le_bytes([h0, h1, h2, 0]) + 1,
                ));
            }
            b"ICCP" => icc = icc.or(Some(data)),
            b"EXIF" => exif = exif.or(Some(data)),
            b"XMP " => xmp = xmp.or(Some(data)),
            b"ANMF" => {
                frames = frames.saturating_add(1);
                image = image.or_else(|| chunks(data.get(16..)?).find_map(bitstream));
            }
            _ => image = image.or_else(|| bitstream((kind, data))),
        }
    }
    let Some(image) = image else {
        return Err(malformed("it holds no picture"));
    };
    let stored = canvas.unwrap_or(image.size);
    if stored.width == 0 || stored.height == 0 {
        return Err(malformed("it has no pixels"));
    }
    let animated = flags & 0x02 != 0 && frames > 0;
    let orientation = turned_by(exif);
    Ok(Source {
        bytes,
        stored,
        orientation: if canvas.is_some() { orientation } else { Orientation::UPRIGHT },
        frames: if animated { frames } else { 1 },
        depth: Depth::Eight,
        layout: if image.alpha || flags & 0x10 != 0 || animated { Layout::Rgba } else { Layout::Rgb },
        colour: icc.map_or(ColourSpace::Srgb, |icc| ColourSpace::Icc(Cow::Borrowed(icc))),
        exif,
        xmp: xmp.map(Cow::Borrowed),
        kind: Kind::Webp(WebpHeader { lossless: image.lossless, animated }),
    })
}

struct Bitstream {
    size: Size,
    lossless: bool,
    alpha: bool,
}

/// The frame header of a lossy (RFC 6386, 9.1) or lossless bitstream (RFC 9649, 3.4).
fn bitstream((kind, data): ([u8; 4], &[u8])) -> Option<Bitstream> {
    match &kind {
        b"VP8 " => {
            let &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = data.first_chunk::<10>()? else {
                return None;
            };
            let side = |a, b| u32::from(u16::from_le_bytes([a, b]) & 0x3fff);
            Some(Bitstream { size: Size::new(side(w0, w1), side(h0, h1)), lossless: false, alpha: false })
        }
        b"VP8L" => {
            let &[0x2f, a, b, c, d] = data.first_chunk::<5>()? else {
                return None;
            };
            let bits = u32::from_le_bytes([a, b, c, d]);
            Some(Bitstream {
                size: Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1),
                lossless: true,
                alpha: bits >> 28 & 1 == 1,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut payload = b"WEBP".to_vec();
        for (kind, data) in chunks {
            payload.extend(*kind);
            payload.extend((data.len() as u32).to_le_bytes());
            payload.extend(*data);
            if data.len() % 2 == 1 {
                payload.push(0);
            }
        }
        let mut out = b"RIFF".to_vec();
        out.extend((payload.len() as u32).to_le_bytes());
        out.extend(payload);
        out
    }

    const LOSSY: &[u8] = &[0, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0];

    #[test]
    fn a_simple_file_has_the_size_of_its_frame() {
        let bytes = riff(&[(b"VP8 ", LOSSY)]);
        let source = read(&bytes).unwrap();
        assert_eq!((source.stored, source.frames), (Size::new(320, 240), 1));
    }

    #[test]
    fn an_animation_has_the_size_of_its_canvas_and_counts_its_frames() {
        let mut frame = vec![0; 16];
        frame.extend(b"VP8 \x0a\0\0\0");
        frame.extend(LOSSY);
        let vp8x = [0x02, 0, 0, 0, 0x8f, 0x01, 0, 0x2b, 0x01, 0];
        let bytes = riff(&[(b"VP8X", &vp8x), (b"ANIM", &[0; 6]), (b"ANMF", &frame), (b"ANMF", &frame)]);
        let source = read(&bytes).unwrap();
        assert_eq!((source.stored, source.frames), (Size::new(400, 300), 2));
    }

    #[test]
    fn a_file_shorter_than_it_promises_is_malformed() {
        let bytes = riff(&[(b"VP8 ", LOSSY)]);
        for end in 12..bytes.len() {
            assert!(matches!(read(&bytes[..end]), Err(Error::Malformed { .. })), "cut at {end}");
        }
    }
}
