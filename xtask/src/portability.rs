//! `cargo xtask portability`: every permutation on every stack that this machine can offer, in one table.
//!
//! An ignored test of the crate writes whole passes with what they must give; the same test runs them through wgpu on
//! one adapter after another, and a script runs them on Dawn. Every shader is also translated, and the translations are
//! read by what can read them. All that is fetched or written lies in `target/portability/`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Mutex;

use crate::matrix::{self, Column, Fate, Permutation};
use crate::setup;
use crate::stage::{in_the_repository, note, repository};
use crate::tools::{self, Tools};

/// Columns of the table, by the names that the command takes.
pub(crate) const STACKS: [&str; 5] = ["vulkan", "gl", "swiftshader", "dawn", "translations"];

/// Variables for one run of cargo.
type Variables<'a> = Vec<(&'a str, OsString)>;

/// Runs those of [`STACKS`] that are asked for; all, where none is.
pub(crate) fn portability(wanted: &[String]) -> ExitCode {
    setup::linker();
    if let Err(message) = setup::graphics() {
        note(&message);
        return ExitCode::FAILURE;
    }
    match run(|stack| wanted.is_empty() || wanted.iter().any(|name| name == stack)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            note(&message);
            ExitCode::FAILURE
        }
    }
}

fn run(wanted: impl Fn(&str) -> bool) -> Result<bool, String> {
    let place = Place::new()?;
    note("writing every permutation, and the passes that run them ...");
    let variables = vec![("HESSCALE_PORTABILITY", place.directory.clone().into())];
    if !place.test("portability::export", variables) {
        return Err("the passes cannot be written: see above".into());
    }
    let permutations = matrix::permutations(&tools::read(&place.directory.join("permutations.tsv"))?)?;
    let mut columns = Vec::new();
    if wanted("vulkan") {
        columns.push(place.through_wgpu("wgpu, Vulkan", "[vulkan, llvmpipe", None));
    }
    if wanted("gl") {
        columns.push(place.through_wgpu("wgpu, GL", "[gl", None));
    }
    if wanted("swiftshader") {
        columns.push(match place.tools.swiftshader() {
            Ok(driver) => place.through_wgpu("wgpu, SwiftShader", "swiftshader", Some(driver)),
            Err(reason) => absent("wgpu, SwiftShader", reason),
        });
    }
    if wanted("dawn") {
        columns.extend(place.dawn());
    }
    if wanted("translations") {
        columns.extend(place.translations());
    }
    place.report(&permutations, &columns)
}

/// Where everything lies.
struct Place {
    directory: PathBuf,
    tools: Tools,
}

fn absent(name: &'static str, reason: String) -> Column {
    note(&format!("{name}: {reason}"));
    Column { name, details: String::new(), fates: Err(reason) }
}

impl Place {
    fn new() -> Result<Place, String> {
        let directory = repository().join("target/portability");
        let tools = Tools { directory: directory.join("tools") };
        tools::make(&tools.directory)?;
        tools::make(&directory.join("results"))?;
        Ok(Place { directory, tools })
    }

    /// One of the crate's ignored tests.
    fn command(&self, test: &str, variables: Variables<'_>) -> Command {
        let args = ["test", "--lib", test, "--", "--ignored", "--exact", "--nocapture"];
        let mut command = in_the_repository(&args);
        command.envs(variables);
        command
    }

    fn test(&self, test: &str, variables: Variables<'_>) -> bool {
        self.command(test, variables).status().is_ok_and(|status| status.success())
    }

    /// An adapter of wgpu's: all passes, then the tests of the GPU.
    fn through_wgpu(&self, name: &'static str, adapter: &str, driver: Option<PathBuf>) -> Column {
        let mut variables: Variables<'_> = vec![("HESSCALE_ADAPTER", adapter.into())];
        variables.extend(driver.map(|driver| ("VK_DRIVER_FILES", driver.into())));
        if let Err(reason) = probe(&mut self.command("portability::adapter", variables.clone())) {
            return absent(name, reason);
        }
        note(&format!("{name} ..."));
        let file =
            self.directory.join("results").join(format!("{}.tsv", adapter.replace(['[', ',', ' '], "")));
        let mut replay = variables.clone();
        replay.push(("HESSCALE_RESULTS", file.clone().into()));
        drop(std::fs::remove_file(&file));
        // What fails is in the file.
        self.test("portability::replay", replay);
        let column = column(name, &file);
        let tests = [&["test", "--lib", "gpu::"][..], &["test", "--test", "gpu"]];
        let passed = tests.into_iter().all(|args| {
            in_the_repository(args).envs(variables.clone()).status().is_ok_and(|status| status.success())
        });
        let outcome = if passed { "GPU tests passed" } else { "**GPU tests FAILED**" };
        Column { details: format!("{}; {outcome}", column.details), ..column }
    }

