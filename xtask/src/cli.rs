//! The command line.

use std::ffi::OsString;

use crate::isa::{Device, Options};
use crate::portability::STACKS;

/// The text of `cargo xtask` and `cargo xtask help`.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  demo [args]   train a network on real handwritten digits, on the GPU if there is one
                (cargo run --release --example digits -- [args])
  test          run every check: formatting, clippy, features, tests, documentation
  portability [stack ...]
                run every kernel on every stack of this machine and print a table: vulkan, gl,
                swiftshader, dawn, translations (all, unless some are named). What they need
                is fetched into target/portability (on Debian and Ubuntu; Dawn wants Node.js)
  isa [--chosen] [--update] [device ...]
                compile every pipeline, or those that plans choose, with the compilers of GPUs that
                need not be there, and compare what they say with tests/isa/baseline.tsv, or renew
                it: navi21, navi31, ampere, ada, m1, a730 (all, unless some are named). Mesa is
                fetched into target/isa (on Debian and Ubuntu)
  tune [args]   time every tile that this machine's GPU can make on products of common sizes, and write
                the fastest to a file (cargo run --release --example tune -- [args])
  wasm          compile the crate and the page of examples/web for browsers
  help          print this

All but isa and wasm first look for what they need. On Linux, where no Vulkan driver is found, they
install one on Debian and Ubuntu if they may, and elsewhere print the command that does.
";

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo { args: Vec<OsString> },
    Test,
    Portability { stacks: Vec<String> },
    Isa(Options),
    Tune { args: Vec<OsString> },
    Wasm,
}

/// Reads the arguments that follow `cargo xtask`. The error is a message for the user.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.into_iter();
    let Some(name) = args.next() else { return Ok(Command::Help) };
    let rest: Vec<OsString> = args.collect();
    match name.to_str() {
        Some("help" | "--help" | "-h") => Ok(Command::Help),
        Some("demo") => Ok(Command::Demo { args: without_separator(rest) }),
        Some("tune") => Ok(Command::Tune { args: without_separator(rest) }),
        Some("test") => alone("test", &rest, Command::Test),
        Some("wasm") => alone("wasm", &rest, Command::Wasm),
        Some("portability") => stacks(rest).map(|stacks| Command::Portability { stacks }),
        Some("isa") => isa(rest).map(Command::Isa),
        _ => Err(format!("unknown command `{}`", name.display())),
    }
}

/// A command that takes no arguments.
fn alone(name: &str, args: &[OsString], command: Command) -> Result<Command, String> {
    match args.first() {
        None => Ok(command),
        Some(extra) => Err(format!("`{name}` takes no arguments, but got `{}`", extra.display())),
    }
}

/// Names of stacks.
fn stacks(args: Vec<OsString>) -> Result<Vec<String>, String> {
    let stack = |arg: OsString| {
        let name = arg.to_string_lossy().into_owned();
        let known = STACKS.contains(&name.as_str());
        if known { Ok(name) } else { Err(format!("unknown stack `{name}`: there are {}", STACKS.join(", "))) }
    };
    args.into_iter().map(stack).collect()
}

/// Devices and flags. A baseline is made of all that there is.
fn isa(args: Vec<OsString>) -> Result<Options, String> {
    let mut options = Options::default();
    for arg in args {
        match &*arg.to_string_lossy() {
            "--chosen" => options.chosen = true,
            "--update" => options.update = true,
            name if Device::of(name).is_some() => options.devices.push(name.into()),
            name => return Err(format!("unknown device `{name}`: there are {}", Device::names())),
        }
    }
    if options.update && !options.devices.is_empty() {
        return Err("`isa --update` takes every device".into());
    }
    Ok(options)
}

/// `cargo xtask demo -- --cpu` means the same as `cargo xtask demo --cpu`.
fn without_separator(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn nothing_and_help_print_the_usage() {
        for line in [&[][..], &["help"], &["--help"], &["-h"]] {
            assert_eq!(parse(words(line)), Ok(Command::Help), "{line:?}");
        }
    }

    #[test]
    fn demo_passes_its_arguments_through() {
        let expected = Ok(Command::Demo { args: words(&["--adapter", "llvmpipe"]) });
        assert_eq!(parse(words(&["demo", "--adapter", "llvmpipe"])), expected);
        assert_eq!(parse(words(&["demo", "--", "--adapter", "llvmpipe"])), expected);
        assert_eq!(parse(words(&["demo"])), Ok(Command::Demo { args: vec![] }));
    }

    #[test]
    fn tune_passes_its_arguments_through() {
        let expected = Ok(Command::Tune { args: words(&["--quick"]) });
        assert_eq!(parse(words(&["tune", "--", "--quick"])), expected);
    }

    #[test]
    fn some_stand_alone() {
        for (name, command) in [("test", Command::Test), ("wasm", Command::Wasm)] {
            assert_eq!(parse(words(&[name])), Ok(command));
            let message = parse(words(&[name, "kernels"])).unwrap_err();
            assert!(message.contains(name) && message.contains("`kernels`"), "{message}");
        }
    }

    #[test]
    fn stacks_are_named_or_all() {
        assert_eq!(parse(words(&["portability"])), Ok(Command::Portability { stacks: vec![] }));
        let expected = Ok(Command::Portability { stacks: vec!["gl".into(), "dawn".into()] });
        assert_eq!(parse(words(&["portability", "gl", "dawn"])), expected);
        let message = parse(words(&["portability", "glide"])).unwrap_err();
        assert!(message.contains("`glide`") && message.contains("swiftshader"), "{message}");
    }

    #[test]
    fn devices_are_named_or_all() {
        assert_eq!(parse(words(&["isa"])), Ok(Command::Isa(Options::default())));
        let some = Options { devices: vec!["navi31".into(), "m1".into()], chosen: true, update: false };
        assert_eq!(parse(words(&["isa", "--chosen", "navi31", "m1"])), Ok(Command::Isa(some)));
        let update = Options { update: true, ..Options::default() };
        assert_eq!(parse(words(&["isa", "--update"])), Ok(Command::Isa(update)));
        for wrong in [&["isa", "--update", "m1"][..], &["isa", "voodoo2"]] {
            assert!(parse(words(wrong)).is_err(), "{wrong:?}");
        }
        assert!(USAGE.contains(&Device::names()));
    }

    #[test]
    fn an_unknown_command_is_named() {
        let message = parse(words(&["bench"])).unwrap_err();
        assert_eq!(message, "unknown command `bench`");
    }
}
