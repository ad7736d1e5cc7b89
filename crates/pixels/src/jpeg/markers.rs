//! The marker segments of a JPEG (ITU-T T.81 annex B) up to its first scan,
//! read without decoding anything and without ever leaving the bytes.

use super::malformed;
use crate::Error;
use crate::arriving::Rest;
use crate::geometry::{Scale, Subsampling};

/// More scans than this are refused. Encoders write about ten; each scan of a
/// progressive picture touches every coefficient again, so a small file with
/// thousands of empty scans costs hours ("Two Issues with the JPEG Standard",
/// libjpeg-turbo.org).
pub(crate) const MAX_SCANS: u32 = 100;

/// What the samples mean, by libjpeg's rules (JFIF, then Adobe, then component
/// identifiers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// One component.
    Gray,
    /// BT.601, full range (JFIF).
    YCbCr,
    /// Three components, untransformed.
    Rgb,
    /// Four components, untransformed.
    Cmyk,
    /// CMY stored as `YCbCr`, and K.
    Ycck,
}

/// What the markers before the first scan say.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a file, each tested alone")]
pub struct Header<'a> {
    /// Width in pixels as stored, before EXIF orientation.
    pub width: u32,
    /// Height in pixels as stored.
    pub height: u32,
    /// Meaning of the samples.
    pub(crate) color: Color,
    /// `None` for sampling factors that have no name: such pictures have no
    /// planes, only RGB or CMYK.
    pub subsampling: Option<Subsampling>,
    /// Progressive (SOF2, SOF10).
    pub(crate) progressive: bool,
    /// Number of components: 1, 3 or 4.
    pub(crate) components: u8,
    /// An Adobe segment is present. Four-component samples are then stored
    /// inverted: 0 is full ink.
    pub(crate) adobe: bool,
    /// The TIFF structure of the first EXIF segment, after `Exif\0\0`.
    pub exif: Option<&'a [u8]>,
    /// The ICC profile, its chunks joined. `None` when there is none or a chunk
    /// is missing.
    pub icc: Option<Vec<u8>>,
    /// The XMP packet (of the standard segment, not the extended ones).
    pub xmp: Option<&'a [u8]>,
    /// A gain map follows that would make an HDR picture of this one (Ultra
    /// HDR 1.1, or ISO 21496-1). The picture itself is whole without it.
    pub(crate) gain_map: bool,
    /// What follows the bytes of which the header was read, where they are not all.
    pub(crate) rest: Option<Rest<'a>>,
    /// The decoder must hold every coefficient of the picture: progressive, or
    /// a scan for each component.
    holds_coefficients: bool,
    /// Samples of all components of the whole picture, padded to blocks.
    samples: u64,
}

impl Header<'_> {
    /// Whether [`super::decode_planes`] applies.
    pub fn is_planar(&self) -> bool {
        matches!(self.color, Color::Gray | Color::YCbCr) && self.subsampling.is_some()
    }

    /// Bytes that decoding to planes at `scale` takes at its peak, the source
    /// bytes not counted.
    pub fn planes_memory(&self, scale: Scale) -> u64 {
        self.decoder_memory() + self.samples / (u64::from(scale.denominator()).pow(2))
    }

    /// Bytes that decoding to interleaved samples at `scale` takes at its
    /// peak, the source bytes not counted.
    pub(crate) fn interleaved_memory(&self, scale: Scale) -> u64 {
        let pixels = u64::from(scale.of(self.width)) * u64::from(scale.of(self.height));
        self.decoder_memory() + pixels * u64::from(self.components.max(3))
    }

    /// libjpeg keeps 16 bits a coefficient, and else some rows: measured below
    /// 150 bytes a column.
    fn decoder_memory(&self) -> u64 {
        let coefficients = if self.holds_coefficients { self.samples * 2 } else { 0 };
        coefficients + u64::from(self.width) * 150 + (64 << 10)
    }
}

