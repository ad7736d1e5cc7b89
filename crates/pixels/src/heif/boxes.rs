//! Bytes read in order, and boxes within bytes. Refuses to read past an end.
//!
//! Source: ISO/IEC 14496-12, 4.2.

use super::Fault;

/// The name of a box, an item or a reference.
pub(crate) type Code = [u8; 4];

/// `code` for people.
pub(super) fn shown(code: Code) -> String {
    code.escape_ascii().to_string()
}

/// Reads big-endian numbers from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    /// Whose bytes they are, for errors.
    what: Code,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8], what: Code) -> Self {
        Self { rest: bytes, what }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| Fault::malformed(format!("its {:?} box is cut off", shown(self.what))))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of `count` bytes, at most 8; none is 0.
    pub(super) fn number(&mut self, count: usize) -> Result<u64, Fault> {
        Ok(self.bytes(count)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.number(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn code(&mut self) -> Result<Code, Fault> {
        Ok((self.u32()?).to_be_bytes())
    }

    /// Version and flags, with which a full box begins.
    pub(super) fn version(&mut self) -> Result<(u8, u32), Fault> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// The bytes up to a zero, which is taken too; all where there is none.
    pub(super) fn text(&mut self) -> &'a [u8] {
        let end = memchr::memchr(0, self.rest).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or(rest);
        text
    }
}

/// One box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Box<'a> {
    pub(super) kind: Code,
    pub(super) content: &'a [u8],
}

impl<'a> Box<'a> {
    pub(super) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.content, self.kind)
    }
}

/// The boxes of `bytes`, one after the other; `parent` is for errors.
pub(super) fn boxes(bytes: &[u8], parent: Code) -> impl Iterator<Item = Result<Box<'_>, Fault>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        // Some writers pad the end of a file with less than a box.
        if rest.len() < 8 {
            return None;
        }
        let next = first_box(rest, parent);
        rest = next.as_ref().map_or(&[][..], |(_, rest)| rest);
        Some(next.map(|(found, _)| found))
    })
}

/// The box that `bytes` open with, and what follows it.
pub(super) fn first_box(bytes: &[u8], parent: Code) -> Result<(Box<'_>, &[u8]), Fault> {
    let mut reader = Reader::new(bytes, parent);
    let short = reader.u32()?;
    let kind = reader.code()?;
    let length = match short {
        0 => bytes.len() as u64,
        1 => reader.number(8)?,
        _ => u64::from(short),
    };
    let head = bytes.len() - reader.rest.len();
    let cut = || Fault::malformed(format!("its {:?} box is cut off", shown(kind)));
    let length = usize::try_from(length).map_err(|_| cut())?;
    let (whole, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
    let content = whole
        .get(head..)
        .ok_or_else(|| Fault::malformed(format!("its {:?} box is shorter than its own head", shown(kind))))?;
    Ok((Box { kind, content }, rest))
}
