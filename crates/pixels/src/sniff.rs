//! What bytes are, by content: one of the formats that are read, or words for
//! what they look like instead. Names and declared types are never asked.

use crate::Error;
use crate::format::Format;
use crate::heif;
use flate2::read::GzDecoder;
use std::io::Read as _;

/// The format of `bytes` by its signature.
pub(crate) fn sniff(bytes: &[u8]) -> Result<Format, Error> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::Webp),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        // Which of the two it is, the picture in it decides.
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => match heif::Kind::of(bytes) {
            Some(heif::Kind::Avif) => Ok(Format::Avif),
            Some(heif::Kind::Heif) => Ok(Format::Heic),
            None => Err(Error::NotAnImage { found: looks_like(bytes).to_owned() }),
        },
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Ok(Format::Tiff),
        // 'BM' alone begins many a text: the header's length must be one that exists.
        [b'B', b'M', _, _, _, _, _, _, _, _, _, _, _, _, 12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0, ..] => {
            Ok(Format::Bmp)
        }
        [0, 0, 1 | 2, 0, count, 0, ..] if *count > 0 => Ok(Format::Ico),
        [b'q', b'o', b'i', b'f', ..] => Ok(Format::Qoi),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', b'\r', b'\n', 0x87, b'\n', ..] => {
            Ok(Format::Jxl)
        }
        [0x1f, 0x8b, ..] if is_svg(&beginning_of_gzip(bytes)) => Ok(Format::Svg),
        _ if is_svg(bytes) => Ok(Format::Svg),
        _ => Err(Error::NotAnImage { found: looks_like(bytes).to_owned() }),
    }
}

/// Whether text begins as an SVG does: with its root, or with a prologue and the
/// root not far behind. A page of HTML may hold drawings and is none.
pub(crate) fn is_svg(bytes: &[u8]) -> bool {
    let Some(text) = as_text(&bytes[..bytes.len().min(4096)]) else { return false };
    let text = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let prologue = ["<?xml", "<!--", "<!doctype svg"].iter().any(|start| text.starts_with(start));
    text.starts_with("<svg") || prologue && text.contains("<svg") && !text.contains("<html")
}

/// The first few thousand bytes of what gzip holds, up to where it is damaged.
fn beginning_of_gzip(gzip: &[u8]) -> Vec<u8> {
    let mut start = Vec::new();
    // What came before an error is kept, and tells enough.
    let _ = GzDecoder::new(gzip).take(4096).read_to_end(&mut start);
    start
}

/// Signatures at the start of a file, longest first where one begins another.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"IIRO", "a camera's raw file"),
    (b"IIRS", "a camera's raw file"),
    (b"MMOR", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"II", "the start of a TIFF picture, damaged"),
    (b"MM", "the start of a TIFF picture, damaged"),
    (b"BM", "a BMP picture, damaged"),
    (b"\0\0\x01\0", "an icon file without an icon"),
    (b"\0\0\0\x0cJXL ", "the start of a JPEG XL picture, damaged"),
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
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
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
            (b"<?xml version=\"1.0\"?><svg/>", Ok(Format::Svg)),
            (b"  <svg xmlns=''>", Ok(Format::Svg)),
            (b"<!DOCTYPE html><svg/>", Err("an HTML page")),
            (b"<!DOCTYPE html><p>", Err("an HTML page")),
            (b"%PDF-1.7", Err("a PDF document")),
            (b"\0\0\0\x14ftypheic\0\0\0\0mif1", Ok(Format::Heic)),
            (b"\0\0\0\x14ftypmif1\0\0\0\0avif", Ok(Format::Avif)),
            (b"\0\0\0\x18ftypisom", Err("an MP4 video or another ISO media file")),
            (b"II*\0", Ok(Format::Tiff)),
            (b"MM\0+", Ok(Format::Tiff)),
            (b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", Ok(Format::Bmp)),
            (b"BMX", Err("a BMP picture, damaged")),
            (b"\0\0\x01\0\x02\0", Ok(Format::Ico)),
            (b"\xff\x0a", Ok(Format::Jxl)),
            (b"qoif", Ok(Format::Qoi)),
            (b"IIRO\x08", Err("a camera's raw file")),
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
