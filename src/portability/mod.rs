//! Every permutation on every stack: whole passes with what they must give, run here on an adapter, and written out so that
//! another WebGPU implementation can run them: `tests/portability/`. `cargo xtask portability` drives both.

#[path = "../../tests/common/mod.rs"]
mod common;

mod export;
mod job;
mod models;
mod permutation;
mod rig;

use crate::DeviceClass;
use crate::gpu::{Context, ContextOptions, Request};
use job::Job;
use permutation::{Permutation, Permutations};
use rig::Rig;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Where everything is written.
fn directory() -> PathBuf {
    std::env::var_os("HESSCALE_PORTABILITY").expect("HESSCALE_PORTABILITY names a directory").into()
}

/// One context for each class of device, all on the adapter that `HESSCALE_ADAPTER` names.
struct Contexts(Vec<(DeviceClass, Context)>);

impl Contexts {
    fn new() -> Contexts {
        let context = |class| {
            // GPUs' own tiles are for products that are too large here: all go through workgroup memory.
            let tiles = (class == DeviceClass::Discrete).then(|| common::tiles::staged(8, 2));
            let options = ContextOptions { class: Some(class), tiles, ..ContextOptions::default() };
            let adapter = std::env::var("HESSCALE_ADAPTER").ok();
            let request = Request { adapter, options, ..Request::default() };
            (class, pollster::block_on(Context::request_with(&request)).expect("an adapter"))
        };
        Contexts(job::CLASSES.map(context).into())
    }

    fn of(&self, class: DeviceClass) -> &Context {
        let found = self.0.iter().find(|(known, _)| *known == class);
        &found.expect("there is one for each class").1
    }
}

/// How a permutation fared in all the jobs that it took part in.
#[derive(Debug, Default)]
struct Fate {
    jobs: usize,
    worst: f64,
    fault: Option<String>,
}

/// The fate of each permutation, as the table is made from.
#[derive(Debug, Default)]
struct Fates(BTreeMap<String, Fate>);

impl Fates {
    fn add(&mut self, permutations: impl IntoIterator<Item = String>, judgement: &Result<f64, String>) {
        for id in permutations {
            let fate = self.0.entry(id).or_default();
            fate.jobs += 1;
            match judgement {
                Ok(error) => fate.worst = fate.worst.max(*error),
                Err(fault) => drop(fate.fault.get_or_insert_with(|| fault.clone())),
            }
        }
    }

    /// A line each: which, in how many jobs, the worst error, what is wrong.
    fn table(&self, stack: &str) -> String {
        let mut text = format!("# {stack}\n");
        for (id, Fate { jobs, worst, fault }) in &self.0 {
            let fault = fault.as_deref().unwrap_or_default().replace(['\n', '\t'], " ");
            writeln!(text, "{id}\t{jobs}\t{worst:e}\t{fault}").expect("a String takes every write");
        }
        text
    }
}

/// Whether the adapter can be had.
#[test]
#[ignore = "asks about this machine: `cargo xtask portability` runs it"]
fn adapter() {
    println!("{}", Contexts::new().of(DeviceClass::Software).describe());
}

/// Writes all jobs, which between them run every permutation, and all permutations with their translations.
#[test]
#[ignore = "writes files: `cargo xtask portability` runs it"]
fn export() {
    let (directory, contexts) = (directory(), Contexts::new());
    let mut export = export::Export::new(&directory).unwrap();
    let mut missing = Permutations::listed().0;
    for job in Job::all() {
        let rig = Rig::new(contexts.of(job.class), &job).unwrap_or_else(|e| panic!("{}: {e}", job.name));
        rig.permutations().iter().for_each(|id| drop(missing.remove(id)));
        export.job(&job, &rig).unwrap();
    }
    let missing: Vec<String> = missing.into_values().map(|p| p.label).collect();
    assert!(missing.is_empty(), "no job runs these {}: {missing:#?}", missing.len());
    export.permutations().unwrap();
}

/// Runs all jobs here; the table goes to the file `HESSCALE_RESULTS`.
#[test]
#[ignore = "takes minutes: `cargo xtask portability` runs it"]
fn replay() {
    let contexts = Contexts::new();
    let mut fates = Fates::default();
    let mut faults = Vec::new();
    for job in Job::all() {
        let rig = Rig::new(contexts.of(job.class), &job).unwrap_or_else(|e| panic!("{}: {e}", job.name));
        let judgement = rig.run(&job);
        fates.add(rig.permutations(), &judgement);
        faults.extend(judgement.err());
    }
    let stack = contexts.of(DeviceClass::Software).describe();
    if let Some(file) = std::env::var_os("HESSCALE_RESULTS") {
        std::fs::write(file, fates.table(&stack)).unwrap();
    }
    let worst = fates.0.values().map(|fate| fate.worst).fold(0.0, f64::max);
    println!("{stack}: {} permutations, worst error {worst:e}", fates.0.len());
    assert!(
        faults.is_empty(),
        "{} faults, first:\n{}",
        faults.len(),
        faults[..faults.len().min(5)].join("\n")
    );
}

#[test]
fn a_fault_marks_what_took_part() {
    let mut fates = Fates::default();
    fates.add(["a".into(), "b".into()], &Ok(1e-7));
    fates.add(["a".into()], &Err("wrong\nhere".into()));
    let table = fates.table("stack");
    assert_eq!(table, "# stack\na\t2\t1e-7\twrong here\nb\t1\t1e-7\t\n");
}

#[test]
fn permutations_differ_by_what_a_shader_does_and_not_by_its_sizes() {
    let of = |text: &str| Permutation::id(text);
    assert_eq!(of("const TM: u32 = 4u;\nfn main() {}"), of("const TM: u32 = 8u;\nfn main() {}"));
    assert_ne!(of("const RANK: u32 = 1u;\nfn main() {}"), of("const RANK: u32 = 2u;\nfn main() {}"));
    assert_ne!(of("const KEEP: bool = true;\n"), of("const KEEP: bool = false;\n"));
    assert_ne!(of("const TM: u32 = 4u;\nfn main() {}"), of("const TM: u32 = 4u;\nfn other() {}"));
}

#[test]
fn a_permutation_takes_up_each_text_once() {
    let mut permutations = Permutations::listed();
    let (id, known) = permutations.0.iter().next().map(|(id, p)| (id.clone(), p.texts.clone())).unwrap();
    let kernel = crate::kernel::tests::texts().remove(&known[0]).unwrap();
    let other = known[0].replacen("u32 = ", "u32 = 7", 1);
    assert_eq!(permutations.add(known[0].clone(), &kernel), (id.clone(), 0));
    assert_eq!(permutations.add(other.clone(), &kernel), (id.clone(), known.len()));
    assert_eq!(permutations.0[&id].texts, [known, vec![other]].concat());
}
