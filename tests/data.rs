//! Data files: valid ones are read, damaged ones refused with a helpful message. The tests write the files.

#[path = "common/pickled.rs"]
mod pickled;

use flate2::{Compression, write::GzEncoder};
use hesscale::train::{Dataset, Labels, Normalization, cifar10, cifar100, fashion_mnist, mnist};
use hesscale::{Error, Result};
use pickled::pickled;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const PIXELS: usize = 28 * 28;

/// An empty directory of the test's own.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data").join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
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

fn image_file(count: u32) -> Vec<u8> {
    let data: Vec<u8> = (0..count as usize * PIXELS).map(|i| (i % 256) as u8).collect();
    idx(0x803, &[count, 28, 28], &data)
}

fn label_file(labels: &[u8]) -> Vec<u8> {
    idx(0x801, &[labels.len() as u32], labels)
}

/// Three training and two test images, plain.
fn write_mnist(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    for (name, bytes) in [
        ("train-images-idx3-ubyte", image_file(3)),
        ("train-labels-idx1-ubyte", label_file(&[7, 0, 9])),
        ("t10k-images-idx3-ubyte", image_file(2)),
        ("t10k-labels-idx1-ubyte", label_file(&[1, 2])),
    ] {
        std::fs::write(directory.join(name), bytes).unwrap();
    }
}

fn classes(dataset: &Dataset) -> &[u32] {
    match dataset.labels() {
        Labels::Classes(classes) => classes,
        Labels::Values(_) => panic!("classes were written"),
    }
}

/// The error's parts, once it is seen that it says where to get the file.
#[test]
fn what_the_file_system_said_is_the_source() {
    use std::error::Error as _;
    let path = directory("source").join("train-images-idx3-ubyte");
    std::fs::create_dir(&path).unwrap();
    let error = mnist(path.parent().unwrap()).unwrap_err();
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert!(source.is_some_and(|source| source.to_string().contains("directory")), "{error:?}");
}

