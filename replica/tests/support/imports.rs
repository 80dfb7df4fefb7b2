//! Reads which files of a crate import which, to find circles and imports that go up.
//!
//! A file imports another if it names a path into it, in a `use` or elsewhere, or declares it with
//! `mod`. So no file may import the one that declares it. Modules called `tests` are left out: nothing
//! imports them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The file that every crate begins with.
const ROOT: &str = "lib";

/// Of each file, by its path as a module (`management::table`), the files that it imports.
#[derive(Debug)]
pub struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    /// The imports between the files of a crate's `src` folder.
    pub fn of_folder(src: &Path) -> Self {
        let mut files = Vec::new();
        collect(src, "", &mut files);
        Imports::of_files(files)
    }

    /// The imports between files, each with its path as a module and its text.
    pub fn of_files(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files: BTreeMap<String, String> = files.into_iter().collect();
        let imports = files.iter().map(|(file, text)| {
            let paths = paths(&tokens(text));
            let mut imported: BTreeSet<String> = paths
                .iter()
                .filter_map(|path| resolve(file, path, &files))
                .collect();
            imported.remove(file);
            (file.clone(), imported)
        });
        Imports(imports.collect())
    }

    /// Files that import each other in a circle, if there are any: the first is also the last.
    pub fn circle(&self) -> Option<Vec<&str>> {
        let mut done = BTreeSet::new();
        self.0
            .keys()
            .find_map(|file| self.circle_from(file, &mut Vec::new(), &mut done))
    }

    fn circle_from<'a>(
        &'a self,
        file: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        if let Some(start) = way.iter().position(|before| *before == file) {
            let mut circle = way.split_off(start);
            circle.push(file);
            return Some(circle);
        }
        if !done.insert(file) {
            return None;
        }
        way.push(file);
        let imported = self.0.get(file).into_iter().flatten();
        let circle = imported
            .into_iter()
            .find_map(|imported| self.circle_from(imported, way, done));
        way.pop();
        circle
    }

    /// What is wrong with the imports, if the modules of the crate stand in these layers, the lowest
    /// first: each may import only modules of lower layers. The root stands above all.
    pub fn faults(&self, layers: &[&[&str]]) -> Vec<String> {
        let mut heights: BTreeMap<&str, usize> = BTreeMap::new();
        for (height, layer) in layers.iter().enumerate() {
            heights.extend(layer.iter().map(|module| (*module, height)));
        }
        heights.insert(ROOT, layers.len());
        let modules: BTreeSet<&str> = self.0.keys().map(|file| module(file)).collect();
        let listed = heights.keys().copied().filter(|module| *module != ROOT);
        let gone = listed.filter(|listed| !modules.contains(listed));
        let mut faults: Vec<String> = gone.map(|gone| format!("there is no {gone}")).collect();
        let new = modules.iter().filter(|new| !heights.contains_key(*new));
        faults.extend(new.map(|new| format!("{new} is in no layer")));
        for (file, imported) in &self.0 {
            let height = heights.get(module(file));
            let other = imported.iter().filter(|i| module(i) != module(file));
            let up = other.filter(|imported| heights.get(module(imported)) >= height);
            faults
                .extend(up.map(|imported| format!("{file} imports {imported}, which is no lower")));
        }
        faults
    }
}

/// The module of the crate that a file belongs to.
fn module(file: &str) -> &str {
    file.split("::").next().unwrap_or(file)
}

/// The Rust files in a folder, with their paths as modules.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{prefix}{stem}::"), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = match stem {
                "mod" => prefix.trim_end_matches("::").to_owned(),
                _ => format!("{prefix}{stem}"),
            };
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The file that a path leads to, for who writes it in `file`; nothing if it leads out of the crate.
fn resolve(file: &str, path: &[String], files: &BTreeMap<String, String>) -> Option<String> {
    let mut rest = path;
    // The modules around the path, from the root on.
    let mut place: Vec<&str> = match file {
        ROOT | "main" => Vec::new(),
        file => file.split("::").collect(),
    };
    let mut inside = false;
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => place.clear(),
            "super" => {
                place.pop();
            }
            "self" => {}
            _ => break,
        }
        inside = true;
        rest = others;
    }
    for segment in rest {
        place.push(segment);
        if !files.contains_key(&place.join("::")) {
            place.pop();
            break;
        }
        inside = true;
    }
    match place.is_empty() {
        _ if !inside => None,
        true => Some(ROOT.to_owned()),
        false => Some(place.join("::")),
    }
}

