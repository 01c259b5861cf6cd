//! The commands as lists of stages, run in order until one fails, each timed.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::{isa, portability, setup};

/// One run of cargo.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
}

/// All checks, the quickest to fail first.
const CHECKS: [Stage; 8] = [
    Stage { name: "format", args: &["fmt", "--all", "--check"], env: &[] },
    Stage {
        name: "clippy",
        args: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        env: &[],
    },
    features("no features", FEWEST[0]),
    features("cpu", FEWEST[1]),
    features("train", FEWEST[2]),
    // llvmpipe spends most of the tests' time on compiling shaders, and takes half as long without LLVM's optimisations, and a tenth less
    // for vectors of four. [`SECOND`] has the usual ones; other drivers do not know these variables. Examples have been checked before.
    Stage {
        name: "tests",
        args: &["test", "--workspace", "--lib", "--bins", "--tests"],
        env: &[("GALLIVM_PERF", "nopt"), ("LP_NATIVE_VECTOR_WIDTH", "128")],
    },
    Stage { name: "tests of the documentation", args: &["test", "--doc"], env: &[] },
    Stage { name: "documentation", args: &["doc", "--no-deps"], env: &[("RUSTDOCFLAGS", "-D warnings")] },
];

/// Clippy on the library with few of its features. With all of them it has been at it before.
const fn features(name: &'static str, args: &'static [&'static str]) -> Stage {
    Stage { name, args, env: &[] }
}

/// Neither of the two features, and each. What they depend on they share: backends, which the crate only passes on to wgpu, are left out.
const FEWEST: [&[&str]; 3] = [
    &["clippy", "--lib", "--no-default-features", "--", "-D", "warnings"],
    &["clippy", "--lib", "--no-default-features", "--features", "cpu", "--", "-D", "warnings"],
    &["clippy", "--lib", "--no-default-features", "--features", "train", "--", "-D", "warnings"],
];

/// The golden vectors once more through a second code generator, in the mode with the most components.
const SECOND: Stage = Stage {
    name: "GL",
    args: &["test", "--test", "gpu", "golden::all_cases_on_a_second_adapter", "--", "--ignored"],
    env: &[("HESSCALE_ADAPTER", "[gl")],
};

/// Runs [`SECOND`] if there is an adapter for it.
fn second_adapter(not_run: &Path) -> Result<(), String> {
    let args = ["test", "--lib", "portability::adapter", "--", "--ignored", "--exact"];
    match portability::probe(in_the_repository(&args).envs(SECOND.env.iter().copied())) {
        Ok(()) => SECOND.run(not_run),
        Err(reason) => {
            note(&format!("skipped: {reason}"));
            Ok(())
        }
    }
}

/// Two GPUs' compilers, where they have been fetched.
fn compilers(not_run: &Path) -> Result<(), String> {
    isa::quick().unwrap_or_else(|| {
        let line = "isa: no GPUs' compilers (`cargo xtask isa` fetches them)\n";
        let file = std::fs::OpenOptions::new().create(true).append(true).open(not_run);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(|e| format!("{}: {e}", not_run.display()))
    })
}

/// `cargo xtask test`.
pub(crate) fn test() -> ExitCode {
    let begin = Instant::now();
    let mut times = Vec::new();
    let not_run = repository().join("target/tests-not-run.txt");
    let outcome = timed("set-up", &mut times, || {
        setup::linker();
        setup::components(&cargo())?;
        setup::graphics()
    })
    .and_then(|()| {
        begin_list(&not_run);
        CHECKS.iter().try_for_each(|stage| timed(stage.name, &mut times, || stage.run(&not_run)))
    })
    .and_then(|()| timed(SECOND.name, &mut times, || second_adapter(&not_run)))
    .and_then(|()| timed("ISA", &mut times, || compilers(&not_run)));
    eprintln!();
    note(&summary(&times));
    note(&lacking(&not_run));
    match outcome {
        Ok(()) => {
            note(&format!("every check passed in {}", seconds(begin.elapsed())));
            ExitCode::SUCCESS
        }
        Err(message) => {
            note(&message);
            ExitCode::FAILURE
        }
    }
}

/// An empty list of tests that did not run. If it cannot be created, no test can add to it either, and such tests fail.
fn begin_list(file: &Path) {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            note(&format!("{}: {error}", file.display()))
        }
        _ => (),
    }
}

/// The number of tests that reported a missing feature, and the features; see `tests/common/not_run.rs`.
fn lacking(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut reasons: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for line in text.lines() {
        *reasons.entry(line.split_once(": ").map_or(line, |(_, reason)| reason)).or_default() += 1;
    }
    match reasons.is_empty() {
        true => "every test ran".into(),
        false => {
            let reasons = reasons.into_iter().map(|(reason, tests)| format!("{tests} tests: {reason}"));
            format!("not run here: {}", reasons.collect::<Vec<_>>().join("; "))
        }
    }
}

/// `cargo xtask demo`. The example uses a GPU if there is one.
pub(crate) fn demo(args: Vec<OsString>) -> ExitCode {
    setup::linker();
    example("digits", &args)
}

/// `cargo xtask tune`.
pub(crate) fn tune(args: Vec<OsString>) -> ExitCode {
    setup::linker();
    if let Err(message) = setup::graphics() {
        note(&message);
        return ExitCode::FAILURE;
    }
    example("tune", &args)
}

