//! Owns cutting Rust source into words and marks: comments, strings and lifetimes are left out.
//! Refuses to know what the words mean: `items` does.

/// A word (`crate`, `Size`, `at_most`), the separator `::`, or one mark such as `{`. A literal is the mark `"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first == '_' || first.is_alphabetic())
    }
}

pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while !rest.is_empty() {
        let (length, text) = next(rest);
        if let Some(text) = text {
            found.push(Token { text, line });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of what `rest` begins with, and its token if it is one.
fn next(rest: &str) -> (usize, Option<&str>) {
    let first = rest.chars().next().unwrap_or(' ');
    if let Some(length) = comment(rest) {
        return (length, None);
    }
    if let Some(length) = text(rest).or_else(|| character(rest)) {
        return (length, Some("\""));
    }
    if first == '\'' {
        return (1 + word(&rest[1..]), None);
    }
    if let Some(raw) = rest.strip_prefix("r#")
        && word(raw) > 0
    {
        return (2 + word(raw), Some(&raw[..word(raw)]));
    }
    if first.is_ascii_digit() {
        return (number(rest), Some("\""));
    }
    match word(rest) {
        0 if first.is_whitespace() => (first.len_utf8(), None),
        0 if rest.starts_with("::") => (2, Some("::")),
        0 => (first.len_utf8(), Some(&rest[..first.len_utf8()])),
        length => (length, Some(&rest[..length])),
    }
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len())
}

fn number(rest: &str) -> usize {
    let whole = word(rest);
    match rest[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + word(fraction),
        _ => whole,
    }
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(rest.len())
}

/// `"…"`, `b"…"`, `c"…"` and the raw ones.
fn text(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with('"') || prefix.ends_with('r') && rest.trim_start_matches('#').starts_with('"')
        })
    })?;
    let after = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = after.find('"')?;
        let end = format!("\"{}", &after[..hashes]);
        let body = &after[hashes + 1..];
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(prefix.len() + hashes + 1 + length);
    }
    Some(prefix.len() + quoted(after, b'"'))
}

/// `'x'`, `'\n'` and `b'x'`, but no lifetime.
fn character(rest: &str) -> Option<usize> {
    let prefix = usize::from(rest.starts_with("b'"));
    let after = rest[prefix..].strip_prefix('\'')?;
    let mut chars = after.chars();
    let escaped = chars.next()? == '\\';
    (escaped || chars.next() == Some('\'')).then(|| prefix + quoted(&rest[prefix..], b'\''))
}

/// The length of a literal with its quotes.
fn quoted(rest: &str, quote: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[test]
fn comments_strings_and_lifetimes_are_no_words() {
    for (source, expected) in [
        ("a::b /* c /* d */ e */ f // g\n h", "a :: b f h"),
        ("/// [`crate::x`]\n//! y\nfn z() {}", "fn z ( ) { }"),
        (r##"x("a \" b", r#"c " d"#, b"e", br"f", c"g")"##, r#"x ( " , " , " , " , " )"#),
        (r"x('a', '\'', b'b', '\u{41}', '\\')", r#"x ( " , " , " , " , " )"#),
        ("impl<'a> A<'a> for &'static B", "impl < > A < > for & B"),
        ("r#type r x br", "type r x br"),
        ("1.max(2.5) 0..n 0x1f_u8", "\" . max ( \" ) \" . . n \""),
        ("größe::é", "größe :: é"),
        ("\"never closed", "\""),
    ] {
        let found: Vec<&str> = tokens(source).iter().map(|token| token.text).collect();
        assert_eq!(found.join(" "), expected, "{source}");
    }
}

#[test]
fn lines_are_counted_through_comments_and_strings() {
    let found = tokens("a\n/* \n */ b\n\"\n\n\" c");
    let lines: Vec<(&str, usize)> = found.iter().map(|token| (token.text, token.line)).collect();
    assert_eq!(lines, [("a", 1), ("b", 3), ("\"", 4), ("c", 6)]);
}
