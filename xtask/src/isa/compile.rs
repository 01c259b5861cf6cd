//! Compiles texts for a device, in a program of its own that a compiler may crash: `xtask/isa`. What was compiled before, by the same
//! Mesa, is not compiled again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::devices::Device;
use super::index::Text;
use super::packages::Mesa;
use crate::stage::note;
use crate::tools::{make, write};

/// A compiler that says nothing for so long is taken for crashed.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Compiler<'a> {
    pub(crate) mesa: &'a Mesa,
    pub(crate) program: &'a Path,
    /// With the texts, and the results.
    pub(crate) directory: &'a Path,
}

impl Compiler<'_> {
    fn results(&self, device: &Device) -> PathBuf {
        self.directory.join("results").join(&self.mesa.version).join(device.name)
    }

    /// Where the report on a text is: numbers and the program, or numbers alone.
    fn report(&self, device: &Device, text: &Text, whole: bool) -> PathBuf {
        self.results(device).join(&text.id).with_extension(if whole { "txt" } else { "tsv" })
    }

    /// What the compiler says of a text, if it has been asked.
    pub(crate) fn said(&self, device: &Device, text: &Text) -> Option<String> {
        let reports = [true, false].map(|whole| self.report(device, text, whole));
        reports.iter().find_map(|report| std::fs::read_to_string(report).ok())
    }

    /// Compiles those of the texts that have not been yet.
    pub(crate) fn compile(&self, device: &Device, texts: &[&Text]) -> Result<(), String> {
        make(&self.results(device))?;
        let is_new = |text: &&&Text| {
            let whole = self.report(device, text, true).exists();
            !whole && (wants_program(text) || !self.report(device, text, false).exists())
        };
        let mut missing: VecDeque<&Text> = texts.iter().filter(is_new).copied().collect();
        if !missing.is_empty() {
            note(&format!("{}: {} of {} texts to compile ...", device.title, missing.len(), texts.len()));
        }
        while let Some(ended) = self.run(device, &missing)? {
            missing.drain(..ended.done);
            let Some(text) = missing.pop_front() else { break };
            note(&format!("{}: {} ({}): {}", device.title, text.label, text.id, ended.why));
            write(&self.report(device, text, wants_program(text)), &format!("{CRASHED}\t{}\n", ended.why))?;
            if missing.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Goes through the texts; how it ended, if not well.
    fn run(&self, device: &Device, texts: &VecDeque<&Text>) -> Result<Option<Ended>, String> {
        if texts.is_empty() {
            return Ok(None);
        }
        let list = self.results(device).with_extension("list");
        let log = self.results(device).with_extension("log");
        let lines = texts.iter().map(|text| {
            let shader = self.directory.join("texts").join(&text.id).with_extension("spv");
            let (what, report) = (wants_program(text), self.report(device, text, wants_program(text)));
            let what = if what { "program" } else { "numbers" };
            format!("{}\t{}\t{what}\t{}\n", shader.display(), text.bindings, report.display())
        });
        write(&list, &lines.collect::<String>())?;
        let open =
            |path: &Path, file: std::io::Result<File>| file.map_err(|e| format!("{}: {e}", path.display()));
        let mut child = self
            .command(device)
            .stdin(open(&list, File::open(&list))?)
            .stdout(Stdio::piped())
            .stderr(open(&log, File::create(&log))?)
            .spawn()
            .map_err(|e| format!("the compiler's program does not start: {e}"))?;
        let (send, receive) = channel();
        let out = child.stdout.take();
        std::thread::spawn(move || {
            let lines = out.into_iter().flat_map(|out| BufReader::new(out).lines());
            lines.map_while(Result::ok).for_each(|line| drop(send.send(line)));
        });
        let (mut begun, mut done) = (0, 0);
        let why = loop {
            match receive.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with("begin ") => begun += 1,
                Ok(line) if line.starts_with("end ") => done += 1,
                Ok(_) => (),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {
                    drop(child.kill());
                    break Some(format!("no answer in {} s", PATIENCE.as_secs()));
                }
            }
        };
        let status = child.wait().map_err(|e| e.to_string())?;
        if done == texts.len() && begun == done {
            return Ok(None);
        }
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let last = log.lines().rfind(|line| !line.trim().is_empty()).map(str::trim);
        let why = why.unwrap_or_else(|| last.map_or_else(|| status.to_string(), str::to_owned));
        if begun == done {
            // No text's fault.
            return Err(format!("{}: {why}", device.title));
        }
        Ok(Some(Ended { done, why }))
    }

    /// The program under the packages' own loader and libraries, with the device that they are to believe in.
    fn command(&self, device: &Device) -> Command {
        let libraries = self.mesa.libraries();
        let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(&libraries).arg("--preload");
        command.arg(libraries.join(format!("lib{}_noop_drm_shim.so", device.shim))).arg(self.program);
        command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD").env_remove("VK_ICD_FILENAMES");
        command.env("VK_DRIVER_FILES", self.mesa.manifest(device.driver));
        command.env("VK_LOADER_LAYERS_DISABLE", "~all~").env("MESA_SHADER_CACHE_DISABLE", "true");
        command.envs(device.variable);
        command
    }
}

