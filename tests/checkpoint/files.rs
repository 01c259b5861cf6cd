//! What a file holds; damaged ones change nothing; when one can be written.

use crate::signed::Entries;
use crate::{Device, directory, fingerprint, model, problem, rewrite, signed, train};
use hesscale::model::Targets;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Error, Loss, Model, Optimizer};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

#[test]
fn the_file_is_plain_safetensors() {
    let path = directory("plain").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default().seed(5));
    train(&mut trainer, 2);
    trainer.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    let of =
        |prefix: &str| ["0.bias", "0.weight", "2.bias", "2.weight"].map(|name| format!("{prefix}{name}"));
    assert_eq!(names, [of(""), of("m."), of("v.")].concat());
    assert_eq!(tensors.tensor("v.2.weight").unwrap().shape(), [3, 9]);
    let weight = tensors.tensor("2.weight").unwrap();
    let numbers: Vec<f32> = weight.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let model = model();
    assert_eq!(numbers, trainer.parameters().unwrap()[model.parameters()[2].range()]);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let entry = |key: &str| header.metadata().as_ref().unwrap()[key].clone();
    assert_eq!(
        (entry("steps"), entry("seed"), entry("learning_rate")),
        ("2".into(), "5".into(), "0.01".into())
    );
    assert_eq!(Model::from_json(&entry("model")).unwrap(), model);
}

/// Every byte counts: a file with one changed, or without its end, is refused, and nothing changes.
#[test]
fn damaged_files() {
    let directory = directory("damaged");
    let (path, spare) = (directory.join("training.safetensors"), directory.join("spare"));
    let model = Model::builder([2]).dense(2).loss(Loss::mse()).unwrap();
    let trainer = |seed| {
        let options = TrainerOptions::default().seed(seed);
        let mut trainer = Trainer::on_cpu(&model, Optimizer::ada_hesscale(0.1), options).unwrap();
        trainer.step(&[1.0, -2.0], Targets::Values(&[0.5, 3.0])).unwrap();
        trainer
    };
    trainer(1).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut other = trainer(2);
    let before = fingerprint(&mut other, &spare);

    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        problem(other.load(&path), &path);
    }
    for len in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(problem(other.load(&path), &path).starts_with("is damaged or no safetensors file"));
    }
    std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    assert!(problem(other.load(&path), &path).starts_with("is damaged or no safetensors file"));
    let missing = directory.join("missing");
    assert!(problem(other.load(&missing), &missing).starts_with("cannot be read"));
    assert!(problem(other.load(&directory), &directory).starts_with("cannot be read"));
    assert_eq!(fingerprint(&mut other, &spare), before);

    std::fs::write(&path, &whole).unwrap();
    other.load(&path).unwrap();
    assert_ne!(fingerprint(&mut other, &spare), before);
}

/// Whole files with other tensors in them than a checkpoint has.
#[test]
fn other_tensors() {
    let path = directory("tensors").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    trainer.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let zeros = [0; 9 * 5 * 4];
    for (name, other, expected) in [
        ("0.weight", None, "has no tensor `0.weight`"),
        ("v.2.bias", None, "has no tensor `v.2.bias`"),
        ("0.weight", Some((Dtype::F32, vec![5, 9])), "`0.weight` is F32 [5, 9], expected F32 [9, 5]"),
        ("m.2.bias", Some((Dtype::I32, vec![3])), "`m.2.bias` is I32 [3], expected F32 [3]"),
        ("4.bias", Some((Dtype::F32, vec![3])), "has 13 tensors, expected 12"),
        ("2.bias", Some((Dtype::F32, vec![3])), ""),
    ] {
        let kept = tensors.iter().filter(|(kept, _)| *kept != name);
        let other = other.map(|(dtype, shape)| {
            let bytes = 4 * shape.iter().product::<usize>();
            (name, TensorView::new(dtype, shape, &zeros[..bytes]).unwrap())
        });
        let file = signed::file(signed::entries(&bytes), kept.chain(other).collect());
        std::fs::write(&path, file).unwrap();
        match expected {
            // The last is what was there before.
            "" => trainer.load(&path).unwrap(),
            expected => assert_eq!(problem(trainer.load(&path), &path), expected),
        }
    }
    let file = safetensors::serialize(tensors.iter(), None).unwrap();
    std::fs::write(&path, file).unwrap();
    assert_eq!(problem(trainer.load(&path), &path), "is no checkpoint: its metadata have no `format`");
}

