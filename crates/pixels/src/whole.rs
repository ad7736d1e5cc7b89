//! Whole pictures in one step each: read, resize, pixelate, write.
//!
//! Owns the shortest way through the modules of this crate. Refuses animations
//! beyond their first frame, more than 8 bits a sample and decoding row by row:
//! whoever needs these calls [`decode`](mod@crate::decode),
//! [`scale`](mod@crate::scale) and [`encode`](mod@crate::encode).

use crate::colour::{Conversion, Model};
use crate::decode::{self, Decoded};
use crate::encode::{self, Encoding, Job};
use crate::error::{Limit, at_most};
use crate::format::Format;
use crate::geometry::{CropBox, Orientation, Rectangle, Scale, Size};
use crate::metadata::Attached;
use crate::mosaic::Grid;
use crate::operation::region;
use crate::parallel::guarded;
use crate::picture::{Depth, Picture, Sample};
use crate::quality::{self, Found, Quality};
use crate::scale::scaled;
use crate::source::{Header, Source};
use crate::{Error, Limits};
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Reads the header of a picture and no more, and holds it against the limits
/// that a header can break.
///
/// ```
/// use minilab_pixels::{Error, Format, Limits, Size, inspect, write};
/// # use minilab_pixels::{Encoding, Layout, Picture};
/// # let grey = Picture::new(Size::new(3, 2), Layout::Grey, vec![7_u8; 6]);
/// # let bytes = write(&grey, Format::Png, &Encoding::default())?;
/// let header = inspect(&bytes, &Limits::default())?;
/// assert_eq!((header.format, header.width, header.height), (Format::Png, 3, 2));
///
/// let small = Limits { side: 2, ..Limits::default() };
/// assert!(matches!(inspect(&bytes, &small), Err(Error::OverLimit { .. })));
/// # Ok::<(), Error>(())
/// ```
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Header, Error> {
    guarded("header", || Ok(Source::read(bytes, limits)?.header()))
}

/// Decodes a picture, the first frame of an animation: upright, in sRGB, 8 bits a
/// sample. The memory that decoding takes is predicted from the header and held
/// against [`Limits::memory`] before anything is allocated for pixels.
///
/// ```
/// use minilab_pixels::{Error, Limits, read};
///
/// let error = read(b"not a picture", &Limits::default()).unwrap_err();
/// assert_eq!(error.code(), "not-an-image");
/// ```
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Picture, Error> {
    guarded("picture", || {
        let source = Source::read(bytes, limits)?;
        let copies = if source.orientation == Orientation::UPRIGHT { 0 } else { 2 };
        let needed = source.size()
            + 6 * source.profile()
            + decode::memory(&source, Scale::Full, Depth::Eight)
            + copies * source.stored.pixels() * source.layout.channels() as u64;
        at_most(Limit::Memory, "the memory that decoding needs", needed, limits.memory, "bytes")?;
        upright(&source)
    })
}

/// Scales a picture to exactly `size` by Lanczos 3 with area support, whatever its
/// aspect ratio: [`Size::within`] gives a size that keeps it.
///
/// ```
/// use minilab_pixels::{Layout, Picture, Size, resize};
///
/// let picture = Picture::new(Size::new(40, 20), Layout::Rgb, vec![90; 40 * 20 * 3]);
/// let small = resize(&picture, picture.size.within(10));
/// assert_eq!(small.size, Size::new(10, 5));
/// assert_eq!(small.pixels, vec![90; 10 * 5 * 3]);
/// ```
#[must_use]
pub fn resize(picture: &Picture, size: Size) -> Picture {
    scaled(picture, CropBox::of(picture.size), Size::new(size.width.max(1), size.height.max(1)))
}

