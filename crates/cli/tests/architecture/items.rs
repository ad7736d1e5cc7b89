//! Owns what one file says about names: the modules in it, what each defines, uses and names by a path.
//! Refuses to know other files: where a path leads, `imports` finds out. Tests of the file are left out.

use std::collections::BTreeSet;

use crate::tokens::{Token, tokens};

/// A file as a module, or a module written inside one.
#[derive(Default)]
pub(crate) struct Module {
    /// Its place in the list that [`read`] returns; the file itself has none.
    pub(crate) parent: Option<usize>,
    pub(crate) name: String,
    pub(crate) items: BTreeSet<String>,
    pub(crate) macros: BTreeSet<String>,
    /// `mod child;`
    pub(crate) files: Vec<String>,
    /// `#[cfg(test)] mod child;`
    pub(crate) tests: Vec<String>,
    pub(crate) uses: Vec<Use>,
    pub(crate) paths: Vec<Named>,
}

/// One name of a `use`, groups taken apart.
pub(crate) struct Use {
    pub(crate) path: Named,
    pub(crate) binds: Binds,
    /// `pub`, `pub(crate)` and so on.
    pub(crate) public: bool,
}

#[derive(PartialEq, Eq)]
pub(crate) enum Binds {
    Name(String),
    All,
    /// `as _`
    Nothing,
}

/// A path as it is written. An empty first segment stands for a leading `::`.
pub(crate) struct Named {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// `name!`
    pub(crate) is_macro: bool,
}

/// The file as a module first, then the modules in it.
pub(crate) fn read(source: &str) -> Result<Vec<Module>, String> {
    let mut reader = Reader {
        tokens: tokens(source),
        at: 0,
        depth: 0,
        modules: vec![Module::default()],
        open: vec![(0, 0)],
    };
    reader.read()?;
    Ok(reader.modules)
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    /// Brackets of all kinds that are open.
    depth: usize,
    modules: Vec<Module>,
    /// The modules that are open, each with the depth of its items.
    open: Vec<(usize, usize)>,
}

