//! As much of Rust's grammar as the rules need: tokens with their lines, and paths resolved from the crate's root.
//! Comments, strings and characters are out of the way, so that no rule trips over a word in them.

/// A word, a mark (`::` is one) or a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// As written; a literal of characters is `""`.
    pub(crate) text: String,
    /// Counted from one.
    pub(crate) line: usize,
    /// Where it ends: a string may go over lines.
    pub(crate) last_line: usize,
}

/// Splits Rust source into tokens. Never fails: what is no Rust is the compiler's to refuse.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(token) = lexer.next_token() {
        found.push(token);
    }
    found
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn advance(&mut self, by: usize) {
        for _ in 0..by {
            if self.peek(0) == Some('\n') {
                self.line += 1;
            }
            self.at += 1;
        }
    }

    fn skip_while(&mut self, condition: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&condition) {
            self.advance(1);
        }
    }

    fn next_token(&mut self) -> Option<Token> {
        self.skip_blank();
        let (start, line) = (self.at, self.line);
        let first = self.peek(0)?;
        let literal = if first == '"' {
            self.skip_string();
            true
        } else if first == '\'' {
            self.skip_char_or_lifetime()
        } else if first.is_alphabetic() || first == '_' {
            self.skip_while(|c| c.is_alphanumeric() || c == '_');
            let word: String = self.chars[start..self.at].iter().collect();
            matches!(word.as_str(), "r" | "b" | "br" | "c" | "cr") && self.skip_prefixed(word.contains('r'))
        } else if first.is_ascii_digit() {
            self.skip_while(|c| c.is_alphanumeric() || c == '_');
            false
        } else {
            self.advance(if first == ':' && self.peek(1) == Some(':') { 2 } else { 1 });
            false
        };
        let text = if literal { "\"\"".to_owned() } else { self.chars[start..self.at].iter().collect() };
        Some(Token { text, line, last_line: self.line })
    }

    /// White space and comments; those of `/* */` nest.
    fn skip_blank(&mut self) {
        loop {
            self.skip_while(char::is_whitespace);
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('/')) => self.skip_while(|c| c != '\n'),
                (Some('/'), Some('*')) => {
                    let mut depth = 0;
                    while let Some(c) = self.peek(0) {
                        match (c, self.peek(1)) {
                            ('/', Some('*')) => depth += 1,
                            ('*', Some('/')) => depth -= 1,
                            _ => {
                                self.advance(1);
                                continue;
                            }
                        }
                        self.advance(2);
                        if depth == 0 {
                            break;
                        }
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_string(&mut self) {
        self.advance(1);
        while let Some(c) = self.peek(0) {
            self.advance(if c == '\\' { 2 } else { 1 });
            if c == '"' {
                return;
            }
        }
    }

    /// After `r`, `b`, `c` and their pairs: whether a literal follows; skips it if so.
    fn skip_prefixed(&mut self, raw: bool) -> bool {
        if !raw {
            return match self.peek(0) {
                Some('"') => {
                    self.skip_string();
                    true
                }
                Some('\'') => self.skip_char_or_lifetime(),
                _ => false,
            };
        }
        let hashes = self.chars[self.at..].iter().take_while(|c| **c == '#').count();
        if self.peek(hashes) != Some('"') {
            return false;
        }
        self.advance(hashes + 1);
        while let Some(c) = self.peek(0) {
            self.advance(1);
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.advance(hashes);
                break;
            }
        }
        true
    }

    /// `'a'` and `'\n'` are literals, `'a` is a lifetime.
    fn skip_char_or_lifetime(&mut self) -> bool {
        if self.peek(1) == Some('\\') {
            self.advance(3);
            self.skip_while(|c| c != '\'');
            self.advance(1);
            return true;
        }
        if self.peek(2) == Some('\'') {
            self.advance(3);
            return true;
        }
        self.advance(1);
        self.skip_while(|c| c.is_alphanumeric() || c == '_');
        false
    }
}

/// A path into the crate: its segments from the root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
}

