//! Enforces the crate's layering: which module may use which, read from the sources.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module with those it may use, besides itself and the foundation. A name of the crate's root counts as the module it
/// comes from. The reference is what the other paths are compared with, so none of them may use it; unit tests may.
const MAY_USE: [(&str, &[&str]); 23] = [
    ("setters", &[]),
    ("error", &[]),
    ("memory", &[]),
    ("lifetime", &[]),
    ("plug", &[]),
    ("rules", &[]),
    ("model", &[]),
    ("reference", &[]),
    ("shader", &[]),
    // The product takes the loss and the optimiser into its dispatches.
    ("gemm", &["shader", "ops"]),
    ("wgsl", &["shader"]),
    ("host", &[]),
    ("graph", &["gemm", "shader", "host"]),
    ("ops", &["graph", "gemm", "shader", "host"]),
    ("curvature", &[]),
    ("cpu", &["ops", "graph", "host", "curvature"]),
    ("gpu", &["gemm", "shader"]),
    ("plan", &["gpu", "ops", "graph", "gemm", "shader", "curvature"]),
    ("tuning", &["profile", "plan", "gemm", "shader"]),
    ("record", &["plan", "gpu"]),
    ("profile", &["record", "plan", "gpu", "gemm", "shader"]),
    ("guide", &[]),
    ("train", &["record", "plan", "gpu", "cpu", "ops", "shader", "curvature"]),
];

/// What every module may use that stands behind it here.
const FOUNDATION: [&str; 7] = ["setters", "error", "memory", "lifetime", "plug", "rules", "model"];

/// Where wgpu may be named.
const WGPU: [&str; 6] = ["gpu", "plan", "record", "profile", "train", "lib"];

struct File {
    /// Its first part below `src/`: `gpu` for `gpu/buffer.rs`, `lib` for `lib.rs`.
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
                let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
                files.push(File { module, name, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    files
}

/// The text without comments, so that documentation may mention any name.
fn code(text: &str) -> String {
    let without = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(without).collect()
}

/// Code of the library, and that of its unit tests: files named so, and test modules at the left margin.
fn split_tests(name: &str, code: &str) -> (String, String) {
    if name.ends_with("/tests.rs") || name.contains("/tests/") {
        return (String::new(), code.into());
    }
    let (mut library, mut tests, mut rest) = (String::new(), String::new(), code);
    while let Some((before, after)) = rest.split_once("\n#[cfg(test)]\nmod ") {
        library += before;
        let first_line = after.lines().next().unwrap_or_default();
        let inline = first_line.ends_with('{');
        let end = if inline { after.find("\n}\n").map(|at| at + 2) } else { after.find('\n') };
        let (module, behind) = after.split_at(end.unwrap_or(after.len()));
        tests += module;
        rest = behind;
    }
    (library + rest, tests)
}

/// Names that follow `crate::` anywhere: in `crate::a`, in `crate::{a, b::{c}}`.
fn crate_names(code: &str) -> BTreeSet<String> {
    let ident =
        |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
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
        let Some((module, names)) = statement.split_once("::") else { continue };
        let names = names.trim_matches(|c: char| "{} \n".contains(c)).split(',');
        found.extend(names.map(|name| (name.trim().to_owned(), module.to_owned())));
    }
    found
}

/// Violations of the rules, one line each.
fn violations(files: &[File]) -> Vec<String> {
    let lib = files.iter().find(|file| file.name == "lib.rs").expect("the crate has a lib.rs");
    let exports = exports(&lib.text);
    let mut found = Vec::new();
    for File { module, name, text } in files {
        let code = code(text);
        // A WGSL extension is not a wgpu type.
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
        let (library, tests) = split_tests(name, &code);
        let names = crate_names(&library).into_iter().map(|used| (used, false));
        for (used, tested) in names.chain(crate_names(&tests).into_iter().map(|used| (used, true))) {
            let from = match exports.iter().find(|(export, _)| *export == used) {
                Some((_, from)) => from.clone(),
                None if used == "Result" => "error".into(),
                None => used.clone(),
            };
            let judge = tested && from == "reference";
            let place = |name: &str| FOUNDATION.iter().position(|known| *known == name);
            // Of the foundation each may use what stands before it.
            let founded = place(&from).is_some_and(|at| place(module).is_none_or(|own| at < own));
            let fine = from == *module || founded || allowed.contains(&from.as_str()) || from == "wgpu";
            if !fine && !judge {
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
        ("model", "use crate::gemm::Gemm;", "uses gemm (crate::gemm)"),
        ("shader", "use crate::{\n    Error,\n    gpu::{Context, Tensor},\n};", "uses gpu (crate::gpu)"),
        ("shader", "use crate::{Error, Context};", "uses gpu (crate::Context)"),
        ("reference", "fn f(x: crate::Plan) {}", "uses plan (crate::Plan)"),
        ("cpu", "use crate::reference::loss_and_signal;", "uses reference (crate::reference)"),
        ("plan", "use crate::{Error, Result, reference};", "uses reference (crate::reference)"),
        ("train", "fn f() {\n    crate::reference::forward();\n}", "uses reference (crate::reference)"),
        ("ops", "use crate::reference::Real;", "uses reference (crate::reference)"),
        ("reference", "use crate::ops::loss::HostLoss;", "uses ops (crate::ops)"),
        ("rules", "use crate::Model;", "uses model (crate::Model)"),
        // Around and behind a test module the rules hold, and within it all but that about the reference.
        (
            "cpu",
            "\n#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n\nuse crate::reference::pass;",
            "uses reference (crate::reference)",
        ),
        (
            "ops",
            "\n#[cfg(test)]\nmod tests;\nuse crate::reference::pass;",
            "uses reference (crate::reference)",
        ),
        ("cpu", "\n#[cfg(test)]\nmod tests {\n    use crate::plan::Plan;\n}\n", "uses plan (crate::plan)"),
        ("error", "use crate::model::Mode;", "uses model (crate::model)"),
        ("plan", "use crate::train::Trainer;", "uses train (crate::train)"),
        ("gpu", "use crate::record::Pass;", "uses record (crate::record)"),
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
        ("shader", "use crate::model::{Activation, Mode}; // crate::gpu"),
        (
            "train",
            "use crate::{Error, Mode, Result, ops};\nuse crate::plan::{Plan, State};\nuse wgpu::Queue;",
        ),
        ("cpu", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::reference::pass;\n}\n"),
    ] {
        let mut files = sources();
        let before = violations(&files).len();
        files.push(File { module: module.into(), name: "planted.rs".into(), text: text.into() });
        assert_eq!(violations(&files).len(), before, "{:?}", violations(&files));
    }
}
