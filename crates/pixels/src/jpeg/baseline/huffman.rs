//! Huffman codes of a JPEG and the bits that they are read from (ITU-T T.81
//! annexes C and F.2.2).
//!
//! Owns: tables that give a code for the bits at hand, mostly at one look, and a
//! reader that never leaves its bytes. Refuses: tables that are no prefix code.

use crate::arriving::Rest;
use std::borrow::Cow;

/// Bits that one look covers: few codes of a photograph are longer.
const LOOK: u32 = 10;

/// The step of an entry after which no more values follow: further than all
/// others lead, and, but for two whole blocks, a step of 1, so that the zero that
/// is stored for it lies where a zero is.
pub(super) const END: usize = 129;

/// What a code says: how large the value behind it is and how far it lies from
/// the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry(u32);

impl Entry {
    const fn new(length: u32, size: u32, step: usize) -> Self {
        Self((step as u32) << 14 | size << 10 | (length + size) << 5 | length)
    }

    /// Bits of the code.
    const fn length(self) -> u32 {
        self.0 & 31
    }

    /// Bits of the code and its value, 27 at most.
    const fn total(self) -> u32 {
        self.0 >> 5 & 31
    }

    /// Bits of the value.
    const fn size(self) -> u32 {
        self.0 >> 10 & 15
    }

    /// The value in `bits`, which begin with the code: without a branch, since
    /// sizes are as good as random.
    #[expect(clippy::inline_always, reason = "the loop of all loops")]
    #[inline(always)]
    const fn value(self, bits: u64) -> i32 {
        let bits = bits << self.length();
        // Twice, because a size may be 0 and a shift by 64 is none.
        let value = (bits >> 1 >> (63 - self.size())) as i32;
        // T.81 F.2.2.1: values below half of their range are negative.
        let below = !((bits.cast_signed() >> 63) as i32) & (1 - (1 << self.size()));
        value + below
    }

    /// Coefficients from the last value to this one, 1 to 16, or [`END`].
    pub(super) const fn step(self) -> usize {
        (self.0 >> 14) as usize
    }
}

/// One value or two that a look has wholly: most of a photograph's take five
/// bits with their codes. What is one value is there twice, at the same place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pair(u64);

impl Pair {
    fn new(total: u32, steps: [usize; 2], values: [i32; 2]) -> Self {
        let halves = values.map(|value| u64::from(value as u16));
        Self(
            halves[1] << 48
                | halves[0] << 32
                | (steps[1] as u64) << 16
                | (steps[0] as u64) << 8
                | u64::from(total),
        )
    }

    /// Bits of all that it has; 0 for nothing.
    const fn total(self) -> u32 {
        self.0 as u32 & 0xff
    }

    /// Coefficients to the first value, and from there to the second.
    pub(super) const fn steps(self) -> [usize; 2] {
        [(self.0 >> 8) as usize & 0xff, (self.0 >> 16) as usize & 0xff]
    }

    pub(super) const fn values(self) -> [i16; 2] {
        [(self.0 >> 32) as i16, (self.0 >> 48) as i16]
    }
}

/// The codes of a table.
#[derive(Debug)]
pub(super) struct Table {
    /// By the next [`LOOK`] bits; a length of 0 where the code is longer.
    looks: Box<[Entry; 1 << LOOK]>,
    /// By the same bits. None for DC, of which there is one to a block.
    pairs: Box<[Pair; 1 << LOOK]>,
    /// By length, the first 16 bits above those that codes of up to this length
    /// begin with.
    ends: [u32; 17],
    /// By length, what makes a code the index of its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
    dc: bool,
}