fn file_error<T>(outcome: Result<T>, source: &str) -> (PathBuf, String) {
    match outcome.err() {
        Some(Error::File { path, problem, help, .. }) if help.contains(source) => (path, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mnist_plain_compressed_and_dotted() {
    let directory = directory("mnist");
    write_mnist(&directory);
    let (train, test) = mnist(&directory).unwrap();
    assert_eq!((classes(&train), classes(&test)), (&[7, 0, 9][..], &[1, 2][..]));
    assert_eq!((train.len(), train.inputs().len()), (3, 3 * PIXELS));
    let want: Vec<f32> = (0..3 * PIXELS).map(|i| (i % 256) as f32 / 255.0).collect();
    assert_eq!(train.inputs(), want);

    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().replace("-idx", ".idx") + ".gz";
        std::fs::write(directory.join(name), gzip(&std::fs::read(&path).unwrap())).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(mnist(&directory).unwrap(), (train.clone(), test.clone()));
    assert_eq!(fashion_mnist(&directory).unwrap(), (train, test));
}

/// A file is compressed if it is, whatever its name says.
#[test]
fn names_do_not_decide_what_is_compressed() {
    let directory = directory("names");
    write_mnist(&directory);
    let want = mnist(&directory).unwrap();
    for (name, new, compressed) in [
        ("train-images-idx3-ubyte", "train-images-idx3-ubyte", true),
        ("train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz", false),
        ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte.gz", true),
    ] {
        let bytes = std::fs::read(directory.join(name)).unwrap();
        std::fs::remove_file(directory.join(name)).unwrap();
        std::fs::write(directory.join(new), if compressed { gzip(&bytes) } else { bytes }).unwrap();
    }
    assert_eq!(mnist(&directory).unwrap(), want);
}

/// `MNIST/raw` and `FashionMNIST/raw` below the folder that torchvision is given, or `raw` below one of theirs.
#[test]
fn torchvisions_folders() {
    let root = directory("torchvision");
    type Read = fn(&Path) -> Result<(Dataset, Dataset)>;
    let readers: [(&str, Read); 2] =
        [("MNIST", |path| mnist(path)), ("FashionMNIST", |path| fashion_mnist(path))];
    for (name, read) in readers {
        write_mnist(&root.join(name).join("raw"));
        let (train, test) = read(&root).unwrap();
        assert_eq!((classes(&train), classes(&test)), (&[7, 0, 9][..], &[1, 2][..]));
        assert_eq!(read(&root.join(name)).unwrap(), (train, test));
        std::fs::remove_file(root.join(name).join("raw/t10k-labels-idx1-ubyte")).unwrap();
        let (path, problem) = file_error(read(&root), "get ");
        assert_eq!(path, root.join("t10k-labels-idx1-ubyte"));
        assert!(problem.contains(&format!(" or {name}/raw/t10k-labels-idx1-ubyte or raw/")), "{problem}");
    }
}

#[test]
fn damaged_idx_files() {
    let directory = directory("damaged_idx");
    let images = image_file(3);
    let damaged_gzip = {
        let mut bytes = gzip(&images);
        let at = bytes.len() - 6; // the checksum
        bytes[at] ^= 1;
        bytes
    };
    let (i, l) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (i, images[..10].to_vec(), "ends after 10 of the 16 bytes of its header"),
        (i, label_file(&[0; 40]), "begins with 0x00000801, expected 0x00000803"),
        (i, images[..1000].to_vec(), "ends after 984 of the 2352 bytes of 3 images"),
        (i, [&images[..], &[0]].concat(), "goes on behind 2368 bytes"),
        (i, idx(0x803, &[3, 28, 27], &images[16..]), "its images are 28 x 27, expected 28 x 28"),
        (i, idx(0x803, &[0, 28, 28], &[]), "promises 0 images, expected 1 to 1000000"),
        // A header may claim more than fits in memory.
        (i, idx(0x803, &[u32::MAX, 28, 28], &[]), "promises 4294967295 images"),
        (i, idx(0x803, &[1_000_000, 28, 28], &[1, 2]), "ends after 2 of the 784000000 bytes"),
        (l, label_file(&[7, 0]), "holds 2 labels, expected 3"),
        (l, label_file(&[7, 0, 10]), "label 2 is 10; there are 10 classes"),
        (l, idx(0x801, &[3], &[1, 2]), "ends after 2 of the 3 bytes of 3 labels"),
        (l, label_file(&[7, 0, 9, 9])[..].to_vec(), "holds 4 labels, expected 3"),
        (l, idx(0x801, &[3], &[1, 2, 3, 4]), "goes on behind 11 bytes"),
        ("train-images-idx3-ubyte.gz", gzip(&images)[..200].to_vec(), "cannot be read behind byte"),
        ("train-images-idx3-ubyte.gz", images[..1000].to_vec(), "ends after 984 of the 2352 bytes"),
        (i, gzip(&images)[..200].to_vec(), "cannot be read behind byte"),
        ("train-images-idx3-ubyte.gz", damaged_gzip, "corrupt gzip stream"),
        ("train-images-idx3-ubyte.gz", gzip(&[&images[..], &[0]].concat()), "goes on behind 2368 bytes"),
        ("train-images-idx3-ubyte.gz", [&gzip(&images)[..], &[7; 20]].concat(), "invalid gzip header"),
    ];
    for (name, bytes, problem) in cases {
        write_mnist(&directory);
        std::fs::remove_file(directory.join(name.trim_end_matches(".gz"))).unwrap();
        std::fs::write(directory.join(name), &bytes).unwrap();
        let (path, found) = file_error(mnist(&directory), "https://ossci-datasets.s3.amazonaws.com/mnist/");
        assert_eq!(path, directory.join(name), "{found}");
        assert!(found.contains(problem), "`{found}` instead of `{problem}`");
        std::fs::remove_file(directory.join(name)).unwrap();
    }
}

#[test]
fn missing_files() {
    let directory = directory("missing");
    for (outcome, source, file) in [
        (mnist(&directory), "ossci-datasets.s3.amazonaws.com/mnist/", "train-images-idx3-ubyte"),
        (fashion_mnist(&directory), "github.com/zalandoresearch/fashion-mnist", "train-images-idx3-ubyte"),
        (cifar10(&directory), "www.cs.toronto.edu/~kriz/cifar.html", "data_batch_1.bin"),
        (cifar100(&directory), "www.cs.toronto.edu/~kriz/cifar.html", "train.bin"),
    ] {
        let text = outcome.as_ref().unwrap_err().to_string();
        let (path, problem) = file_error(outcome, source);
        assert_eq!(path, directory.join(file));
        assert!(problem.contains("there is no such file; looked for") && text.contains(&problem), "{text}");
    }
}

/// Anything but a regular file is refused by its type: a FIFO would block its reader.
#[cfg(unix)]
#[test]
fn what_is_no_file() {
    let directory = directory("no_file");
    for name in ["train-images-idx3-ubyte", "train.bin", "data_batch_1.bin.gz"] {
        let made = std::process::Command::new("mkfifo").arg(directory.join(name)).status().unwrap();
        assert!(made.success());
    }
    for (outcome, source, file) in [
        (mnist(&directory), "mnist", "train-images-idx3-ubyte"),
        (fashion_mnist(&directory), "fashion-mnist", "train-images-idx3-ubyte"),
        (cifar10(&directory), "cifar.html", "data_batch_1.bin.gz"),
        (cifar100(&directory), "cifar.html", "train.bin"),
    ] {
        let (path, problem) = file_error(outcome, source);
        assert_eq!(path, directory.join(file));
        assert_eq!(problem, "cannot be opened: it is a FIFO, and no plain file");
    }
    // A regular file beside it is used; a directory of the name is skipped.
    write_mnist(&directory.join("idx"));
    std::fs::create_dir(directory.join("idx").join("train-images.idx3-ubyte")).unwrap();
    mnist(directory.join("idx")).unwrap();
    std::fs::remove_file(directory.join("idx").join("train-images-idx3-ubyte")).unwrap();
    let (path, problem) = file_error(mnist(directory.join("idx")), "mnist");
    assert_eq!(path, directory.join("idx").join("train-images.idx3-ubyte"));
    assert_eq!(problem, "cannot be opened: it is a directory, and no plain file");
}

/// A record whose pixels all are `pixel`.
fn record(labels: &[u8], pixel: u8) -> Vec<u8> {
    [labels, &[pixel; 3072]].concat()
}

#[test]
fn cifar_10_in_both_places() {
    let directory = directory("cifar10");
    for place in ["", "cifar-10-batches-bin"] {
        let place = directory.join(place);
        std::fs::create_dir_all(&place).unwrap();
        for batch in 1..=5u8 {
            let bytes = [record(&[batch], batch), record(&[9], 255)].concat();
            std::fs::write(place.join(format!("data_batch_{batch}.bin")), bytes).unwrap();
        }
        std::fs::write(place.join("test_batch.bin"), record(&[0], 51)).unwrap();
        let (train, test) = cifar10(&directory).unwrap();
        assert_eq!(classes(&train), [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]);
        assert_eq!((train.inputs()[0], train.inputs()[3072]), (1.0 / 255.0, 1.0));
        assert_eq!((classes(&test), test.inputs()), (&[0][..], &[0.2; 3072][..]));
        // So that the next location is found on its own.
        std::fs::remove_file(place.join("data_batch_1.bin")).unwrap();
    }
}

/// A folder without files hides none that has them, nor one with some that has all.
#[test]
fn an_empty_folder_hides_no_other() {
    let directory = directory("empty_folder");
    let [binary, python] = ["cifar-100-binary", "cifar-100-python"].map(|name| directory.join(name));
    std::fs::create_dir(&binary).unwrap();
    let (path, problem) = file_error(cifar100(&directory), "cifar.html");
    assert_eq!(path, directory.join("train.bin"));
    let both = "in cifar-100-binary and in cifar-100-python";
    assert!(
        problem.contains("there is no such file; looked for train.bin or train") && problem.contains(both)
    );

    // As it is where nothing was unpacked.
    std::fs::write(directory.join("train.bin"), record(&[3, 8], 0)).unwrap();
    std::fs::write(directory.join("test.bin"), record(&[3, 8], 0)).unwrap();
    assert_eq!(classes(&cifar100(&directory).unwrap().0), [8]);
    std::fs::create_dir(&python).unwrap();
    assert_eq!(classes(&cifar100(&directory).unwrap().0), [8]);
    std::fs::write(python.join("train"), pickled("fine_labels", &[9], &[0])).unwrap();
    std::fs::write(python.join("test"), pickled("fine_labels", &[9], &[0])).unwrap();
    assert_eq!(classes(&cifar100(&directory).unwrap().0), [9]);
    std::fs::write(binary.join("train.bin"), record(&[3, 10], 0)).unwrap();
    assert_eq!(classes(&cifar100(&directory).unwrap().0), [9]);
    // Of two that are not whole the first.
    std::fs::remove_file(python.join("test")).unwrap();
    std::fs::remove_file(directory.join("test.bin")).unwrap();
    assert_eq!(file_error(cifar100(&directory), "cifar.html").0, binary.join("test.bin"));
}

#[test]
fn cifar_100_learns_the_fine_label() {
    let directory = directory("cifar100");
    std::fs::write(directory.join("train.bin"), [record(&[3, 99], 0), record(&[19, 4], 0)].concat()).unwrap();
    std::fs::write(directory.join("test.bin.gz"), gzip(&record(&[0, 50], 255))).unwrap();
    let (train, test) = cifar100(&directory).unwrap();
    assert_eq!((classes(&train), classes(&test)), (&[99, 4][..], &[50][..]));
    assert_eq!(test.inputs(), [1.0; 3072]);
}

/// As `pickled`, by Python 3's protocol 4 and numpy 2: one image.
fn pickled_anew(label: u8, pixel: u8) -> Vec<u8> {
    [
        &b"\x80\x04\x95\xe4\x0c\0\0\0\0\0\0}\x94(\x8c\x0bbatch_label\x94\x8c\x14testing batch 1 of 1\x94\x8c\x06labels\x94]\x94K"[..],
        &[label],
        b"a\x8c\x04data\x94\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94",
        b"K\0\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x01M\0\x0c\x86\x94h\x09\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94",
        b"(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94b\x89B\0\x0c\0\0",
        &[pixel; 3072],
        b"\x94t\x94b\x8c\x09filenames\x94]\x94\x8c\x05a.png\x94au.",
    ]
    .concat()
}

/// One image of pixels of 200 by Python 3's protocols without bytes: text and keys of text by protocol 2, all in bytes by protocol 1.
fn pickled_without_bytes(key: &str, label: u8, protocol: u8) -> Vec<u8> {
    let key = [&[key.len() as u8, 0, 0, 0], key.as_bytes()].concat();
    let pixels = "\u{c8}".repeat(3072);
    let parts: [&[u8]; 7] = match protocol {
        2 => [
            b"\x80\x02}q\0(X", &key, b"q\x01]q\x02K", &[label],
            b"aX\x04\0\0\0dataq\x03cnumpy._core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\0\x85q\x06c_codecs\nencode\nq\x07X\x01\0\0\0bq\x08X\x06\0\0\0latin1q\x09\x86q\nRq\x0b\x87q\x0cRq\x0d(K\x01K\x01M\0\x0c\x86q\x0ecnumpy\ndtype\nq\x0fX\x02\0\0\0u1q\x10\x89\x88\x87q\x11Rq\x12(K\x03X\x01\0\0\0|q\x13NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tq\x14b\x89h\x07X\0\x18\0\0",
            pixels.as_bytes(),
            b"q\x15h\x09\x86q\x16Rq\x17tq\x18bX\x09\0\0\0filenamesq\x19]q\x1aX\x05\0\0\0a.pngq\x1bau.",
        ],
        _ => [
            b"}q\0(c_codecs\nencode\nq\x01(X", &key, b"q\x02X\x06\0\0\0latin1q\x03tq\x04Rq\x05]q\x06K", &[label],
            b"ah\x01(X\x04\0\0\0dataq\x07h\x03tq\x08Rq\x09cnumpy._core.multiarray\n_reconstruct\nq\n(cnumpy\nndarray\nq\x0b(K\0tq\x0ch\x01(X\x01\0\0\0bq\x0dh\x03tq\x0eRq\x0ftq\x10Rq\x11(K\x01(K\x01M\0\x0ctq\x12cnumpy\ndtype\nq\x13(X\x02\0\0\0u1q\x14I00\nI01\ntq\x15Rq\x16(K\x03X\x01\0\0\0|q\x17NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tq\x18bI00\nh\x01(X\0\x18\0\0",
            pixels.as_bytes(),
            b"q\x19h\x03tq\x1aRq\x1btq\x1cbh\x01(X\x09\0\0\0filenamesq\x1dh\x03tq\x1eRq\x1f]q h\x01(X\x05\0\0\0a.pngq!h\x03tq\"Rq#au.",
        ],
    };
    parts.concat()
}

/// Where bytes are the characters of a text.
#[test]
fn pickles_without_bytes_are_read() {
    let directory = directory("without_bytes");
    std::fs::write(directory.join("train"), pickled_without_bytes("fine_labels", 97, 2)).unwrap();
    std::fs::write(directory.join("test"), pickled_without_bytes("fine_labels", 98, 1)).unwrap();
    let (train, test) = cifar100(&directory).unwrap();
    assert_eq!((classes(&train), classes(&test)), (&[97][..], &[98][..]));
    assert!(train.inputs() == [200.0 / 255.0; 3072] && test.inputs() == train.inputs());
}

/// The Python version, which torchvision keeps.
#[test]
fn pickles_are_read() {
    let directory = directory("pickles");
    for place in ["cifar-10-batches-py", ""] {
        let place = directory.join(place);
        std::fs::create_dir_all(&place).unwrap();
        for batch in 1..=5u8 {
            let bytes = pickled("labels", &[batch, 9], &[batch, 255]);
            std::fs::write(place.join(format!("data_batch_{batch}")), bytes).unwrap();
        }
        std::fs::write(place.join("test_batch"), gzip(&pickled_anew(3, 51))).unwrap();
        let (train, test) = cifar10(&directory).unwrap();
        assert_eq!(classes(&train), [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]);
        assert_eq!((train.inputs()[0], train.inputs()[3072]), (1.0 / 255.0, 1.0));
        assert_eq!((classes(&test), test.inputs()), (&[3][..], &[0.2; 3072][..]));
        if place != directory {
            std::fs::remove_dir_all(&place).unwrap();
        }
    }
    let place = directory.join("cifar-100-python");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("train"), pickled("fine_labels", &[99, 4], &[0, 255])).unwrap();
    std::fs::write(place.join("test"), pickled("fine_labels", &[50], &[255])).unwrap();
    let (train, test) = cifar100(&directory).unwrap();
    assert_eq!((classes(&train), classes(&test)), (&[99, 4][..], &[50][..]));
    assert_eq!((train.inputs()[3071], test.inputs()[0]), (0.0, 1.0));
}

/// Whatever else a pickle is, it is named, and nothing that it names is called.
#[test]
fn other_pickles_are_refused() {
    let directory = directory("other_pickles");
    let good = || pickled("fine_labels", &[1, 2], &[3, 4]);
    let other = |good: Vec<u8>, from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).unwrap();
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let with = |from: &[u8], to: &[u8]| other(good(), from, to);
    let without_bytes = |from: &[u8], to: &[u8]| other(pickled_without_bytes("fine_labels", 1, 2), from, to);
    let no_array = "is a pickle without an array `data` of bytes, [N, 3072]";
    for (bytes, problem) in [
        (pickled("labels", &[1, 2], &[3, 4]), "is a pickle without a list `fine_labels` of bytes"),
        (with(b"U\x04data", b"U\x04date"), no_array),
        (with(b"u1K", b"i1K"), no_array),
        (with(b"numpy.core.multiarray", b"numpy.evil.multiarray"), no_array),
        (with(b"_reconstruct", b"_destruct"), no_array),
        // Column by column.
        (with(b"tb\x89T", b"tb\x88T"), no_array),
        (with(b"M\x02\x00M\x00\x0c", b"M\x01\x00M\x00\x0c"), no_array),
        (
            with(b"M\x02\x00M\x00\x0c", b"M\x04\x00M\x00\x06"),
            "has 2 labels and images [4, 1536], expected [2, 3072]",
        ),
        (
            pickled("fine_labels", &[1, 2, 3], &[3, 4]),
            "has 3 labels and images [2, 3072], expected [3, 3072]",
        ),
        (pickled("fine_labels", &[1, 100], &[3, 4]), "label 1 is 100; there are 100 classes"),
        (b"\x80\x02cos\nsystem\nU\x04echo\x85R.".to_vec(), "is a pickle without a list"),
        (b"\x80\x02cos\nsystem".to_vec(), "is a pickle that cannot be read before byte 6: it ends too early"),
        (b"\x80\x02i".to_vec(), "before byte 3: opcode 0x69 is none that CIFAR's pickles have"),
        (b"\x80\x05\x96".to_vec(), "before byte 2: it is of protocol 5; protocols 1 to 4 are read"),
        (b"\x80\x02}]s.".to_vec(), "its stack is too short"),
        (b"\x80\x02K\x01s.".to_vec(), "its stack is too short"),
        (b"\x80\x02t.".to_vec(), "its stack is too short"),
        (b"\x80\x02]((tt.".to_vec(), "is a pickle without a list"),
        (b"\x80\x02K\x01K\x01a.".to_vec(), "items are added to what is no list"),
        (b"\x80\x02K\x01(K\x01K\x02u.".to_vec(), "keys are added to what is no dictionary"),
        (b"\x80\x02K\x01K\x01b.".to_vec(), "a state is given to what is no object"),
        (b"\x80\x02h\x07.".to_vec(), "it recalls what it has not remembered"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffa.".to_vec(), "it ends too early"),
        ([&b"\x80\x02"[..], &vec![b'('; 1_300_000]].concat(), "it has more than 1200000 opcodes"),
        (
            b"(dp0\nVdata\np1\ncnumpy._core.multiarray\n_reconstruct\np2\n(cnumpy".to_vec(),
            "is a pickle of protocol 0; protocols 1 to 4 are read.",
        ),
        (b"}q\0(X\x04\0\0\0dataq\x01I3\nu.".to_vec(), "before byte 18: it has a number in letters"),
        // Python's bytes of a text that is none.
        (without_bytes(b"\xc3\x88\xc3\x88", b"\xc4\x88\xc3\x88"), no_array),
        (without_bytes(b"\xc3\x88\xc3\x88", b"\xc3\xc3\x88\x88"), no_array),
        (without_bytes(b"_codecs\nencode", b"_codecs\ndecode"), no_array),
        (without_bytes(b"latin1", b"latin2"), no_array),
        (good()[..5000].to_vec(), "it ends too early"),
        ([good(), vec![0]].concat(), "goes on behind the pickle's"),
    ] {
        std::fs::write(directory.join("train"), &bytes).unwrap();
        std::fs::write(directory.join("test"), good()).unwrap();
        let (path, found) = file_error(cifar100(&directory), "cifar.html");
        assert_eq!(path, directory.join("train"));
        assert!(found.contains(problem), "`{found}` instead of `{problem}`");
    }
}

#[test]
fn damaged_cifar_files() {
    let directory = directory("damaged_cifar");
    for (name, bytes, problem) in [
        ("train.bin", record(&[0, 1], 0)[..3000].to_vec(), "has 3000 bytes, expected records of 3074"),
        ("train.bin", [record(&[0, 1], 0), vec![0]].concat(), "has 3075 bytes, expected records of 3074"),
        ("train.bin", Vec::new(), "has 0 bytes"),
        ("train.bin", record(&[0, 100], 0), "label 0 is 100; there are 100 classes"),
        ("train.bin", record(&[20, 1], 0), "label 0 is 20; there are 20 classes"),
        ("test.bin", [record(&[0, 1], 0), record(&[0, 255], 0)].concat(), "label 1 is 255"),
    ] {
        std::fs::write(directory.join("train.bin"), record(&[0, 1], 0)).unwrap();
        std::fs::write(directory.join("test.bin"), record(&[0, 1], 0)).unwrap();
        std::fs::write(directory.join(name), bytes).unwrap();
        let (path, found) = file_error(cifar100(&directory), "cifar.html");
        assert_eq!(path, directory.join(name));
        assert!(found.contains(problem), "`{found}` instead of `{problem}`");
    }
}

/// A compressed file of a few kilobytes may unpack to more than any of these has.
#[test]
fn compressed_files_do_not_fill_the_memory() {
    let directory = directory("bomb");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 3_074_000];
    (0..101).for_each(|_| encoder.write_all(&zeros).unwrap());
    std::fs::write(directory.join("train.bin.gz"), encoder.finish().unwrap()).unwrap();
    let (_, problem) = file_error(cifar100(&directory), "cifar.html");
    assert_eq!(problem, "goes on behind 307400000 bytes, where it should end");
}

