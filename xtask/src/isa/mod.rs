//! `cargo xtask isa`: what the compilers of GPUs that are not there make of the crate's pipelines. See `docs/isa.md`.
//!
//! An ignored test of the crate exports the texts; `xtask/isa` compiles them under Mesa's drivers; here is compared and reported.

mod baseline;
mod compile;
mod devices;
mod document;
mod figures;
mod index;
mod packages;
mod program;
mod rows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::stage::{built, in_the_repository, note, repository};
use crate::tools::{make, read, write};
use baseline::Baseline;
use compile::Compiler;
pub(crate) use devices::Device;
use document::Findings;
use index::{Kind, Text};
use packages::Mesa;
use rows::rows;

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// By name; all, if there is none.
    pub(crate) devices: Vec<String>,
    /// Only what plans choose, and what is compared with it.
    pub(crate) chosen: bool,
    /// Whether baseline and document are renewed.
    pub(crate) update: bool,
}

/// The devices, and which texts, of the stage of `cargo xtask test`.
const QUICK: [&str; 2] = ["navi31", "m1"];

/// `cargo xtask isa`.
pub(crate) fn isa(options: &Options) -> ExitCode {
    let wanted = |device: &Device, text: &Text| wanted(device, text, options.chosen);
    let devices: Vec<&'static Device> = match options.devices.is_empty() {
        true => devices::DEVICES.iter().collect(),
        false => options.devices.iter().filter_map(|name| Device::of(name)).collect(),
    };
    match run(&devices, wanted, options.update) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            note(&message);
            ExitCode::FAILURE
        }
    }
}

/// The stage of `cargo xtask test`. `None`: it is not to run here.
pub(crate) fn quick() -> Option<Result<(), String>> {
    let asked = std::env::var_os("HESSCALE_ISA").is_some_and(|value| value == "1");
    let is_there = Mesa::unpacked(&directory().join("tools")).is_some();
    let devices = QUICK.iter().filter_map(|name| Device::of(name)).collect::<Vec<_>>();
    let tiles = |device: &Device, text: &Text| text.kind == Kind::Tile && device.is_of(&text.chosen);
    (asked || is_there).then(|| run(&devices, tiles, false))
}

fn directory() -> PathBuf {
    repository().join("target/isa")
}

/// Whether a text is to be compiled for a device: what its classes' plans choose, what is by hand; and permutations, but for the
/// products of software.
fn wanted(device: &Device, text: &Text, chosen: bool) -> bool {
    let on_gpus = || text.classes.iter().any(|class| !ON_CPUS.contains(&class.as_str()));
    let listed = || on_gpus() || (!text.is_product() && !text.classes.is_empty());
    text.kind == Kind::Reference || device.is_of(&text.chosen) || (!chosen && listed())
}

