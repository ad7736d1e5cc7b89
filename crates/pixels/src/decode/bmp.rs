//! BMP pixels, and the bitmaps of icons with their masks.

use super::Decoded;
use crate::Error;
use crate::geometry::Size;
use crate::picture::{AnyPicture, Layout, Picture};
use crate::source::Source;
use crate::source::bmp::{BmpHeader, Packing, malformed};

/// Decodes the picture.
pub(crate) fn decode<'a>(source: &Source<'a>, header: &BmpHeader) -> Result<Decoded<'a>, Error> {
    let layout = source.layout;
    let pixels = match layout {
        Layout::Rgba => pixels::<4>(source, header)?,
        _ => pixels::<3>(source, header)?,
    };
    let picture = AnyPicture::Eight(Picture::new(source.stored, layout, pixels).without_idle_alpha());
    Ok(Decoded { picture, colour: source.colour.clone() })
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted: the
/// pixels, the copy in which idle alpha is dropped, and the indices of runs.
pub(crate) fn memory(source: &Source<'_>, header: &BmpHeader) -> u64 {
    let bytes = if source.layout == Layout::Rgba { 4 + 3 } else { 3 } + u64::from(header.is_run_length());
    source.stored.pixels() * bytes + (64 << 10)
}

fn pixels<const N: usize>(source: &Source<'_>, header: &BmpHeader) -> Result<Vec<u8>, Error> {
    let size = source.stored;
    let width = size.width as usize;
    let mut out = vec![255_u8; size.pixels() as usize * N];
    let palette = palette(source.bytes, header);
    let colour = |index: u8| palette.get(usize::from(index)).copied().unwrap_or([0; 3]);
    if header.is_run_length() {
        let indices = runs(
            source.bytes.get(header.pixels..).unwrap_or_default(),
            size,
            header.packing == Packing::Rle4,
        )?;
        for (row, indices) in rows::<N>(&mut out, width, header.top_down).zip(indices.chunks_exact(width)) {
            for (pixel, &index) in row.as_chunks_mut::<N>().0.iter_mut().zip(indices) {
                pixel[..3].copy_from_slice(&colour(index));
            }
        }
        return Ok(out);
    }
    let stride = BmpHeader::stride(size.width, header.bits()) as usize;
    let stored = source.bytes.get(header.pixels..).unwrap_or_default().chunks(stride);
    let length = (width * usize::from(header.bits())).div_ceil(8);
    for (row, stored) in rows::<N>(&mut out, width, header.top_down).zip(stored) {
        let stored = stored.get(..length).ok_or_else(|| malformed("it is cut off"))?;
        let (row, _) = row.as_chunks_mut::<N>();
        match header.packing {
            Packing::Bgr => {
                for (pixel, &[b, g, r]) in row.iter_mut().zip(stored.as_chunks::<3>().0) {
                    pixel[..3].copy_from_slice(&[r, g, b]);
                }
            }
            Packing::Fields { bits: 16, masks } => {
                for (pixel, &v) in row.iter_mut().zip(stored.as_chunks::<2>().0) {
                    fields(pixel, u16::from_le_bytes(v).into(), masks);
                }
            }
            Packing::Fields { masks, .. } => {
                for (pixel, &v) in row.iter_mut().zip(stored.as_chunks::<4>().0) {
                    fields(pixel, u32::from_le_bytes(v), masks);
                }
            }
            Packing::Indices(bits) => {
                let per_byte = 8 / usize::from(bits);
                for (x, pixel) in row.iter_mut().enumerate() {
                    let shift = 8 - bits as usize * (x % per_byte + 1);
                    let index = stored[x / per_byte] >> shift & (0xff >> (8 - bits));
                    pixel[..3].copy_from_slice(&colour(index));
                }
            }
            Packing::Rle8 | Packing::Rle4 => {}
        }
    }
    if N == 4 {
        cover(&mut out, source, header);
    }
    Ok(out)
}

/// Settles what is transparent. Alpha of nothing but zeros is a field that
/// nobody filled in; an icon then has its mask, a 1 being transparent.
fn cover(out: &mut [u8], source: &Source<'_>, header: &BmpHeader) {
    let (pixels, _) = out.as_chunks_mut::<4>();
    let has_alpha = matches!(header.packing, Packing::Fields { masks: [_, _, _, 1..=u32::MAX], .. });
    if has_alpha && pixels.iter().any(|p| p[3] != 0) {
        return;
    }
    for pixel in pixels.iter_mut() {
        pixel[3] = 255;
    }
    if !header.icon {
        return;
    }
    let size = source.stored;
    let behind =
        header.pixels + (BmpHeader::stride(size.width, header.bits()) * u64::from(size.height)) as usize;
    let stride = BmpHeader::stride(size.width, 1) as usize;
    let masks = source.bytes.get(behind..).unwrap_or_default().chunks(stride);
    for (row, mask) in rows::<4>(out, size.width as usize, header.top_down).zip(masks) {
        for (x, pixel) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            if mask.get(x / 8).is_some_and(|byte| byte << (x % 8) & 0x80 != 0) {
                *pixel = [0; 4];
            }
        }
    }
}

