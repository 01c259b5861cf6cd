//! Compiles texts for a device, in a program of its own that a compiler may crash: `xtask/isa`. What was compiled before, by the
//! same Mesa, is not compiled again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::devices::{Device, Dump};
use super::index::Text;
use super::packages::Mesa;
use crate::stage::note;
use crate::tools::{make, read, write};

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
        let missing: Vec<&Text> = texts.iter().filter(is_new).copied().collect();
        if !missing.is_empty() {
            note(&format!("{}: {} of {} texts to compile ...", device.title, missing.len(), texts.len()));
        }
        let (programs, numbers): (Vec<&Text>, Vec<&Text>) =
            missing.into_iter().partition(|text| wants_program(text));
        self.all(device, &numbers, None)?;
        match &device.dump {
            None => self.all(device, &programs, None),
            // A dump does not say whose it is.
            dump => programs.iter().try_for_each(|text| self.all(device, &[text], dump.as_ref())),
        }
    }

    /// Goes through the texts, whoever crashes.
    fn all(&self, device: &Device, mut texts: &[&Text], dumping: Option<&Dump>) -> Result<(), String> {
        while !texts.is_empty() {
            let Ended { done, why, dump } = self.run(device, texts, dumping)?;
            if let Some(Dump { kept, .. }) = dumping.filter(|_| done == 1) {
                let report = self.report(device, texts[0], true);
                let part = report.with_extension("part");
                write(&part, &(read(&self.undumped(device))? + &kept(&dump)))?;
                std::fs::rename(&part, &report).map_err(|e| format!("{}: {e}", report.display()))?;
            }
            texts = &texts[done..];
            let (Some(why), Some((text, rest))) = (why, texts.split_first()) else { continue };
            note(&format!("{}: {} ({}): {why}", device.title, text.label, text.id));
            write(&self.report(device, text, wants_program(text)), &format!("{CRASHED}\t{why}\n"))?;
            texts = rest;
        }
        Ok(())
    }

    /// Where a report is that lacks its dump.
    fn undumped(&self, device: &Device) -> PathBuf {
        self.results(device).with_extension("undumped")
    }

    /// Goes through the texts until one crashes.
    fn run(&self, device: &Device, texts: &[&Text], dumping: Option<&Dump>) -> Result<Ended, String> {
        let list = self.results(device).with_extension("list");
        let lines = texts.iter().map(|text| {
            let shader = self.directory.join("texts").join(&text.id).with_extension("spv");
            let program = wants_program(text);
            let report =
                if dumping.is_some() { self.undumped(device) } else { self.report(device, text, program) };
            let what = if program { "program" } else { "numbers" };
            format!("{}\t{}\t{what}\t{}\n", shader.display(), text.bindings, report.display())
        });
        write(&list, &lines.collect::<String>())?;
        let dumps = self.results(device).with_extension("dump");
        let open =
            |path: &Path, file: std::io::Result<File>| file.map_err(|e| format!("{}: {e}", path.display()));
        let mut child = self
            .command(device)
            .envs(dumping.map(|dump| dump.variable))
            .stdin(open(&list, File::open(&list))?)
            .stdout(open(&dumps, File::create(&dumps))?)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("the compiler's program does not start: {e}"))?;
        let (send, receive) = channel();
        let words = child.stderr.take();
        std::thread::spawn(move || {
            let lines = words.into_iter().flat_map(|words| BufReader::new(words).split(b'\n'));
            let lines = lines.map_while(Result::ok).map(|line| String::from_utf8_lossy(&line).into_owned());
            lines.for_each(|line| drop(send.send(line)));
        });
        let (mut begun, mut done, mut last) = (0, 0, String::new());
        let why = loop {
            match receive.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with("begin ") => begun += 1,
                Ok(line) if line.starts_with("end ") => done += 1,
                Ok(line) if line.trim().is_empty() => (),
                Ok(line) => last = line.trim().replace('\t', " "),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {
                    drop(child.kill());
                    break Some(format!("no answer in {} s", PATIENCE.as_secs()));
                }
            }
        };
        let status = child.wait().map_err(|e| e.to_string())?;
        let dump = if dumping.is_some() { read(&dumps)? } else { String::new() };
        if done == texts.len() {
            return Ok(Ended { done, why: None, dump });
        }
        let why = why.unwrap_or(if last.is_empty() { status.to_string() } else { last });
        if begun == done {
            // No text's fault.
            return Err(format!("{}: {why}", device.title));
        }
        Ok(Ended { done, why: Some(why), dump })
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

/// How a run ended: with so many texts done, and why no more are; what the driver dumped meanwhile.
struct Ended {
    done: usize,
    why: Option<String>,
    dump: String,
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
        let script = "#!/bin/sh\nwhile IFS='\t' read -r shader bindings what report; do\necho begin $shader >&2\n\
            case $shader in *0b.spv) echo 'not possible' >&2; exit 134;; esac\n\
            echo run >> $(dirname $report)/runs\necho $what > $report\necho end $shader >&2\ndone\n";
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
