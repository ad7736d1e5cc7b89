//! Text inside generated YAML and HCL. Owns the quoting, so that no bucket's
//! name, prefix or recipe can end a string or begin an expression.

use serde_json::Value;

/// A YAML scalar. JSON's strings are YAML's double-quoted ones.
pub(super) fn yaml(text: &str) -> String {
    Value::from(text).to_string()
}

/// A YAML scalar that stays readable over several lines; the lines after the
/// first are indented by `indent`.
pub(super) fn yaml_block(text: &str, indent: usize) -> String {
    // A block keeps lines as they are, and so cannot hold what is not a line.
    let plain = text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n'])
        && text.chars().all(|character| character == '\n' || !character.is_control())
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']);
    if !plain {
        return yaml(text);
    }
    format!("|\n{}", indented(text.trim_end_matches('\n'), indent))
}

/// An HCL string: `${` and `%{` begin expressions there, and are doubled.
pub(super) fn hcl(text: &str) -> String {
    Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

/// HCL text that stays readable over several lines.
pub(super) fn hcl_heredoc(text: &str) -> String {
    const END: &str = "RECIPE";
    let plain = text.ends_with('\n')
        && text.chars().all(|character| character == '\n' || !character.is_control())
        && text.lines().all(|line| line.trim() != END);
    if !plain {
        return hcl(text);
    }
    format!("<<{END}\n{}{END}", text.replace("${", "$${").replace("%{", "%%{"))
}

/// HCL as `terraform fmt` lines it up: the `=` of neighbouring lines stand below
/// each other, where each line is a whole assignment (`hclwrite`, format.go).
pub(super) fn hcl_aligned(text: &str) -> String {
    let mut aligned = Vec::new();
    let mut run: Vec<(&str, &str)> = Vec::new();
    let mut heredoc: Option<&str> = None;
    for line in text.lines() {
        let assignment = if heredoc.is_some() { None } else { assignment(line) };
        match assignment {
            Some((name, value)) if is_whole(value) => run.push((name, value)),
            other => {
                aligned.extend(columns(&mut run));
                aligned.push(match other {
                    Some((name, value)) => format!("{name} = {value}"),
                    None => line.to_owned(),
                });
            }
        }
        heredoc = match heredoc {
            Some(end) if line == end => None,
            Some(end) => Some(end),
            None => line.rsplit_once(" = <<").map(|(_, end)| end),
        };
        if heredoc.is_some() {
            aligned.extend(columns(&mut run));
        }
    }
    aligned.extend(columns(&mut run));
    aligned.join("\n") + "\n"
}

/// The name with its margin, and the value.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" = ")?;
    let name = name.trim_end();
    let bare = name.trim_start().trim_matches('"');
    let named = |character: char| character.is_ascii_alphanumeric() || "_-:.".contains(character);
    (!bare.is_empty() && bare.chars().all(named)).then_some((name, value))
}

/// Whether as many brackets are closed as are opened, outside of strings.
fn is_whole(value: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for character in value.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' | '(' if !quoted => depth += 1,
            '}' | ']' | ')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

fn columns(run: &mut Vec<(&str, &str)>) -> Vec<String> {
    let widest = run.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    run.drain(..).map(|(name, value)| format!("{name:widest$} = {value}")).collect()
}

/// Each line behind `indent` spaces; empty lines stay empty. No last newline.
pub(super) fn indented(text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let lines: Vec<String> = text
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("{margin}{line}") })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_string_or_begins_an_expression() {
        assert_eq!(yaml("a\"b: #c\n"), r#""a\"b: #c\n""#);
        assert_eq!(hcl("a${*}\"%{if}"), r#""a$${*}\"%%{if}""#);
    }

    #[test]
    fn a_heredoc_holds_only_what_cannot_end_it() {
        assert_eq!(hcl_heredoc("a ${b}\n"), "<<RECIPE\na $${b}\nRECIPE");
        for text in ["a", "RECIPE\n", "a\tb\n"] {
            assert_eq!(hcl_heredoc(text), hcl(text), "{text:?}");
        }
    }

    #[test]
    fn whole_assignments_line_up_and_nothing_else_moves() {
        let text = "a = 1\nlong   = \"{\"\nb = [\n  \"x = y\",\n]\nc = {}\n\nd  = 1\ndd = <<END\na = 1\nbbb = 2\nEND\nb {\n  \"k:v\" = f(1)\n  x = 2\n}\n";
        let expected = "a    = 1\nlong = \"{\"\nb = [\n  \"x = y\",\n]\nc = {}\n\nd  = 1\ndd = <<END\na = 1\nbbb = 2\nEND\nb {\n  \"k:v\" = f(1)\n  x     = 2\n}\n";
        assert_eq!(hcl_aligned(text), expected);
        assert_eq!(hcl_aligned(expected), expected);
    }

    #[test]
    fn lines_stay_lines_unless_yaml_would_change_them() {
        assert_eq!(yaml_block("a\n\n b\n", 2), "|\n  a\n\n   b");
        for text in ["a", " a\n", "a\r\n", "a\n\n", "a\tb\n", "\u{2028}\n"] {
            assert_eq!(yaml_block(text, 2), yaml(text), "{text:?}");
        }
    }
}