/// The rows of the picture in the order in which they are stored.
fn rows<const N: usize>(
    out: &mut [u8],
    width: usize,
    top_down: bool,
) -> Box<dyn Iterator<Item = &mut [u8]> + '_> {
    let rows = out.chunks_exact_mut(width * N);
    if top_down { Box::new(rows) } else { Box::new(rows.rev()) }
}

fn palette(bytes: &[u8], header: &BmpHeader) -> Vec<[u8; 3]> {
    let (at, count, entry) = header.palette;
    let stored = bytes.get(at..).unwrap_or_default().chunks_exact(entry).take(count);
    stored.map(|e| [e[2], e[1], e[0]]).collect()
}

fn fields<const N: usize>(pixel: &mut [u8; N], value: u32, masks: [u32; 4]) {
    for (v, mask) in pixel.iter_mut().zip(masks) {
        if mask == 0 {
            continue; // no alpha: 255 already
        }
        let most = u64::from(mask >> mask.trailing_zeros());
        let found = u64::from((value & mask) >> mask.trailing_zeros());
        *v = ((found * 255 + most / 2) / most) as u8;
    }
}

/// The indices of a run-length coded picture, rows as they are stored. Pixels
/// that are skipped have index 0. Refuses what ends before it says so, unless
/// every pixel is there.
fn runs(mut data: &[u8], size: Size, nibbles: bool) -> Result<Vec<u8>, Error> {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut out = vec![0_u8; width * height];
    let (mut x, mut y) = (0_usize, 0_usize);
    let value = |byte: u8, i: usize| match (nibbles, i.is_multiple_of(2)) {
        (false, _) => byte,
        (true, true) => byte >> 4,
        (true, false) => byte & 15,
    };
    loop {
        let Some((&[count, second], rest)) = data.split_first_chunk::<2>() else {
            let complete = y >= height || (y + 1 == height && x >= width);
            return if complete { Ok(out) } else { Err(malformed("it is cut off within its runs")) };
        };
        data = rest;
        match (count, second) {
            (0, 0) => (x, y) = (0, y + 1),
            (0, 1) => return Ok(out),
            (0, 2) => {
                let (&[right, down], rest) = data
                    .split_first_chunk::<2>()
                    .ok_or_else(|| malformed("it is cut off within its runs"))?;
                data = rest;
                (x, y) = (x + usize::from(right), y + usize::from(down));
            }
            (0, literal) => {
                let count = usize::from(literal);
                let bytes = if nibbles { count.div_ceil(2) } else { count };
                let (values, rest) = data
                    .split_at_checked(bytes + bytes % 2)
                    .ok_or_else(|| malformed("it is cut off within its runs"))?;
                data = rest;
                for i in 0..count.min(width.saturating_sub(x)) {
                    let byte = values[if nibbles { i / 2 } else { i }];
                    put(&mut out, width, (x + i, y), value(byte, i));
                }
                x += count;
            }
            (count, byte) => {
                let count = usize::from(count);
                for i in 0..count.min(width.saturating_sub(x)) {
                    put(&mut out, width, (x + i, y), value(byte, i));
                }
                x += count;
            }
        }
        // A file of nothing but line ends must not count on for ever.
        if y > height {
            return Ok(out);
        }
    }
}

/// What lies below the last row is not drawn; what lies right of the others is
/// not even gone through, since two bytes can ask for 255 pixels.
fn put(out: &mut [u8], width: usize, (x, y): (usize, usize), value: u8) {
    if x < width
        && let Some(pixel) = out.get_mut(y * width + x)
    {
        *pixel = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_literals_and_jumps() {
        let size = Size::new(4, 2);
        let eight = [3, 7, 0, 0, 0, 3, 1, 2, 3, 0, 1, 9, 0, 1];
        assert_eq!(runs(&eight, size, false).unwrap(), [7, 7, 7, 0, 1, 2, 3, 9]);
        let jump = [0, 2, 1, 1, 2, 5, 0, 1];
        assert_eq!(runs(&jump, size, false).unwrap(), [0, 0, 0, 0, 0, 5, 5, 0]);
        let four = [4, 0x12, 0, 0, 0, 3, 0xab, 0xc0, 0, 1];
        assert_eq!(runs(&four, size, true).unwrap(), [1, 2, 1, 2, 10, 11, 12, 0]);
        let beyond = [0, 2, 3, 0, 9, 7, 0, 5, 1, 2, 3, 4, 5, 0, 255, 8, 0, 1];
        assert_eq!(runs(&beyond, size, false).unwrap(), [0, 0, 0, 7, 0, 0, 0, 0]);
        for end in 0..eight.len() - 2 {
            assert!(runs(&eight[..end], size, false).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn fields_of_any_width_reach_white() {
        for (masks, white) in [([0x7c00, 0x3e0, 0x1f, 0], 0x7fff), ([0xf800, 0x7e0, 0x1f, 0], 0xffff)] {
            let mut pixel = [0; 3];
            fields(&mut pixel, white, masks);
            assert_eq!(pixel, [255; 3]);
        }
        let mut pixel = [0; 4];
        fields(&mut pixel, 0x8010_2030, [0xff_0000, 0xff00, 0xff, 0xff00_0000]);
        assert_eq!(pixel, [0x10, 0x20, 0x30, 0x80]);
    }
}