fn run(
    devices: &[&'static Device],
    wanted: impl Fn(&Device, &Text) -> bool,
    update: bool,
) -> Result<(), String> {
    let directory = directory();
    let tools = directory.join("tools");
    make(&tools)?;
    let mesa = Mesa::fetch(&tools)?;
    let program = built(&["build", "--package", "isa"])?;
    let compiler = Compiler { mesa: &mesa, program: &program, directory: &directory };
    let texts = export(&directory)?;
    without_devices(&texts)?;
    let mut findings = Findings::new();
    for device in devices.iter().copied() {
        let texts: Vec<&Text> = texts.iter().filter(|text| wanted(device, text)).collect();
        compiler.compile(device, &texts)?;
        for text in texts {
            let said = compiler.said(device, text).ok_or_else(|| format!("{}: no report", text.id))?;
            findings.push((device, text, figures::read(device, &said)));
        }
    }
    judge(&mesa.version, &findings, update, &directory)
}

/// Classes that no GPU belongs to.
const ON_CPUS: [&str; 1] = ["software"];

/// A class that plans choose tiles for must have a device, or nobody looks at them.
fn without_devices(texts: &[Text]) -> Result<(), String> {
    let classes = texts.iter().flat_map(|text| &text.chosen);
    let looked_at = |class: &str| devices::DEVICES.iter().any(|device| device.classes.contains(&class));
    let mut forgotten = classes.filter(|class| !looked_at(class) && !ON_CPUS.contains(&class.as_str()));
    match forgotten.next() {
        None => Ok(()),
        Some(class) => Err(format!("no device of xtask/src/isa/devices.rs is of class `{class}`")),
    }
}

/// Reports, and compares with the baseline.
fn judge(version: &str, findings: &Findings<'_>, update: bool, directory: &Path) -> Result<(), String> {
    let rows = rows(findings.iter().map(|(device, text, said)| (*device, *text, said)));
    let tables = document::tables(&rows, findings);
    println!("{tables}");
    write(&directory.join("tables.md"), &tables)?;
    let file = repository().join("tests/isa/baseline.tsv");
    if update {
        write(&file, &Baseline::of(version, &rows).text())?;
        write(&repository().join("docs/isa.md"), &document::document(version, &rows, findings))?;
        let faulty = rows.values().filter(|row| !row.faults.is_empty()).count();
        note(&format!("{} rows, {faulty} of them with faults, are the new baseline", rows.len()));
        return Ok(());
    }
    let baseline = Baseline::read(&read(&file)?)?;
    baseline.strange(version).into_iter().for_each(|why| note(&why));
    let problems = baseline.problems(version, &rows);
    problems.iter().for_each(|problem| note(problem));
    note(&format!("{} rows; {} with faults that the baseline has too", rows.len(), baseline.excused(&rows)));
    match problems.len() {
        0 => Ok(()),
        count => Err(format!("{count} problems; `cargo xtask isa --update` makes them the baseline")),
    }
}

/// The crate's texts.
fn export(directory: &Path) -> Result<Vec<Text>, String> {
    note("texts ...");
    let test = ["test", "--lib", "isa::export", "--", "--ignored", "--exact"];
    let written =
        in_the_repository(&test).env("HESSCALE_ISA_DIRECTORY", directory).stdout(std::io::stderr()).status();
    if !written.is_ok_and(|status| status.success()) {
        return Err("the texts cannot be written: see above".into());
    }
    index::read(&read(&directory.join("index.tsv"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compiled_for_the_devices_of_their_classes() {
        let line = index::tests::LINE;
        let text = |line: &str| index::read(&format!("\n{line}")).unwrap().remove(0);
        let navi = Device::of("navi31").unwrap();
        let tile = text(line);
        assert!(wanted(navi, &tile, true) && wanted(navi, &tile, false));
        let listed = text(&line.replace("\tdiscrete integrated\t", "\tsoftware\t"));
        assert!(!wanted(navi, &listed, true) && wanted(navi, &listed, false));
        let software = Text { classes: vec!["software".into()], ..listed };
        assert!(!wanted(navi, &software, false));
        // What is no product's text is everyone's.
        let loss = Text { kind: Kind::Other, ..software };
        assert!(!wanted(navi, &loss, true) && wanted(navi, &loss, false));
        let hand = Text { kind: Kind::Reference, classes: vec![], ..loss };
        assert!(wanted(navi, &hand, true));
    }

    #[test]
    fn every_class_has_a_device() {
        let with = |class: &str| {
            let line =
                index::tests::LINE.replace("\tdiscrete integrated\t", &format!("\tdiscrete {class}\t"));
            without_devices(&index::read(&format!("\n{line}")).unwrap())
        };
        assert_eq!(with("software"), Ok(()));
        assert!(with("quantum").unwrap_err().contains("`quantum`"));
    }

    #[test]
    fn the_quick_devices_are_there() {
        assert!(QUICK.iter().all(|name| Device::of(name).is_some()));
    }
}
