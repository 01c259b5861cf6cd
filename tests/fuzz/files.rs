//! Checkpoints and data files.

use crate::pickled::pickled;
use crate::{fuzz, mutate, signed};
use fastrand::Rng;
use flate2::{Compression, write::GzEncoder};
use hesscale::model::Targets;
use hesscale::train::weights::{Layout, Naming, export, import};
use hesscale::train::{Trainer, TrainerOptions, cifar10, cifar100, mnist};
use hesscale::{Activation, Error, Loss, Model, Optimizer, Result};
use safetensors::SafeTensors;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// An empty directory, in memory if possible, because some file systems are slow to replace a file.
fn directory(target: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    let path = root.join(format!("hesscale fuzz {} {target}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A reader may fail only with a file error.
fn accepted<T>(outcome: Result<T>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(Error::File { problem, .. }) => {
            assert!(!problem.is_empty());
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn checkpoints() {
    let path = directory("checkpoint").join("training.safetensors");
    let model = Model::builder([2]).dense(2).act(Activation::Tanh).loss(Loss::mse()).unwrap();
    let mut trainer = Trainer::on_cpu(&model, Optimizer::adam(0.1), TrainerOptions::default()).unwrap();
    trainer.step(&[1.0, 2.0], Targets::Values(&[0.5, 0.1])).unwrap();
    trainer.set_note("data", "digits");
    trainer.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    fuzz("checkpoint", 10, |random| {
        let bytes = match random.u8(..3) {
            0 => mutate::bytes(random, &whole, &whole),
            1 => other_header(random, &whole, false),
            _ => other_header(random, &whole, true),
        };
        std::fs::write(&path, &bytes).unwrap();
        let good = accepted(trainer.load(&path));
        if good {
            trainer.step(&[1.0, 2.0], Targets::Values(&[0.5, 0.1])).unwrap();
        }
        (bytes.len(), good)
    });
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

/// Weights of other programs: whatever is read is finite.
#[test]
fn weights() {
    let path = directory("weights").join("file.safetensors");
    let model = Model::builder([2]).dense(2).act(Activation::Tanh).loss(Loss::mse()).unwrap();
    let naming = Naming::in_order(["fc"]).layout("fc.weight", Layout::InOut);
    let parameters = model.init(Default::default(), 1).unwrap();
    export(&path, &model, &parameters, &naming).unwrap();
    let whole = std::fs::read(&path).unwrap();
    fuzz("weights", 10, |random| {
        let bytes = match random.bool() {
            true => mutate::bytes(random, &whole, &whole),
            false => other_header(random, &whole, false),
        };
        std::fs::write(&path, &bytes).unwrap();
        let good = match import(&path, &model, &naming) {
            Ok((_, parameters)) => {
                assert!(parameters.iter().all(|x| x.is_finite()));
                true
            }
            Err(Error::Weights { missing, left_over, unfit, .. }) => {
                assert!(missing.len() + left_over.len() + unfit.len() > 0);
                false
            }
            other => accepted(other),
        };
        (bytes.len(), good)
    });
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

/// The same file with a damaged header of the right length, or with one damaged entry under a right checksum.
fn other_header(random: &mut Rng, whole: &[u8], sign: bool) -> Vec<u8> {
    let (len, rest) = whole.split_at(8);
    let (header, data) = rest.split_at(u64::from_le_bytes(len.try_into().unwrap()) as usize);
    let text = std::str::from_utf8(header).unwrap();
    if !sign {
        let text = mutate::text(random, text, text);
        return [&(text.len() as u64).to_le_bytes(), text.as_bytes(), data].concat();
    }
    let mut entries = signed::entries(whole);
    let key = entries.keys().nth(random.usize(..entries.len())).unwrap().clone();
    let value = mutate::text(random, &entries[&key], text);
    entries.insert(key, value);
    resigned(whole, entries)
}

/// The same tensors under other entries.
fn resigned(whole: &[u8], entries: signed::Entries) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(whole).unwrap().tensors();
    signed::file(entries, tensors.iter().map(|(name, view)| (name.as_str(), view.clone())).collect())
}

/// Inputs that once took gigabytes and minutes, alone and in a checkpoint with a valid checksum.
#[test]
fn large_models() {
    let path = directory("large models").join("training.safetensors");
    let model = Model::builder([2]).dense(2).loss(Loss::mse()).unwrap();
    let mut trainer = Trainer::on_cpu(&model, Optimizer::adam(0.1), TrainerOptions::default()).unwrap();
    trainer.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let list = |what: &str, count| vec![what; count].join(",");
    let identity = r#"{"type":"identity"}"#;
    let deep = |layers: String| {
        let (open, close) = (r#"{"type":"residual","body":["#.repeat(30), "]}".repeat(30));
        format!("{open}{layers}{close}")
    };
    let normal = |count| {
        let (mean, var) = (list("0", count), list("1", count));
        format!(r#"{{"type":"batchnorm","mean":[{mean}],"var":[{var}]}}"#)
    };
    let dense = r#"{"type":"dense","in":1,"out":1}"#;
    for (input, layers) in [
        (list("1", 20_000), list(identity, 20_000)),
        (list("1", 20_000), list(identity, 10)),
        (list("1", 8), list(identity, 16_384)),
        ("1".into(), list(identity, 200_000)),
        ("1".into(), list(dense, 16_384)),
        ("1".into(), deep(list(identity, 16_354))),
        ("1".into(), deep(list(dense, 16_354))),
        ("1".into(), deep(list(identity, 200_000))),
        ("1".into(), list(&deep(identity.into()), 500)),
        ("200000".into(), normal(200_000)),
        ("1".into(), format!(r#"{{"type":[{}]}}"#, list(r#"{"":0}"#, 600_000))),
    ] {
        let text = format!(r#"{{"input":[{input}],"layers":[{layers}],"loss":{{"type":"mse"}}}}"#);
        let file = resigned(
            &whole,
            [signed::entries(&whole), [("model".into(), text.clone())].into()]
                .into_iter()
                .flatten()
                .collect(),
        );
        bounded(&text[..100], text.len(), || drop(Model::from_json(&text)));
        bounded(&text[..100], file.len(), || {
            std::fs::write(&path, &file).unwrap();
            assert!(!accepted(trainer.load(&path)));
        });
    }
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

/// Checks that `work` stays within the memory allowed for an input of `len` bytes, and within seconds.
fn bounded(what: &str, len: usize, work: impl FnOnce()) {
    let _alone = crate::alone();
    let (before, begin) = (crate::allocator::begin(), std::time::Instant::now());
    work();
    let (taken, took) = (crate::allocator::peak() - before, begin.elapsed());
    println!("{what}: {len} bytes, {taken} of memory, {took:?}");
    crate::keeps_to(taken, len);
    assert!(took.as_secs() < 20, "{what}: {took:?}");
}

/// Mutates one of several files, plain or compressed, and reads all.
fn data_files<T>(target: &str, files: &[(&str, Vec<u8>)], mutable: usize, read: impl Fn(&Path) -> Result<T>) {
    let directory = directory(target);
    for (name, bytes) in files {
        std::fs::write(directory.join(name), bytes).unwrap();
    }
    assert!(accepted(read(&directory)));
    fuzz(target, 5, |random| {
        let (name, whole) = &files[random.usize(..mutable)];
        let plain = directory.join(name);
        let compressed = directory.join(format!("{name}.gz"));
        let bytes = match random.u8(..4) {
            0 => {
                let bytes = mutate::bytes(random, &gzip(whole), whole);
                std::fs::remove_file(&plain).unwrap();
                std::fs::write(&compressed, &bytes).unwrap();
                bytes
            }
            _ => {
                let bytes = mutate::bytes(random, whole, whole);
                std::fs::write(&plain, &bytes).unwrap();
                bytes
            }
        };
        let good = accepted(read(&directory));
        let _ = std::fs::remove_file(&compressed);
        std::fs::write(&plain, whole).unwrap();
        (bytes.len(), good)
    });
    std::fs::remove_dir_all(directory).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx(magic: u32, dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let numbers = [magic].into_iter().chain(dimensions.iter().copied());
    numbers.flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
}

#[test]
fn idx_files() {
    let (images, labels) = (idx(0x803, &[1, 28, 28], &[7; 784]), idx(0x801, &[1], &[3]));
    let files = [
        ("train-images-idx3-ubyte", images.clone()),
        ("train-labels-idx1-ubyte", labels.clone()),
        ("t10k-images-idx3-ubyte", images),
        ("t10k-labels-idx1-ubyte", labels),
    ];
    data_files("idx", &files, 2, |directory| mnist(directory));
}

#[test]
fn cifar_files() {
    let record = |labels: &[u8]| [labels, &[9; 3072]].concat();
    let files = [("train.bin", record(&[3, 50])), ("test.bin", record(&[0, 1]))];
    data_files("cifar", &files, 1, |directory| cifar100(directory));
}

#[test]
fn cifar_pickles() {
    let pickle = |labels: &[u8]| pickled("fine_labels", labels, labels);
    let files = [("train", pickle(&[3, 50])), ("test", pickle(&[1]))];
    data_files("pickles", &files, 1, |directory| cifar100(directory));
}

#[test]
fn missing_and_strange_directories() {
    for path in ["", "/", "/dev/null", "\u{0}", "no such"] {
        assert!(!accepted(cifar10(path)) && !accepted(mnist(path)));
    }
}