/// Every path of a file that begins with `crate`, `super` or the crate's own name, groups spread out:
/// `use crate::{store::{a, b}, ids}` is three. `module` is where the file stands: `["graphql", "page"]`.
pub(crate) fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut here = module.to_vec();
    let mut open_braces: Vec<bool> = Vec::new();
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut index = 0;
    while index < tokens.len() {
        let starts_path = text(index + 1) == "::" && (index == 0 || text(index - 1) != "::");
        match text(index) {
            "{" => {
                let is_module = index >= 2 && text(index - 2) == "mod";
                if is_module {
                    here.push(text(index - 1).to_owned());
                }
                open_braces.push(is_module);
            }
            "}" if open_braces.pop() == Some(true) => {
                here.pop();
            }
            "crate" | "evolve_business" if starts_path => {
                index = spread(tokens, index + 2, &[], &mut found);
                continue;
            }
            "super" if starts_path => {
                index = spread(tokens, index, &here, &mut found);
                continue;
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// Reads a path or a group of paths from `index` on, below `base`; returns where it ends.
fn spread(tokens: &[Token], mut index: usize, base: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = base.to_vec();
    let line = tokens.get(index).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            "{" => {
                index += 1;
                while let Some(token) = tokens.get(index) {
                    match token.text.as_str() {
                        "}" => return index + 1,
                        "," => index += 1,
                        _ => {
                            index = spread(tokens, index, &segments, found);
                            while tokens.get(index).is_some_and(|token| !matches!(token.text.as_str(), "," | "}")) {
                                index += 1;
                            }
                        }
                    }
                }
                return index;
            }
            "super" => {
                segments.pop();
            }
            "self" => {}
            word => segments.push(word.to_owned()),
        }
        index += 1;
        if tokens.get(index).is_none_or(|token| token.text != "::") {
            break;
        }
        index += 1;
    }
    found.push(Path { line, segments });
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    fn spread_out(source: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|&part| part.to_owned()).collect();
        paths(&tokens(source), &module).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn comments_strings_and_characters_hold_no_words() {
        assert_eq!(words("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(words(r##"x("y \" z", r#"q " w"#, b"e", br"t", 'u', '\'', b'\n', '"') v"##).concat(), r#"x("","","","","","","","")v"#);
        assert_eq!(words("&'a str, r, 'static"), ["&", "'a", "str", ",", "r", ",", "'static"]);
        assert_eq!(words("1.5f64 0..x"), ["1", ".", "5f64", "0", ".", ".", "x"]);
    }

    #[test]
    fn a_token_knows_its_lines() {
        let found = tokens("a\n\n\"b\nc\"\nd");
        assert_eq!(found.iter().map(|token| (token.line, token.last_line)).collect::<Vec<_>>(), [(1, 1), (3, 4), (5, 5)]);
    }

    #[test]
    fn groups_of_paths_are_spread_out() {
        let source = "use crate::{store::{self, tenant::Tenant as T}, ids::*};\nfn f() { crate::money::Money::zero(x) }";
        assert_eq!(spread_out(source, &["graphql"]), ["store", "store::tenant::Tenant", "ids::*", "money::Money::zero"]);
        assert_eq!(spread_out("pub(crate) struct A; use evolve_business::cli::run;", &[]), ["cli::run"]);
    }

    #[test]
    fn super_is_resolved_from_where_it_stands() {
        assert_eq!(spread_out("use super::page::Page;", &["graphql", "invoice"]), ["graphql::page::Page"]);
        assert_eq!(spread_out("use super::super::store::Tenant;", &["graphql", "invoice"]), ["store::Tenant"]);
        assert_eq!(spread_out("mod tests { use super::*; } use super::store;", &["graphql"]), ["graphql::*", "store"]);
        assert_eq!(spread_out("mod tests { use super::super::{http, ids}; }", &["graphql"]), ["http", "ids"]);
    }
}