/// The paths in a file: of its `use` and `mod` items, and all others that have more than one segment.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    // Where modules that are written out end, each by the number of braces around it.
    let mut inner: Vec<usize> = Vec::new();
    let mut braces = 0;
    let mut i = 0;
    while i < tokens.len() {
        let next = |n: usize| tokens.get(i + n).map_or("", String::as_str);
        let first = paths.len();
        match next(0) {
            "mod" if next(2) == ";" && next(1) != "tests" => {
                paths.push(vec!["self".to_owned(), next(1).to_owned()]);
                i += 3;
            }
            "mod" if next(2) == "{" && next(1) == "tests" => i = end_of_block(tokens, i + 2),
            "mod" if next(2) == "{" => {
                inner.push(braces);
                braces += 1;
                i += 3;
            }
            // What a type captures is no import.
            "use" if next(1) == "<" => i += 1,
            "use" => i = tree(tokens, i + 1, &[], &mut paths),
            "{" => {
                braces += 1;
                i += 1;
            }
            "}" => {
                braces -= 1;
                inner.pop_if(|outside| *outside == braces);
                i += 1;
            }
            word if is_word(word) && next(1) == "::" => {
                let mut path = vec![word.to_owned()];
                i += 1;
                while tokens.get(i).is_some_and(|token| token == "::")
                    && tokens.get(i + 1).is_some_and(|token| is_word(token))
                {
                    path.push(tokens[i + 1].clone());
                    i += 2;
                }
                // A path of which nothing follows, such as `Vec::<u8>`, has been read up to there.
                i += usize::from(tokens.get(i).is_some_and(|token| token == "::"));
                paths.push(path);
            }
            _ => i += 1,
        }
        // A module that is written out has its file around it.
        for path in &mut paths[first..] {
            let supers = path
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            path.drain(..supers.min(inner.len()));
            if supers > 0 && supers <= inner.len() {
                path.insert(0, "self".to_owned());
            }
        }
    }
    paths
}

/// Reads a part of a `use` item, and returns where it ends.
fn tree(tokens: &[String], start: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut i = start;
    loop {
        match tokens.get(i).map_or(";", String::as_str) {
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|token| token != "}") {
                    i = tree(tokens, i, &path, paths);
                    i += usize::from(tokens.get(i).is_some_and(|token| token == ","));
                }
                return i + 1;
            }
            "as" => i += 2,
            "," | "}" | ";" => break,
            word if is_word(word) => {
                path.push(word.to_owned());
                i += 1;
            }
            _ => i += 1,
        }
    }
    // `use a::{self}` is `use a`.
    if path.len() > 1 {
        path.pop_if(|last| last == "self");
    }
    paths.push(path);
    i
}

/// Where the block ends that begins at `start`.
fn end_of_block(tokens: &[String], start: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words and signs of a file, without comments and texts.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = text_literal(rest) {
            length
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let word = &rest[..end.unwrap_or(rest.len())];
            tokens.push(word.to_owned());
            word.len()
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the text or character that `rest` begins with, if it begins with one.
fn text_literal(rest: &str) -> Option<usize> {
    let unprefixed = rest.strip_prefix('b').unwrap_or(rest);
    let prefix = rest.len() - unprefixed.len();
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let content = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = content.find(&end)? + end.len();
        return Some(prefix + 1 + hashes + 1 + length);
    }
    let quote = unprefixed
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''))?;
    let mut characters = unprefixed.char_indices().skip(1);
    let mut number = 0;
    while let Some((i, c)) = characters.next() {
        number += 1;
        match c {
            '\\' => drop(characters.next()),
            c if c == quote => return Some(prefix + i + 1),
            // No character, but a lifetime.
            _ if quote == '\'' && number > 1 => return None,
            _ => {}
        }
    }
    None
}
