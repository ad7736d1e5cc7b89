//! The header of a GIF (the specification of 1989): the blocks, walked without
//! decompressing anything.

use super::model::{Kind, Source};
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use crate::{Error, Limits};

pub(crate) use super::headers::GifHeader;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "GIF", detail: detail.into() }
}

/// A walk over the bytes that never leaves them.
struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| malformed("it is cut off within a block"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn sub_blocks(&mut self) -> Result<(), Error> {
        loop {
            let length = self.take(1)?[0];
            if length == 0 {
                return Ok(());
            }
            self.take(length.into())?;
        }
    }

    fn colour_table(&mut self, flags: u8) -> Result<(), Error> {
        if flags & 0x80 != 0 {
            self.take(3 << ((flags & 7) + 1))?;
        }
        Ok(())
    }
}

pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, Error> {
    let mut walk = Walk { rest: bytes };
    walk.take(6)?;
    let screen = walk.take(7)?;
    walk.colour_table(screen[4])?;
    let side = |b: &[u8]| u32::from(u16::from_le_bytes([b[0], b[1]]));
    let mut stored = Size::new(side(&screen[0..2]), side(&screen[2..4]));
    let mut frames = 0_u32;
    // Says how often to play: of a still there is nothing to say.
    let mut looped = false;
    let mut largest_frame = 0;
    loop {
        let Ok(&[introducer]) = walk.take(1) else {
            // Many stills lack the trailer and no pixel; an animation that
            // lacks it may lack frames.
            if frames > 1 || looped {
                return Err(malformed("it is cut off after one of its frames"));
            }
            break;
        };
        match introducer {
            0x21 => {
                walk.take(1)?;
                looped |= walk.rest.starts_with(b"\x0bNETSCAPE2.0");
                walk.sub_blocks()?;
            }
            0x2c => {
                let frame = walk.take(9)?;
                let size = Size::new(side(&frame[4..6]), side(&frame[6..8]));
                at_most(Limit::Pixels, "a frame", size.pixels(), limits.pixels, "pixels")?;
                largest_frame = largest_frame.max(size.pixels());
                if frames == 0 && (stored.width == 0 || stored.height == 0) {
                    stored = size; // as browsers do
                }
                walk.colour_table(frame[8])?;
                walk.take(1)?;
                walk.sub_blocks()?;
                frames += 1;
                // Not one frame more is looked at than is allowed.
                at_most(
                    Limit::Frames,
                    "the animation, as far as it was read,",
                    frames.into(),
                    limits.frames.into(),
                    "frames",
                )?;
            }
            0x3b => break,
            other => return Err(malformed(format!("0x{other:02x} begins no block"))),
        }
    }
    if frames == 0 {
        return Err(malformed("it holds no picture"));
    }
    if stored.width == 0 || stored.height == 0 {
        return Err(malformed("it has no pixels"));
    }
    Ok(Source {
        bytes,
        stored,
        orientation: Orientation::UPRIGHT,
        frames,
        depth: Depth::Eight,
        layout: Layout::Rgba,
        colour: ColourSpace::Srgb,
        exif: None,
        xmp: None,
        kind: Kind::Gif(GifHeader { largest_frame }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gif(width: u16, height: u16, frames: usize) -> Vec<u8> {
        let mut out = b"GIF89a".to_vec();
        out.extend(width.to_le_bytes());
        out.extend(height.to_le_bytes());
        out.extend([0x80, 0, 0]);
        out.extend([0, 0, 0, 255, 255, 255]);
        for _ in 0..frames {
            out.extend([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0]);
            out.extend([2, 2, 0x44, 0x01, 0]);
        }
        out.push(0x3b);
        out
    }

    #[test]
    fn frames_are_counted_up_to_the_limit() {
        let limits = Limits { frames: 3, ..Limits::default() };
        assert_eq!(read(&gif(5, 4, 3), &limits).unwrap().frames, 3);
        let Err(Error::OverLimit { which: Limit::Frames, value, .. }) = read(&gif(5, 4, 200), &limits) else {
            panic!("too many frames");
        };
        assert_eq!(value, "4 frames");
    }

    #[test]
    fn only_a_still_may_lack_its_trailer() {
        let limits = Limits::default();
        let still = gif(5, 4, 1);
        assert_eq!(read(&still[..still.len() - 1], &limits).unwrap().frames, 1);
        assert!(matches!(read(&still[..still.len() - 2], &limits), Err(Error::Malformed { .. })));
        let animation = gif(5, 4, 2);
        assert!(matches!(read(&animation[..animation.len() - 1], &limits), Err(Error::Malformed { .. })));
        assert!(matches!(read(&gif(5, 4, 0), &limits), Err(Error::Malformed { .. })));
    }

    #[test]
    fn an_empty_screen_takes_the_size_of_its_first_frame() {
        assert_eq!(read(&gif(0, 0, 1), &Limits::default()).unwrap().stored, Size::new(1, 1));
    }
}