impl<'a> Reader<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn is_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(Token::is_word)
    }

    fn before(&self, back: usize) -> &'a str {
        self.at.checked_sub(back).map_or("", |at| self.text(at))
    }

    fn module(&mut self) -> &mut Module {
        let at = self.open.last().map_or(0, |open| open.0);
        &mut self.modules[at]
    }

    fn read(&mut self) -> Result<(), String> {
        let mut public = false;
        while let Some(token) = self.tokens.get(self.at).copied() {
            let was_public = std::mem::take(&mut public);
            match token.text {
                "#" => self.attribute(token.line)?,
                "pub" => {
                    public = true;
                    self.at += 1;
                    if self.text(self.at) == "(" && self.is_visibility() {
                        self.at = self.closing(self.at) + 1;
                    }
                }
                "use" if self.text(self.at + 1) != "<" => self.uses(was_public),
                "mod" if self.is_word(self.at + 1) => self.child(),
                "(" | "[" | "{" => {
                    self.depth += 1;
                    self.at += 1;
                }
                ")" | "]" | "}" => {
                    if self.open.len() > 1 && self.open.last().is_some_and(|open| open.1 == self.depth) {
                        self.open.pop();
                    }
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                _ => {
                    self.item();
                    self.path();
                }
            }
        }
        Ok(())
    }

    /// `(crate)`, `(super)`, `(in …)`: but the field of `struct A(pub (u8, u8))` is a type.
    fn is_visibility(&self) -> bool {
        matches!(self.text(self.at + 1), "crate" | "super" | "self" | "in")
    }

    /// Where the bracket that opens at `at` is closed.
    fn closing(&self, at: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(at) {
            match token.text {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    fn attribute(&mut self, line: usize) -> Result<(), String> {
        let inner = self.text(self.at + 1) == "!";
        let open = self.at + 1 + usize::from(inner);
        if self.text(open) != "[" {
            self.at += 1;
            return Ok(());
        }
        let close = self.closing(open);
        let words: Vec<&str> = (open + 1..close).map(|at| self.text(at)).collect();
        self.at = close + 1;
        if words == ["test"] || words.first() == Some(&"cfg") && is_of_tests(&words) {
            if inner {
                self.at = self.tokens.len();
            } else {
                self.skip();
            }
        } else if words.windows(2).any(|pair| pair == ["path", "="]) {
            return Err(format!(
                "line {line} has #[path]: give the file the place that its module's name says, \
                 so that readers, and this check, find it"
            ));
        }
        Ok(())
    }

    /// Goes past the item, field, arm or statement that begins here.
    fn skip(&mut self) {
        while self.text(self.at) == "#" {
            self.at = self.closing(self.at + 1) + 1;
        }
        if self.text(self.at) == "pub" {
            self.at += 1;
            if self.text(self.at) == "(" {
                self.at = self.closing(self.at) + 1;
            }
        }
        let first = self.text(self.at);
        if first == "mod" && self.text(self.at + 2) == ";" {
            let name = self.text(self.at + 1).to_owned();
            self.module().tests.push(name);
        }
        let to_semicolon = matches!(first, "use" | "const" | "static" | "type" | "let")
            && !matches!(self.text(self.at + 1), "fn" | "unsafe" | "async");
        let is_item = matches!(
            first,
            "fn" | "struct" | "enum" | "union" | "impl" | "mod" | "trait" | "macro_rules" | "unsafe"
        ) || matches!(first, "async" | "extern" | "const");
        while self.at < self.tokens.len() {
            match self.text(self.at) {
                ")" | "]" | "}" => return,
                ";" => break,
                "," if !is_item && !to_semicolon => break,
                "(" | "[" => self.at = self.closing(self.at),
                "{" => {
                    self.at = self.closing(self.at);
                    if !to_semicolon {
                        break;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
    }

    fn child(&mut self) {
        let name = self.text(self.at + 1).to_owned();
        match self.text(self.at + 2) {
            ";" => self.module().files.push(name),
            "{" => {
                let parent = self.open.last().map(|open| open.0);
                self.depth += 1;
                self.open.push((self.modules.len(), self.depth));
                self.modules.push(Module { parent, name, ..Module::default() });
            }
            _ => {}
        }
        self.at += 3;
    }

    fn uses(&mut self, public: bool) {
        self.at += 1;
        self.tree(Vec::new(), public);
    }

    fn tree(&mut self, mut prefix: Vec<String>, public: bool) {
        if self.text(self.at) == "::" && prefix.is_empty() {
            prefix.push(String::new());
            self.at += 1;
        }
        let Some(Token { text, line }) = self.tokens.get(self.at).copied() else { return };
        self.at += 1;
        if text == "{" {
            while !matches!(self.text(self.at), "}" | "") {
                self.tree(prefix.clone(), public);
                if self.text(self.at) == "," {
                    self.at += 1;
                }
            }
            self.at += 1;
            return;
        }
        if text != "*" && (text != "self" || prefix.is_empty()) {
            prefix.push(text.to_owned());
        }
        if self.text(self.at) == "::" {
            self.at += 1;
            return self.tree(prefix, public);
        }
        let mut binds = match text {
            "*" => Binds::All,
            _ => Binds::Name(prefix.last().cloned().unwrap_or_default()),
        };
        if self.text(self.at) == "as" {
            let name = self.text(self.at + 1);
            binds = if name == "_" { Binds::Nothing } else { Binds::Name(name.to_owned()) };
            self.at += 2;
        }
        let path = Named { segments: prefix, line, is_macro: false };
        self.module().uses.push(Use { path, binds, public });
    }

    /// Notes the name that a definition here gives to the module. The words are then read as any other.
    fn item(&mut self) {
        if self.open.last().is_none_or(|open| open.1 != self.depth) {
            return;
        }
        let generic = matches!(self.before(1), "*" | "<" | ",");
        let skip = match self.text(self.at) {
            "fn" | "struct" | "enum" | "union" | "trait" | "type" => 1,
            "const" | "static" if generic => return,
            "const" | "static" => 1 + usize::from(self.text(self.at + 1) == "mut"),
            "macro_rules" => 2,
            _ => return,
        };
        if !self.is_word(self.at + skip)
            || matches!(self.text(self.at + skip), "fn" | "unsafe" | "async" | "extern")
        {
            return;
        }
        let name = self.text(self.at + skip).to_owned();
        if skip == 2 && self.text(self.at) == "macro_rules" {
            self.module().macros.insert(name.clone());
        }
        self.module().items.insert(name);
    }

    /// Notes the path that begins here, and goes past it.
    fn path(&mut self) {
        let Token { text, line } = self.tokens[self.at];
        let of_value = self.before(1) == "." && self.before(2) != ".";
        let continues = self.before(1) == "::";
        let mut segments = Vec::new();
        if text == "::" && self.is_word(self.at + 1) && !matches!(self.before(1), ">") {
            segments.push(String::new());
            self.at += 1;
        } else if !self.is_word(self.at) {
            self.at += 1;
            return;
        }
        segments.push(self.text(self.at).to_owned());
        self.at += 1;
        while self.text(self.at) == "::" && self.is_word(self.at + 1) {
            segments.push(self.text(self.at + 1).to_owned());
            self.at += 2;
        }
        if of_value || continues {
            return;
        }
        let is_macro = self.text(self.at) == "!" && self.text(self.at + 1) != "=";
        self.module().paths.push(Named { segments, line, is_macro });
    }
}

/// `cfg(test)` and `cfg(all(test, …))`, but neither `cfg(not(test))` nor `cfg(any(test, …))`.
fn is_of_tests(words: &[&str]) -> bool {
    words.contains(&"test") && !words.contains(&"not") && !words.contains(&"any")
}
