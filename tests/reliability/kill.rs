//! A process that is killed while saving leaves a complete checkpoint, the last one or the one before.

use crate::common::{directory, step};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Loss, Model, Optimizer};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

const KILLS: usize = 200;
/// Where a child saves.
const CHECKPOINT: &str = "HESSCALE_CHECKPOINT";

/// Large enough that writing takes a while.
fn trainer() -> Trainer {
    let model =
        Model::builder([20]).dense(900).act(Activation::Tanh).dense(3).loss(Loss::cross_entropy()).unwrap();
    Trainer::on_cpu(&model, Optimizer::adam(0.01), TrainerOptions::default()).unwrap()
}

/// Runs in a process of its own until it is killed: see [`killed_at_random_moments`].
#[test]
#[ignore = "never ends: `killed_at_random_moments` runs it in a process of its own, and kills that"]
fn child() {
    let path = PathBuf::from(std::env::var(CHECKPOINT).expect("a path"));
    let mut trainer = trainer();
    if path.exists() {
        trainer.load(&path).unwrap();
    }
    loop {
        step(&mut trainer).unwrap();
        trainer.save(&path).unwrap();
    }
}

/// Files in the directory beside the checkpoint.
fn strays(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|entry| entry != path).collect()
}

#[test]
fn killed_at_random_moments() {
    let path = directory("kill").join("training.safetensors");
    let mut random = fastrand::Rng::with_seed(3);
    let (mut steps, mut interrupted, mut none_yet) = (0, 0, 0);
    for kill in 0..KILLS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kill::child", "--ignored"]).env(CHECKPOINT, &path);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(..60_000)));
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        if steps == 0 && !path.exists() {
            none_yet += 1;
            continue;
        }
        let mut trainer = trainer();
        trainer.load(&path).unwrap_or_else(|error| panic!("after kill {kill}: {error}"));
        assert!(trainer.steps() >= steps, "{} steps after {steps}", trainer.steps());
        steps = trainer.steps();
        interrupted = strays(&path).len();
    }
    println!("{KILLS} kills: {interrupted} within a save, {none_yet} before the first; {steps} steps in all");
    assert!(interrupted > 0 && steps > 0 && none_yet < KILLS / 2);

    // The leftover is fresh, so another process might be writing it. After an hour it is removed.
    let other = path.with_file_name(".training.safetensors.mine.tmp");
    std::fs::write(&other, "").unwrap();
    let age = |file: &PathBuf| {
        let file = File::options().write(true).open(file).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    };
    let mut trainer = trainer();
    trainer.save(&path).unwrap();
    assert_eq!(strays(&path).len(), interrupted + 1);
    strays(&path).iter().for_each(age);
    trainer.save(&path).unwrap();
    assert_eq!(strays(&path), [other], "a file that only looks like ours stays");
    trainer.load(&path).unwrap();
}

/// Cut anywhere, or with anything changed, a file is refused with the reason.
#[test]
fn damaged_in_every_way() {
    let directory = directory("damaged");
    let (whole, path) = (directory.join("whole"), directory.join("damaged"));
    let model = Model::builder([2]).dense(2).loss(Loss::cross_entropy()).unwrap();
    let new = || Trainer::on_cpu(&model, Optimizer::adam(0.1), TrainerOptions::default()).unwrap();
    let mut trainer = new();
    step(&mut trainer).unwrap();
    trainer.save(&whole).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let refused = |bytes: &[u8], how: &str| {
        std::fs::write(&path, bytes).unwrap();
        match new().load(&path) {
            Err(hesscale::Error::File { problem, .. }) => assert!(!problem.is_empty(), "{how}"),
            other => panic!("{how}: {other:?}"),
        }
    };
    for len in 0..bytes.len() {
        refused(&bytes[..len], &format!("{len} bytes"));
    }
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..2000 {
        let mut damaged = bytes.clone();
        let (at, len) = (random.usize(..bytes.len()), random.usize(1..40));
        let end = (at + len).min(bytes.len());
        match round % 3 {
            0 => damaged[at..end].fill_with(|| random.u8(..)),
            1 => drop(damaged.drain(at..end)),
            _ => drop(damaged.splice(at..at, bytes[..len].to_vec())),
        }
        if damaged != bytes {
            refused(&damaged, &format!("round {round}, {len} bytes from {at}"));
        }
    }
    new().load(&whole).unwrap();
}