#[test]
fn normalized_channels_have_mean_0_and_deviation_1() {
    let mut random = fastrand::Rng::with_seed(3);
    let (samples, channels, size) = (50, 3, 4);
    // The last channel is constant.
    let value = |channel: usize, x: f32| [0.2 + 0.1 * x, 5.0 - 3.0 * x, 0.3][channel];
    let inputs = (0..samples * channels * size).map(|i| value(i / size % channels, random.f32())).collect();
    let labels = || Labels::Classes(vec![0; samples]);
    let data = Dataset::new(inputs, channels * size, labels()).unwrap();
    let normalization = Normalization::of(&data, channels).unwrap();
    assert_eq!((normalization.mean().len(), normalization.deviation()[2]), (3, 1.0));
    let normal = normalization.apply(data.clone()).unwrap();
    assert_eq!((normal.len(), normal.labels()), (samples, &labels()));
    for (channel, deviation) in [1.0, 1.0, 0.0].into_iter().enumerate() {
        let of_channel = normal.inputs().chunks_exact(size).skip(channel).step_by(channels).flatten();
        let values: Vec<f64> = of_channel.map(|x| f64::from(*x)).collect();
        let mean = values.iter().sum::<f64>() / 200.0;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 200.0;
        assert!(
            mean.abs() < 1e-5 && (variance.sqrt() - deviation).abs() < 1e-5,
            "{channel}: {mean}, {variance}"
        );
    }

    // The test set keeps the training set's numbers.
    let zeros = Dataset::new(vec![0.0; 12], 12, Labels::Classes(vec![0])).unwrap();
    let first = normalization.apply(zeros).unwrap().inputs()[0];
    assert_eq!(first, -normalization.mean()[0] / normalization.deviation()[0]);

    let none = Error::ZeroSize { place: "normalization".into(), what: "the number of channels" };
    assert_eq!(Normalization::of(&data, 0).unwrap_err(), none);
    let uneven = Error::Length { tensor: "inputs of a sample".into(), got: 12, needed: 15 };
    assert_eq!(Normalization::of(&data, 5).unwrap_err(), uneven);
    let narrow = Dataset::new(vec![0.0; 4], 4, Labels::Classes(vec![0])).unwrap();
    assert!(matches!(normalization.apply(narrow), Err(Error::Length { got: 4, needed: 6, .. })));
}
