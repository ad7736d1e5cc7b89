//! Decoding, whole or shrunk by the inverse DCT.

use super::{Header, Scan, codec, malformed, markers};
use crate::Error;
use crate::geometry::{Scale, Subsampling};
use crate::planes::{Planes, Shape, Window};
use turbojpeg::{Decompressor, PixelFormat, ScalingFactor};

const fn factor(scale: Scale) -> ScalingFactor {
    match scale {
        Scale::Full => ScalingFactor::ONE,
        Scale::Half => ScalingFactor::ONE_HALF,
        Scale::Quarter => ScalingFactor::ONE_QUARTER,
        Scale::Eighth => ScalingFactor::ONE_EIGHTH,
    }
}

/// Decodes to planes as they are stored. `buffer` is reused: a warm one saves
/// the page faults of a fresh one, a third of the decoding time at 12 MP; get
/// it back with [`Planes::into_buffer`].
///
/// `header` must be of the same `bytes` and [`Header::is_planar`].
pub fn decode_planes(
    bytes: &[u8],
    header: &Header<'_>,
    scale: Scale,
    threads: usize,
    mut buffer: Vec<u8>,
) -> Result<Planes, Error> {
    if let Some(scan) = Scan::read(bytes, header) {
        let Shape { width, height, subsampling } = scan.shape(scale);
        let mut planes = Planes::uninitialised(width, height, subsampling, buffer);
        let mut settle = |window: &mut Window| {
            window.settle(&mut planes);
            Ok(())
        };
        if scan.decode(scale, threads, &mut scan.window(scale, [0; 3]), &mut settle)? {
            return Ok(planes);
        }
        buffer = planes.into_buffer();
    }
    decode_by_libjpeg(bytes, header, scale, buffer)
}

/// [`decode_planes`] of whatever is not plain, and of what is not sound: an
/// error then, unless libjpeg calls the damage harmless.
pub fn decode_by_libjpeg(
    bytes: &[u8],
    header: &Header<'_>,
    scale: Scale,
    buffer: Vec<u8>,
) -> Result<Planes, Error> {
    let Some(subsampling) = header.subsampling else {
        return Err(Error::Codec { format: "JPEG", detail: "planes of a sampling without a name".into() });
    };
    let mut decompressor = decompressor(bytes, header, scale)?;
    let (width, height) = (scale.of(header.width), scale.of(header.height));
    let mut planes = Planes::uninitialised(width, height, subsampling, buffer);
    let image = turbojpeg::YuvImage {
        width: width as usize,
        height: height as usize,
        align: 1,
        subsamp: turbo(subsampling),
        pixels: planes.samples_mut(),
    };
    finish(bytes, decompressor.decompress_to_yuv(bytes, image))?;
    Ok(planes)
}

/// Decodes to RGB, 8 bits a sample, rows without padding.
pub(crate) fn decode_rgb(bytes: &[u8], header: &Header<'_>, scale: Scale) -> Result<Vec<u8>, Error> {
    interleaved(bytes, header, scale, PixelFormat::RGB)
}

/// Decodes to luma, 8 bits a sample, rows without padding, for a picture of luma
/// alone that has no planes (its sampling factors are odd). Takes what
/// [`decode_rgb`] takes.
pub(crate) fn decode_grey(bytes: &[u8], header: &Header<'_>, scale: Scale) -> Result<Vec<u8>, Error> {
    let mut pixels = decode_rgb(bytes, header, scale)?;
    let count = pixels.len() / 3;
    // Red is as good as any; in place, for a second picture is not predicted.
    for at in 0..count {
        pixels[at] = pixels[3 * at];
    }
    pixels.truncate(count);
    pixels.shrink_to_fit();
    Ok(pixels)
}

/// Decodes to CMYK samples as they are stored: inverted where
/// [`Header::adobe`]. YCCK is converted to CMYK.
pub(crate) fn decode_cmyk(bytes: &[u8], header: &Header<'_>, scale: Scale) -> Result<Vec<u8>, Error> {
    interleaved(bytes, header, scale, PixelFormat::CMYK)
}

fn interleaved(
    bytes: &[u8],
    header: &Header<'_>,
    scale: Scale,
    format: PixelFormat,
) -> Result<Vec<u8>, Error> {
    let mut decompressor = decompressor(bytes, header, scale)?;
    let (width, height) = (scale.of(header.width) as usize, scale.of(header.height) as usize);
    let pitch = width * format.size();
    let mut pixels = vec![0; pitch * height];
    let image = turbojpeg::Image { pixels: pixels.as_mut_slice(), width, pitch, height, format };
    finish(bytes, decompressor.decompress(bytes, image))?;
    Ok(pixels)
}

fn decompressor(bytes: &[u8], header: &Header<'_>, scale: Scale) -> Result<Decompressor, Error> {
    let mut decompressor = Decompressor::new().map_err(|e| codec(&e))?;
    decompressor.set_scaling_factor(factor(scale)).map_err(|e| codec(&e))?;
    if header.progressive {
        decompressor.set_scan_limit(markers::MAX_SCANS).map_err(|e| codec(&e))?;
    }
    // The buffers are sized by our reading of the markers; libjpeg writes by
    // its own. They must be the same picture.
    let theirs = decompressor.read_header(bytes).map_err(|e| malformed(e.to_string()))?;
    let same = theirs.width == header.width as usize
        && theirs.height == header.height as usize
        && header.subsampling.is_none_or(|s| turbo(s) == theirs.subsamp);
    if same { Ok(decompressor) } else { Err(malformed("its headers contradict each other")) }
}

/// libjpeg decodes damaged data to the end, fills the holes with grey, and
/// warns; turbojpeg reports the first warning. One that loses no pixel passes, as
/// long as the file has its end. What libjpeg warns of in the header (a JFIF
/// revision other than 1, an unknown Adobe transform) the crate takes for an
/// error, and decodes nothing.
fn finish(bytes: &[u8], result: turbojpeg::Result<()>) -> Result<(), Error> {
    let Err(error) = result else { return Ok(()) };
    let text = error.to_string();
    if text.contains("extraneous bytes before marker 0xd9") && markers::has_end(bytes) {
        return Ok(());
    }
    Err(malformed(text.strip_prefix("TurboJPEG error: ").unwrap_or(&text).to_owned()))
}

pub(crate) const fn turbo(subsampling: Subsampling) -> turbojpeg::Subsamp {
    match subsampling {
        Subsampling::Gray => turbojpeg::Subsamp::Gray,
        Subsampling::S444 => turbojpeg::Subsamp::None,
        Subsampling::S422 => turbojpeg::Subsamp::Sub2x1,
        Subsampling::S420 => turbojpeg::Subsamp::Sub2x2,
        Subsampling::S440 => turbojpeg::Subsamp::Sub1x2,
        Subsampling::S411 => turbojpeg::Subsamp::Sub4x1,
        Subsampling::S441 => turbojpeg::Subsamp::Sub1x4,
    }
}