/// Runs an example. It reports its own errors; its exit status is passed on.
fn example(name: &str, args: &[OsString]) -> ExitCode {
    match in_the_repository(&["run", "--release", "--example", name, "--"]).args(args).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            note(&format!("cannot start cargo: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Stage {
    /// Tests that cannot run because a feature is missing add a line to the file `not_run`.
    fn run(&self, not_run: &Path) -> Result<(), String> {
        let mut command = in_the_repository(self.args);
        let status = command.envs(self.env.iter().copied()).env("HESSCALE_NOT_RUN", not_run).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{}` ended with {status}", self.command_line())),
            Err(error) => Err(format!("cannot start `{}`: {error}", self.command_line())),
        }
    }

    /// The command as a user would type it.
    fn command_line(&self) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}=\"{value}\" "));
        format!("{}cargo {}", env.collect::<String>(), self.args.join(" "))
    }
}

/// A finished stage.
type Timed = (&'static str, Duration);

/// Runs one stage: announces it, times it, and adds its name to an error.
fn timed(
    name: &'static str,
    times: &mut Vec<Timed>,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    eprintln!();
    note(&format!("{name} ..."));
    let begin = Instant::now();
    let outcome = work();
    let elapsed = begin.elapsed();
    times.push((name, elapsed));
    match outcome {
        Ok(()) => {
            note(&format!("{name}: done in {}", seconds(elapsed)));
            Ok(())
        }
        Err(message) => Err(format!("FAILED at stage `{name}` after {}: {message}", seconds(elapsed))),
    }
}

/// One line with the time of every stage that ran.
fn summary(times: &[Timed]) -> String {
    let parts: Vec<String> = times.iter().map(|(name, time)| format!("{name} {}", seconds(*time))).collect();
    parts.join(", ")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Prints a line marked as xtask's own.
pub(crate) fn note(message: &str) {
    eprintln!("xtask: {message}");
}

/// The cargo that runs us, or the one on the PATH.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The program that cargo makes.
pub(crate) fn built(args: &[&str]) -> Result<PathBuf, String> {
    let args = [args, &["--message-format=json-render-diagnostics"]].concat();
    let output = in_the_repository(&args).stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let program =
        text.lines().rev().find_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    let program = program.filter(|_| output.status.success());
    program.map(PathBuf::from).ok_or_else(|| format!("`cargo {}` made no program", args.join(" ")))
}

pub(crate) fn in_the_repository(args: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command.args(args).current_dir(repository());
    command
}

/// The directory above xtask's: as cargo says at run time, so that a moved checkout works, or as it was when built.
pub(crate) fn repository() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_the_documented_commands() {
        let lines: Vec<String> = CHECKS.iter().map(Stage::command_line).collect();
        let expected = [
            "cargo fmt --all --check",
            "cargo clippy --workspace --all-targets -- -D warnings",
            "cargo clippy --lib --no-default-features -- -D warnings",
            "cargo clippy --lib --no-default-features --features cpu -- -D warnings",
            "cargo clippy --lib --no-default-features --features train -- -D warnings",
            "GALLIVM_PERF=\"nopt\" LP_NATIVE_VECTOR_WIDTH=\"128\" cargo test --workspace --lib --bins --tests",
            "cargo test --doc",
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_did_not_run_is_summed_up_by_reason() {
        let file = std::env::temp_dir().join(format!("hesscale-not-run-{}", std::process::id()));
        begin_list(&file);
        assert_eq!(lacking(&file), "every test ran");
        std::fs::write(&file, "a: no f16\nb: no clock: none\nc: no f16\n").unwrap();
        assert_eq!(lacking(&file), "not run here: 1 tests: no clock: none; 2 tests: no f16");
        begin_list(&file);
        assert!(!file.exists());
    }

    #[test]
    fn a_failure_names_its_stage_and_keeps_its_time() {
        let mut times = Vec::new();
        assert_eq!(timed("good", &mut times, || Ok(())), Ok(()));
        let message = timed("bad", &mut times, || Err("it broke".into())).unwrap_err();
        assert!(message.contains("stage `bad`") && message.ends_with("it broke"), "{message}");
        assert_eq!(times.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["good", "bad"]);
    }

    #[test]
    fn nothing_runs_after_a_failure() {
        let mut ran = Vec::new();
        let mut times = Vec::new();
        let outcome = ["a", "b", "c"].into_iter().try_for_each(|name| {
            timed(name, &mut times, || {
                ran.push(name);
                if name == "b" { Err("no".into()) } else { Ok(()) }
            })
        });
        assert!(outcome.is_err());
        assert_eq!(ran, ["a", "b"]);
    }

    #[test]
    fn a_failed_program_is_an_error() {
        let stage = Stage { name: "none", args: &["no-such-subcommand-of-cargo"], env: &[] };
        let message = stage.run(Path::new("unused")).unwrap_err();
        assert!(message.contains("`cargo no-such-subcommand-of-cargo` ended with"), "{message}");
    }

    #[test]
    fn the_repository_is_the_workspace() {
        let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn times_are_summed_up_in_one_line() {
        let times = [("format", Duration::from_millis(1234)), ("tests", Duration::from_secs(61))];
        assert_eq!(summary(&times), "format 1.2 s, tests 61.0 s");
    }
}
