//! The frame of a chunked upload, `aws-chunked`: chunks, the last chunk, the trailer.
//!
//! Owns: that a body is whole: as many bytes as were announced, the last chunk, each announced trailer, and nothing
//! behind. Refuses: signatures, which `s3s` computes over what passes here, and holding more than one line.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use std::collections::BTreeSet;

/// Digits of a chunk's size; `s3s` reads no more than eight.
const MAX_DIGITS: usize = 8;
/// Between a chunk's size and its signature.
const EXTENSION: &[u8] = b";chunk-signature=";
/// Hexadecimal digits of a signature.
const SIGNATURE: usize = 64;
/// Longest line of a trailer, in bytes.
const MAX_LINE: usize = 1024;
/// Most lines of a trailer.
const MAX_LINES: usize = 16;
/// The last line of a signed trailer.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// How a chunked body is framed, by its `x-amz-content-sha256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    Signed,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    SignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Signed, Self::SignedTrailer, Self::UnsignedTrailer];

    /// The mode of that name; `None` for a body that is not chunked, or not in a way that is supported.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Some(Self::Signed),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Some(Self::SignedTrailer),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Some(Self::UnsignedTrailer),
            _ => None,
        }
    }

    fn signed(self) -> bool {
        self != Self::UnsignedTrailer
    }
}

/// Why a chunked body is refused. Its words reach the client's error through the storage's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The body ends early, or its bytes are not as many as announced.
    #[error("Incomplete: the chunked body is not as long as announced")]
    Incomplete,
    /// A size line or the end of a chunk is malformed.
    #[error("FormatError: the chunked body is malformed")]
    Chunk,
    /// The trailer is malformed or not the announced one.
    #[error("MalformedTrailer: the trailer is malformed or not the announced one")]
    Trailer,
}

/// Where the parser stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    /// Bytes of the line break behind a chunk that have come.
    Break(u8),
    Trailer,
    Done,
}

/// Reads a chunked body as it passes by.
#[derive(Debug)]
pub struct Framing {
    mode: Mode,
    state: State,
    line: Vec<u8>,
    lines: usize,
    /// Bytes announced that have not come.
    left: u64,
    /// Trailers announced that have not come.
    missing: BTreeSet<String>,
}

