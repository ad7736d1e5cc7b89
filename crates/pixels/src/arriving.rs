//! A picture whose bytes are still coming. Owns what is asked of whoever brings
//! them; how they come is not known here.

/// The bytes of a picture, in order, as far as they have come.
pub trait Arriving: Sync {
    /// How many there will be.
    fn size(&self) -> u64;

    /// Appends bytes from `at` on to `into`, `most` at the most, and returns how
    /// many. Waits until there is one; 0 where none will come: all have come, or
    /// they broke off.
    fn read(&self, at: usize, most: usize, into: &mut Vec<u8>) -> usize;
}

/// What follows the bytes that are there.
#[derive(Clone, Copy)]
pub(crate) struct Rest<'a> {
    picture: &'a dyn Arriving,
    /// Where it goes on.
    at: usize,
}

impl std::fmt::Debug for Rest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("size", &self.picture.size()).field("at", &self.at).finish()
    }
}

impl<'a> Rest<'a> {
    /// What follows the first `at` bytes of `picture`.
    pub(crate) fn new(picture: &'a dyn Arriving, at: usize) -> Self {
        Self { picture, at }
    }

    /// The size of the whole picture.
    pub(crate) fn size(&self) -> u64 {
        self.picture.size()
    }

    /// Appends at least one byte, `most` at the most; `false` where none comes.
    pub(crate) fn read(&mut self, most: usize, into: &mut Vec<u8>) -> bool {
        let count = self.picture.read(self.at, most, into);
        self.at += count;
        count > 0
    }
}

/// Bytes that have no header of a JPEG in them are not waited for any longer.
const LONGEST_HEADER: usize = 1 << 20;

/// The first bytes of `picture`, until `enough` says so.
pub fn beginning(picture: &dyn Arriving, enough: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = Rest::new(picture, 0);
    // Doubled each time, so that no header is read often.
    while bytes.len() < LONGEST_HEADER {
        let wanted = bytes.len().max(16 << 10);
        let target = bytes.len() + wanted;
        while bytes.len() < target {
            if !rest.read(target - bytes.len(), &mut bytes) {
                return enough(&bytes).then_some(bytes);
            }
        }
        if enough(&bytes) {
            return Some(bytes);
        }
    }
    None
}
