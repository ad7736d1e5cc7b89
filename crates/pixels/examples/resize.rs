//! Makes a small WebP of a picture: `resize photo.jpg small.webp 800`.

use minilab_pixels::{Encoding, Format, Limits, read, resize, write};
use std::error::Error;

#[expect(clippy::disallowed_methods, reason = "a program reads files; the library never does")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, longest] = &arguments[..] else {
        return Err("usage: resize INPUT OUTPUT.webp LONGEST_SIDE".into());
    };
    let picture = read(&std::fs::read(input)?, &Limits::default())?;
    let small = resize(&picture, picture.size.within(longest.parse()?));
    std::fs::write(output, write(&small, Format::Webp, &Encoding::default())?)?;
    println!("{} x {} pixels", small.size.width, small.size.height);
    Ok(())
}