impl Framing {
    /// Starts with what the headers announce: bytes by `x-amz-decoded-content-length`, names by `x-amz-trailer`.
    pub fn new(mode: Mode, length: u64, trailer: &str) -> Self {
        let mut missing: BTreeSet<String> = trailer
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        if mode == Mode::SignedTrailer {
            missing.insert(TRAILER_SIGNATURE.to_owned());
        }
        Self { mode, state: State::Size, line: Vec::new(), lines: 0, left: length, missing }
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.state {
                State::Data(size) => {
                    let taken = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[taken..];
                    let size = size - taken as u64;
                    self.state = if size == 0 { State::Break(0) } else { State::Data(size) };
                    continue;
                }
                State::Break(count) => {
                    if first != b"\r\n"[usize::from(count)] {
                        return Err(Fault::Chunk);
                    }
                    self.state = if count == 0 { State::Break(1) } else { State::Size };
                }
                State::Size => self.size(first)?,
                State::Trailer => self.trailer(first)?,
                State::Done => return Err(Fault::Trailer),
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Whether a body that ends here is whole.
    pub fn end(&self) -> Result<(), Fault> {
        if self.state == State::Done { Ok(()) } else { Err(Fault::Incomplete) }
    }

    /// Gathers a size line.
    fn size(&mut self, byte: u8) -> Result<(), Fault> {
        if self.line.len() > MAX_DIGITS + EXTENSION.len() + SIGNATURE + 1 {
            return Err(Fault::Chunk);
        }
        self.line.push(byte);
        let Some(line) = ended(&self.line).map_err(|()| Fault::Chunk)? else { return Ok(()) };
        let size = size_of(line, self.mode).ok_or(Fault::Chunk)?;
        self.line.clear();
        self.left = self.left.checked_sub(size).ok_or(Fault::Incomplete)?;
        self.state = if size > 0 { State::Data(size) } else { State::Trailer };
        if size == 0 && self.left > 0 {
            return Err(Fault::Incomplete);
        }
        Ok(())
    }

    /// Gathers a line of the trailer, which an empty line ends.
    fn trailer(&mut self, byte: u8) -> Result<(), Fault> {
        if self.line.len() > MAX_LINE || self.lines >= MAX_LINES {
            return Err(Fault::Trailer);
        }
        self.line.push(byte);
        let Some(line) = ended(&self.line).map_err(|()| Fault::Trailer)? else { return Ok(()) };
        if line.is_empty() {
            if !self.missing.is_empty() {
                return Err(Fault::Trailer);
            }
            self.state = State::Done;
            return Ok(());
        }
        let text = std::str::from_utf8(line).map_err(|_| Fault::Trailer)?;
        let (name, _) = text.split_once(':').ok_or(Fault::Trailer)?;
        // A name that was not announced, or comes again, is not left in the set.
        if !self.missing.remove(&name.to_ascii_lowercase()) {
            return Err(Fault::Trailer);
        }
        self.line.clear();
        self.lines += 1;
        Ok(())
    }
}

/// The line without its end, once that has come; a carriage return or line feed elsewhere is malformed.
fn ended(line: &[u8]) -> Result<Option<&[u8]>, ()> {
    match line {
        [head @ .., b'\r', b'\n'] => Ok(Some(head)),
        [.., b'\n'] | [.., b'\r', _] => Err(()),
        _ => Ok(None),
    }
}

/// The size that a line gives to its chunk.
fn size_of(line: &[u8], mode: Mode) -> Option<u64> {
    let digits = if mode.signed() {
        let (head, signature) = line.split_at_checked(line.len().checked_sub(SIGNATURE)?)?;
        signature.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(())?;
        head.strip_suffix(EXTENSION)?
    } else {
        line
    };
    let sound = (1..=MAX_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    sound.then(|| std::str::from_utf8(digits).ok().and_then(|text| u64::from_str_radix(text, 16).ok()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CRC: &str = "x-amz-checksum-crc32";

    fn read(mode: Mode, length: u64, trailer: &str, body: &[u8], step: usize) -> Result<(), Fault> {
        let mut framing = Framing::new(mode, length, trailer);
        for piece in body.chunks(step.max(1)) {
            framing.feed(piece)?;
        }
        framing.end()
    }

    fn body(mode: Mode, pieces: &[&[u8]], trailer: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces.iter().copied().chain([&b""[..]]) {
            out.extend(format!("{:x}", piece.len()).bytes());
            if mode.signed() {
                out.extend(EXTENSION);
                out.extend([b'a'; SIGNATURE]);
            }
            out.extend(b"\r\n");
            out.extend(piece);
            if !piece.is_empty() {
                out.extend(b"\r\n");
            }
        }
        if !trailer.is_empty() {
            out.extend(format!("{trailer}:AAAAAA==\r\n").bytes());
        }
        if mode == Mode::SignedTrailer {
            out.extend(format!("{TRAILER_SIGNATURE}:{}\r\n", "a".repeat(SIGNATURE)).bytes());
        }
        out.extend(b"\r\n");
        out
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_not_whole() {
        for (mode, trailer) in [
            (Mode::Signed, ""),
            (Mode::SignedTrailer, CRC),
            (Mode::UnsignedTrailer, CRC),
            (Mode::UnsignedTrailer, ""),
        ] {
            let whole = body(mode, &[b"hello", b" world"], trailer);
            for step in [1, 7, whole.len()] {
                assert_eq!(read(mode, 11, trailer, &whole, step), Ok(()), "{mode:?} {trailer}");
            }
            for cut in 0..whole.len() {
                assert!(read(mode, 11, trailer, &whole[..cut], 9).is_err(), "{mode:?} {cut}");
            }
            for length in [0, 5, 10, 12, 131_072] {
                assert_eq!(
                    read(mode, length, trailer, &whole, 9),
                    Err(Fault::Incomplete),
                    "{mode:?} {length}"
                );
            }
            assert_eq!(read(mode, 11, trailer, &[&whole[..], b"x"].concat(), 9), Err(Fault::Trailer));
        }
    }

    #[test]
    fn malformed_lines_and_trailers_are_told_apart() {
        let cases: [(&str, &str, Fault); 12] = [
            ("", "\r\n", Fault::Chunk),
            ("", "000000005\r\nhello\r\n0\r\n\r\n", Fault::Chunk),
            ("", "5\nhello\r\n0\r\n\r\n", Fault::Chunk),
            ("", "5x\r\nhello\r\n0\r\n\r\n", Fault::Chunk),
            ("", "+5\r\nhello\r\n0\r\n\r\n", Fault::Chunk),
            ("", "5\r\nhelloxx0\r\n\r\n", Fault::Chunk),
            ("", "6\r\nhello\r\n0\r\n\r\n", Fault::Incomplete),
            ("", "5\r\nhello\r\n0\r\na:b\r\n\r\n", Fault::Trailer),
            (CRC, "5\r\nhello\r\n0\r\n\r\n", Fault::Trailer),
            (CRC, "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:b\r\n\r\n", Fault::Trailer),
            (CRC, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", Fault::Trailer),
            (CRC, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:b\nx\r\n\r\n", Fault::Trailer),
        ];
        for (trailer, text, fault) in cases {
            assert_eq!(read(Mode::UnsignedTrailer, 5, trailer, text.as_bytes(), 3), Err(fault), "{text:?}");
        }
        let endless = [b"5\r\nhello\r\n0\r\n", &[b'a'; 2 * MAX_LINE][..]].concat();
        assert_eq!(read(Mode::UnsignedTrailer, 5, CRC, &endless, 100), Err(Fault::Trailer));
        assert_eq!(read(Mode::UnsignedTrailer, 5, "", &[b'1'; 500], 100), Err(Fault::Chunk));
        assert_eq!(read(Mode::Signed, 0, "", b"0\r\n\r\n", 1), Err(Fault::Chunk));
    }

    proptest! {
        #[test]
        fn how_a_body_is_split_changes_nothing(
            pieces in proptest::collection::vec("[a-z0\r\n]{1,20}", 0..5),
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
            step in 1_usize..40,
        ) {
            let length = pieces.iter().map(|piece| piece.len() as u64).sum();
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            for mode in Mode::ALL {
                let mut bytes = body(mode, &pieces, "");
                prop_assert_eq!(read(mode, length, "", &bytes, step), Ok(()));
                let at = at.index(bytes.len());
                bytes[at] = byte;
                prop_assert_eq!(read(mode, length, "", &bytes, step), read(mode, length, "", &bytes, 1));
            }
        }
    }
}