/// Nothing in a file is trusted before its checksum is verified, and moving bytes between entries changes the checksum.
#[test]
fn the_checksum_comes_first_and_knows_where_texts_end() {
    let path = directory("checksum").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    trainer.set_note("a", "b");
    trainer.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    rewrite(&path, true, |_| ());
    trainer.load(&path).unwrap();
    let change = |sign, change: &dyn Fn(&mut Entries)| {
        std::fs::write(&path, &whole).unwrap();
        rewrite(&path, sign, change);
    };

    // The same bytes one after the other: a key's end becomes its value's beginning.
    change(false, &|entries| {
        let seed = entries.remove("seed").unwrap();
        entries.insert("see".into(), format!("d{seed}"));
    });
    assert!(problem(trainer.load(&path), &path).starts_with("is damaged: its checksum is"));
    // An unreadable model is not examined.
    let model = |entries: &mut Entries| drop(entries.insert("model".into(), "{".into()));
    change(false, &model);
    assert!(problem(trainer.load(&path), &path).starts_with("is damaged: its checksum is"));
    change(true, &model);
    assert!(problem(trainer.load(&path), &path).starts_with("its model cannot be read"));
    change(true, &|entries| drop(entries.insert("clip".into(), "1".into())));
    assert_eq!(problem(trainer.load(&path), &path), "has an entry `clip`, which this version does not know");
    change(true, &|entries| drop(entries.insert("format".into(), "hesscale checkpoint 1".into())));
    let expected =
        "is a `hesscale checkpoint 1`, which this version does not read: expected `hesscale checkpoint 2`";
    assert_eq!(problem(trainer.load(&path), &path), expected);
}

/// Reading a model from a file, even with a valid checksum, takes time and memory bounded by the file's length.
#[test]
fn models_in_files_are_bounded() {
    let path = directory("bounded").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    let identities = |count| vec![r#"{"type":"identity"}"#; count].join(",");
    let model = |input: &str, layers: &str| {
        format!(r#"{{"input":[{input}],"layers":[{layers}],"loss":{{"type":"mse"}}}}"#)
    };
    for (text, expected) in [
        (model(&vec!["1"; 20_000].join(","), &identities(20_000)), "more than 16384 layers"),
        (model(&vec!["1"; 20_000].join(","), &identities(1)), "the number of dimensions is 20000"),
        (model("1", &identities(200_000)), "more than 16384 layers"),
    ] {
        trainer.save(&path).unwrap();
        rewrite(&path, true, |entries| drop(entries.insert("model".into(), text.clone())));
        let begin = std::time::Instant::now();
        let found = problem(trainer.load(&path), &path);
        assert!(found.starts_with("its model cannot be read") && found.contains(expected), "{found}");
        assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
    }
}

/// What exists at a path is preserved or left alone.
#[cfg(unix)]
#[test]
fn links_modes_and_what_is_no_file() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = directory("special");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    train(&mut trainer, 1);
    let (file, link, far) = (directory.join("file"), directory.join("link"), directory.join("far"));

    // A link, to a link, to a file that is not there yet, in another directory.
    let elsewhere = directory.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    symlink("far", &link).unwrap();
    symlink("elsewhere/file", &far).unwrap();
    for steps in 1..3 {
        trainer.save(&link).unwrap();
        for link in [&link, &far] {
            assert!(link.symlink_metadata().unwrap().is_symlink());
        }
        assert!(elsewhere.join("file").symlink_metadata().unwrap().is_file());
        let mut other = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
        other.load(&link).unwrap();
        assert_eq!(other.steps(), steps);
        train(&mut trainer, 1);
    }
    let circle = directory.join("circle");
    symlink("circle", &circle).unwrap();
    assert!(problem(trainer.save(&circle), &circle).starts_with("cannot be written"));

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    trainer.save(&file).unwrap();
    for kept in [0o600, 0o640, 0o400, 0o666] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(kept)).unwrap();
        trainer.save(&file).unwrap();
        assert_eq!(mode(&file), kept);
    }

    // A device, through a link too; a FIFO, which would keep a reader waiting; a socket; a directory.
    let (fifo, socket) = (directory.join("fifo"), directory.join("socket"));
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let null = directory.join("null");
    symlink("/dev/null", &null).unwrap();
    for (path, kind) in [
        (Path::new("/dev/null"), "a device"),
        (&null, "a device"),
        (&fifo, "a FIFO"),
        (&socket, "a socket"),
        (&elsewhere, "a directory"),
    ] {
        let before = path.symlink_metadata().unwrap().file_type();
        for outcome in [trainer.save(path), trainer.load(path), Trainer::can_save(path)] {
            let found = problem(outcome, path);
            assert!(found.ends_with(&format!("it is {kind}, and no plain file")), "{found}");
        }
        assert_eq!(path.symlink_metadata().unwrap().file_type(), before);
    }
}

