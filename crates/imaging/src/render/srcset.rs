//! The `srcset` attribute of an `img` or `source` element (HTML, "image
//! candidate strings").

use std::fmt::Write as _;

/// The candidates with their widths, from the narrowest on, as
/// `a_320.webp 320w, a_640.webp 640w`. Keys become relative URLs: whatever
/// could end a URL, or means something within one, is percent-encoded (RFC 3986:
/// unreserved characters and `/` are not). A width that occurs again is left
/// out: browsers ignore it.
pub(super) fn srcset<'k>(prints: impl IntoIterator<Item = (&'k str, u32)>) -> String {
    let mut prints: Vec<(&str, u32)> = prints.into_iter().collect();
    // Stable: of prints with one width the first stays.
    prints.sort_by_key(|&(_, width)| width);
    prints.dedup_by_key(|&mut (_, width)| width);
    let mut text = String::new();
    for (key, width) in prints {
        if !text.is_empty() {
            text.push_str(", ");
        }
        push_url(&mut text, key);
        // Writing to a string cannot fail.
        let _ = write!(text, " {width}w");
    }
    text
}

fn push_url(text: &mut String, key: &str) {
    for &byte in key.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_rise_in_width_and_repeat_none() {
        assert_eq!(
            srcset([("b/cat_640.webp", 640), ("b/cat_320.webp", 320), ("b/cat_too.webp", 640)]),
            "b/cat_320.webp 320w, b/cat_640.webp 640w"
        );
        assert_eq!(srcset([]), "");
    }

    #[test]
    fn no_key_breaks_out_of_its_url() {
        assert_eq!(
            srcset([("Otoño, 1w \"x\"?#%41:+.jpg", 5)]),
            "Oto%C3%B1o%2C%201w%20%22x%22%3F%23%2541%3A%2B.jpg 5w"
        );
    }
}
