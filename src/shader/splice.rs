//! Joins two shaders in one text: common declarations appear once, other names get the number of their shader, and bindings are
//! renumbered.

use crate::plug::{self, words};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Where one binding of a shader goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// To this number.
    At(u32),
    /// Nowhere: the other shader's variable of that name is used.
    Shared(&'static str),
}

/// A shader to be spliced: its text, and where its bindings 0, 1, … go. Its `main` becomes a function `main_1` or `main_2` with
/// the builtins as arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub text: &'a str,
    pub slots: &'a [Slot],
    /// Names of the other shader that it uses without declaring them.
    pub foreign: &'a [&'static str],
}

/// Both shaders in one text, without an entry point.
pub(crate) fn splice(parts: [Part<'_>; 2]) -> String {
    let declared = parts.map(|part| declarations(part.text));
    let common = common(&declared);
    let mut text = String::new();
    let mut staged: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (index, (part, declarations)) in parts.iter().zip(&declared).enumerate() {
        let (mine, other) = (format!("_{}", index + 1), format!("_{}", 2 - index));
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        for Declaration { name, code, .. } in declarations {
            if !common.contains(name) && staged_of(code).is_none() {
                names.insert(name, format!("{name}{mine}"));
            }
        }
        names.extend(part.foreign.iter().map(|name| (*name, format!("{name}{other}"))));
        for Declaration { name, binding, .. } in declarations {
            if let Some(Slot::Shared(of)) = binding.map(|number| part.slots[number]) {
                names.insert(name, format!("{of}{other}"));
            }
        }
        for Declaration { name, text: whole, code, binding } in declarations {
            if common.contains(name) && index == 1 {
                continue;
            }
            if let Some((element, length)) = staged_of(code) {
                // Only one of the two ever runs in a workgroup.
                staged.entry((name, element)).or_default().push(with_names(length, &names));
                continue;
            }
            let mut whole = (*whole).to_string();
            if let Some(number) = binding {
                let Slot::At(at) = part.slots[*number] else { continue };
                let (before, after) = whole.split_once("@binding(").expect("it has a binding");
                let (_, after) = after.split_once(')').expect("brackets close");
                whole = format!("{before}@binding({at}){after}");
            }
            if *name == "main" {
                whole = without_attributes(&whole);
            }
            writeln!(text, "{}", with_names(&whole, &names)).expect("a String takes every write");
        }
    }
    for ((name, element), lengths) in staged {
        let length = lengths.into_iter().reduce(|a, b| format!("max({a}, {b})")).unwrap_or_default();
        writeln!(text, "{WORKGROUP} {name}: array<{element}, {length}>;")
            .expect("a String takes every write");
    }
    text
}

/// Tile sizes, numbered even if both are equal, so that the text does not depend on them.
const SIZES: [&str; 10] =
    ["TM", "V", "WX", "WY", "HELD", "STEPS", "BUFFERS", "SLICES", "SUM_ROWS", "SUM_VECTORS"];

const WORKGROUP: &str = "var<workgroup>";

/// Elements of an array in workgroup memory of numbers, and how many there are.
fn staged_of(code: &str) -> Option<(&str, &str)> {
    let array = code.strip_prefix(WORKGROUP)?.split_once("array<")?.1.strip_suffix(">;")?;
    let numbers =
        ["vec4<f32>", "f32"].map(|element| Some((element, array.strip_prefix(element)?.strip_prefix(", ")?)));
    numbers.into_iter().flatten().next()
}

/// A declaration at module scope.
pub(super) struct Declaration<'a> {
    pub name: &'a str,
    /// With the comments before it.
    pub text: &'a str,
    /// Without.
    pub code: &'a str,
    binding: Option<usize>,
}

pub(super) fn declarations(text: &str) -> Vec<Declaration<'_>> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0);
    let mut comment = false;
    // What ends a declaration is ASCII, and no byte of another character is.
    for (at, c) in text.bytes().enumerate() {
        comment = if comment { c != b'\n' } else { c == b'/' && text.as_bytes().get(at + 1) == Some(&b'/') };
        depth += i32::from(!comment && c == b'{');
        depth -= i32::from(!comment && c == b'}');
        if !comment && depth == 0 && (c == b';' || c == b'}') {
            let whole = text[start..=at].trim();
            let code = code_of(whole);
            // A struct may end in `};`.
            if let Some(plug::Word { text: name, .. }) = plug::declarations(code).next() {
                found.push(Declaration { name, text: whole, code, binding: None });
            }
            start = at + 1;
        }
    }
    let number = |code: &str| {
        let bound = code.split_once("@binding(")?.1.split_once(')')?.0;
        let constant = |name: &str| found.iter().find(|d| d.name == name).map(|d| d.code);
        let digits = constant(bound).and_then(|code| code.split_once("= ")).map_or(bound, |(_, value)| value);
        digits.trim_end_matches(['u', ';']).parse().ok()
    };
    let numbers: Vec<_> = found.iter().map(|d| number(d.code)).collect();
    found.iter_mut().zip(numbers).for_each(|(declaration, binding)| declaration.binding = binding);
    found
}

