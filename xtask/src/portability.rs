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

/// Columns of the table: a name that the command takes, the heading, and the file of results.
const COLUMNS: [(&str, &str, &str); 9] = [
    ("vulkan", "wgpu, Vulkan", "vulkan"),
    ("gl", "wgpu, GL", "gl"),
    ("swiftshader", "wgpu, SwiftShader", "swiftshader"),
    ("dawn", "Dawn", "dawn"),
    ("dawn", "Tint", "tint"),
    ("translations", "SPIR-V", "spirv"),
    ("translations", "GLSL", "glsl"),
    ("translations", "HLSL", "hlsl"),
    ("translations", "MSL", "msl"),
];

/// What the command takes.
pub(crate) const STACKS: [&str; 5] = ["vulkan", "gl", "swiftshader", "dawn", "translations"];

/// Variables for one run of cargo.
type Variables<'a> = Vec<(&'a str, OsString)>;

/// Runs those of [`STACKS`] that are asked for; all, where none is. What others left before is in the table too.
pub(crate) fn portability(wanted: &[String]) -> ExitCode {
    setup::linker();
    let wanted = |stack: &str| wanted.is_empty() || wanted.iter().any(|name| name == stack);
    match setup::graphics().and_then(|()| run(wanted)) {
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
    place.export()?;
    let permutations = matrix::permutations(&tools::read(&place.directory.join("permutations.tsv"))?)?;
    let mut columns = Vec::new();
    for stack in STACKS {
        let mine = COLUMNS.into_iter().filter(|(of, ..)| *of == stack);
        let mine: Vec<(&'static str, PathBuf)> =
            mine.map(|(_, name, file)| (name, place.results(file))).collect();
        if !wanted(stack) {
            columns.extend(mine.into_iter().map(|(name, file)| column(name, &file, "not asked for")));
            continue;
        }
        note(&format!("{stack} ..."));
        for (_, file) in &mine {
            drop(std::fs::remove_file(file));
        }
        let ran = match stack {
            "vulkan" => place.through_wgpu(stack, "[vulkan, llvmpipe", None),
            "gl" => place.through_wgpu(stack, "[gl", None),
            "swiftshader" => {
                let driver = place.tools.swiftshader();
                driver.and_then(|driver| place.through_wgpu(stack, "swiftshader", Some(driver)))
            }
            "dawn" => place.dawn(),
            _ => place.translations(),
        };
        let reason = ran.err().unwrap_or_else(|| "the run broke off: see above".into());
        columns.extend(mine.into_iter().map(|(name, file)| column(name, &file, &reason)));
    }
    place.report(&permutations, &columns)
}

/// What a run has left in a file; where there is none, the reason.
fn column(name: &'static str, file: &Path, reason: &str) -> Column {
    if !file.exists() {
        return Column { name, details: String::new(), fates: Err(reason.into()) };
    }
    match tools::read(file).and_then(|text| matrix::fates(&text)) {
        Ok((details, fates)) => Column { name, details, fates: Ok(fates) },
        Err(reason) => Column { name, details: String::new(), fates: Err(reason) },
    }
}

/// Where everything lies.
struct Place {
    directory: PathBuf,
    tools: Tools,
}

impl Place {
    fn new() -> Result<Place, String> {
        let directory = repository().join("target/portability");
        let tools = Tools { directory: directory.join("tools") };
        tools::make(&tools.directory)?;
        tools::make(&directory.join("results"))?;
        Ok(Place { directory, tools })
    }

    fn results(&self, name: &str) -> PathBuf {
        self.directory.join("results").join(name).with_extension("tsv")
    }

    /// One of the crate's ignored tests.
    fn test(&self, test: &str, variables: Variables<'_>) -> Command {
        let args = ["test", "--lib", test, "--", "--ignored", "--exact", "--nocapture"];
        let mut command = in_the_repository(&args);
        command.envs(variables);
        command
    }

    /// Permutations and jobs as files.
    fn export(&self) -> Result<(), String> {
        note("permutations and jobs ...");
        let variables = vec![("HESSCALE_PORTABILITY", self.directory.clone().into())];
        let written = succeeds(&mut self.test("portability::export", variables));
        if written { Ok(()) } else { Err("they cannot be written: see above".into()) }
    }

    /// An adapter of wgpu's: all passes, then the tests of the GPU.
    fn through_wgpu(&self, stack: &str, adapter: &str, driver: Option<PathBuf>) -> Result<(), String> {
        let mut variables: Variables<'_> = vec![("HESSCALE_ADAPTER", adapter.into())];
        variables.extend(driver.map(|driver| ("VK_DRIVER_FILES", driver.into())));
        probe(&mut self.test("portability::adapter", variables.clone()))?;
        let file = self.results(stack);
        let replay = [variables.clone(), vec![("HESSCALE_RESULTS", file.clone().into())]].concat();
        // What fails is in the file.
        succeeds(&mut self.test("portability::replay", replay));
        let tests =
            [&["test", "--lib", "gpu::"][..], &["test", "--test", "gpu"], &["test", "--test", "shader_math"]];
        let passed = tests.into_iter().all(|args| succeeds(in_the_repository(args).envs(variables.clone())));
        // The verdict joins the stack's name, in the first line.
        let text = tools::read(&file)?;
        let (name, rest) = text.split_once('\n').unwrap_or((&text, ""));
        tools::write(&file, &format!("{name}; GPU tests {}\n{rest}", if passed { "passed" } else { FAILED }))
    }

    /// Dawn, and its compiler Tint.
    fn dawn(&self) -> Result<(), String> {
        let driver = self.tools.swiftshader()?;
        let script = self.tools.dawn(&repository().join("tests/portability"))?;
        let mut command = Command::new("node");
        command.arg("dawn.mjs").arg(&self.directory).current_dir(script);
        command.args(["dawn", "tint"].map(|name| self.results(name)));
        // The user may name another driver.
        if std::env::var_os("VK_DRIVER_FILES").is_none() {
            command.env("VK_DRIVER_FILES", driver);
        }
        // What fails is in the files.
        succeeds(&mut command);
        Ok(())
    }

    /// What naga makes of every shader, read by others.
    fn translations(&self) -> Result<(), String> {
        let spirv: Reader = |program, file| {
            let mut command = Command::new(program);
            command.args(["--target-env", "vulkan1.0"]).arg(file);
            command
        };
        let glsl: Reader = |program, file| {
            let mut command = Command::new(program);
            command.arg(file);
            command
        };
        let hlsl: Reader = |program, file| {
            let mut command = Command::new(program);
            command.args(["-D", "-V", "-S", "comp", "-e", "main", "-o", NOWHERE]).arg(legible(file));
            command
        };
        let val = self.tools.program("spirv-val", "spirv-tools")?;
        let glslang = self.tools.program("glslangValidator", "glslang-tools")?;
        self.translation("spirv", &val, "spv", spirv)?;
        self.translation("glsl", &glslang, "comp", glsl)?;
        self.translation("hlsl", &glslang, "hlsl", hlsl)?;
        Err("naga writes it for every permutation, but nothing here reads it: Metal's compiler is Apple's"
            .into())
    }

    /// One language's files, a reader each on every core.
    fn translation(&self, results: &str, program: &Path, ending: &str, reader: Reader) -> Result<(), String> {
        note(&format!("{results} ..."));
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
        tools::write(&self.results(results), &matrix::list(&details, &fates))
    }

    /// Prints the table and what is wrong, and writes both tables. Whether all that ran passed.
    fn report(&self, permutations: &[Permutation], columns: &[Column]) -> Result<bool, String> {
        let table = matrix::summary(permutations, columns);
        let mut notes = String::new();
        for column in columns {
            notes += &match &column.fates {
                Ok(_) => format!("- {}: {}\n", column.name, column.details),
                Err(reason) => format!("- {}: nothing ran: {reason}\n", column.name),
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
        Ok(faults.is_empty() && !notes.contains(FAILED))
    }
}

/// How a stack's tests that failed are marked.
const FAILED: &str = "**FAILED**";

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
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
