//! Animated PNG: the frames that the `png` crate gives, put together as their
//! control chunks say.
//!
//! Source: W3C PNG third edition, 11.3.6 (acTL, fcTL, fdAT).

use super::refused;
use crate::Error;
use crate::colour::ColourSpace;
use crate::picture::{Layout, Picture};
use crate::source::png::{PngHeader, malformed};
use crate::source::{LARGEST_PROFILE, Source};
use png::{BlendOp, ColorType, DisposeOp, FrameControl, Reader, Transformations};
use std::borrow::Cow;
use std::io::Cursor;

/// The frames of an animated PNG.
pub(crate) struct Frames<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    canvas: Picture,
    /// The pixels of a frame alone.
    part: Vec<u8>,
    after: After,
    next: u32,
    count: u32,
    plays: u32,
}

/// What is done to the canvas before the next frame.
enum After {
    Nothing,
    Clear(FrameControl),
    Restore(Vec<u8>),
}

impl<'a> Frames<'a> {
    pub(crate) fn open(source: &Source<'a>, header: &PngHeader) -> Result<Self, Error> {
        let size = source.stored;
        let line = u64::from(size.width) * header.expanded_bytes(source.layout);
        let limits = png::Limits { bytes: (LARGEST_PROFILE as u64 + 8 * line) as usize };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(source.bytes), limits);
        decoder.set_transformations(
            Transformations::EXPAND | Transformations::STRIP_16 | Transformations::ALPHA,
        );
        decoder.set_ignore_text_chunk(true);
        let reader = decoder.read_info().map_err(refused)?;
        let info = reader.info();
        let plays = info.animation_control.map_or(1, |control| control.num_plays);
        if (info.width, info.height) != (size.width, size.height) {
            return Err(malformed("its headers contradict each other"));
        }
        let length = reader.output_buffer_size().ok_or_else(|| malformed("its size overflows"))?;
        Ok(Self {
            reader,
            canvas: Picture::new(size, Layout::Rgba, vec![0; size.pixels() as usize * 4]),
            part: vec![0; length],
            after: After::Nothing,
            next: 0,
            count: source.frames,
            plays,
        })
    }

    pub(crate) const fn plays(&self) -> u32 {
        self.plays
    }

    pub(crate) fn colour<'s>(&'s self, source: &'s Source<'_>) -> ColourSpace<'s> {
        match (&source.colour, &self.reader.info().icc_profile) {
            (ColourSpace::InFile { .. }, Some(icc)) => ColourSpace::Icc(Cow::Borrowed(icc)),
            (ColourSpace::InFile { .. }, None) => ColourSpace::Srgb,
            (space, _) => space.clone(),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<(&Picture, u32)>, Error> {
        if self.next == self.count {
            return Ok(None);
        }
        // The picture of decoders that know no animation may be no frame of it.
        if self.next > 0 || self.reader.info().frame_control.is_none() {
            self.reader.next_frame_info().map_err(refused)?;
        }
        let control =
            self.reader.info().frame_control.ok_or_else(|| malformed("a frame lacks its control chunk"))?;
        let shown = self.reader.next_frame(&mut self.part).map_err(refused)?;
        let size = self.canvas.size;
        let fits = |at: u32, length: u32, most: u32| at.checked_add(length).is_some_and(|end| end <= most);
        if (shown.width, shown.height) != (control.width, control.height)
            || !fits(control.x_offset, control.width, size.width)
            || !fits(control.y_offset, control.height, size.height)
        {
            return Err(malformed("a frame does not fit the canvas"));
        }
        match std::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => {}
            After::Clear(area) => {
                for row in rows(&mut self.canvas, &area) {
                    row.fill([0; 4]);
                }
            }
            After::Restore(pixels) => self.canvas.pixels = pixels,
        }
        self.after = match control.dispose_op {
            DisposeOp::None => After::Nothing,
            // Of the first frame there is nothing before.
            DisposeOp::Previous if self.next > 0 => After::Restore(self.canvas.pixels.clone()),
            DisposeOp::Background | DisposeOp::Previous => After::Clear(control),
        };
        let channels = match shown.color_type {
            ColorType::Rgba => 4,
            ColorType::GrayscaleAlpha => 2,
            _ => return Err(malformed("a frame of another colour type")),
        };
        for (row, part) in rows(&mut self.canvas, &control).zip(self.part.chunks_exact(shown.line_size)) {
            for (pixel, part) in row.iter_mut().zip(part.chunks_exact(channels)) {
                let new = match *part {
                    [v, a] => [v, v, v, a],
                    [r, g, b, a] => [r, g, b, a],
                    _ => continue,
                };
                *pixel = match control.blend_op {
                    BlendOp::Source => new,
                    BlendOp::Over => over(new, *pixel),
                };
            }
        }
        self.next += 1;
        let denominator = if control.delay_den == 0 { 100 } else { u32::from(control.delay_den) };
        let delay = (u32::from(control.delay_num) * 1000 + denominator / 2) / denominator;
        Ok(Some((&self.canvas, delay)))
    }
}

/// Bytes that reading takes at its peak, the source bytes not counted: the
/// canvas, the one to restore, a frame alone, some rows and the profile.
pub(crate) fn frames_memory(source: &Source<'_>, header: &PngHeader) -> u64 {
    let line = u64::from(source.stored.width) * header.expanded_bytes(source.layout);
    source.stored.pixels() * 4 * 3 + 8 * line + LARGEST_PROFILE as u64 + (1 << 20)
}

fn rows<'c>(canvas: &'c mut Picture, area: &FrameControl) -> impl Iterator<Item = &'c mut [[u8; 4]]> {
    let (x, width) = (area.x_offset as usize, area.width as usize);
    let stride = canvas.size.width as usize;
    let (pixels, _) = canvas.pixels.as_chunks_mut::<4>();
    let rows = pixels.chunks_exact_mut(stride).skip(area.y_offset as usize).take(area.height as usize);
    rows.map(move |row| &mut row[x..x + width])
}

/// `new` on top of `old`, neither premultiplied (13.16, with 255 for one).
fn over(new: [u8; 4], old: [u8; 4]) -> [u8; 4] {
    let (a, b) = (u32::from(new[3]), u32::from(old[3]));
    match a {
        0 => return old,
        255 => return new,
        _ => {}
    }
    let below = (255 - a) * b;
    let whole = a * 255 + below;
    let mut out = [0; 4];
    for (i, v) in out.iter_mut().enumerate().take(3) {
        *v = ((u32::from(new[i]) * a * 255 + u32::from(old[i]) * below + whole / 2) / whole) as u8;
    }
    out[3] = ((whole + 127) / 255) as u8;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_mixes_by_both_alphas() {
        assert_eq!(over([9, 9, 9, 0], [1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(over([9, 9, 9, 255], [1, 2, 3, 4]), [9, 9, 9, 255]);
        assert_eq!(over([200, 0, 0, 128], [0, 100, 0, 255]), [100, 50, 0, 255]);
        assert_eq!(over([200, 0, 0, 128], [0, 100, 0, 0]), [200, 0, 0, 128]);
    }
}
