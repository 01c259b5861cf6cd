//! `cargo xtask portability`: every permutation on every stack available on this machine, in one table.
//!
//! An ignored test of the crate exports whole passes with their expected results; it also runs them through wgpu on one adapter
//! after another, and a script runs them on Dawn. Every shader is also translated, and available compilers and validators read the
//! translations. All downloads and results are in `target/portability/`.
//!
//! Passed work is recorded there as soon as it finishes, and is repeated only if it or the stack has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Mutex;

use crate::matrix::{self, Column, Permutation, Work};
use crate::record::{Record, Verdict, key};
use crate::setup;
use crate::stage::{built, in_the_repository, note, repository};
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

/// The command's arguments.
pub(crate) const STACKS: [&str; 5] = ["vulkan", "gl", "swiftshader", "dawn", "translations"];

/// Variables for one run of cargo.
type Variables<'a> = Vec<(&'a str, OsString)>;

/// Runs the requested [`STACKS`], or all. The table also shows earlier results of the others.
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
    let works = |file: &str| matrix::works(&tools::read(&place.directory.join(file))?);
    let (jobs, texts) = (works("jobs.tsv")?, works("texts.tsv")?);
    let mut ran = BTreeMap::new();
    for stack in STACKS.into_iter().filter(|stack| wanted(stack)) {
        note(&format!("{stack} ..."));
        let outcome = match stack {
            "dawn" => place.dawn(),
            "translations" => place.translations(&texts),
            _ => place.adapter(stack).and_then(|adapter| place.replay(&adapter)),
        };
        ran.insert(stack, outcome);
    }
    let columns = || place.columns(&jobs, &texts, &ran);
    place.report(&permutations, &columns())?;
    // They take hours, and the table is there by now.
    for stack in ["vulkan", "gl", "swiftshader"] {
        if ran.get(stack).is_some_and(Result::is_ok) {
            place.tests(&place.adapter(stack)?)?;
        }
    }
    place.report(&permutations, &columns())
}

/// How each stack that was asked for ended.
type Outcomes<'a> = BTreeMap<&'a str, Result<(), String>>;

/// One of wgpu's adapters.
struct Adapter<'a> {
    stack: &'a str,
    /// What its name gets behind it in records.
    versions: String,
    /// For its runs.
    variables: Variables<'a>,
}

