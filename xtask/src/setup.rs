//! Prerequisites that a fresh machine may lack: detected, installed if possible, otherwise explained.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::distro::{self, Distro, Rights};
use crate::stage::note;
use crate::vulkan::{self, Verdict};

/// Makes sure that a GPU API is available. The error is a message for the user.
///
/// macOS has Metal and Windows has Direct3D 12, so there is something to do only on Linux.
pub(crate) fn graphics() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let missing = match vulkan::find().verdict() {
        Verdict::Ready => return Ok(()),
        Verdict::Misled { variable, value } => return Err(misled(variable, &value)),
        Verdict::Missing(what) => what,
    };
    note(&format!("{missing} found on this machine"));
    let distro = this_distro();
    let steps = if distro == Distro::Debian { distro::debian_install(rights()) } else { None };
    let Some([update, install]) = steps else {
        return Err(format!("{missing}. To install:\n\n    {}\n", distro.vulkan_advice()));
    };
    note(&format!("installing {}", distro::DEBIAN_PACKAGES.join(" and ")));
    if !run(&update) {
        note("`apt-get update` failed; trying to install all the same");
    }
    let installed = run(&install);
    match (installed, vulkan::find().verdict()) {
        (true, Verdict::Ready) => Ok(()),
        (true, Verdict::Misled { variable, value }) => Err(misled(variable, &value)),
        (true, Verdict::Missing(what)) => Err(format!("the packages are installed, and yet there is {what}")),
        (false, _) => {
            Err(format!("installing failed. To install by hand:\n\n    {}\n", distro.vulkan_advice()))
        }
    }
}

fn misled(variable: &str, value: &str) -> String {
    format!("{variable} is set to `{value}`, where there is no Vulkan driver: correct it or unset it")
}

/// Says what to install where `cc`, through which Rust links on Unix, is missing. Only a notice: another linker may be
/// configured.
pub(crate) fn linker() {
    if cfg!(target_os = "linux") && !succeeds("cc", &["--version"]) {
        note(&format!("no C linker (`cc`) found. If linking fails: {}", this_distro().linker_advice()));
    }
}

/// Makes sure that this toolchain has rustfmt and clippy. The error is a message for the user.
pub(crate) fn components(cargo: &std::ffi::OsStr) -> Result<(), String> {
    let absent = || -> Vec<&str> {
        let tools = [("fmt", "rustfmt"), ("clippy", "clippy")];
        let missing = tools.into_iter().filter(|(command, _)| {
            let status = quiet(cargo).args([command, "--version"]).status();
            !status.is_ok_and(|status| status.success())
        });
        missing.map(|(_, component)| component).collect()
    };
    let before = absent();
    if before.is_empty() {
        return Ok(());
    }
    let command = [&["rustup", "component", "add"][..], &before].concat();
    note(&format!("this toolchain lacks {}; running `{}`", before.join(" and "), command.join(" ")));
    if run(&command) && absent().is_empty() {
        return Ok(());
    }
    Err(format!("this toolchain lacks {}. To install:\n\n    {}\n", before.join(" and "), command.join(" ")))
}

pub(crate) fn this_distro() -> Distro {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .into_iter()
        .find_map(|path| std::fs::read_to_string(path).ok());
    Distro::from_os_release(&text.unwrap_or_default())
}

fn rights() -> Rights {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if distro::is_root(&status) {
        Rights::Root
    } else if succeeds("sudo", &["-n", "true"]) {
        Rights::Sudo
    } else {
        Rights::None
    }
}

/// Runs a program, its output going to the standard error, and says whether it succeeded.
fn run(words: &[&str]) -> bool {
    run_in(Path::new("."), words)
}

/// The same in a directory.
pub(crate) fn run_in(directory: &Path, words: &[&str]) -> bool {
    note(&format!("$ {}", words.join(" ")));
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(directory).stdin(Stdio::null()).stdout(std::io::stderr());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a program exists and succeeds, whatever it prints.
fn succeeds(program: &str, args: &[&str]) -> bool {
    quiet(program.as_ref()).args(args).status().is_ok_and(|status| status.success())
}

fn quiet(program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
