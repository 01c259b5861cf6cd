//! Checkpoints and data files.

use crate::{fuzz, mutate};
use fastrand::Rng;
use flate2::{Compression, Crc, write::GzEncoder};
use hesscale::model::Targets;
use hesscale::train::{Trainer, TrainerOptions, cifar10, cifar100, mnist};
use hesscale::{Activation, Error, Loss, Model, Optimizer, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// An empty directory, in memory where that can be had: some file systems are slow to replace a file.
fn directory(target: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    let path = root.join(format!("hesscale fuzz {} {target}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A reader may only say what is wrong with a file.
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

/// The same file with a damaged header of the right length, or with one damaged entry under a right checksum.
fn other_header(random: &mut Rng, whole: &[u8], signed: bool) -> Vec<u8> {
    let (len, rest) = whole.split_at(8);
    let (header, data) = rest.split_at(u64::from_le_bytes(len.try_into().unwrap()) as usize);
    let text = std::str::from_utf8(header).unwrap();
    let text = if signed { signed_header(random, text, data) } else { mutate::text(random, text, text) };
    [&(text.len() as u64).to_le_bytes(), text.as_bytes(), data].concat()
}

fn signed_header(random: &mut Rng, text: &str, data: &[u8]) -> String {
    let mut header: BTreeMap<String, Value> = serde_json::from_str(text).unwrap();
    let metadata = header.get_mut("__metadata__").unwrap();
    let mut entries: BTreeMap<String, String> = serde_json::from_value(metadata.clone()).unwrap();
    entries.remove("crc32");
    let key = entries.keys().nth(random.usize(..entries.len())).unwrap().clone();
    let value = mutate::text(random, &entries[&key], text);
    entries.insert(key, value);
    let mut crc = Crc::new();
    entries.iter().flat_map(|(key, value)| [key, value]).for_each(|text| crc.update(text.as_bytes()));
    // The data lie in the order of the checksum.
    crc.update(&ordered(&header, data));
    let metadata = header.get_mut("__metadata__").unwrap();
    entries.insert("crc32".into(), format!("{:08x}", crc.sum()));
    *metadata = serde_json::json!(entries);
    serde_json::json!(header).to_string()
}

/// The tensors' bytes: parameters, first moments, second moments.
fn ordered(header: &BTreeMap<String, Value>, data: &[u8]) -> Vec<u8> {
    let tensor = |name: String| {
        let [from, to] = [0, 1].map(|i| header[&name]["data_offsets"][i].as_u64().unwrap() as usize);
        &data[from..to]
    };
    let prefixes = ["", "m.", "v."].into_iter();
    prefixes
        .flat_map(|prefix| ["0.weight", "0.bias"].map(|name| tensor(format!("{prefix}{name}"))))
        .flatten()
        .copied()
        .collect()
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
fn missing_and_strange_directories() {
    for path in ["", "/", "/dev/null", "\u{0}", "no such"] {
        assert!(!accepted(cifar10(path)) && !accepted(mnist(path)));
    }
}