/// How a run ended that did not go through: with this text, the first being 0.
struct Ended {
    done: usize,
    why: String,
}

/// What stands in a report for the numbers, if there are none.
pub(crate) const CRASHED: &str = "crashed";

/// Whether its instructions are looked at; of the rest the numbers are enough, and programs are long.
fn wants_program(text: &Text) -> bool {
    use super::index::Kind;
    text.kind == Kind::Reference || (text.is_product() && !text.chosen.is_empty())
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::index;
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A compiler that crashes on the second of three texts is run again for the third, and then never more.
    #[test]
    fn a_crash_costs_one_text() {
        let directory = std::env::temp_dir().join(format!("hesscale-isa-compile-{}", std::process::id()));
        let tools = directory.join("tools");
        let libraries = tools.join("root/usr/lib/x86_64-linux-gnu");
        make(&libraries).unwrap();
        write(&tools.join("root/version"), "1").unwrap();
        let mesa = Mesa::unpacked(&tools).unwrap();
        let loader = libraries.join("ld-linux-x86-64.so.2");
        let script = "#!/bin/sh\nwhile IFS='\t' read -r shader bindings what report; do\necho begin $shader\n\
            case $shader in *0b.spv) echo 'not possible' >&2; exit 134;; esac\n\
            echo run >> $(dirname $report)/runs\necho $what > $report\necho end $shader\ndone\n";
        write(&loader, script).unwrap();
        std::fs::set_permissions(&loader, std::fs::Permissions::from_mode(0o755)).unwrap();
        let line = |id: &str| index::tests::LINE.replacen("0a", id, 1);
        let texts = index::read(&format!("\n{}\n{}\n{}\n", line("0a"), line("0b"), line("0c"))).unwrap();
        let texts: Vec<&Text> = texts.iter().collect();
        let program = directory.join("isa");
        let compiler = Compiler { mesa: &mesa, program: &program, directory: &directory };
        let device = &super::super::devices::DEVICES[0];
        for _ in 0..2 {
            compiler.compile(device, &texts).unwrap();
            let said = texts.iter().map(|text| compiler.said(device, text).unwrap());
            assert_eq!(said.collect::<Vec<_>>(), ["program\n", "crashed\tnot possible\n", "program\n"]);
        }
        let runs = std::fs::read_to_string(compiler.results(device).join("runs")).unwrap();
        assert_eq!(runs.lines().count(), 2);
        // One that cannot even begin is no text's fault.
        write(&loader, "#!/bin/sh\necho no device >&2\nexit 1\n").unwrap();
        let other = &super::super::devices::DEVICES[1];
        assert!(compiler.compile(other, &texts).unwrap_err().contains("no device"));
        std::fs::remove_dir_all(directory).unwrap();
    }
}