impl Table {
    /// The table of T.81 annex C: `counts` of codes of each length, and their
    /// `symbols` in order.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8], dc: bool) -> Option<Self> {
        let highest = if dc { 11 } else { 10 };
        if symbols.len() > 256 || symbols.iter().any(|&symbol| symbol & 15 > highest || (dc && symbol > 15)) {
            return None;
        }
        let mut table = Self {
            looks: vec![Entry::default(); 1 << LOOK].into_boxed_slice().try_into().ok()?,
            pairs: vec![Pair::default(); 1 << LOOK].into_boxed_slice().try_into().ok()?,
            ends: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
            dc,
        };
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            table.offsets[length as usize] = index as i32 - code as i32;
            for &symbol in symbols.get(index..index + usize::from(count))? {
                // The code of ones alone is kept free.
                if code + 1 >= 1 << length {
                    return None;
                }
                if length <= LOOK {
                    table.fill(code, length, symbol);
                }
                code += 1;
                index += 1;
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        if !dc {
            for bits in 0..1_u32 << LOOK {
                table.pairs[bits as usize] = table.pair(bits);
            }
        }
        Some(table)
    }

    /// What `bits` have wholly.
    fn pair(&self, bits: u32) -> Pair {
        let first = self.looks[bits as usize];
        if first.length() == 0 || first.total() > LOOK {
            return Pair::default();
        }
        let top = u64::from(bits) << (64 - LOOK);
        let value = first.value(top);
        // The zeros that come in from the right are none of the bits there are.
        let after = top << first.total();
        let second = self.looks[(after >> (64 - LOOK)) as usize];
        let total = first.total() + second.total();
        if first.step() == END || second.length() == 0 || total > LOOK {
            return Pair::new(first.total(), [first.step(), 0], [value; 2]);
        }
        Pair::new(total, [first.step(), second.step()], [value, second.value(after)])
    }

    /// Enters a short code under every look that begins with it.
    fn fill(&mut self, code: u32, length: u32, symbol: u8) {
        let first = (code << (LOOK - length)) as usize;
        let entry = self.entry(length, symbol);
        self.looks[first..first + (1 << (LOOK - length))].fill(entry);
    }

    fn entry(&self, length: u32, symbol: u8) -> Entry {
        match symbol {
            _ if self.dc => Entry::new(length, u32::from(symbol), 0),
            // A run of zeros before nothing: libjpeg takes it for the end.
            0x00..0xf0 if symbol.is_multiple_of(16) => Entry::new(length, 0, END),
            _ => Entry::new(length, u32::from(symbol & 15), usize::from(symbol >> 4) + 1),
        }
    }

    /// The entry of a code longer than a look; `None` where no code is.
    #[cold]
    fn long(&self, next: u32) -> Option<Entry> {
        let length = (LOOK + 1..=16).find(|&length| next < self.ends[length as usize])?;
        let index = (next >> (16 - length)) as i32 + self.offsets[length as usize];
        Some(self.entry(length, *self.symbols.get(usize::try_from(index).ok()?)?))
    }
}

/// The bytes of a scan, without the zeros that are stuffed into them.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    /// Bytes of which those from `at` on have not been taken.
    chunk: Cow<'a, [u8]>,
    at: usize,
    /// What follows them.
    rest: Option<Rest<'a>>,
    /// Bytes that have, and zeros after the last of an interval.
    plain: Vec<u8>,
    /// Where in `plain` the interval ends, once that is known.
    end: Option<usize>,
}

/// Where the next bits are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    /// The next byte of [`Bytes::plain`].
    at: usize,
    /// The next bits, from the topmost; below the last of them are some of the
    /// next byte's.
    buffer: u64,
    /// Bits in `buffer`.
    count: u32,
}

/// More bytes than a block takes: 64 values of 27 bits, and what is read ahead.
const AHEAD: usize = 64 * 27 / 8 + 16;

/// Bytes that are asked for at once, where they are still coming.
const ASKED: usize = 64 << 10;

/// Bytes taken at once: they and the tables stay in the nearest cache.
const TAKEN: usize = 8 << 10;

impl<'a> Bytes<'a> {
    pub(super) fn new(data: &'a [u8], rest: Option<Rest<'a>>) -> Self {
        let plain = Vec::with_capacity(TAKEN + 2 * AHEAD);
        Self { chunk: Cow::Borrowed(data), at: 0, rest, plain, end: None }
    }

    /// Has more bytes behind those that have not been taken; `false` where there
    /// are none.
    #[cold]
    fn ask(&mut self) -> bool {
        let Some(rest) = &mut self.rest else { return false };
        let mut chunk = self.chunk[self.at..].to_vec();
        let came = rest.read(ASKED, &mut chunk);
        (self.chunk, self.at) = (Cow::Owned(chunk), 0);
        if !came {
            self.rest = None;
        }
        came
    }