/// Divides a picture into `cells` × `cells` cells, each of one colour.
///
/// ```
/// use minilab_pixels::{Layout, Picture, Size, pixelate};
/// use std::num::NonZeroU32;
///
/// let picture = Picture::new(Size::new(4, 1), Layout::Grey, vec![10, 30, 50, 70]);
/// let coarse = pixelate(picture, NonZeroU32::MIN);
/// assert_eq!(coarse.pixels, [40; 4]);
/// ```
#[must_use]
pub fn pixelate(picture: Picture, cells: NonZeroU32) -> Picture {
    let whole = Rectangle::of(picture.size);
    region::pixelated(picture, whole, Grid::Cells(cells))
}

/// Encodes a picture; one with alpha is laid on [`Encoding::background`] where the
/// format has none.
///
/// ```
/// use minilab_pixels::{Encoding, Format, Layout, Limits, Picture, Quality, Size, read, write};
///
/// let picture = Picture::new(Size::new(16, 16), Layout::Grey, vec![200; 256]);
/// let encoding = Encoding { quality: Quality::Fixed(90), ..Encoding::default() };
/// let jpeg = write(&picture, Format::Jpeg, &encoding)?;
/// assert_eq!(read(&jpeg, &Limits::default())?, picture);
/// # Ok::<(), minilab_pixels::Error>(())
/// ```
pub fn write(picture: &Picture, format: Format, encoding: &Encoding) -> Result<Vec<u8>, Error> {
    guarded("print", || {
        encode::fits(format, picture.size)?;
        let job = Job { encoding: *encoding, attached: &Attached::default(), threads: 1 };
        match encoding.quality {
            Quality::Fixed(quality) => encode::still(picture, format, quality, &job),
            Quality::Auto { target } => {
                let found = searched(picture, format, target, &job, &Limits::default())?;
                Ok(found.bytes)
            }
        }
    })
}

/// The picture of `source` in sRGB, upright, with 8 bits a sample. Its memory is
/// not asked for.
pub fn upright(source: &Source<'_>) -> Result<Picture, Error> {
    let Decoded { picture, colour } = decode::still(source, Scale::Full, Depth::Eight)?;
    let mut picture = picture.into_eight();
    if let Some(conversion) = Conversion::to_srgb(&colour, Model::of(picture.layout)) {
        conversion.apply(&mut picture);
    }
    Ok(picture.turned(source.orientation))
}

/// The picture of a file that was made here or is trusted: of `limits` those of
/// pictures that arrive do not count.
pub fn trusted(bytes: &[u8], limits: &Limits) -> Result<Picture, Error> {
    let limits = Limits { input_bytes: u64::MAX, pixels: u64::MAX, side: u32::MAX, ..*limits };
    upright(&Source::read(bytes, &limits)?)
}

/// The smallest file in `format` that scores `target`, as [`quality::search`] finds
/// it; each file that is tried is decoded as [`trusted`] does.
pub fn searched<S: Sample>(
    picture: &Picture<S>,
    format: Format,
    target: f64,
    job: &Job<'_>,
    limits: &Limits,
) -> Result<Found, Error> {
    if matches!(format, Format::Png | Format::Gif) || job.encoding.lossless {
        // No quality to look for.
        let bytes = encode::still(picture, format, 100, job)?;
        return Ok(Found { quality: 100, bytes, score: 100.0, reached: true });
    }
    let eight = S::eight(picture);
    let reference = if format.has_alpha() {
        eight
    } else {
        Cow::Owned(eight.flattened(job.encoding.background).into_owned())
    };
    let mut best: Option<Found> = None;
    for (chroma, range) in encode::searches(format, target) {
        let file = |quality| encode::sampled(picture, (format, chroma), quality, job);
        let found = quality::search(&reference, target, range, file, |bytes| trusted(bytes, limits))?;
        if best.as_ref().is_none_or(|best| found.is_better_than(best)) {
            best = Some(found);
        }
        if best.as_ref().is_some_and(|best| best.reached) {
            break;
        }
    }
    best.ok_or_else(|| Error::Codec { format: format.title(), detail: "nothing to search".into() })
}
