//! `cargo xtask wasm`: the crate and the page of `examples/web`, compiled for browsers.
//!
//! The standard library for that target comes with rustup's target, or is built from sources: Debian's `rust-web-src` or
//! rustup's `rust-src`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::stage::{cargo, note, repository};
use crate::tools::on_the_path;

const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler that can build for [`TARGET`].
#[derive(Debug, PartialEq, Eq)]
struct Way {
    rustc: PathBuf,
    /// Whether it has the standard library only as sources.
    sources: bool,
}

pub(crate) fn wasm() -> ExitCode {
    let Some(way) = candidates().find_map(way) else {
        note(&format!(
            "no compiler here has a standard library for {TARGET}. To install one:\n\n    \
             rustup target add {TARGET}\n\nor, on Debian, the packages rustc-web, rust-web-src and lld"
        ));
        return ExitCode::FAILURE;
    };
    let from = if way.sources { "from its sources" } else { "as installed" };
    note(&format!("{} with the standard library {from} ...", way.rustc.display()));
    match way.build().status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The compiler that cargo uses, and the system's.
fn candidates() -> impl Iterator<Item = PathBuf> {
    let own = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    [PathBuf::from(own), "/usr/bin/rustc".into()].into_iter()
}

/// How this compiler can do it, if it can.
fn way(rustc: PathBuf) -> Option<Way> {
    let library = asked(&rustc, &["--print", "target-libdir", "--target", TARGET])?;
    if library.exists() {
        return Some(Way { rustc, sources: false });
    }
    let sources = asked(&rustc, &["--print", "sysroot"])?.join("lib/rustlib/src/rust/library/Cargo.lock");
    (sources.exists() && on_the_path(LINKER).is_some()).then_some(Way { rustc, sources: true })
}

/// LLVM's linker: rustup's target brings its own.
const LINKER: &str = "wasm-ld";

/// A path that a compiler prints.
fn asked(rustc: &Path, args: &[&str]) -> Option<PathBuf> {
    let output = Command::new(rustc).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

impl Way {
    fn build(&self) -> Command {
        let root = repository();
        let mut command = Command::new(cargo());
        command.args(["build", "--release", "--target", TARGET, "--target-dir"]);
        command
            .arg(root.join("target/wasm"))
            .current_dir(root.join("examples/web"))
            .env("RUSTC", &self.rustc);
        if self.sources {
            // `build-std` is not stable; a compiler that is takes it when told to.
            command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(command: &Command) -> Vec<String> {
        command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn only_sources_are_built() {
        let installed = Way { rustc: "rustc".into(), sources: false }.build();
        assert!(!args(&installed).iter().any(|arg| arg.starts_with("-Z")), "{installed:?}");
        let sources = Way { rustc: "rustc".into(), sources: true }.build();
        assert!(args(&sources).contains(&"-Zbuild-std=std,panic_abort".into()), "{sources:?}");
        assert!(sources.get_envs().any(|(name, _)| name == "RUSTC_BOOTSTRAP"));
    }

    #[test]
    fn what_is_no_compiler_offers_no_way() {
        assert_eq!(way("/no/such/compiler".into()), None);
        let rustc = candidates().next().expect("cargo has a compiler");
        assert!(asked(&rustc, &["--print", "sysroot"]).is_some_and(|path| path.is_dir()));
        assert_eq!(asked(&rustc, &["--no-such-flag"]), None);
    }
}
