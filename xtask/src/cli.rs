//! The command line.

use std::ffi::OsString;

use crate::portability::STACKS;

/// What `cargo xtask` and `cargo xtask help` print.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  demo [args]   train a network on real handwritten digits, on the GPU
                (cargo run --release --example digits -- [args])
  test          run every check: formatting, clippy, tests, documentation
  portability [stack ...]
                run every kernel on every stack of this machine and print a table: vulkan, gl,
                swiftshader, dawn, translations (all, unless some are named). What they need
                is fetched into target/portability (on Debian and Ubuntu; Dawn wants Node.js)
  tune [args]   time every tile that this machine's GPU can make on products of common sizes, and write
                the fastest to a file (cargo run --release --example tune -- [args])
  help          print this

All first look for what they need. On Linux, where no Vulkan driver is found, they
install one on Debian and Ubuntu if they may, and elsewhere print the command that does.
";

/// A command line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo { args: Vec<OsString> },
    Test,
    Portability { stacks: Vec<String> },
    Tune { args: Vec<OsString> },
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
        Some("test") => match rest.first() {
            None => Ok(Command::Test),
            Some(extra) => Err(format!("`test` takes no arguments, but got `{}`", extra.display())),
        },
        Some("portability") => stacks(rest).map(|stacks| Command::Portability { stacks }),
        _ => Err(format!("unknown command `{}`", name.display())),
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

/// `cargo xtask demo -- --cpu` means the same as `cargo xtask demo --cpu`.
fn without_separator(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }
    args
}

/// The digits example's arguments on a machine without a Vulkan driver: `--cpu` is added, unless the user has already
/// said where to run, or asks a question that needs no training.
pub(crate) fn on_the_cpu(mut args: Vec<OsString>) -> Vec<OsString> {
    let decided = args.iter().any(|arg| {
        let arg = arg.to_string_lossy();
        let flag = arg.split('=').next().unwrap_or_default();
        matches!(flag, "--cpu" | "--adapter" | "--list" | "--help" | "-h")
    });
    if !decided {
        args.push("--cpu".into());
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
    fn test_stands_alone() {
        assert_eq!(parse(words(&["test"])), Ok(Command::Test));
        let message = parse(words(&["test", "kernels"])).unwrap_err();
        assert!(message.contains("`kernels`"), "{message}");
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
    fn an_unknown_command_is_named() {
        let message = parse(words(&["bench"])).unwrap_err();
        assert_eq!(message, "unknown command `bench`");
    }

    #[test]
    fn the_cpu_is_chosen_only_where_the_user_has_not_chosen() {
        assert_eq!(on_the_cpu(vec![]), words(&["--cpu"]));
        assert_eq!(on_the_cpu(words(&["--json"])), words(&["--json", "--cpu"]));
        for line in
            [&["--cpu"][..], &["--adapter", "x"], &["--adapter=x", "--json"], &["--list"], &["--help"]]
        {
            assert_eq!(on_the_cpu(words(line)), words(line));
        }
    }
}