    /// Dawn, and its compiler Tint.
    fn dawn(&self) -> [Column; 2] {
        let names = ["Dawn", "Tint"];
        let ready = self.tools.swiftshader().and_then(|driver| {
            let script = self.tools.dawn(&repository().join("tests/portability"))?;
            Ok((driver, script))
        });
        let (driver, script) = match ready {
            Ok(ready) => ready,
            Err(reason) => return names.map(|name| absent(name, reason.clone())),
        };
        note("Dawn ...");
        let files = ["dawn.tsv", "tint.tsv"].map(|file| self.directory.join("results").join(file));
        for file in &files {
            drop(std::fs::remove_file(file));
        }
        let mut command = Command::new("node");
        command.arg("dawn.mjs").arg(&self.directory).args(&files).current_dir(script);
        // A machine's own driver is used where the user names it.
        if std::env::var_os("VK_DRIVER_FILES").is_none() {
            command.env("VK_DRIVER_FILES", driver);
        }
        if let Err(error) = command.status() {
            return names.map(|name| absent(name, format!("cannot start node: {error}")));
        }
        let [dawn, tint] = &files;
        [column(names[0], dawn), column(names[1], tint)]
    }

    /// What naga makes of every shader, read by others.
    fn translations(&self) -> Vec<Column> {
        let val: Reader = |program, file| {
            let mut command = Command::new(program);
            command.args(["--target-env", "vulkan1.0"]).arg(file);
            command
        };
        let gl: Reader = |program, file| {
            let mut command = Command::new(program);
            command.arg(file);
            command
        };
        let hlsl: Reader = |program, file| {
            let file = &legible(file);
            let mut command = Command::new(program);
            command.args(["-D", "-V", "-S", "comp", "-e", "main", "-o", NOWHERE]).arg(file);
            command
        };
        let readers = [
            ("SPIR-V (spirv-val)", "spirv-val", "spirv-tools", "spv", val),
            ("GLSL (glslang)", "glslangValidator", "glslang-tools", "comp", gl),
            ("HLSL (glslang)", "glslangValidator", "glslang-tools", "hlsl", hlsl),
        ];
        let mut columns: Vec<Column> = readers
            .into_iter()
            .map(|(name, program, package, ending, reader)| match self.tools.program(program, package) {
                Ok(program) => self.translation(name, &program, ending, reader),
                Err(reason) => absent(name, reason),
            })
            .collect();
        columns.push(absent(
            "MSL",
            "written by naga for each permutation, but no compiler of Metal is here".into(),
        ));
        columns
    }

    fn translation(&self, name: &'static str, program: &Path, ending: &str, reader: Reader) -> Column {
        note(&format!("{name} ..."));
        let files = std::fs::read_dir(self.directory.join("texts")).into_iter().flatten().flatten();
        let files = files.map(|entry| entry.path());
        let files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
        let fates: Mutex<BTreeMap<String, Fate>> = Mutex::default();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for share in files.chunks(files.len().div_ceil(threads).max(1)) {
                let fates = &fates;
                scope.spawn(move || {
                    for file in share {
                        let fault = refusal(reader(program, file).stdin(Stdio::null()).output());
                        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                        let id = name.split('.').next().unwrap_or_default().to_owned();
                        let mut fates = fates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        let fate = fates.entry(id).or_insert(Fate { jobs: 0, worst: 0.0, fault: None });
                        fate.jobs += 1;
                        fate.fault = fate.fault.take().or(fault.map(|fault| format!("{name}: {fault}")));
                    }
                });
            }
        });
        let fates = fates.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let details = format!("{} texts; {}", files.len(), tools::version(program));
        Column { name, details, fates: Ok(fates) }
    }

    /// Prints the table and what is wrong, and writes both tables. Whether all that ran passed.
    fn report(&self, permutations: &[Permutation], columns: &[Column]) -> Result<bool, String> {
        let table = matrix::summary(permutations, columns);
        let mut notes = String::new();
        for column in columns {
            notes += &match &column.fates {
                Ok(_) => format!("- {}: {}\n", column.name, column.details),
                Err(reason) => format!("- {}: did not run: {reason}\n", column.name),
            };
        }
        let faults: Vec<String> = columns.iter().flat_map(|column| column.faults(permutations)).collect();
        println!("\n{table}\n{notes}");
        tools::write(&self.directory.join("matrix.md"), &format!("{table}\n{notes}"))?;
        let full = self.directory.join("permutations.md");
        tools::write(&full, &matrix::full(permutations, columns))?;
        note(&format!("a row for each of {} permutations: {}", permutations.len(), full.display()));
        for fault in faults.iter().take(20) {
            note(fault);
        }
        if faults.len() > 20 {
            note(&format!("{} faults in all", faults.len()));
        }
        Ok(faults.is_empty() && !notes.contains("FAILED"))
    }
}

