//! Patterns of the policy language: `*`, `?`, and policy variables.
//!
//! Owns: reading a pattern once, matching it many times in time bounded by
//! pattern × text. Refuses: an unclosed or empty variable.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.

use super::RequestContext;

/// What a pattern is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    /// `*`: any number of characters.
    Many,
    /// `?`: one character.
    One,
    /// `${key}` or `${key, 'default'}`; the key's value stands for itself, its
    /// own `*` and `?` match nothing else.
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// `${…}` is replaced: policies of version 2012-10-17 only.
    pub(super) variables: bool,
}

/// A pattern read from a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

/// One position of a pattern whose variables have been replaced.
#[derive(Clone, Copy)]
enum Glob {
    Char(char),
    One,
    Many,
}

impl Pattern {
    /// Reads `text`; the error says what is wrong with it.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let end = rest
                    .find('}')
                    .ok_or_else(|| format!("{text:?} opens a variable with ${{ and does not close it"))?;
                let inside = &rest[2..end];
                rest = &rest[end + 1..];
                if let "*" | "?" | "$" = inside {
                    plain.push_str(inside);
                    continue;
                }
                flush(&mut plain, &mut tokens);
                tokens.push(variable(inside).ok_or_else(|| {
                    format!("{text:?} holds a variable ${{{inside}}} that is neither ${{key}} nor ${{key, 'default'}}")
                })?);
                continue;
            }
            rest = &rest[first.len_utf8()..];
            match first {
                '*' if syntax.wildcards => {
                    flush(&mut plain, &mut tokens);
                    // `**` says no more than `*`.
                    if tokens.last() != Some(&Token::Many) {
                        tokens.push(Token::Many);
                    }
                }
                '?' if syntax.wildcards => {
                    flush(&mut plain, &mut tokens);
                    tokens.push(Token::One);
                }
                other => plain.push(other),
            }
        }
        flush(&mut plain, &mut tokens);
        Ok(Self { tokens })
    }

    /// Splits at the first `parts - 1` colons that stand outside variables.
    fn split(self, parts: usize) -> Vec<Self> {
        let mut split = vec![Self { tokens: Vec::new() }];
        for token in self.tokens {
            let Token::Text(text) = token else {
                push(&mut split, token);
                continue;
            };
            let mut rest = text.as_str();
            while split.len() < parts {
                let Some((before, after)) = rest.split_once(':') else { break };
                if !before.is_empty() {
                    push(&mut split, Token::Text(before.to_owned()));
                }
                split.push(Self { tokens: Vec::new() });
                rest = after;
            }
            if !rest.is_empty() {
                push(&mut split, Token::Text(rest.to_owned()));
            }
        }
        split
    }

    fn has_variable(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Variable { .. }))
    }

    /// Whether `text` matches; `None` when a variable has no single value in
    /// this request, so that there is nothing to compare with.
    pub(super) fn matches(&self, text: &str, context: &RequestContext, ignore_case: bool) -> Option<bool> {
        let fold = |character: char| {
            // Case folding beyond ASCII may change the number of characters;
            // only a one-to-one folding is applied.
            if !ignore_case {
                return character;
            }
            let mut lower = character.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(only), None) => only,
                _ => character,
            }
        };
        let mut glob = Vec::new();
        for token in &self.tokens {
            match token {
                Token::Many => glob.push(Glob::Many),
                Token::One => glob.push(Glob::One),
                Token::Text(text) => glob.extend(text.chars().map(fold).map(Glob::Char)),
                Token::Variable { key, default } => {
                    let value = match (context.get(key), default) {
                        ([only], _) => only,
                        ([], Some(default)) => default,
                        _ => return None,
                    };
                    glob.extend(value.chars().map(fold).map(Glob::Char));
                }
            }
        }
        let text: Vec<char> = text.chars().map(fold).collect();
        Some(glob_matches(&glob, &text))
    }
}

fn flush(plain: &mut String, tokens: &mut Vec<Token>) {
    if !plain.is_empty() {
        tokens.push(Token::Text(std::mem::take(plain)));
    }
}

fn push(parts: &mut [Pattern], token: Token) {
    if let Some(last) = parts.last_mut() {
        last.tokens.push(token);
    }
}

fn variable(inside: &str) -> Option<Token> {
    let (key, default) = match inside.split_once(',') {
        None => (inside.trim(), None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key.trim(), Some(default.to_owned()))
        }
    };
    let plausible = !key.is_empty()
        && key.chars().all(|character| character.is_ascii_alphanumeric() || ":-_./@+=".contains(character));
    plausible.then(|| Token::Variable { key: key.to_owned(), default })
}

/// The two-pointer match that goes back to the last `*` only: at most
/// pattern × text steps, no recursion.
fn glob_matches(glob: &[Glob], text: &[char]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match glob.get(at) {
            Some(Glob::Many) => {
                retry = Some((at, seen));
                at += 1;
            }
            Some(Glob::One) => {
                at += 1;
                seen += 1;
            }
            Some(Glob::Char(character)) if *character == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    at = star + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|rest| matches!(rest, Glob::Many))
}