/// Paths of all files.
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

    /// Permutations and jobs as files, once it is known that no permutation is without a job.
    fn export(&self) -> Result<(), String> {
        note("permutations and jobs ...");
        if !succeeds(&mut self.test("portability::every_permutation_has_a_job", Vec::new())) {
            return Err("permutations without a job: see above".into());
        }
        let variables = vec![("HESSCALE_PORTABILITY", self.directory.clone().into())];
        let written = succeeds(&mut self.test("portability::export", variables));
        if written { Ok(()) } else { Err("they cannot be written: see above".into()) }
    }

    /// A run's records of this work, or the reason why there are none.
    fn column(&self, name: &'static str, file: &str, works: &[Work], reason: &str) -> Column {
        let record = self.results(file);
        if !record.exists() {
            return Column { name, details: String::new(), fates: Err(reason.into()) };
        }
        match tools::read(&record).and_then(|text| matrix::fates(&text, works)) {
            Ok((stack, fates)) => {
                let tests = self.tests_of(file).map(|verdict| format!("; GPU tests {verdict}"));
                let details = format!("{stack}; {} works{}", works.len(), tests.unwrap_or_default());
                Column { name, details, fates: Ok(fates) }
            }
            Err(reason) => Column { name, details: String::new(), fates: Err(reason) },
        }
    }

    /// All columns of the table: what is recorded, or why nothing is.
    fn columns(&self, jobs: &[Work], texts: &[Work], ran: &Outcomes<'_>) -> Vec<Column> {
        let column = |(stack, name, file)| {
            let reason = match ran.get(stack) {
                None => "not asked for",
                Some(Ok(())) => "the run broke off: see above",
                Some(Err(reason)) => reason,
            };
            match file {
                "tint" => self.column(name, file, texts, reason),
                "spirv" | "glsl" | "hlsl" | "msl" => {
                    self.column(name, file, &self.translated(texts, file), reason)
                }
                _ => self.column(name, file, jobs, reason),
            }
        };
        COLUMNS.map(column).into()
    }

    /// What runs on wgpu need, if it has such an adapter.
    fn adapter<'a>(&self, stack: &'a str) -> Result<Adapter<'a>, String> {
        let (name, driver) = match stack {
            "vulkan" => ("[vulkan, llvmpipe", None),
            "gl" => ("[gl", None),
            _ => ("swiftshader", Some(self.tools.swiftshader()?)),
        };
        let mut versions = format!("; wgpu {}, naga {}", locked("wgpu")?, locked("naga")?);
        let mut variables: Variables<'_> = vec![("HESSCALE_ADAPTER", name.into())];
        if stack == "gl" {
            // wgpu panics after waiting six seconds for the GL context, and another test's shader may take longer to compile.
            variables.push(("RUST_TEST_THREADS", "1".into()));
        }
        if let Some(driver) = driver {
            versions += &tools::fingerprint(&driver)?;
            variables.push(("VK_DRIVER_FILES", driver.into()));
        }
        probe(&mut self.test("portability::adapter", variables.clone()))?;
        Ok(Adapter { stack, versions, variables })
    }

    /// All passes.
    fn replay(&self, adapter: &Adapter<'_>) -> Result<(), String> {
        let mut variables = adapter.variables.clone();
        variables.extend([
            ("HESSCALE_PORTABILITY", self.directory.clone().into()),
            ("HESSCALE_RESULTS", self.results(adapter.stack).into()),
            ("HESSCALE_VERSIONS", adapter.versions.clone().into()),
        ]);
        // What fails is in the record.
        succeeds(&mut self.test("portability::replay", variables));
        Ok(())
    }

    /// The record of a stack's tests.
    fn tests_record(&self, stack: &str) -> PathBuf {
        self.results(&format!("{stack}-tests"))
    }

    /// The GPU tests, a module at a time. A new build of them counts as new work.
    fn tests(&self, Adapter { stack, versions, variables }: &Adapter<'_>) -> Result<(), String> {
        // Cover every triple of training options; elsewhere every pair.
        let together = if *stack == "vulkan" { "3" } else { "2" };
        let path = self.tests_record(stack);
        let mut record = Record::open(&path, &format!("{stack}{versions}"))
            .map_err(|e| format!("{}: {e}", path.display()))?;
        for (args, modules) in
            [(&["--lib"][..], "gpu::"), (&["--test", "gpu"], ""), (&["--test", "shader_math"], "")]
        {
            let program = built(&[&["test", "--no-run"], args].concat())?;
            let build = std::fs::read(&program).map_err(|e| format!("{}: {e}", program.display()))?;
            for module in self::modules(&program, modules)? {
                let key = key([build.as_slice(), module.as_bytes()]);
                if record.passed(&key) {
                    continue;
                }
                note(&format!("{stack}: tests {} {module}", args.join(" ")));
                let mut run = Command::new(&program);
                run.arg(&module).current_dir(repository()).envs(variables.clone());
                run.envs([("HESSCALE_MATRIX", together), ("HESSCALE_TESTS", "all")]);
                let verdict = match succeeds(&mut run) {
                    true => Verdict::Passed(0.0),
                    false => Verdict::Failed(format!("{} {module}", args.join(" "))),
                };
                record.add(&key, &verdict).map_err(|e| format!("{}: {e}", path.display()))?;
            }
        }
        Ok(())
    }

    /// The results of the tests in a stack's record; `None` if there are none.
    fn tests_of(&self, stack: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.tests_record(stack)).ok()?;
        let faults: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split('\t').nth(2)).collect();
        let failed: Vec<&str> = faults.iter().copied().filter(|fault| !fault.is_empty()).collect();
        let passed = format!("of {} modules passed", faults.len() - failed.len());
        Some(if failed.is_empty() { passed } else { format!("{passed}, {FAILED}: {}", failed.join(", ")) })
    }

    /// Dawn, and its compiler Tint.
    fn dawn(&self) -> Result<(), String> {
        let driver = self.tools.swiftshader()?;
        let script = self.tools.dawn(&repository().join("tests/portability"))?;
        // The user may name another driver.
        let named = std::env::var_os("VK_DRIVER_FILES").map(PathBuf::from);
        let driver = named.unwrap_or(driver);
        let mut command = Command::new("node");
        command.arg("dawn.mjs").arg(&self.directory).current_dir(script);
        command.args(["dawn", "tint"].map(|name| self.results(name)));
        command.arg(tools::fingerprint(&driver)?).env("VK_DRIVER_FILES", driver);
        // What fails is in the records.
        succeeds(&mut command);
        Ok(())
    }

    /// naga's translations of every shader, read by other tools.
    fn translations(&self, texts: &[Work]) -> Result<(), String> {
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
        self.translation("spirv", &val, texts, spirv)?;
        self.translation("glsl", &glslang, texts, glsl)?;
        self.translation("hlsl", &glslang, texts, hlsl)?;
        Err("naga writes it for every permutation, but nothing here reads it: Metal's compiler is Apple's"
            .into())
    }

    /// naga's output in a language, keyed by contents.
    fn translated(&self, texts: &[Work], language: &str) -> Vec<Work> {
        let ending = match language {
            "spirv" => "spv",
            "glsl" => "comp",
            "msl" => "metal",
            other => other,
        };
        // glslang's HLSL front end has no templates, which naga uses to load f16.
        let legible = |text: &&Work| language != "hlsl" || text.needs.is_empty();
        let translated = texts.iter().filter(legible).filter_map(|text| {
            let file = self.directory.join("texts").join(&text.name).with_extension(ending);
            let contents = std::fs::read(&file).ok()?;
            let (key, name) = (key([contents.as_slice()]), file.to_string_lossy().into_owned());
            Some(Work { key, name, ..text.clone() })
        });
        translated.collect()
    }

    /// One language's files, a reader each on every core.
    fn translation(
        &self,
        language: &str,
        program: &Path,
        texts: &[Work],
        reader: Reader,
    ) -> Result<(), String> {
        note(&format!("{language} ..."));
        let path = self.results(language);
        let broken = |error: std::io::Error| format!("{}: {error}", path.display());
        let record = Record::open(&path, &tools::version(program)).map_err(broken)?;
        let mut works = self.translated(texts, language);
        works.retain(|work| !record.passed(&work.key));
        let record = Mutex::new(record);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let read = |share: &[Work]| {
            share.iter().try_for_each(|work| {
                let fault = refusal(reader(program, Path::new(&work.name)).stdin(Stdio::null()).output());
                let verdict = fault.map_or(Verdict::Passed(0.0), Verdict::Failed);
                record.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(&work.key, &verdict)
            })
        };
        std::thread::scope(|scope| {
            let shares = works.chunks(works.len().div_ceil(threads).max(1));
            let readers: Vec<_> = shares.map(|share| scope.spawn(|| read(share))).collect();
            readers.into_iter().try_for_each(|reader| reader.join().unwrap_or(Ok(())))
        })
        .map_err(broken)
    }

    /// Prints the table and the problems, and writes both tables. Returns whether everything that ran passed.
    fn report(&self, permutations: &[Permutation], columns: &[Column]) -> Result<bool, String> {
        let table = matrix::summary(permutations, columns);
        let mut notes = String::new();
        for column in columns {
            notes += &match &column.fates {
                Ok(_) => format!("- {}: {}\n", column.name, column.details),
                Err(reason) => format!("- {}: nothing ran: {reason}\n", column.name),
            };
            for (what, count) in column.lacking(permutations) {
                notes += &format!("- {}: {count} permutations do not run: it lacks {what}\n", column.name);
            }
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

/// A package's version in `Cargo.lock`.
fn locked(package: &str) -> Result<String, String> {
    let lock = tools::read(&repository().join("Cargo.lock"))?;
    let found = lock.split_once(&format!("name = \"{package}\"\nversion = \""));
    let version = found.and_then(|(_, rest)| rest.split('"').next());
    version.map(str::to_owned).ok_or_else(|| format!("Cargo.lock has no {package}"))
}

/// The modules of a program's tests below `within`, as filters; a test in none is its own.
fn modules(program: &Path, within: &str) -> Result<BTreeSet<String>, String> {
    let output = Command::new(program).args(["--list", "--format", "terse"]).stdin(Stdio::null()).output();
    let text = String::from_utf8_lossy(&output.map_err(|e| e.to_string())?.stdout).into_owned();
    let tests = text.lines().filter_map(|line| line.strip_suffix(": test")?.strip_prefix(within));
    let module =
        |test: &str| test.split_once("::").map_or(test.to_owned(), |(module, _)| format!("{module}::"));
    Ok(tests.map(|test| format!("{within}{}", module(test))).collect())
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// The same HLSL in a form that glslang accepts, in a file beside it. If writing fails, the reader reports it.
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

/// The command line of a program for a file.
type Reader = fn(&Path, &Path) -> Command;

const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// The errors that a finished program reported.
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
    fn locked_versions_are_read() {
        assert!(locked("wgpu").is_ok_and(|version| version.starts_with("30.")));
        assert!(locked("no-such-package").is_err());
    }

    #[test]
    fn tests_are_listed_by_module() {
        let program = std::env::current_exe().unwrap();
        let all = modules(&program, "").unwrap();
        assert!(all.contains("portability::") && all.contains("record::"), "{all:?}");
        assert_eq!(
            modules(&program, "portability::").unwrap(),
            BTreeSet::from(["portability::tests::".into()])
        );
    }

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
