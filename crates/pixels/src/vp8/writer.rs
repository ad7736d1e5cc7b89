//! VP8's arithmetic coder (RFC 6386, section 7). Owns carries and the end of a
//! partition; knows nothing of what the bits mean.

/// A partition being written.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// The low end of the interval: the coder's 8 bits, above them the bits that
    /// are settled but for a carry, above those the carry.
    low: u64,
    /// The width of the interval, 128–255 between bits.
    range: u32,
    /// Bits of `low` below the carry.
    held: u32,
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), low: 0, range: 255, held: 8 }
    }

    /// Writes `bit` where 0 has the probability `zero` / 256; 0 counts as 1 here.
    #[inline]
    pub(super) fn put(&mut self, bit: bool, zero: u8) {
        let split = 1 + (((self.range - 1) * u32::from(zero)) >> 8);
        // Without a branch: what is written is as good as random.
        let taken = u32::from(bit).wrapping_neg();
        self.low += u64::from(split & taken);
        self.range = (split & !taken) | ((self.range - split) & taken);
        let shift = self.range.leading_zeros() - 24;
        self.range <<= shift;
        self.low <<= shift;
        self.held += shift;
        if self.held >= 48 {
            self.settle();
        }
    }

    /// Writes a bit of equal chances.
    pub(super) fn flag(&mut self, bit: bool) {
        self.put(bit, 128);
    }

    /// Writes the lowest `count` bits of `value`, the highest of them first.
    pub(super) fn bits(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            self.flag(value >> at & 1 != 0);
        }
    }

    /// Writes a value of `count` bits that may be absent (0) and has a sign.
    pub(super) fn signed(&mut self, value: i32, count: u32) {
        self.flag(value != 0);
        if value != 0 {
            self.bits(value.unsigned_abs(), count);
            self.flag(value < 0);
        }
    }

    /// Moves 32 settled bits out.
    fn settle(&mut self) {
        let keep = self.held - 32;
        let settled = self.low >> keep;
        self.low &= (1 << keep) - 1;
        self.held = keep;
        if settled >> 32 != 0 {
            self.carry();
        }
        self.bytes.extend_from_slice(&(settled as u32).to_be_bytes());
    }

    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return;
            }
        }
    }

    /// The partition. A decoder reads ahead: two bytes of nothing keep one that
    /// takes the end of the data for damage from meeting it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let shift = 48 - self.held;
        self.low <<= shift;
        self.held += shift;
        self.settle();
        self.low <<= 16;
        self.held += 16;
        self.settle();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Section 7.3's decoder, word for word.
    struct Reader<'a> {
        bytes: &'a [u8],
        value: u32,
        range: u32,
        shifted: u32,
    }

    impl<'a> Reader<'a> {
        fn new(bytes: &'a [u8]) -> Self {
            let value = u32::from(bytes[0]) << 8 | u32::from(bytes[1]);
            Self { bytes: &bytes[2..], value, range: 255, shifted: 0 }
        }

        fn bit(&mut self, zero: u8) -> bool {
            let split = 1 + (((self.range - 1) * u32::from(zero)) >> 8);
            let bit = self.value >= split << 8;
            if bit {
                self.range -= split;
                self.value -= split << 8;
            } else {
                self.range = split;
            }
            while self.range < 128 {
                self.value <<= 1;
                self.range <<= 1;
                self.shifted += 1;
                if self.shifted == 8 {
                    self.shifted = 0;
                    let (first, rest) = self.bytes.split_first().expect("it ends with bytes to spare");
                    self.value |= u32::from(*first);
                    self.bytes = rest;
                }
            }
            bit
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bits in prop::collection::vec((any::<bool>(), 1_u8..), 0..3000)) {
            let mut writer = Writer::new();
            for &(bit, zero) in &bits {
                writer.put(bit, zero);
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for &(bit, zero) in &bits {
                prop_assert_eq!(reader.bit(zero), bit);
            }
        }
    }

    #[test]
    fn a_carry_goes_through_bytes_of_ones() {
        let mut writer = Writer::new();
        let bits: Vec<(bool, u8)> = (0..400).map(|_| (true, 1)).chain([(true, 255), (true, 255)]).collect();
        for &(bit, zero) in &bits {
            writer.put(bit, zero);
        }
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert!(bits.iter().all(|&(bit, zero)| reader.bit(zero) == bit));
    }
}
