//! What bytes are, by content: one of the formats that are read, or words for
//! what they look like instead. Names and declared types are never asked.

use crate::Error;
use crate::recipe::Format;

/// The format of `bytes` by its signature.
pub(crate) fn sniff(bytes: &[u8]) -> Result<Format, Error> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::Webp),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        _ => Err(Error::NotAnImage { found: looks_like(bytes).to_owned() }),
    }
}

/// Signatures at the start of a file, longest first where one begins another.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"II*\0", "a TIFF picture or a camera's raw file"),
    (b"MM\0*", "a TIFF picture or a camera's raw file"),
    (b"II+\0", "a BigTIFF picture"),
    (b"MM\0+", "a BigTIFF picture"),
    (b"BM", "a BMP picture"),
    (b"\0\0\x01\0", "an icon file"),
    (b"qoif", "a QOI picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"OggS", "an Ogg sound or video"),
    (b"ID3", "an MP3 sound"),
    (b"fLaC", "a FLAC sound"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x89PNG", "the start of a PNG picture, damaged"),
    (b"\xff\xd8", "the start of a JPEG picture, cut off"),
    (b"GIF8", "the start of a GIF picture, cut off"),
];

fn looks_like(bytes: &[u8]) -> &'static str {
    if bytes.is_empty() {
        return "an empty object";
    }
    if let Some((_, name)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return name;
    }
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', b1, b2, b3, b4, ..] => return iso_brand([*b1, *b2, *b3, *b4]),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => return "an AVI video",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => return "a WAVE sound",
        [b'R', b'I', b'F', b'F', ..] => return "a RIFF file that is no WebP",
        _ => {}
    }
    let start = &bytes[..bytes.len().min(1024)];
    let Some(text) = as_text(start) else {
        return "bytes of no known format";
    };
    let text = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if text.contains("<svg") {
        "an SVG drawing"
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "an HTML page"
    } else if text.starts_with("<?xml") {
        "an XML document"
    } else if text.starts_with('{') || text.starts_with('[') {
        "text, perhaps JSON"
    } else {
        "text"
    }
}

/// The major brand of an ISO base media file (ISO/IEC 14496-12, 4.3).
fn iso_brand(brand: [u8; 4]) -> &'static str {
    match &brand {
        b"avif" | b"avis" => "an AVIF picture",
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => "a HEIC picture",
        b"crx " => "a camera's raw file",
        b"qt  " => "a QuickTime video",
        _ => "an MP4 video or another ISO media file",
    }
}

fn as_text(start: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // Cut inside a character at the end of the window.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&start[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    text.chars().all(printable).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_content() {
        let cases: &[(&[u8], Result<Format, &str>)] = &[
            (b"\xff\xd8\xff\xe0rest", Ok(Format::Jpeg)),
            (b"\x89PNG\r\n\x1a\nrest", Ok(Format::Png)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Ok(Format::Webp)),
            (b"GIF87a", Ok(Format::Gif)),
            (b"GIF89a", Ok(Format::Gif)),
            (b"", Err("an empty object")),
            (b"hello, world\n", Err("text")),
            ("na\u{ef}ve".as_bytes(), Err("text")),
            (b"{\"a\":1}", Err("text, perhaps JSON")),
            (b"<?xml version=\"1.0\"?><svg/>", Err("an SVG drawing")),
            (b"  <svg xmlns=''>", Err("an SVG drawing")),
            (b"<!DOCTYPE html><p>", Err("an HTML page")),
            (b"%PDF-1.7", Err("a PDF document")),
            (b"\0\0\0\x18ftypheic", Err("a HEIC picture")),
            (b"\0\0\0\x18ftypavif", Err("an AVIF picture")),
            (b"\0\0\0\x18ftypisom", Err("an MP4 video or another ISO media file")),
            (b"II*\0", Err("a TIFF picture or a camera's raw file")),
            (b"PK\x03\x04", Err("a zip archive or an office document")),
            (b"\x89PNG\n\n", Err("the start of a PNG picture, damaged")),
            (b"\0\x01\x02", Err("bytes of no known format")),
        ];
        for (bytes, expected) in cases {
            let expected = expected.map_err(|found| Error::NotAnImage { found: found.to_owned() });
            assert_eq!(sniff(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
