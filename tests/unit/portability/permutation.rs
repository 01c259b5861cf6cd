//! A permutation: all shader texts that differ in nothing but sizes.

use super::record::key;
use crate::permutations::family;
use crate::shader::Kernel;
use crate::texts::texts;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Numbers in a header that decide what a shader does, and not how much at a time.
const DECIDING: [&str; 8] = ["P", "KS", "KEPT", "RANK", "NUMBERS", "CENTRED", "A_BINDING", "WEIGHT_BINDING"];

#[derive(Debug)]
pub(crate) struct Permutation {
    pub id: String,
    /// What it belongs to, in the short table.
    pub family: &'static str,
    pub label: String,
    /// WGSL's extensions that it is written with: [`extensions`].
    pub needs: String,
    /// Its distinct texts.
    pub texts: Vec<String>,
}

/// What a text enables, which not every device has: names with a space between.
pub(super) fn extensions(text: &str) -> String {
    let enabled = text.lines().filter_map(|line| line.trim().strip_prefix("enable ")?.strip_suffix(';'));
    enabled.collect::<Vec<_>>().join(" ")
}

impl Permutation {
    /// The same for texts of one permutation, another for another's.
    pub(crate) fn id(text: &str) -> String {
        let mut hasher = DefaultHasher::new();
        for line in text.lines() {
            without_size(line).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }
}

/// A line of a header without its value, where that is a size.
fn without_size(line: &str) -> &str {
    let sized = || {
        let (name, value) = line.strip_prefix("const ")?.split_once(": ")?;
        let number = ["u32 =", "vec2<u32> =", "f32 ="].iter().any(|kind| value.starts_with(kind));
        // A single row is shared by a workgroup's invocations.
        let shared = name == "ROWS" && value.ends_with("= 1u;");
        (number && !shared && !DECIDING.contains(&name)).then_some(name)
    };
    sized().unwrap_or(line)
}

/// Permutations by id.
#[derive(Debug)]
pub(super) struct Permutations(pub BTreeMap<String, Permutation>);

impl Permutations {
    /// All that are listed as shipped.
    pub(super) fn listed() -> Permutations {
        let mut all = Permutations(BTreeMap::new());
        for (text, kernel) in texts() {
            all.add(text.to_owned(), kernel);
        }
        all
    }

    /// Takes up a text: its permutation's id, and the text's file.
    pub(super) fn add(&mut self, text: String, kernel: &Kernel) -> (String, String) {
        let id = Permutation::id(&text);
        let permutation = self.0.entry(id.clone()).or_insert_with(|| Permutation {
            id: id.clone(),
            family: family(kernel),
            label: kernel.label(),
            needs: extensions(&text),
            texts: Vec::new(),
        });
        let file = file(&id, &text);
        if !permutation.texts.contains(&text) {
            permutation.texts.push(text);
        }
        (id, file)
    }
}

/// The name of a text's file, which no other text has.
pub(super) fn file(id: &str, text: &str) -> String {
    format!("{id}.{}.wgsl", key([text.as_bytes()]))
}
