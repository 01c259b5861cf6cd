//! Tests that cannot run say so.

use std::io::Write as _;

/// Reports that a test cannot run because a feature is missing; `cargo xtask test` lists it. The test's name contains the feature.
pub(crate) fn not_run(lacks: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    println!("not run: {test}: {lacks}");
    if let Some(file) = std::env::var_os("HESSCALE_NOT_RUN") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        file.and_then(|mut file| writeln!(file, "{test}: {lacks}")).expect("the list of what is not run");
    }
}