    /// The bytes, for [`Cursor::refill`].
    pub(super) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Sees to it that a block can be read at `cursor`. `None` where bits were
    /// read that the interval does not have.
    #[inline]
    pub(super) fn provide(&mut self, cursor: &mut Cursor) -> Option<()> {
        if self.plain.len() - cursor.at >= AHEAD { Some(()) } else { self.take(cursor) }
    }

    #[cold]
    fn take(&mut self, cursor: &mut Cursor) -> Option<()> {
        if self.end.is_some() {
            // The zeros after the end are enough for the last block and more.
            return None;
        }
        self.plain.drain(..cursor.at);
        cursor.at = 0;
        while self.end.is_none() && self.plain.len() < TAKEN {
            // A byte of ones means nothing without the one behind it.
            if self.chunk.len() - self.at < 2 && self.ask() {
                continue;
            }
            let left = &self.chunk[self.at..];
            let most = left.len().min(TAKEN);
            let ones = memchr::memchr(0xff, &left[..most]);
            let (bytes, after) = left.split_at(ones.unwrap_or(most));
            self.plain.extend_from_slice(bytes);
            self.at += bytes.len();
            match after {
                // T.81 F.1.2.3: a zero is stuffed after each byte of ones.
                [0xff, 0, ..] => {
                    self.plain.push(0xff);
                    self.at += 2;
                }
                [] | [0xff] if self.rest.is_some() => {}
                [] | [0xff, ..] => self.end = Some(self.plain.len()),
                _ => {}
            }
        }
        if self.end.is_some() {
            self.plain.resize(self.plain.len() + 2 * AHEAD, 0);
        }
        Some(())
    }

    /// Bits of the interval, whose end is known, that are left.
    fn left(&self, cursor: Cursor) -> Option<usize> {
        // The bits in the buffer may be all there is, and their bytes gone.
        (self.end? * 8 + cursor.count as usize).checked_sub(cursor.at * 8)
    }

    /// Ends an interval: less than a byte is left, and `marker` follows. What
    /// comes after it is read next.
    pub(super) fn expect(&mut self, marker: u8, cursor: &mut Cursor) -> Option<()> {
        // Where the end is not near, it is not yet known.
        self.provide(cursor)?;
        let left = self.left(*cursor)?;
        let mut filled = false;
        let (ones, found) = loop {
            let rest = &self.chunk[self.at..];
            let ones = rest.iter().take_while(|&&byte| byte == 0xff).count();
            filled |= ones > 0;
            if let Some(&byte) = rest.get(ones) {
                break (ones, byte);
            }
            self.at += ones;
            if !self.ask() {
                return None;
            }
        };
        if !filled || left >= 8 || found != marker {
            return None;
        }
        self.at += ones + 1;
        self.plain.clear();
        self.end = None;
        *cursor = Cursor::default();
        Some(())
    }
}

impl Cursor {
    /// Has at least 56 bits in the buffer afterwards: two values.
    #[expect(clippy::inline_always, reason = "the loop of all loops: the bits must stay in registers")]
    #[inline(always)]
    pub(super) fn refill(&mut self, plain: &[u8]) -> Option<()> {
        let next = plain.get(self.at..)?.first_chunk::<8>()?;
        // As many bytes as fit: the count becomes 56 and what it was above a multiple of 8.
        self.buffer |= u64::from_be_bytes(*next) >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 0b11_1000;
        Some(())
    }

