//! What decoders give: a whole picture, or its rows as they come. Refuses to
//! know the formats.

use crate::Error;
use crate::colour::ColourSpace;
use crate::picture::AnyPicture;

/// A decoded picture, as stored: not turned.
pub struct Decoded<'a> {
    /// Its pixels.
    pub picture: AnyPicture,
    /// What its samples mean; never [`ColourSpace::InFile`].
    pub colour: ColourSpace<'a>,
}

/// Rows that [`rows`](super::rows) gives at once.
pub const STRIP: usize = 16;

/// What [`rows`](super::rows) gives: first what the samples mean, then they.
pub enum Coming<'a> {
    /// Never [`ColourSpace::InFile`].
    Colour(ColourSpace<'a>),
    /// The next [`STRIP`] rows, or the last, of [`Source::layout`](crate::source::Source::layout).
    Rows(Vec<u8>),
}

/// What is done with the rows that are coming.
pub type Outlet<'o, 'a> = &'o mut dyn FnMut(Coming<'a>) -> Result<(), Error>;
