//! Rules: which pictures get other prints. Owns the matching; refuses nothing.

use super::Format;
use serde::Serialize;

/// Pictures that get their own outputs instead of those of `[[output]]`. Of
/// several rules that fit, the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Globs over the source's key: `*` within a folder, `**` across folders,
    /// `?` one character, `{a,b}` either. Empty for every key.
    #[serde(rename = "match")]
    pub globs: Vec<String>,
    /// Formats by content. Empty for every format.
    #[serde(rename = "type")]
    pub formats: Vec<Format>,
}

impl Rule {
    pub(super) fn takes_key(&self, key: &str) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| fast_glob::glob_match(glob, key))
    }

    pub(super) fn takes(&self, key: &str, format: Format) -> bool {
        self.takes_key(key) && (self.formats.is_empty() || self.formats.contains(&format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;

    const RECIPE: &str = r#"
        [[output]]
        key = "all/{key}"
        [[rule]]
        match = "avatars/**"
        [[rule.output]]
        key = "avatar/{key}"
        [[rule]]
        type = ["gif", "webp"]
        match = ["a/*.x", "b/**"]
        [[rule.output]]
        key = "moving/{key}"
        [[rule.output]]
        key = "moving-too/{key}"
    "#;

    #[test]
    fn the_first_rule_that_fits_counts() {
        let recipe = Recipe::parse(RECIPE).unwrap();
        let cases = [
            ("photo.jpg", Format::Jpeg, vec!["all/{key}"]),
            ("avatars/a/b.png", Format::Png, vec!["avatar/{key}"]),
            ("avatars/a.gif", Format::Gif, vec!["avatar/{key}"]),
            ("a/b.x", Format::Gif, vec!["moving/{key}", "moving-too/{key}"]),
            ("a/b.x", Format::Png, vec!["all/{key}"]),
            ("a/b/c.x", Format::Gif, vec!["all/{key}"]),
            ("b/c/d", Format::Webp, vec!["moving/{key}", "moving-too/{key}"]),
        ];
        for (key, format, expected) in cases {
            let keys: Vec<&str> = recipe.outputs_for(key, format).map(|(_, o)| o.key.as_str()).collect();
            assert_eq!(keys, expected, "{key} {format:?}");
        }
    }

    #[test]
    fn a_key_may_get_the_outputs_of_every_rule_that_its_content_could_choose() {
        let recipe = Recipe::parse(RECIPE).unwrap();
        let keys = |key: &str| -> Vec<&str> { recipe.outputs_of_key(key).map(|o| o.key.as_str()).collect() };
        assert_eq!(keys("avatars/a"), ["avatar/{key}"]);
        assert_eq!(keys("b/c"), ["all/{key}", "moving/{key}", "moving-too/{key}"]);
        assert_eq!(keys("photo.jpg"), ["all/{key}"]);
    }
}
