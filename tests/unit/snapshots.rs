//! What a change does to the shaders: of two kernels what they are composed of, to be read, and a hash of the texts of each
//! kind of kernel, comments left out.
//!
//! `HESSCALE_RENEW=1 cargo test --lib snapshots` writes all of them anew.

use crate::gemm::{Gemm, Offsets, Product, Use};
use crate::model::{Activation, Rule};
use crate::ops::optimizer::Update;
use crate::permutations;
use crate::shader::{DeviceClass, Kernel};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

const RENEW: &str = "if that is meant: HESSCALE_RENEW=1 cargo test --lib snapshots";

/// A file is what it should be, or is made so.
fn check(name: &str, now: &str, changes: fn(&str, &str) -> Vec<String>) {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "snapshots", name].iter().collect();
    if std::env::var_os("HESSCALE_RENEW").is_some() {
        fs::write(&file, now).unwrap();
    }
    let then = fs::read_to_string(&file).unwrap_or_default();
    let changes = changes(&then, now).join("\n");
    assert!(changes.is_empty(), "tests/snapshots/{name} is not what kernels give:\n{changes}\n{RENEW}");
}

/// The first line that differs.
fn first_difference(then: &str, now: &str) -> Vec<String> {
    let (mut then, mut now) = (then.lines(), now.lines());
    for number in 1.. {
        match (then.next(), now.next()) {
            (None, None) => break,
            (then, now) if then == now => {}
            (then, now) => {
                let [then, now] = [then, now].map(|line| line.unwrap_or("the end"));
                return vec![format!("line {number} was `{then}` and is `{now}`")];
            }
        }
    }
    Vec::new()
}

/// The constants and the files, in their order, of a dense layer's forward product and of an optimiser's step.
#[test]
fn outlines_to_be_read() {
    let usage = Use::Forward { activation: Activation::Relu, bias: true, keep: false };
    let gemm = Gemm::new(DeviceClass::Integrated, usage, 4, 4, 4);
    let forward = Kernel::from(Product { gemm, offsets: Offsets::ALONE });
    let sgd = Kernel::from(Update::new(&Rule::Sgd { momentum: 0.9, nesterov: false }, 4096, false));
    check("dense_forward_4x4.wgsl", &outline(&forward.source()), first_difference);
    check("sgd.wgsl", &outline(&sgd.source()), first_difference);
}

/// What stands before the files, and their names.
fn outline(text: &str) -> String {
    let is_name = |line: &&str| line.starts_with("// ") && line.ends_with(".wgsl");
    let header = text.lines().take_while(|line| !line.is_empty());
    header.chain(text.lines().filter(is_name)).flat_map(|line| [line, "\n"]).collect()
}

/// Of each kind of kernel how many texts there are, and a hash of them all: a line each.
#[test]
fn all_texts() {
    let of_matrix_units = permutations::cooperative::texts().into_iter();
    let of_matrix_units = of_matrix_units.map(|(text, gemm)| (gemm.label(), text));
    let all = crate::texts::permutations().iter().map(|(kernel, text)| (kernel.label(), text.clone()));
    let texts = all.chain(of_matrix_units);
    check("texts.tsv", &hashes(texts), changed_kinds);
}

fn hashes(texts: impl Iterator<Item = (String, String)>) -> String {
    let mut kinds: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (label, text) in texts {
        kinds.entry(kind(&label)).or_default().insert(hash(code(&text).as_bytes()));
    }
    let line = |(kind, hashes): (String, BTreeSet<u64>)| {
        let all: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        format!("{:016x}\t{}\t{kind}\n", hash(&all), hashes.len())
    };
    kinds.into_iter().map(line).collect()
}

/// A text without comments and empty lines.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end());
    lines.filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

/// A label without sizes.
fn kind(label: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in label.split(' ') {
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            words.push(word);
        } else if words
            .last()
            .is_some_and(|last| ["on", "tile", "of", "in", "to", "batch", "from"].contains(last))
        {
            words.pop();
        }
    }
    words.join(" ")
}

/// FNV-1a: the same on every machine and with every compiler.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// What has changed, come or gone.
fn changed_kinds(then: &str, now: &str) -> Vec<String> {
    let read = |text: &'_ str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.rsplit_once('\t'));
        lines.map(|(hash, kind)| (kind.to_owned(), hash.to_owned())).collect()
    };
    let (then, now) = (read(then), read(now));
    let kinds: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let what = |kind: &&String| match (then.get(*kind), now.get(*kind)) {
        (Some(_), None) => Some(format!("gone: {kind}")),
        (None, Some(_)) => Some(format!("new: {kind}")),
        (then, now) if then != now => Some(format!("changed: {kind}")),
        _ => None,
    };
    kinds.iter().filter_map(what).collect()
}

#[test]
fn a_change_is_noticed() {
    let texts =
        || permutations::all(DeviceClass::Software).into_iter().take(400).map(|k| (k.label(), k.source()));
    let then = hashes(texts());
    assert_eq!(changed_kinds(&then, &hashes(texts())), [""; 0]);
    let (label, text) = texts().nth(300).unwrap();
    let kind = kind(&label);
    let planted = |change: fn(&str) -> String| {
        let changed = |(l, t): (String, String)| if t == text { (l, change(&t)) } else { (l, t) };
        changed_kinds(&then, &hashes(texts().map(changed)))
    };
    assert_eq!(planted(|text| text.replacen("0.0", "0.1", 1)), [format!("changed: {kind}")]);
    assert_eq!(planted(|text| text.to_owned() + "const MORE: u32 = 1u;"), [format!("changed: {kind}")]);
    assert_eq!(planted(|text| format!("// More.\n{text}\n")), [""; 0]);
    let others = || texts().filter(|(label, _)| self::kind(label) != kind);
    assert_eq!(changed_kinds(&then, &hashes(others())), [format!("gone: {kind}")]);
    assert_eq!(changed_kinds(&hashes(others()), &then), [format!("new: {kind}")]);

    assert_eq!(
        outline("const A: u32 = 1u;\n\n// a.wgsl\nfn a() {}\n// b.wgsl\n// b\n"),
        "const A: u32 = 1u;\n// a.wgsl\n// b.wgsl\n"
    );
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), [""; 0]);
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), ["line 2 was `b` and is `c`"]);
    assert_eq!(first_difference("a\n", "a\nb\n"), ["line 2 was `the end` and is `b`"]);
}

#[test]
fn a_kind_has_no_sizes() {
    for (label, expected) in [
        (
            "gemm signal hesscale_r2+gelu 32x33x64 tile 4x4 of 32x32 in 2x8 in f16",
            "gemm signal hesscale_r2+gelu in f16",
        ),
        ("gemm forward+tanh 3x3 on 10x11 220x12x8 tile 1x4 of 1x32", "gemm forward+tanh"),
        ("signal none+tanh through max pool 2x5x512x512 to 256x256", "signal none+tanh through max pool"),
    ] {
        assert_eq!(kind(label), expected);
    }
}
