//! Huffman tables made for one picture, and the bits written with them.

/// A table: how many codes of each length 1–16, and the symbols by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Codes of 1, 2, … 16 bits.
    pub(super) lengths: [u8; 16],
    /// Symbols in the order of their codes.
    pub(super) symbols: Vec<u8>,
    /// Code and its length by symbol; length 0 for symbols that do not occur.
    codes: [(u16, u8); 256],
}

impl Table {
    /// The best table of codes of at most 16 bits for symbols that occur
    /// `counts` times (ITU-T T.81 annex K.2). The code of all ones stays free,
    /// as the standard demands.
    pub(super) fn optimal(counts: &[u64; 256]) -> Self {
        let mut lengths = bits(&code_lengths(counts));
        // K.2, figure K.3: codes beyond 16 bits are taken pairwise up the tree.
        for length in (17..lengths.len()).rev() {
            while lengths[length] > 0 {
                let mut shorter = length - 2;
                while lengths[shorter] == 0 {
                    shorter -= 1;
                }
                lengths[length] -= 2;
                lengths[length - 1] += 1;
                lengths[shorter + 1] += 2;
                lengths[shorter] -= 1;
            }
        }
        // The reserved symbol has the longest code: drop it.
        if let Some(longest) = lengths.iter_mut().rev().find(|count| **count > 0) {
            *longest -= 1;
        }
        let mut symbols: Vec<u8> = (0..=255).filter(|&symbol| counts[usize::from(symbol)] > 0).collect();
        symbols.sort_by_key(|&symbol| std::cmp::Reverse(counts[usize::from(symbol)]));
        let mut by_length = [0; 16];
        for (to, &count) in by_length.iter_mut().zip(&lengths[1..]) {
            *to = count as u8;
        }
        Self::from_lengths(by_length, symbols)
    }

    fn from_lengths(lengths: [u8; 16], symbols: Vec<u8>) -> Self {
        let mut codes = [(0, 0); 256];
        let mut code = 0u16;
        let mut remaining = symbols.iter();
        for (length, &count) in (1..).zip(&lengths) {
            for &symbol in remaining.by_ref().take(usize::from(count)) {
                codes[usize::from(symbol)] = (code, length);
                code = code.wrapping_add(1);
            }
            code = code.wrapping_shl(1);
        }
        Self { lengths, symbols, codes }
    }

    /// The code of `symbol` and its length in bits.
    pub(super) fn code(&self, symbol: u8) -> (u16, u8) {
        self.codes[usize::from(symbol)]
    }
}

/// Depth of every symbol in the Huffman tree; the last is a reserved symbol
/// that occurs once.
fn code_lengths(counts: &[u64; 256]) -> Vec<usize> {
    let mut depth = vec![0; 257];
    let mut trees: Vec<(u64, Vec<usize>)> = (0..256)
        .filter(|&symbol| counts[symbol] > 0)
        .map(|symbol| (counts[symbol].saturating_mul(2), vec![symbol]))
        .collect();
    // Rarer than anything, so that it ends up deepest.
    trees.push((1, vec![256]));
    while trees.len() > 1 {
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.0));
        let (Some(rare), Some(second)) = (trees.pop(), trees.pop()) else { break };
        let mut members = rare.1;
        members.extend(second.1);
        for &member in &members {
            depth[member] += 1;
        }
        trees.push((rare.0.saturating_add(second.0), members));
    }
    depth
}

/// How many symbols have each depth.
fn bits(depths: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; depths.iter().max().map_or(0, |&deepest| deepest).max(16) + 1];
    for &depth in depths.iter().filter(|&&depth| depth > 0) {
        counts[depth] += 1;
    }
    counts
}

/// Bits, most significant first, that can be repeated without encoding them
/// anew.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    length: usize,
}

impl Bits {
    /// Number of bits so far.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Appends the `count` (at most 64) low bits of `value`.
    pub(super) fn push(&mut self, value: u64, count: usize) {
        if count == 0 {
            return;
        }
        let value = if count == 64 { value } else { value & ((1 << count) - 1) };
        let used = self.length % 64;
        if used == 0 {
            self.words.push(value << (64 - count));
        } else {
            let free = 64 - used;
            if let Some(word) = self.words.last_mut() {
                *word |= if count <= free { value << (free - count) } else { value >> (count - free) };
            }
            if count > free {
                self.words.push(value << (64 - (count - free)));
            }
        }
        self.length += count;
    }

    /// Appends the bits from `start` to here `times` times more.
    pub(super) fn repeat(&mut self, start: usize, times: usize) {
        let mut wanted = (self.length - start) * times;
        while wanted > 0 {
            // What has been appended can be copied in turn: the pieces double.
            let piece = wanted.min(self.length - start);
            self.copy(start, piece);
            wanted -= piece;
        }
    }

    fn copy(&mut self, mut from: usize, mut count: usize) {
        while count > 0 {
            let step = count.min(64);
            let value = self.read(from, step);
            self.push(value, step);
            from += step;
            count -= step;
        }
    }

    fn read(&self, from: usize, count: usize) -> u64 {
        let (word, offset) = (from / 64, from % 64);
        let mut value = self.words[word] << offset;
        if offset > 0 && offset + count > 64 {
            value |= self.words[word + 1] >> (64 - offset);
        }
        value >> (64 - count)
    }

    /// Entropy-coded data as it stands in a file: filled up with ones, a zero
    /// after every 0xff.
    pub(super) fn stuffed(mut self) -> Vec<u8> {
        let missing = self.length.next_multiple_of(8) - self.length;
        self.push(u64::MAX, missing);
        let mut raw: Vec<u8> = self.words.iter().flat_map(|word| word.to_be_bytes()).collect();
        raw.truncate(self.length / 8);
        let mut stuffed = Vec::with_capacity(raw.len() + raw.len() / 64);
        let mut rest = raw.as_slice();
        while let Some(at) = memchr::memchr(0xff, rest) {
            stuffed.extend_from_slice(&rest[..=at]);
            stuffed.push(0);
            rest = &rest[at + 1..];
        }
        stuffed.extend_from_slice(rest);
        stuffed
    }
}
