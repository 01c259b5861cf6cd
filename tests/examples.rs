//! The examples check before their work that the results can be written.

#[path = "../examples/common/files.rs"]
mod files;

use std::path::{Path, PathBuf};

fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples").join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn says(outcome: Result<(), Box<dyn std::error::Error>>, path: &Path) -> String {
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    text
}

#[test]
fn asking_changes_nothing() {
    let directory = directory("asking");
    let (new, old) = (directory.join("new.svg"), directory.join("old.svg"));
    std::fs::write(&old, "as it was").unwrap();
    for path in [&new, &old] {
        files::can_write(path).unwrap();
    }
    assert!(!new.exists());
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "as it was");
    for path in [directory.join("no").join("new.svg"), old.join("new.svg"), directory.clone()] {
        assert!(says(files::can_write(&path), &path).starts_with("cannot write"));
    }
}

#[cfg(unix)]
#[test]
fn links_and_what_is_no_file() {
    let directory = directory("special");
    let (link, fifo) = (directory.join("link"), directory.join("fifo"));
    std::os::unix::fs::symlink("target", &link).unwrap();
    files::can_write(&link).unwrap();
    assert!(link.is_symlink() && !directory.join("target").exists());
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(says(files::can_write(&fifo), &fifo).contains("no plain file"));
    assert!(says(files::read(&fifo).map(drop), &fifo).contains("no plain file"));
    std::fs::write(&link, "text").unwrap();
    assert_eq!(files::read(&link).unwrap(), "text");
}

/// Each program that writes a file checks in its `main.rs`.
#[test]
fn who_writes_asks() {
    const WRITES: [&str; 5] = ["SVGBackend::new(", "chart::draw(", "File::create(", "fs::write(", ".save("];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut writers = Vec::new();
    for program in programs.chain([root.join("benches/vs_backprop")]) {
        let Ok(main) = std::fs::read_to_string(program.join("main.rs")) else { continue };
        let sources = std::fs::read_dir(&program).unwrap().map(|entry| entry.unwrap().path());
        let text: String = sources.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
        if WRITES.iter().any(|write| text.contains(write)) {
            let name = program.file_name().unwrap().to_string_lossy().into_owned();
            assert!(main.contains("files::can_write") || main.contains("Trainer::can_save"), "{name}");
            writers.push(name);
        }
    }
    writers.sort_unstable();
    let known = [
        "cost",
        "digits",
        "gan",
        "hash_grid",
        "in_a_frame_loop",
        "laplace",
        "neural_sdf",
        "problems",
        "prune",
        "quality",
        "reinforcement",
        "tune",
        "vs_backprop",
    ];
    assert_eq!(writers, known);
}
