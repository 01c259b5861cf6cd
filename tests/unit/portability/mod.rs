//! Every permutation on every stack: whole passes with what they must give, run here on an adapter, and written out so that
//! another WebGPU implementation can run them: `tests/portability/`. `cargo xtask portability` drives both.

#[path = "../../common/mod.rs"]
pub(crate) mod common;

mod export;
mod job;
mod models;
pub(crate) mod permutation;
pub(crate) mod record;
mod rig;

use crate::gpu::{Context, ContextOptions, Request};
use crate::shader::DeviceClass;
use crate::tuning::TileTable;
use job::Job;
use permutation::{Permutation, Permutations};
use record::{Record, Verdict};
use rig::Rig;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Where everything is written.
fn directory() -> PathBuf {
    std::env::var_os("HESSCALE_PORTABILITY").expect("HESSCALE_PORTABILITY names a directory").into()
}

/// GPUs' own tiles are for products that are too large here: all go through workgroup memory, or are sliced.
fn tiles(class: DeviceClass) -> Option<TileTable> {
    (class != DeviceClass::Software).then(|| common::tiles::small(class))
}

/// One context for each class of device, all on the adapter that `HESSCALE_ADAPTER` names.
struct Contexts(Vec<(DeviceClass, Context)>);

impl Contexts {
    fn new() -> Contexts {
        let features = Job::all().map(|job| job.features()).fold(wgpu::Features::empty(), |a, b| a | b);
        let context = |class| {
            let options =
                ContextOptions { class: Some(class), tiles: tiles(class), ..ContextOptions::default() };
            let adapter = std::env::var("HESSCALE_ADAPTER").ok();
            let request = Request { adapter, options, features, ..Request::default() };
            (class, pollster::block_on(Context::request_with(&request)).expect("an adapter"))
        };
        Contexts(DeviceClass::ALL.map(context).into())
    }

    fn of(&self, class: DeviceClass) -> &Context {
        let found = self.0.iter().find(|(known, _)| *known == class);
        &found.expect("there is one for each class").1
    }

    /// The features that a job needs and the device has not, by WebGPU's names.
    fn lacks(&self, job: &Job) -> String {
        let missing = job.features() - self.of(job.class).device().features();
        missing.iter().filter_map(|feature| feature.as_str()).collect::<Vec<_>>().join(" ")
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
    let directory = directory();
    let (stamp, now) = (directory.join("exported"), made_of().unwrap());
    if fs::read_to_string(&stamp).is_ok_and(|then| then == now) {
        return;
    }
    let contexts = Contexts::new();
    let mut export = export::Export::new(&directory).unwrap();
    let mut missing = Permutations::listed().0;
    let (jobs, cannot): (Vec<Job>, Vec<Job>) =
        chosen().into_iter().partition(|job| contexts.lacks(job).is_empty());
    if !cannot.is_empty() {
        println!("this device lacks {}: {} jobs are left out", contexts.lacks(&cannot[0]), cannot.len());
        missing.retain(|_, permutation| permutation.needs.is_empty());
    }
    for job in jobs {
        let rig = Rig::new(contexts.of(job.class), &job).unwrap_or_else(|e| panic!("{}: {e}", job.name));
        rig.permutations().iter().for_each(|id| drop(missing.remove(id)));
        export.job(&job, &rig).unwrap();
    }
    let missing: Vec<String> = missing.into_values().map(|p| p.label).collect();
    assert!(missing.is_empty(), "no job runs these {}: {missing:#?}", missing.len());
    export.finish().unwrap();
    fs::write(stamp, now).unwrap();
}

/// All that the export follows from: this program, the golden vectors, which jobs are wanted.
fn made_of() -> std::io::Result<String> {
    let vectors = fs::read_dir(common::golden::directory())?;
    let mut files = vectors.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    files.push(std::env::current_exe()?);
    let contents = files.iter().map(fs::read).collect::<std::io::Result<Vec<_>>>()?;
    let wanted = std::env::var("HESSCALE_JOBS").unwrap_or_default();
    Ok(record::key(contents.iter().map(Vec::as_slice).chain([wanted.as_bytes()])))
}

/// Runs the jobs that were exported here, but for those that the record in the file `HESSCALE_RESULTS` has. The stack's name
/// gets `HESSCALE_VERSIONS` behind it.
#[test]
#[ignore = "takes minutes: `cargo xtask portability` runs it"]
fn replay() {
    let contexts = Contexts::new();
    let list = fs::read_to_string(directory().join("jobs.tsv")).unwrap();
    let keys: BTreeMap<&str, &str> = list
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let [key, name] = [fields.next(), fields.next()].map(|field| field.expect("a job's line"));
            (name, key)
        })
        .collect();
    let versions = std::env::var("HESSCALE_VERSIONS").unwrap_or_default();
    let stack = format!("{}{versions}", contexts.of(DeviceClass::Software).describe());
    let file = std::env::var_os("HESSCALE_RESULTS").expect("HESSCALE_RESULTS names a file");
    let mut record = Record::open(file.as_ref(), &stack).unwrap();
    let mut faults = Vec::new();
    for job in Job::all() {
        let Some(key) = keys.get(job.name.as_str()).filter(|key| !record.passed(key)) else { continue };
        let lacks = contexts.lacks(&job);
        let verdict = if lacks.is_empty() { run(&contexts, &job) } else { Verdict::Lacks(lacks) };
        record.add(key, &verdict).unwrap();
        if let Verdict::Failed(fault) = verdict {
            println!("FAULT {fault}");
            faults.push(fault);
        }
    }
    println!("{stack}: {} faults", faults.len());
    assert!(faults.is_empty());
}

