//! The crate's layers: which module may use which, read from the sources.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module with those it may use, besides itself. A name of the crate's root counts as the module it comes from. Of
/// operations those count by themselves whose kernels others fuse.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("error", &[]),
    ("model", &["error"]),
    ("reference", &["model", "error"]),
    ("cpu", &["reference", "model", "error"]),
    ("shader", &["model", "error"]),
    ("ops/loss", &["shader", "model", "error"]),
    ("ops/optimizer", &["shader", "model", "error"]),
    ("gemm", &["ops/loss", "ops/optimizer", "shader", "model", "error"]),
    ("ops", &["gemm", "shader", "model", "error"]),
    ("gpu", &["gemm", "shader", "model", "error"]),
    ("plan", &["gpu", "ops", "ops/loss", "ops/optimizer", "gemm", "shader", "reference", "model", "error"]),
    ("record", &["plan", "gpu", "shader", "reference", "model", "error"]),
    ("profile", &["record", "plan", "gpu", "shader", "reference", "model", "error"]),
    ("train", &["record", "plan", "gpu", "shader", "cpu", "reference", "model", "error"]),
];

/// Where wgpu may be named.
const WGPU: [&str; 6] = ["gpu", "plan", "record", "profile", "train", "lib"];

struct File {
    /// Its first part below `src/`: `gpu` for `gpu/buffer.rs`, `lib` for `lib.rs`; `ops/loss` for all in `ops/loss/`.
    module: String,
    name: String,
    text: String,
}

fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                let module = module(&name.trim_end_matches(".rs").replace('/', "::"));
                files.push(File { module, name, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    files
}

/// The module of a path below the crate.
fn module(path: &str) -> String {
    let mut parts = path.split("::");
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let own = format!("{first}/{second}");
    if MAY_USE.iter().any(|(known, _)| *known == own) { own } else { first.into() }
}

/// The text without comments, so that documentation may name what it likes.
fn code(text: &str) -> String {
    let without = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(without).collect()
}

/// Paths that follow `crate::` anywhere, without names in braces: of `crate::a`, of `crate::{a, b::{c}}`.
fn crate_names(code: &str) -> BTreeSet<String> {
    let ident = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect::<String>()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let preceded = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let rest = &code[at + "crate::".len()..];
        if preceded {
            continue;
        }
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(ident(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if depth == 0 && start && !c.is_whitespace() => {
                    names.insert(ident(&list[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// Module of each name that the crate's root re-exports: `pub use gpu::{Context, …}`.
fn exports(lib: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for statement in code(lib).split(';').filter_map(|s| s.trim().strip_prefix("pub use ")) {
        let statement = statement.trim_start_matches("crate::");
        let Some((module, names)) = statement.split_once("::") else { continue };
        let names = names.trim_matches(|c: char| "{} \n".contains(c)).split(',');
        found.extend(names.map(|name| (name.trim().to_owned(), module.to_owned())));
    }
    found
}

/// What breaks the rules, one line each.
fn violations(files: &[File]) -> Vec<String> {
    let lib = files.iter().find(|file| file.name == "lib.rs").expect("the crate has a lib.rs");
    let exports = exports(&lib.text);
    let mut found = Vec::new();
    for File { module, name, text } in files {
        let code = code(text);
        // An extension of WGSL is no type of wgpu's.
        let code = code.replace("wgpu_cooperative_matrix", "");
        if code.contains("wgpu") && !WGPU.contains(&module.as_str()) {
            found.push(format!("{name} names wgpu"));
        }
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| known == module) else {
            found.push(format!("{name}: module {module} is in no layer"));
            continue;
        };
        for used in crate_names(&code) {
            let root = used.split("::").next().unwrap_or_default();
            let from = match exports.iter().find(|(export, _)| export == root) {
                Some((_, from)) => from.clone(),
                None if root == "Result" => "error".into(),
                None => crate::module(&used),
            };
            if from != *module && !allowed.contains(&from.as_str()) && from != "wgpu" {
                found.push(format!("{name} uses {from} (crate::{used})"));
            }
        }
    }
    found
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let files = sources();
    assert!(files.len() > 20 && MAY_USE.iter().all(|(known, _)| files.iter().any(|f| f.module == *known)));
    let found = violations(&files);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn planted_violations_are_found() {
    for (module, planted, report) in [
        ("model", "use crate::gemm::Gemm;", "uses gemm (crate::gemm::Gemm)"),
        ("shader", "use crate::{\n    Error,\n    gpu::{Context, Tensor},\n};", "uses gpu (crate::gpu"),
        ("gemm", "use crate::ops::conv::Packing;", "uses ops (crate::ops::conv::Packing)"),
        ("ops/loss", "use crate::gemm::Gemm;", "uses gemm (crate::gemm::Gemm)"),
        ("ops", "use crate::{Error, Context};", "uses gpu (crate::Context)"),
        ("reference", "fn f(x: crate::Plan) {}", "uses plan (crate::Plan)"),
        ("error", "use crate::model::Mode;", "uses model (crate::model::Mode)"),
        ("plan", "use crate::train::Trainer;", "uses train (crate::train::Trainer)"),
        ("gpu", "use crate::record::Pass;", "uses record (crate::record::Pass)"),
        ("shader", "fn f(x: wgpu::Buffer) {}", "names wgpu"),
        ("reference", "use wgpu::Device;", "names wgpu"),
        ("novel", "", "module novel is in no layer"),
    ] {
        let mut files = sources();
        let before = violations(&files).len();
        files.push(File { module: module.into(), name: "planted.rs".into(), text: planted.into() });
        let found = violations(&files);
        assert!(
            found.len() > before && found.iter().any(|v| v.contains("planted.rs") && v.contains(report)),
            "{found:?}"
        );
    }
}

#[test]
fn comments_and_what_is_allowed_are_no_violations() {
    for (module, text) in [
        ("model", "//! Runs on wgpu, see crate::plan.\nuse crate::{Error, Result};"),
        ("gemm", "use crate::model::{Activation, Mode}; // crate::gpu"),
        ("gemm", "use crate::ops::loss::LossKernel;\nuse crate::ops::optimizer::{Advance, Update};"),
        (
            "train",
            "use crate::{Error, Result, reference};\nuse crate::plan::{Plan, State};\nuse wgpu::Queue;",
        ),
    ] {
        let mut files = sources();
        let before = violations(&files).len();
        files.push(File { module: module.into(), name: "planted.rs".into(), text: text.into() });
        assert_eq!(violations(&files).len(), before, "{:?}", violations(&files));
    }
}