/// A pattern of Amazon Resource Names: `*` alone, or six segments that match
/// one by one, so that a wildcard never reaches over a colon into the next
/// segment; the sixth takes the rest, colons included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArnPattern {
    Everything,
    Segments(Vec<Pattern>),
}

impl ArnPattern {
    pub(super) fn parse(text: &str, variables: bool) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let segments = Pattern::parse(text, Syntax { wildcards: true, variables })?.split(6);
        if segments.len() != 6 || segments[0].tokens != [Token::Text("arn".to_owned())] {
            return Err(format!("{text:?} is not an ARN"));
        }
        if segments[..5].iter().any(Pattern::has_variable) {
            return Err(format!("{text:?} has a variable before the fifth colon"));
        }
        Ok(Self::Segments(segments))
    }

    pub(super) fn matches(&self, arn: &str, context: &RequestContext) -> Option<bool> {
        let Self::Segments(patterns) = self else { return Some(true) };
        let segments: Vec<&str> = arn.splitn(6, ':').collect();
        if segments.len() != 6 {
            return Some(false);
        }
        for (pattern, segment) in patterns.iter().zip(segments) {
            match pattern.matches(segment, context, false) {
                Some(true) => {}
                other => return other,
            }
        }
        Some(true)
    }
}

/// `text` as a pattern that matches only itself.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '?' | '$' => {
                escaped.push_str("${");
                escaped.push(character);
                escaped.push('}');
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: Syntax = Syntax { wildcards: true, variables: true };

    fn arn(pattern: &str, text: &str) -> Option<bool> {
        let context =
            RequestContext::new().with("aws:PrincipalAccount", "123456789012").with("s3:prefix", "a*");
        ArnPattern::parse(pattern, true).unwrap().matches(text, &context)
    }

    #[test]
    fn arns_match_segment_by_segment() {
        for (pattern, text, expected) in [
            ("*", "arn:aws:s3:::b/k", Some(true)),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k", Some(true)),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b:c", Some(true)),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b", Some(false)),
            ("arn:aws:s3:::b", "arn:aws:s3:::b/k", Some(false)),
            ("arn:aws:s3:::b/k?", "arn:aws:s3:::b/k1", Some(true)),
            ("arn:aws:s3:::b/k?", "arn:aws:s3:::b/k", Some(false)),
            ("arn:aws:s3:::B/k", "arn:aws:s3:::b/k", Some(false)),
            ("arn:aws:s3:*:*:b", "arn:aws:s3:::b", Some(true)),
            ("arn:aws:*:::b", "arn:aws:s3:::b", Some(true)),
            ("arn:aws:s3:::*:b", "arn:aws:s3:us-east-1:1:b", Some(false)),
            ("arn:aws:s3:::b/${aws:PrincipalAccount}/*", "arn:aws:s3:::b/123456789012/k", Some(true)),
            ("arn:aws:s3:::b/${s3:prefix}", "arn:aws:s3:::b/a*", Some(true)),
            ("arn:aws:s3:::b/${s3:prefix}", "arn:aws:s3:::b/ab", Some(false)),
            ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/x", None),
            ("arn:aws:s3:::b/${aws:username, 'x'}", "arn:aws:s3:::b/x", Some(true)),
            ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", Some(true)),
            ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", Some(false)),
        ] {
            assert_eq!(arn(pattern, text), expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn what_is_no_arn_pattern_is_refused() {
        for text in [
            "",
            "s3:::b",
            "arn:aws:s3::b",
            "arn:*",
            "arn:aws:${x}:::b",
            "arn:aws:s3:::${",
            "arn:aws:s3:::${}",
            "arn:aws:s3:::${a, b}",
        ] {
            assert!(ArnPattern::parse(text, true).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_escaped_text_matches_itself_and_nothing_else(text in "[ab*?${}:/]{0,12}", other in "[ab*?${}:/]{0,12}") {
            let pattern = Pattern::parse(&escape(&text), BOTH).unwrap();
            prop_assert_eq!(pattern.matches(&text, &RequestContext::new(), false), Some(true));
            prop_assert_eq!(pattern.matches(&other, &RequestContext::new(), false), Some(text == other));
        }

        #[test]
        fn globs_agree_with_the_recursive_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|from| slow(rest, &text[from..])),
                    Some((b'?', rest)) => !text.is_empty() && slow(rest, &text[1..]),
                    Some((first, rest)) => text.first() == Some(first) && slow(rest, &text[1..]),
                }
            }
            let read = Pattern::parse(&pattern, BOTH).unwrap();
            prop_assert_eq!(
                read.matches(&text, &RequestContext::new(), false),
                Some(slow(pattern.as_bytes(), text.as_bytes()))
            );
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Pattern::parse(&text, BOTH);
            let _ = ArnPattern::parse(&text, true);
        }
    }
}