/// Problems of saving are reported before training.
#[test]
fn whether_a_file_can_be_saved_is_told() {
    let directory = directory("told");
    let path = directory.join("training.safetensors");
    Trainer::can_save(&path).unwrap();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "nothing is left");
    for path in [directory.join("no").join("file"), path.join("")] {
        assert!(problem(Trainer::can_save(&path), &path).starts_with("cannot be written"));
    }
    std::fs::write(&path, "as it was").unwrap();
    Trainer::can_save(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "as it was");
    let within = path.join("file");
    assert!(problem(Trainer::can_save(&within), &within).starts_with("cannot be written"));
}

/// Non-finite values are not saved, and the existing checkpoint stays.
#[test]
fn not_finite() {
    let path = directory("not_finite").join("training.safetensors");
    for device in [Device::Cpu, Device::Gpu] {
        let mut trainer = device.trainer(Optimizer::adam(0.01), TrainerOptions::default());
        train(&mut trainer, 2);
        trainer.save(&path).unwrap();
        let saved = std::fs::read(&path).unwrap();
        let mut numbers = trainer.parameters().unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            numbers[1] = bad;
            trainer.set_parameters(&numbers).unwrap();
            let refused = Error::Diverged { what: "a parameter", step: None };
            assert_eq!(trainer.save(&path), Err(refused));
            assert_eq!(std::fs::read(&path).unwrap(), saved);
        }
        trainer.load(&path).unwrap();
        train(&mut trainer, 1);
        trainer.loss().unwrap();
    }
}

#[test]
fn saving_leaves_one_whole_file() {
    let directory = directory("atomic");
    let path = directory.join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    for _ in 0..3 {
        train(&mut trainer, 1);
        trainer.save(&path).unwrap();
        let names: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["training.safetensors"]);
    }
    trainer.load(&path).unwrap();
    assert_eq!(trainer.steps(), 3);

    let nowhere = directory.join("nowhere").join("training.safetensors");
    assert!(problem(trainer.save(&nowhere), &nowhere).starts_with("cannot be written"));
    // A directory cannot be replaced; the temporary file beside it is removed again.
    let taken = directory.join("taken");
    std::fs::create_dir_all(taken.join("full")).unwrap();
    assert!(problem(trainer.save(&taken), &taken).starts_with("cannot be written"));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
}
