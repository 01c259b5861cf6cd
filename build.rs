//! Lists the shaders, so that a new file is known by being there.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("shaders");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    find(&root, &mut files)?;
    files.sort();
    let mut list = String::from("[\n");
    for file in files {
        let inside = file.strip_prefix(&root).expect("found there").with_extension("");
        let name = inside.to_str().expect("names are ASCII").replace('\\', "/");
        writeln!(list, "    ({name:?}, include_str!({file:?})),").expect("a String takes every write");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("shaders.rs"), list + "]")
}

/// Every WGSL file in `directory` and below.
fn find(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "wgsl") {
            files.push(path);
        }
    }
    Ok(())
}
