//! Divides a picture into cells of one colour: `pixelate photo.jpg coarse.png 24`.

use minilab_pixels::{Encoding, Format, Limits, pixelate, read, write};
use std::error::Error;

#[expect(clippy::disallowed_methods, reason = "a program reads files; the library never does")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, cells] = &arguments[..] else {
        return Err("usage: pixelate INPUT OUTPUT.png CELLS".into());
    };
    let picture = read(&std::fs::read(input)?, &Limits::default())?;
    let coarse = pixelate(picture, cells.parse()?);
    std::fs::write(output, write(&coarse, Format::Png, &Encoding::default())?)?;
    Ok(())
}
