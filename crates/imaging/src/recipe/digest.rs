//! The recipe digest: which recipe made a print.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::Recipe;

/// Raised whenever the same recipe and picture begin to give other bytes, so
/// that prints of the older engine count as made by an older recipe.
const ENGINE: u32 = 1;

impl Recipe {
    /// 32 hexadecimal digits that change whenever a print could: they cover the
    /// rules, the outputs, the supplied assets and the engine, and neither
    /// bucket names nor limits.
    ///
    /// # Panics
    /// Never: outputs are plain data with string keys.
    pub fn digest(&self) -> String {
        let prints = serde_json::to_vec(&(&self.rules, &self.outputs)).expect("outputs serialise");
        let mut hasher = Sha256::new();
        hasher.update(ENGINE.to_be_bytes());
        hasher.update(prints);
        for supplied in self.assets.values() {
            hasher.update(Sha256::digest(&supplied.bytes));
        }
        let mut digest = render(&hasher.finalize());
        digest.truncate(32);
        digest
    }
}

/// Lower-case hexadecimal SHA-256 of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    render(&Sha256::digest(bytes))
}

fn render(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_changes_with_the_outputs_and_nothing_else() {
        let with = |text: &str| Recipe::parse(text).unwrap().digest();
        let base = with("[[output]]\nkey = \"p/{key}\"\n");
        assert_eq!(base.len(), 32);
        assert_eq!(base, with("[source]\nbucket = \"other\"\n[[output]]\nkey = \"p/{key}\"\nquality = 80\n"));
        assert_eq!(base, with("[limits]\nmegapixels = 10\n[[output]]\nkey = \"p/{key}\"\n"));
        assert_ne!(base, with("[[output]]\nkey = \"p/{key}\"\nquality = 81\n"));
    }

    /// A digest that changes has every print made anew.
    #[test]
    fn recipes_of_earlier_versions_keep_their_digests() {
        let digest = Recipe::parse("[[output]]\nkey = \"p/{key}\"\n").unwrap().digest();
        assert_eq!(digest, "3f1b54ddb53690b78214b687c556346f");
    }
}