/// Reads the markers up to the first scan, and counts the scans of a
/// progressive picture.
pub fn header(bytes: &[u8]) -> Result<Header<'_>, Error> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(malformed("it does not begin with a start-of-image marker"));
    }
    let mut found = Found::default();
    let mut at = 2;
    loop {
        let (marker, next) =
            next_marker(bytes, at).ok_or_else(|| malformed("it ends before its first scan"))?;
        at = next;
        match marker {
            0x01 | 0xd0..=0xd7 => continue,
            0xd8 => return Err(malformed("a second start-of-image marker within the header")),
            0xd9 => return Err(malformed("it has no scan")),
            _ => {}
        }
        let payload = segment(bytes, at)
            .ok_or_else(|| malformed(format!("the segment of marker 0x{marker:02x} is cut off")))?;
        at += payload.len() + 2;
        match marker {
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => found.frame(marker, payload)?,
            0xda => {
                let first = payload.first().copied().unwrap_or(0);
                return found.finish(first, || count_scans(bytes, at));
            }
            // libjpeg asks for a whole segment, and so for another model where it is cut.
            0xe0 => found.jfif |= payload.starts_with(b"JFIF\0") && payload.len() >= 14,
            0xe1 => found.app1(payload),
            0xe2 => found.app2(payload),
            0xee if payload.starts_with(b"Adobe") && payload.len() >= 12 => {
                found.adobe = Some(payload[11]);
            }
            _ => {}
        }
    }
}

/// Whether an end-of-image marker follows the first scan.
pub(super) fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some((marker, next)) = next_marker(bytes, at) {
        at = next;
        match marker {
            0xd9 => return true,
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => match segment(bytes, at) {
                Some(payload) => at += payload.len() + 2,
                None => return false,
            },
        }
    }
    false
}

/// The next marker at or after `at` and where what follows it begins. Bytes
/// that are no marker are skipped, as libjpeg does.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += memchr::memchr(0xff, bytes.get(at..)?)?;
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        if marker != 0 {
            return Some((marker, at));
        }
    }
}

/// The payload of the segment whose length field is at `at`.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    if length < 2 { None } else { bytes.get(at + 2..at + length) }
}

/// Counts scans, the one whose entropy data begins at `at` included; stops
/// beyond [`MAX_SCANS`].
fn count_scans(bytes: &[u8], mut at: usize) -> u32 {
    let mut scans = 1;
    while let Some((marker, next)) = next_marker(bytes, at) {
        at = next;
        match marker {
            0xd9 => break,
            0x01 | 0xd0..=0xd8 => continue,
            0xda => scans += 1,
            _ => {}
        }
        if scans > MAX_SCANS {
            break;
        }
        let Some(payload) = segment(bytes, at) else { break };
        at += payload.len() + 2;
    }
    scans
}

#[derive(Default)]
struct Found<'a> {
    frame: Option<Frame>,
    jfif: bool,
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
    xmp: Option<&'a [u8]>,
    gain_map: bool,
    icc: Vec<(u8, u8, &'a [u8])>,
}

struct Frame {
    progressive: bool,
    width: u16,
    height: u16,
    /// Identifier, horizontal and vertical sampling factor.
    components: Vec<(u8, u8, u8)>,
}

