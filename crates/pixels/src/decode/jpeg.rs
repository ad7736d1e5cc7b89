//! JPEG pixels as a picture, where planes will not do.

use super::Decoded;
use crate::Error;
use crate::colour::{ColourSpace, Conversion, Model, cmyk_to_rgb};
use crate::geometry::{Scale, Size};
use crate::jpeg::{self, Color, Header};
use crate::picture::{AnyPicture, Layout, Picture};
use crate::source::Source;

/// Decodes at `scale`: grey where the source is grey, sRGB where it is CMYK.
pub(crate) fn decode<'a>(
    source: &Source<'a>,
    header: &Header<'_>,
    scale: Scale,
) -> Result<Decoded<'a>, Error> {
    let size = Size::new(scale.of(header.width), scale.of(header.height));
    let model = model(header);
    let picture = match model {
        Model::Cmyk => {
            let mut inks = jpeg::decode_cmyk(source.bytes, header, scale)?;
            if header.adobe {
                for ink in &mut inks {
                    *ink = 255 - *ink;
                }
            }
            let conversion = Conversion::to_srgb(&source.colour, model);
            let picture = AnyPicture::Eight(cmyk_to_rgb(&inks, size, conversion.as_ref()));
            return Ok(Decoded { picture, colour: ColourSpace::Srgb });
        }
        Model::Grey => Picture::new(size, Layout::Grey, jpeg::decode_grey(source.bytes, header, scale)?),
        Model::Rgb => Picture::new(size, Layout::Rgb, jpeg::decode_rgb(source.bytes, header, scale)?),
    };
    Ok(Decoded { picture: AnyPicture::Eight(picture), colour: source.colour.clone() })
}

/// The colour model that the samples of a JPEG decode to.
pub fn model(header: &Header<'_>) -> Model {
    match header.color {
        Color::Gray => Model::Grey,
        Color::YCbCr | Color::Rgb => Model::Rgb,
        Color::Cmyk | Color::Ycck => Model::Cmyk,
    }
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted.
pub(crate) fn memory(header: &Header<'_>, scale: Scale) -> u64 {
    let rgb_of_cmyk = match model(header) {
        Model::Cmyk => Size::new(scale.of(header.width), scale.of(header.height)).pixels() * 3,
        _ => 0,
    };
    header.interleaved_memory(scale) + rgb_of_cmyk
}