/// The column that a run has left in a file.
fn column(name: &'static str, file: &Path) -> Column {
    match tools::read(file).and_then(|text| matrix::fates(&text)) {
        Ok((details, fates)) => Column { name, details, fates: Ok(fates) },
        Err(reason) => absent(name, format!("the run broke off: {reason}")),
    }
}

/// The same HLSL as glslang can read it, in a file beside. Where that cannot be written the reader says so.
fn legible(file: &Path) -> PathBuf {
    let copy = file.with_extension("glslang");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let text: String = text.lines().map(|line| without_zero_cast(line) + "\n").collect();
    drop(std::fs::write(&copy, text));
    copy
}

/// Microsoft's compilers take `(float4[4][1])0` for an array of zeros; glslang's front end does not.
fn without_zero_cast(line: &str) -> String {
    let cast = || {
        let (before, array) = line.strip_suffix("])0;")?.rsplit_once('(')?;
        let (element, sizes) = array.split_once('[')?;
        let indent = &line[..line.len() - line.trim_start().len()];
        let before = before.trim();
        let declared = before.strip_suffix(" =").filter(|name| name.contains(' '));
        Some(match declared {
            Some(declared) => format!("{indent}{declared};"),
            None => format!("{indent}{{ {element} zeros[{sizes}]; {before} zeros; }}"),
        })
    };
    cast().unwrap_or_else(|| line.to_owned())
}

/// How a program is called on a file.
type Reader = fn(&Path, &Path) -> Command;

const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// What a program that ended has against its input.
fn refusal(output: std::io::Result<Output>) -> Option<String> {
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            let line =
                text.lines().find(|line| line.to_lowercase().contains("error")).or(text.lines().next());
            Some(line.unwrap_or("refused without a word").trim().to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Whether an adapter is there; why not.
pub(crate) fn probe(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("cannot start cargo: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let line = text.lines().find(|line| line.contains("none matches") || line.contains("error"));
    Err(line.unwrap_or("the adapter cannot be had").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::cargo;

    #[test]
    fn zero_casts_become_what_glslang_reads() {
        let cases = [
            ("    float4 b_1[4][1] = (float4[4][1])0;", "    float4 b_1[4][1];"),
            ("    return (Signal[2])0;", "    { Signal zeros[2]; return zeros; }"),
            ("    row_tops = (Top[8])0;", "    { Top zeros[8]; row_tops = zeros; }"),
            ("    uint c = (uint)0;", "    uint c = (uint)0;"),
            ("    return float4(a[0], b);", "    return float4(a[0], b);"),
        ];
        for (line, expected) in cases {
            assert_eq!(without_zero_cast(line), expected);
        }
    }

    #[test]
    fn an_adapter_that_is_missing_is_named() {
        let mut command = Command::new(cargo());
        let reason = probe(command.args(["no-such-subcommand-of-cargo"])).unwrap_err();
        assert!(reason.contains("no-such-subcommand-of-cargo"), "{reason}");
        assert!(probe(Command::new(cargo()).arg("--version")).is_ok());
    }

    #[test]
    fn a_refusal_is_the_first_line_with_an_error() {
        let program = Command::new(cargo()).args(["no-such-subcommand-of-cargo"]).output();
        assert!(refusal(program).is_some_and(|line| line.starts_with("error")));
        assert_eq!(refusal(Command::new(cargo()).arg("--version").output()), None);
    }
}