fn run(contexts: &Contexts, job: &Job) -> Verdict {
    let rig = Rig::new(contexts.of(job.class), job).map_err(|e| format!("{}: {e}", job.name));
    rig.and_then(|rig| rig.run(job)).map_or_else(Verdict::Failed, Verdict::Passed)
}

/// Between them the jobs run every permutation. No device is asked, and no reference.
#[test]
#[ignore = "takes a minute: `cargo xtask portability` runs it first"]
fn every_permutation_has_a_job() {
    let mut missing = Permutations::listed().0;
    for ids in outlined() {
        ids.iter().for_each(|id| drop(missing.remove(id)));
    }
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for permutation in missing.into_values() {
        families.entry(permutation.family).or_default().push(permutation.label);
    }
    assert!(families.is_empty(), "no job runs these: {families:#?}");
}

/// The permutations that each job runs.
fn outlined() -> impl Iterator<Item = BTreeSet<String>> {
    Job::all().map(|job| {
        let ids = rig::outlined(&job, tiles(job.class).as_ref());
        ids.unwrap_or_else(|e| panic!("{}: {e}", job.name))
    })
}

/// The jobs that run here: all, or, if `HESSCALE_JOBS` is `few`, so many that every permutation is in one.
fn chosen() -> Vec<Job> {
    match std::env::var("HESSCALE_JOBS").as_deref() {
        Ok("few") => {
            let few = few(outlined().collect());
            Job::all().enumerate().filter(|(index, _)| few.contains(index)).map(|(_, job)| job).collect()
        }
        _ => Job::all().collect(),
    }
}

/// Of sets, such that nothing is in none of them: always the one with the largest share of what is new.
fn few(sets: Vec<BTreeSet<String>>) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    let mut open: Vec<(usize, usize, BTreeSet<String>)> =
        sets.into_iter().enumerate().map(|(index, set)| (index, set.len(), set)).collect();
    loop {
        // Of equal shares the larger.
        let better =
            |(_, size, new): &&(usize, usize, BTreeSet<String>)| (1000 * new.len() / size, new.len());
        let Some((index, _, new)) = open.iter().filter(|open| !open.2.is_empty()).max_by_key(better).cloned()
        else {
            return chosen;
        };
        chosen.insert(index);
        open.iter_mut().for_each(|(_, _, of)| of.retain(|id| !new.contains(id)));
    }
}

#[test]
fn few_sets_hold_what_all_hold() {
    let set = |ids: &str| ids.split(' ').map(str::to_owned).collect();
    let sets = ["a b", "a b c", "c d", "d", "b d e f"].map(set);
    assert_eq!(few(sets.into()), BTreeSet::from([1, 4]));
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
    let kernel = crate::texts::texts()[known[0].as_str()];
    let other = known[0].replacen("u32 = ", "u32 = 7", 1);
    assert_eq!(permutations.add(known[0].clone(), kernel), (id.clone(), permutation::file(&id, &known[0])));
    let file = permutations.add(other.clone(), kernel).1;
    assert!(known.iter().all(|known| permutation::file(&id, known) != file));
    assert_eq!(permutations.0[&id].texts, [known, vec![other]].concat());
}

#[test]
fn no_two_jobs_have_the_same_name() {
    let mut names = std::collections::BTreeSet::new();
    Job::all().for_each(|job| assert!(names.insert(job.name.clone()), "{}", job.name));
}

#[test]
fn a_text_says_what_it_needs() {
    let needs = permutation::extensions;
    assert_eq!(needs("enable f16;\nenable subgroups;\nfn main() {}"), "f16 subgroups");
    assert_eq!(needs("// enable f16;\nfn main() {}"), "");
}
