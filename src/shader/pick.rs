//! Some declarations of several files: those that a name needs.

use super::splice::declarations;
use crate::plug::words;
use std::collections::BTreeSet;

/// A declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picked<'a> {
    pub name: &'a str,
    /// The comment right above it, with the end of its last line.
    pub comment: &'a str,
    pub code: &'a str,
}

/// The declarations of `files` that the `roots` need, themselves included, in the order of the files.
pub(crate) fn pick<'a>(files: &[&'a str], roots: &[&'a str]) -> Vec<Picked<'a>> {
    let all: Vec<_> = files.iter().flat_map(|file| declarations(file)).collect();
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    let mut open = roots.to_vec();
    while let Some(name) = open.pop() {
        let Some(declaration) = all.iter().find(|declaration| declaration.name == name) else { continue };
        if needed.insert(name) {
            open.extend(words(declaration.code).map(|word| word.text));
        }
    }
    let needed = all.into_iter().filter(|declaration| needed.contains(declaration.name));
    needed
        .map(|declaration| {
            let comments = &declaration.text[..declaration.text.len() - declaration.code.len()];
            let apart = comments.rfind("\n\n").map_or(0, |at| at + 2);
            Picked { name: declaration.name, comment: &comments[apart..], code: declaration.code }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Picked, pick};

    #[test]
    fn what_is_needed_and_no_more() {
        let one = "// A file.\n\n// Of b.\nfn a() { b(); }\nfn c() { a(); }\n";
        let two = "// d is not called.\nfn b() { return E; } // d\nfn d() {}\nconst E: u32 = 1u;\n";
        let names = |roots: &[&'static str]| -> Vec<&str> {
            pick(&[one, two], roots).into_iter().map(|picked| picked.name).collect()
        };
        assert_eq!(names(&["a"]), ["a", "b", "E"]);
        assert_eq!(names(&["c", "d"]), ["a", "c", "b", "d", "E"]);
        let a = Picked { name: "a", comment: "// Of b.\n", code: "fn a() { b(); }" };
        assert_eq!(pick(&[one], &["a"]), [a]);
    }
}
