//! The bytes of a strip or tile of a TIFF, unpacked. Owns the packings; refuses
//! bytes that are fewer than the pixels need. JPEG inside is libjpeg-turbo's, LZW and
//! Deflate are the GIF and PNG decoders' crates.

use crate::Error;
use crate::geometry::Scale;
use crate::jpeg::{self, Color};
use crate::source::tiff::{Compression, Photometric, TiffHeader, malformed};
use std::borrow::Cow;
use std::io::Read;

/// The strip or tile in hand.
#[derive(Default)]
pub(super) struct Unpacked {
    bytes: Vec<u8>,
}

impl Unpacked {
    /// The unpacked bytes of strip or tile `index`, of `rows` rows.
    pub(super) fn chunk<'s>(
        &'s mut self,
        file: &'s [u8],
        header: &TiffHeader<'_>,
        index: u64,
        rows: u32,
    ) -> Result<Cow<'s, [u8]>, Error> {
        let (start, count) = header.extent(index, file.len() as u64);
        let packed = file
            .get(start as usize..)
            .and_then(|rest| rest.get(..count as usize))
            .ok_or_else(|| malformed("a strip or tile lies behind its end"))?;
        let length = header.row_bytes() as usize * rows as usize;
        if header.compression == Compression::Jpeg {
            return jpeg_chunk(packed, header, rows, length).map(Cow::Owned);
        }
        let packed = if header.reversed {
            Cow::Owned(packed.iter().map(|b| b.reverse_bits()).collect())
        } else {
            Cow::Borrowed(packed)
        };
        if header.compression == Compression::None {
            return match packed {
                Cow::Borrowed(bytes) => bytes.get(..length).map(Cow::Borrowed),
                Cow::Owned(bytes) => bytes.get(..length).map(|b| Cow::Owned(b.to_vec())),
            }
            .ok_or_else(short);
        }
        self.bytes.clear();
        self.bytes.resize(length, 0);
        match header.compression {
            Compression::Lzw => lzw(&packed, &mut self.bytes)?,
            Compression::Deflate => flate2::read::ZlibDecoder::new(&*packed)
                .read_exact(&mut self.bytes)
                .map_err(|e| malformed(format!("Deflate: {e}")))?,
            _ => pack_bits(&packed, &mut self.bytes)?,
        }
        if header.differenced {
            for row in self.bytes.chunks_exact_mut(header.row_bytes() as usize) {
                sum_up(row, header);
            }
        }
        Ok(Cow::Borrowed(&self.bytes))
    }
}

pub(super) fn short() -> Error {
    malformed("a strip or tile has fewer bytes than its pixels need")
}

fn lzw(packed: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let mut decoder = weezl::decode::Configuration::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
        .with_yield_on_full_buffer(true)
        .build();
    let (mut rest, mut filled) = (packed, 0);
    while filled < out.len() {
        let step = decoder.decode_bytes(rest, &mut out[filled..]);
        rest = &rest[step.consumed_in..];
        filled += step.consumed_out;
        match step.status.map_err(|e| malformed(format!("LZW: {e}")))? {
            weezl::LzwStatus::Ok if step.consumed_in > 0 || step.consumed_out > 0 => {}
            _ if filled == out.len() => {}
            _ => return Err(short()),
        }
    }
    Ok(())
}

/// TIFF 6.0, section 9.
fn pack_bits(packed: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let (mut rest, mut filled) = (packed, 0);
    while filled < out.len() {
        let (&[head], tail) = rest.split_first_chunk::<1>().ok_or_else(short)?;
        rest = tail;
        let room = out.len() - filled;
        match head.cast_signed() {
            -128 => {}
            n @ 0.. => {
                let count = n as usize + 1;
                let (run, tail) = rest.split_at_checked(count).ok_or_else(short)?;
                rest = tail;
                let count = count.min(room);
                out[filled..filled + count].copy_from_slice(&run[..count]);
                filled += count;
            }
            n => {
                let (&[value], tail) = rest.split_first_chunk::<1>().ok_or_else(short)?;
                rest = tail;
                let count = (1 - isize::from(n)) as usize;
                let count = count.min(room);
                out[filled..filled + count].fill(value);
                filled += count;
            }
        }
    }
    Ok(())
}

/// Turns differences into samples (TIFF 6.0, section 14).
fn sum_up(row: &mut [u8], header: &TiffHeader<'_>) {
    let together = header.together() as usize;
    if header.bits == 8 {
        for i in together..row.len() {
            row[i] = row[i].wrapping_add(row[i - together]);
        }
        return;
    }
    let (samples, _) = row.as_chunks_mut::<2>();
    let value = |b: [u8; 2]| if header.little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) };
    for i in together..samples.len() {
        let sum = value(samples[i]).wrapping_add(value(samples[i - together]));
        samples[i] = if header.little { sum.to_le_bytes() } else { sum.to_be_bytes() };
    }
}

/// A strip or tile of JPEG. Its tables may stand in the directory, and what its
/// components mean is the TIFF's to say: an Adobe segment tells libjpeg.
fn jpeg_chunk(packed: &[u8], header: &TiffHeader<'_>, rows: u32, length: usize) -> Result<Vec<u8>, Error> {
    const START: &[u8] = &[0xff, 0xd8];
    let body = packed.strip_prefix(START).ok_or_else(|| malformed("a strip or tile is no JPEG"))?;
    let tables = header.jpeg_tables.unwrap_or_default();
    let tables = tables.strip_prefix(START).unwrap_or_default();
    let tables = tables.strip_suffix(&[0xff, 0xd9]).unwrap_or(tables);
    let transform = u8::from(header.photometric == Photometric::YCbCr);
    let mut file = Vec::with_capacity(2 + 16 + tables.len() + body.len());
    file.extend(START);
    if header.photometric.channels() > 1 {
        file.extend([0xff, 0xee, 0, 14]);
        file.extend(b"Adobe\0\x64\0\0\0\0");
        file.push(transform);
    }
    file.extend(tables);
    file.extend(body);
    let inner = jpeg::header(&file).map_err(in_tiff)?;
    let colour = match header.photometric {
        Photometric::YCbCr => Color::YCbCr,
        Photometric::Rgb => Color::Rgb,
        Photometric::Cmyk => Color::Cmyk,
        _ => Color::Gray,
    };
    // The last strip may say that it has the rows of the others.
    let fits =
        inner.width == header.chunk.width && inner.height >= rows && inner.height <= header.chunk.height;
    if !fits || inner.color != colour {
        return Err(malformed("a strip or tile of JPEG has another size or colour than its directory says"));
    }
    let decode = match colour {
        Color::Cmyk | Color::Ycck => jpeg::decode_cmyk,
        Color::Gray => jpeg::decode_grey,
        Color::Rgb | Color::YCbCr => jpeg::decode_rgb,
    };
    let mut samples = decode(&file, &inner, Scale::Full).map_err(in_tiff)?;
    samples.truncate(length);
    Ok(samples)
}

fn in_tiff(error: Error) -> Error {
    match error {
        Error::Malformed { detail, .. } => malformed(format!("JPEG inside: {detail}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pack_bits_of_the_specification() {
        let packed =
            [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
        let mut out = [0; 24];
        pack_bits(&packed, &mut out).unwrap();
        assert_eq!(out[..8], [0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa]);
        assert_eq!(out[14..], [0xaa; 10]);
        assert!(pack_bits(&packed[..10], &mut out).is_err());
        assert!(pack_bits(&packed, &mut [0; 25]).is_err());
    }
}