    /// The next entry of `table` with its value; `None` where no code is.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn next(&mut self, table: &Table) -> Option<(Entry, i32)> {
        let mut entry = table.looks[(self.buffer >> (64 - LOOK)) as usize];
        if entry.length() == 0 {
            entry = table.long((self.buffer >> 48) as u32)?;
        }
        let value = entry.value(self.buffer);
        self.drop(entry.total());
        Some((entry, value))
    }

    /// The next value or two of `table`; `None` where a look has not all of it.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn pair(&mut self, table: &Table) -> Option<Pair> {
        let pair = table.pairs[(self.buffer >> (64 - LOOK)) as usize];
        if pair.total() == 0 {
            return None;
        }
        self.drop(pair.total());
        Some(pair)
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn drop(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count = self.count.wrapping_sub(bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes 0, 10, 110 and so on, one of each length.
    fn unary(symbols: &[u8], dc: bool) -> Option<Table> {
        let mut counts = [0; 16];
        counts[..symbols.len()].fill(1);
        Table::new(&counts, symbols, dc)
    }

    #[test]
    fn values_of_every_size_are_read_behind_short_codes_and_long_ones() {
        let symbols = [0x00, 0x13, 0xf0, 0x0a, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x31];
        let table = unary(&symbols, false).unwrap();
        // End; one zero and 101; sixteen zeros; 10 bits 0111111111; a code of 12 bits and 1.
        let bits = "0 10 101 110 1110 0111111111 111111111110 1 0";
        let bits: String = bits.chars().filter(|c| *c != ' ').collect();
        let mut bytes = Vec::new();
        for byte in bits.as_bytes().chunks(8) {
            let byte = byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')) << (8 - byte.len());
            bytes.push(byte);
            if byte == 0xff {
                bytes.push(0);
            }
        }
        bytes.extend([0xff, 0xd9]);
        let (mut bytes, mut cursor) = (Bytes::new(&bytes, None), Cursor::default());
        let wanted = [(END, 0), (2, 5), (16, 0), (1, -512), (4, 1), (END, 0)];
        for wanted in wanted {
            bytes.provide(&mut cursor).unwrap();
            cursor.refill(bytes.plain()).unwrap();
            let found = cursor.next(&table).map(|(entry, value)| (entry.step(), value));
            assert_eq!(found, Some(wanted));
        }
        assert!(bytes.expect(0xd9, &mut cursor).is_some());
    }

    #[test]
    fn a_look_has_two_values_where_both_are_whole() {
        let table = unary(&[0x01, 0x00, 0x12, 0x05], false).unwrap();
        let pair = |bits: &str| {
            let pair = table.pairs[usize::from_str_radix(&bits.replace(' ', ""), 2).unwrap()];
            (pair.total(), pair.steps(), pair.values())
        };
        assert_eq!(pair("01 00 111111"), (4, [1, 1], [1, -1]));
        assert_eq!(pair("01 10 000000"), (4, [1, END], [1, 0]));
        assert_eq!(pair("10 01 000000"), (2, [END, 0], [0, 0]), "what follows is another block");
        assert_eq!(pair("01 11000 111"), (7, [1, 2], [1, -3]));
        assert_eq!(pair("00 11101010"), (2, [1, 0], [-1, -1]), "five bits of the second are not all there");
        assert_eq!(pair("111010101 0"), (9, [1, 0], [21, 21]));
        assert_eq!(pair("1111000000"), (0, [0, 0], [0, 0]), "no code");
    }

    #[test]
    fn stuffed_zeros_are_none_and_an_interval_ends_at_its_last_bits() {
        let table = unary(&[1], true).unwrap();
        // Each value is 0 and a bit: eight of them, in two bytes.
        let data = [0b0101_0101, 0x55, 0xff, 0xd0, 0xff, 0, 0x12, 0xff, 0xff, 0xd9];
        let (mut bytes, mut cursor) = (Bytes::new(&data, None), Cursor::default());
        let mut skip = |bytes: &mut Bytes<'_>, values: usize| {
            for _ in 0..values {
                bytes.provide(&mut cursor).unwrap();
                cursor.refill(bytes.plain()).unwrap();
                cursor.next(&table).unwrap();
            }
            cursor
        };
        let early = skip(&mut bytes, 3);
        assert!(bytes.expect(0xd0, &mut { early }).is_none(), "ten bits are left");
        let last = skip(&mut bytes, 5);
        assert!(bytes.expect(0xd1, &mut { last }).is_none(), "another marker");
        let beyond = skip(&mut bytes, 1);
        assert!(bytes.expect(0xd0, &mut { beyond }).is_none(), "bits of no byte");
        let mut cursor = last;
        bytes.expect(0xd0, &mut cursor).unwrap();
        bytes.provide(&mut cursor).unwrap();
        assert_eq!(bytes.plain()[..3], [0xff, 0x12, 0]);
        cursor.refill(bytes.plain()).unwrap();
        cursor.buffer <<= 15;
        cursor.count -= 15;
        assert!(bytes.expect(0xd9, &mut cursor).is_some(), "one bit is left, and a byte fills up");
    }

    #[test]
    fn bytes_are_the_same_however_many_are_taken_at_once() {
        // Bytes of ones lie on and beside the ends of what is taken.
        let plain: Vec<u8> = (0..5 * TAKEN).map(|at| if at % 127 == 0 { 0xff } else { at as u8 }).collect();
        let mut data: Vec<u8> =
            plain.iter().flat_map(|&byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }).collect();
        data.extend([0xff, 0xd9]);
        let (mut bytes, mut cursor) = (Bytes::new(&data, None), Cursor::default());
        for &byte in &plain {
            bytes.provide(&mut cursor).unwrap();
            assert!(bytes.plain().len() <= TAKEN + 4 * AHEAD);
            cursor.refill(bytes.plain()).unwrap();
            assert_eq!((cursor.buffer >> 56) as u8, byte);
            cursor.buffer <<= 8;
            cursor.count -= 8;
        }
        assert!(bytes.expect(0xd9, &mut cursor).is_some());
    }

    /// Bytes that come one or some at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl crate::arriving::Arriving for Slowly<'_> {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read(&self, at: usize, most: usize, into: &mut Vec<u8>) -> usize {
            let came = self.0[at..].len().min(self.1).min(most);
            into.extend_from_slice(&self.0[at..at + came]);
            came
        }
    }

    #[test]
    fn bytes_are_the_same_however_they_come() {
        // Two intervals of 16 bits, with bytes of ones in and between them.
        let data = [0xff, 0, 0x55, 0xff, 0xff, 0xd0, 0x12, 0xff, 0, 0xff, 0xff, 0xff, 0xd9];
        for there in 0..data.len() {
            for at_once in 1..4 {
                let slowly = Slowly(&data, at_once);
                let rest = Rest::new(&slowly, there);
                let (mut bytes, mut cursor) = (Bytes::new(&data[..there], Some(rest)), Cursor::default());
                for (marker, plain) in [(0xd0, [0xff, 0x55]), (0xd9, [0x12, 0xff])] {
                    bytes.provide(&mut cursor).unwrap();
                    assert_eq!(bytes.plain()[..2], plain, "{there} {at_once}");
                    for _ in 0..8 {
                        bytes.provide(&mut cursor).unwrap();
                        cursor.refill(bytes.plain()).unwrap();
                        cursor.drop(2);
                    }
                    assert!(bytes.expect(marker, &mut cursor).is_some(), "{there} {at_once}");
                }
            }
        }
    }

    #[test]
    fn an_interval_may_end_wherever_bytes_are_taken() {
        for length in (TAKEN - 2 * AHEAD..TAKEN + 2 * AHEAD).chain(2 * TAKEN - AHEAD..2 * TAKEN + 9) {
            let mut data = vec![0x55; length];
            data.extend([0xff, 0xd9]);
            let (mut bytes, mut cursor) = (Bytes::new(&data, None), Cursor::default());
            // Seven bits short of all.
            for at in 0..length {
                bytes.provide(&mut cursor).unwrap();
                cursor.refill(bytes.plain()).unwrap();
                cursor.drop(if at == 0 { 1 } else { 8 });
            }
            assert!(bytes.expect(0xd9, &mut { cursor }).is_some(), "{length}");
        }
    }

    #[test]
    fn a_table_that_is_no_prefix_code_is_refused() {
        let mut counts = [0; 16];
        counts[0] = 2;
        assert!(Table::new(&counts, &[1, 2], false).is_none());
        counts[0] = 1;
        assert!(Table::new(&counts, &[], false).is_none(), "fewer symbols than codes");
        assert!(Table::new(&counts, &[0x0f], false).is_none(), "a value of 15 bits");
        assert!(Table::new(&counts, &[12], true).is_none(), "a difference of 12 bits");
        assert!(Table::new(&counts, &[0xf0], false).is_some());
    }
}