impl<'a> Found<'a> {
    fn frame(&mut self, marker: u8, payload: &[u8]) -> Result<(), Error> {
        if self.frame.is_some() {
            return Err(malformed("it has two frame headers"));
        }
        let unsupported = |feature: String| Error::Unsupported { format: "JPEG", feature };
        let progressive = match marker {
            0xc0 | 0xc1 | 0xc9 => false,
            0xc2 | 0xca => true,
            0xc3 | 0xcb => return Err(unsupported("lossless coding".into())),
            _ => return Err(unsupported(format!("hierarchical or unknown coding (marker 0x{marker:02x})"))),
        };
        let [precision, h1, h0, w1, w0, count, rest @ ..] = payload else {
            return Err(malformed("its frame header is too short"));
        };
        if *precision != 8 {
            return Err(unsupported(format!("{precision} bits a sample")));
        }
        let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
        if width == 0 || height == 0 {
            return Err(malformed(format!("its size is {width} × {height} pixels")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(unsupported(format!("{count} components")));
        }
        if rest.len() < usize::from(*count) * 3 {
            return Err(malformed("its frame header is too short"));
        }
        let components: Vec<_> =
            rest.chunks_exact(3).take(usize::from(*count)).map(|c| (c[0], c[1] >> 4, c[1] & 15)).collect();
        if components.iter().any(|&(_, h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return Err(malformed("a sampling factor is not 1–4"));
        }
        self.frame = Some(Frame { progressive, width, height, components });
        Ok(())
    }

    fn app1(&mut self, payload: &'a [u8]) {
        if let Some(tiff) = payload.strip_prefix(b"Exif\0\0") {
            self.exif.get_or_insert(tiff);
        } else if let Some(packet) = payload.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.gain_map |= memchr::memmem::find(packet, b"hdrgm:Version").is_some();
            self.xmp.get_or_insert(packet);
        }
    }

    fn app2(&mut self, payload: &'a [u8]) {
        if let Some([number, of, chunk @ ..]) = payload.strip_prefix(b"ICC_PROFILE\0") {
            // Their count is a byte: with one more they are no profile.
            if u8::try_from(self.icc.len()).is_ok() {
                self.icc.push((*number, *of, chunk));
            }
        }
        self.gain_map |= payload.starts_with(b"urn:iso:std:iso:ts:21496:-1\0");
    }

    fn finish(mut self, in_first_scan: u8, scans: impl FnOnce() -> u32) -> Result<Header<'a>, Error> {
        let frame = self.frame.take().ok_or_else(|| malformed("a scan comes before the frame header"))?;
        if frame.progressive {
            let scans = scans();
            if scans > MAX_SCANS {
                return Err(malformed(format!("it has more than {MAX_SCANS} progressive scans")));
            }
        }
        let icc = self.joined_icc();
        let ids: Vec<u8> = frame.components.iter().map(|c| c.0).collect();
        let color = match (ids.len(), self.jfif, self.adobe) {
            (1, ..) => Color::Gray,
            (3, false, Some(0)) => Color::Rgb,
            (3, false, None) if ids == *b"RGB" => Color::Rgb,
            (3, ..) => Color::YCbCr,
            (_, _, None | Some(0)) => Color::Cmyk,
            (_, _, Some(_)) => Color::Ycck,
        };
        let h_max = frame.components.iter().map(|c| c.1).max().unwrap_or(1);
        let v_max = frame.components.iter().map(|c| c.2).max().unwrap_or(1);
        let samples = frame
            .components
            .iter()
            .map(|&(_, h, v)| {
                let padded = |size: u16, factor: u8, max: u8| {
                    u64::from(size).div_ceil(8 * u64::from(max)) * 8 * u64::from(factor)
                };
                padded(frame.width, h, h_max) * padded(frame.height, v, v_max)
            })
            .sum();
        Ok(Header {
            width: u32::from(frame.width),
            height: u32::from(frame.height),
            color,
            subsampling: subsampling(&frame.components),
            progressive: frame.progressive,
            components: ids.len() as u8,
            adobe: self.adobe.is_some(),
            exif: self.exif,
            icc,
            xmp: self.xmp,
            gain_map: self.gain_map,
            rest: None,
            holds_coefficients: frame.progressive || usize::from(in_first_scan) < ids.len(),
            samples,
        })
    }

    /// ICC.1 annex B.4: chunks are numbered from 1 and each says how many
    /// there are.
    fn joined_icc(&mut self) -> Option<Vec<u8>> {
        self.icc.sort_by_key(|chunk| chunk.0);
        let count = self.icc.first()?.1;
        let complete = self.icc.len() == usize::from(count)
            && self.icc.iter().zip(1..).all(|(chunk, number)| chunk.0 == number && chunk.1 == count);
        complete.then(|| self.icc.iter().flat_map(|chunk| chunk.2).copied().collect())
    }
}

/// The sampling that the factors mean. Chroma must have factors 1 × 1: other
/// spellings of the same ratios exist, but are rare enough for the RGB path.
fn subsampling(components: &[(u8, u8, u8)]) -> Option<Subsampling> {
    match components {
        [_] => Some(Subsampling::Gray),
        [(_, h, v), (_, 1, 1), (_, 1, 1)] => match (h, v) {
            (1, 1) => Some(Subsampling::S444),
            (2, 1) => Some(Subsampling::S422),
            (2, 2) => Some(Subsampling::S420),
            (1, 2) => Some(Subsampling::S440),
            (4, 1) => Some(Subsampling::S411),
            (1, 4) => Some(Subsampling::S441),
            _ => None,
        },
        _ => None,
    }
}