/// A declaration without the comments before it.
fn code_of(text: &str) -> &str {
    let mut code = text;
    while code.starts_with("//") {
        code = code.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    code
}

/// The text with other words for some, comments and members aside.
pub(crate) fn renamed(text: &str, names: &[(&str, &str)]) -> String {
    plug::renamed(text, |word| names.iter().find(|(from, _)| *from == word).map(|(_, to)| (*to).to_owned()))
}

fn with_names(text: &str, names: &BTreeMap<&str, String>) -> String {
    plug::renamed(text, |word| names.get(word).cloned())
}

/// The entry point as a plain function.
fn without_attributes(main: &str) -> String {
    let (before, after) = main.split_once("@compute").expect("it is an entry point");
    let function = after.find("fn main").map_or("", |at| &after[at..]);
    let mut out = before.to_string();
    let mut pieces = function.split("@builtin(");
    out += pieces.next().unwrap_or_default();
    for piece in pieces {
        out += piece.split_once(") ").map_or(piece, |(_, rest)| rest);
    }
    out
}

/// Names that both declare in the same words, without variables and sizes, if all names in the declarations are common too.
fn common<'a>(declared: &[Vec<Declaration<'a>>; 2]) -> BTreeSet<&'a str> {
    let [first, second] = declared;
    let is_own = |d: &Declaration<'_>| {
        d.code.contains("var<") && !d.code.starts_with("fn") || d.name == "main" || SIZES.contains(&d.name)
    };
    let alike = |one: &&Declaration<'_>| second.iter().any(|d| d.name == one.name && d.code == one.code);
    let mut common: BTreeSet<&str> =
        first.iter().filter(|d| !is_own(d)).filter(alike).map(|d| d.name).collect();
    let known: BTreeSet<&str> = declared.iter().flatten().map(|d| d.name).collect();
    loop {
        let stays = |d: &&Declaration<'a>| {
            common.contains(d.name)
                && words(d.code).all(|w| !known.contains(w.text) || common.contains(w.text))
        };
        let left: BTreeSet<&str> = first.iter().filter(stays).map(|d| d.name).collect();
        if left.len() == common.len() {
            return common;
        }
        common = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "
        // How many.
        const N: u32 = 3u;
        const SLOT: u32 = 1u;
        alias Few = array<f32, N>;
        alias Wide = array<f32, WIDE>;
        const WIDE: u32 = 1u;
        const TM: u32 = 4u;
        struct Params { n: u32 }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(SLOT) var<storage, read> from: array<f32>;
        @group(0) @binding(2) var<storage, read_write> to: array<f32>;
        var<workgroup> staged: array<vec4<f32>, N * 2u>;
        var<private> few: Few;
        fn half(x: f32) -> f32 { return x / 2.0; } // N stays as it is
        @compute @workgroup_size(N)
        fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
            let p = half(from[lane]);
            to[group.x] = p * f32(WIDE);
        }";

    fn two() -> String {
        let other = ONE.replace("WIDE: u32 = 1u", "WIDE: u32 = 2u").replace("N * 2u", "N * 4u");
        let slots = [Slot::At(1), Slot::At(2), Slot::At(3)];
        let others = [Slot::At(4), Slot::Shared("to"), Slot::At(5)];
        let part = |text, slots| Part { text, slots, foreign: &[] };
        splice([part(ONE, &slots), part(&other, &others)])
    }

    #[test]
    fn two_stand_in_one_text() {
        let text = two();
        for line in [
            "const N: u32 = 3u;",
            "const TM_2: u32 = 4u;",
            "alias Few = array<f32, N>;",
            "alias Wide_1 = array<f32, WIDE_1>;",
            "alias Wide_2 = array<f32, WIDE_2>;",
            "@group(0) @binding(2) var<storage, read> from_1: array<f32>;",
            "@group(0) @binding(4) var<uniform> p_2: Params;",
            "var<workgroup> staged: array<vec4<f32>, max(N * 2u, N * 4u)>;",
            "fn main_2(group: vec3<u32>, lane: u32) {",
            "let p_2 = half(to_1[lane]);",
            "to_1[group.x] = p_1 * f32(WIDE_1);",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("fn half(").count(), 1);
        let entry = "@compute @workgroup_size(N) fn main(@builtin(workgroup_id) g: vec3<u32>) \
                     { main_1(g, 0u); main_2(g, 0u); staged[0] = vec4<f32>(); few_1 = Few(); few_2 = Few(); }";
        let whole = format!("{}\n{entry}", text.replace("@group(0) @binding(1)", "@group(0) @binding(0)"));
        naga::front::wgsl::parse_str(&whole).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&whole)));
    }

    #[test]
    fn what_differs_behind_the_same_words_is_not_common() {
        let other = ONE.replace("N: u32 = 3u", "N: u32 = 4u");
        let shared = common(&[declarations(ONE), declarations(&other)]);
        assert!(shared.contains("half") && shared.contains("WIDE") && !shared.contains("TM"));
        assert!(!shared.contains("N") && !shared.contains("Few") && !shared.contains("main"));
    }
}
