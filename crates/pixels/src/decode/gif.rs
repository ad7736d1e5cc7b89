//! GIF frames over the `gif` crate, composed on the canvas.
//!
//! Source: the specification of 1989, 23 (graphic control extension); where it is
//! silent, what browsers do: the background is transparent, and pixels outside
//! the canvas are not drawn.

use super::Decoded;
use crate::Error;
use crate::colour::ColourSpace;
use crate::geometry::Size;
use crate::picture::{AnyPicture, Layout, Picture};
use crate::source::Source;
use crate::source::gif::{GifHeader, malformed};
use gif::{ColorOutput, Decoder, DisposalMethod, Frame, MemoryLimit, Repeat};
use std::num::NonZeroU64;

/// The frames of an animation, one after another, each as it is seen.
pub(crate) struct Frames<'a> {
    decoder: Decoder<&'a [u8]>,
    canvas: Picture,
    /// What the previous frame asks to be done before the next is drawn.
    after: After,
    left: u32,
}

enum After {
    Nothing,
    Clear(Area),
    Restore(Vec<u8>),
}

#[derive(Clone, Copy)]
struct Area {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn open(source: &Source<'a>, header: &GifHeader) -> Result<Self, Error> {
        let mut options = Decoder::<&[u8]>::build();
        options.set_color_output(ColorOutput::Indexed);
        options.check_lzw_end_code(false);
        let bytes = NonZeroU64::new(header.largest_frame + (1 << 20)).unwrap_or(NonZeroU64::MIN);
        options.set_memory_limit(MemoryLimit::Bytes(bytes));
        let decoder = options.read_info(source.bytes).map_err(refused)?;
        let size = source.stored;
        Ok(Self {
            decoder,
            canvas: Picture::new(size, Layout::Rgba, vec![0; size.pixels() as usize * 4]),
            after: After::Nothing,
            left: source.frames,
        })
    }

    /// How often the animation plays, 0 being for ever. GIF counts what follows
    /// the first time.
    pub(crate) fn plays(&self) -> u32 {
        match self.decoder.repeat() {
            Repeat::Infinite => 0,
            Repeat::Finite(again) => u32::from(again) + 1,
        }
    }

    /// The next frame as it is seen, and its delay in milliseconds.
    pub(crate) fn next(&mut self) -> Result<Option<(&Picture, u32)>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match std::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => {}
            After::Clear(area) => clear(&mut self.canvas, area),
            After::Restore(pixels) => self.canvas.pixels = pixels,
        }
        // Split borrows: the frame lives in the decoder.
        let global = self.decoder.global_palette().map(<[u8]>::to_vec);
        let frame = self
            .decoder
            .read_next_frame()
            .map_err(refused)?
            .ok_or_else(|| malformed("it has fewer frames than it begins"))?;
        let area = clipped(frame, self.canvas.size);
        self.after = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => After::Nothing,
            DisposalMethod::Background => After::Clear(area),
            DisposalMethod::Previous => After::Restore(self.canvas.pixels.clone()),
        };
        let delay = u32::from(frame.delay) * 10;
        let palette = frame.palette.as_deref().or(global.as_deref()).unwrap_or_default();
        draw(&mut self.canvas, frame, palette, area);
        Ok(Some((&self.canvas, delay)))
    }
}

/// The first frame.
pub(crate) fn decode<'a>(source: &Source<'a>, header: &GifHeader) -> Result<Decoded<'a>, Error> {
    let mut frames = Frames::open(source, header)?;
    frames.next()?;
    let picture = AnyPicture::Eight(frames.canvas.without_idle_alpha());
    Ok(Decoded { picture, colour: ColourSpace::Srgb })
}

/// Bytes that decoding takes at its peak, the source bytes not counted: the
/// canvas, the one to restore, a copy without alpha, and the indices of the
/// largest frame, twice for an interlaced one.
pub(crate) fn memory(source: &Source<'_>, header: &GifHeader) -> u64 {
    source.stored.pixels() * (4 + 4 + 4) + header.largest_frame * 2 + (2 << 20)
}

fn clipped(frame: &Frame<'_>, canvas: Size) -> Area {
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let x = usize::from(frame.left).min(width);
    let y = usize::from(frame.top).min(height);
    Area {
        x,
        y,
        width: usize::from(frame.width).min(width - x),
        height: usize::from(frame.height).min(height - y),
    }
}

fn rows(canvas: &mut Picture, area: Area) -> impl Iterator<Item = &mut [u8]> {
    let stride = canvas.size.width as usize * 4;
    canvas
        .pixels
        .chunks_exact_mut(stride)
        .skip(area.y)
        .take(area.height)
        .map(move |row| &mut row[area.x * 4..(area.x + area.width) * 4])
}

fn clear(canvas: &mut Picture, area: Area) {
    for row in rows(canvas, area) {
        row.fill(0);
    }
}

fn draw(canvas: &mut Picture, frame: &Frame<'_>, palette: &[u8], area: Area) {
    if frame.width == 0 {
        return;
    }
    let (colours, _) = palette.as_chunks::<3>();
    for (row, indices) in rows(canvas, area).zip(frame.buffer.chunks_exact(frame.width.into())) {
        let (pixels, _) = row.as_chunks_mut::<4>();
        for (pixel, &index) in pixels.iter_mut().zip(indices) {
            if frame.transparent == Some(index) {
                continue;
            }
            // An index beyond the palette draws nothing.
            if let Some(&[r, g, b]) = colours.get(usize::from(index)) {
                *pixel = [r, g, b, 255];
            }
        }
    }
}

fn refused(error: gif::DecodingError) -> Error {
    match error {
        gif::DecodingError::Io(_) => malformed("it is cut off"),
        other => malformed(other.to_string()),
    }
}
