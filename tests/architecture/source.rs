//! Source files as rules see them: a flat list of tokens, without comments, docs and tests.

use std::{fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file below `src`.
pub struct File {
    /// `src/run/start.rs`
    pub path: String,
    /// `["run", "start"]`; empty for `lib.rs`.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
}

/// A word, a sign, a bracket or a literal.
pub struct Token {
    pub text: String,
    pub line: usize,
    /// What a text literal says.
    pub says: Option<String>,
}

impl File {
    /// The file `path` with this `text`.
    pub fn new(path: &str, text: &str) -> Self {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self { path: path.to_owned(), module: module(path), tokens }
    }

    /// The module right below the crate that this file belongs to.
    pub fn top(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// Lines where these tokens follow each other.
    pub fn find(&self, wanted: &[&str]) -> Vec<usize> {
        let windows = self.tokens.windows(wanted.len());
        let matching = windows.filter(|window| window.iter().zip(wanted).all(|(token, text)| token.text == *text));
        matching.map(|window| window[0].line).collect()
    }

    /// All modules of the crate that are named here, with the line.
    pub fn references(&self) -> Vec<(Vec<String>, usize)> {
        let mut found = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let begins = at == 0 || self.tokens[at - 1].text != "::";
            let parent = self.module.split_last().map_or(&[][..], |(_, parents)| parents);
            match token.text.as_str() {
                "crate" if begins => self.paths(at + 1, &[], &mut found),
                "super" if begins => self.paths(at + 1, parent, &mut found),
                _ => continue,
            };
        }
        found
    }

    /// Follows a path, or a tree of them, from the `::` at `at`. Returns the place behind it.
    fn paths(&self, mut at: usize, start: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
        let text = |at: usize| self.tokens.get(at).map_or("", |token| token.text.as_str());
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        let mut path = start.to_vec();
        while text(at) == "::" {
            at += 1;
            match text(at) {
                "super" => drop(path.pop()),
                "{" => return self.group(at + 1, &path, found),
                name => path.push(name.to_owned()),
            }
            at += 1;
        }
        found.push((path, line));
        at
    }

    fn group(&self, mut at: usize, path: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
        while let Some(token) = self.tokens.get(at) {
            at = match token.text.as_str() {
                "}" => return at + 1,
                "," => at + 1,
                "as" => at + 2,
                name => self.paths(at + 1, &[path, &[name.to_owned()]].concat(), found),
            };
        }
        at
    }
}

/// All files below `src` of this package, tests left out.
pub fn all() -> Vec<File> {
    let mut files = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), Path::new("src"), &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        let text = path.to_str().unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, files);
        } else if text.ends_with(".rs") && !text.ends_with("/tests.rs") {
            files.push(File::new(text, &fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if let (TokenTree::Punct(sign), Some(TokenTree::Group(attribute))) = (&tree, trees.peek())
            && sign.as_char() == '#'
        {
            let text = attribute.stream().to_string().replace(' ', "");
            if text.starts_with("doc=") {
                trees.next();
                continue;
            }
            if text == "cfg(test)" {
                skip_item(&mut trees);
                continue;
            }
        }
        push(tree, tokens);
    }
}

/// Skips an item to its body or its semicolon.
fn skip_item(trees: &mut impl Iterator<Item = TokenTree>) {
    for tree in trees {
        match tree {
            TokenTree::Punct(sign) if sign.as_char() == ';' => return,
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => return,
            _ => {}
        }
    }
}

fn push(tree: TokenTree, tokens: &mut Vec<Token>) {
    let line = tree.span().start().line;
    match tree {
        TokenTree::Group(group) => {
            let (open, close) = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::None => ("", ""),
            };
            tokens.push(Token { text: open.to_owned(), line, says: None });
            flatten(group.stream(), tokens);
            tokens.push(Token { text: close.to_owned(), line: group.span_close().start().line, says: None });
        }
        TokenTree::Punct(sign) => match tokens.last_mut() {
            Some(last) if sign.as_char() == ':' && last.text == ":" => last.text.push(':'),
            _ => tokens.push(Token { text: sign.to_string(), line, says: None }),
        },
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            let says = text.contains('"').then(|| text.replace("\\n", "\n").replace("\\\"", "\""));
            tokens.push(Token { text: "literal".to_owned(), line, says });
        }
        word => tokens.push(Token { text: word.to_string(), line, says: None }),
    }
}
