//! CIFAR-10 and CIFAR-100 (formats: <https://www.cs.toronto.edu/~kriz/cifar.html>). The binary version has records of label bytes
//! and a 3 × 32 × 32 image, channel by channel; the Python version, which torchvision keeps, pickles of the same bytes.

use super::Dataset;
use super::file::{DataFile, images};
use super::pickle::Pickle;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

const IMAGE: usize = 3 * 32 * 32;
/// Most records of a file, so that a compressed one cannot exhaust memory; the largest real one has 50,000.
const MOST: usize = 100_000;
/// Most bytes of a pickle for each image beside it, and most opcodes: there are its labels and the name of its file.
const AROUND: usize = 128;
const OPCODES: usize = 12;

struct Version {
    /// Of the binary and of the Python version.
    subdirectories: [&'static str; 2],
    /// Names in the Python version; those in the binary version end in `.bin`.
    train: &'static [&'static str],
    test: &'static str,
    /// Number of classes of each label byte; the last is the one to learn.
    labels: &'static [usize],
    /// The key of the labels to learn.
    key: &'static str,
    help: &'static str,
}

const CIFAR_10: Version = Version {
    subdirectories: ["cifar-10-batches-bin", "cifar-10-batches-py"],
    train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
    test: "test_batch",
    labels: &[10],
    key: "labels",
    help: "get the binary or the Python version of CIFAR-10 from https://www.cs.toronto.edu/~kriz/cifar.html",
};

const CIFAR_100: Version = Version {
    subdirectories: ["cifar-100-binary", "cifar-100-python"],
    train: &["train"],
    test: "test",
    labels: &[20, 100],
    key: "fine_labels",
    help: "get the binary or the Python version of CIFAR-100 from https://www.cs.toronto.edu/~kriz/cifar.html",
};

/// CIFAR-10's training and test set: inputs `[N, 3072]` in 0 to 1, `[3, 32, 32]` each, ten classes.
///
/// Reads `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin` of the binary version, or the pickles of the same names
/// without the ending of the Python version, in `cifar-10-batches-bin` or `cifar-10-batches-py` (torchvision's) within `directory`,
/// else in `directory` itself: the first that has all files, or else any; plain or compressed by gzip. Any whole number of records up
/// to 100,000 a file will do. Pickles may be of protocol 1 to 4.
///
/// # Errors
/// [`Error::File`] for a file that is missing, empty, no whole number of records, a pickle of anything else, or
/// has a label out of range.
pub fn cifar10(directory: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    CIFAR_10.read(directory.as_ref())
}

/// CIFAR-100's training and test set: inputs `[N, 3072]` in 0 to 1, `[3, 32, 32]` each, a hundred (fine) classes.
///
/// Reads `train.bin` and `test.bin`, or the pickles `train` and `test`, in `cifar-100-binary` or `cifar-100-python` within `directory`,
/// else in `directory` itself, as [`cifar10`] does.
///
/// # Errors
/// As [`cifar10`].
pub fn cifar100(directory: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    CIFAR_100.read(directory.as_ref())
}

const IN_LINES: &str = "is a pickle of protocol 0; protocols 1 to 4 are read. In Python, \
                        `pickle.dump(pickle.load(old, encoding=\"latin1\"), new, protocol=4)` makes one of it";

/// A file's in the binary and in the Python version.
fn file_names(name: &str) -> [String; 2] {
    [format!("{name}.bin"), name.to_owned()]
}

impl Version {
    fn read(&self, directory: &Path) -> Result<(Dataset, Dataset)> {
        let directory = self.place(directory)?;
        Ok((self.part(&directory, self.train)?, self.part(&directory, &[self.test])?))
    }

    /// Where the files are: a folder without any hides no other.
    fn place(&self, directory: &Path) -> Result<PathBuf> {
        let [binary, python] = self.subdirectories;
        let places = [directory.join(binary), directory.join(python), directory.to_owned()];
        let files = || self.train.iter().chain([&self.test]);
        let is_in = |place: &Path, name: &str| DataFile::find(place, &file_names(name)).is_some();
        let whole = places.iter().find(|place| files().all(|name| is_in(place, name)));
        let place = whole.or_else(|| places.iter().find(|place| files().any(|name| is_in(place, name))));
        place.cloned().ok_or_else(|| {
            let [first, second] = file_names(self.train[0]);
            let problem = format!(
                "there is no such file; looked for {first} or {second}, plain or with .gz, there, in {binary} and in {python}"
            );
            Error::File { path: directory.join(first), problem, help: self.help.into(), source: None }
        })
    }

    /// The records of several files, one file after the other.
    fn part(&self, directory: &Path, names: &[&str]) -> Result<Dataset> {
        let (mut pixels, mut classes) = (Vec::new(), Vec::new());
        for name in names {
            let mut file = DataFile::open(directory, &file_names(name), self.help)?;
            // No label that comes first is as large as what pickles begin with.
            match file.peek()? {
                Some(Pickle::IN_LINES) => return Err(file.error(IN_LINES)),
                Some(first) if Pickle::FIRST.contains(&first) => {
                    self.pickled(&mut file, &mut pixels, &mut classes)?;
                }
                _ => self.records(&mut file, &mut pixels, &mut classes)?,
            }
        }
        images(&pixels, IMAGE, &classes)
    }

    fn records(&self, file: &mut DataFile, pixels: &mut Vec<u8>, classes: &mut Vec<u8>) -> Result<()> {
        let record = self.labels.len() + IMAGE;
        let bytes = file.up_to((MOST * record) as u64)?;
        file.end()?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            let len = bytes.len();
            return Err(file.error(format!("has {len} bytes, expected records of {record} bytes each")));
        }
        for (position, count) in self.labels.iter().enumerate() {
            let labels: Vec<u8> = bytes.chunks_exact(record).map(|record| record[position]).collect();
            file.check_labels(&labels, *count)?;
        }
        for record in bytes.chunks_exact(record) {
            let (labels, image) = record.split_at(self.labels.len());
            classes.push(labels[labels.len() - 1]);
            pixels.extend_from_slice(image);
        }
        Ok(())
    }

    fn pickled(&self, file: &mut DataFile, pixels: &mut Vec<u8>, classes: &mut Vec<u8>) -> Result<()> {
        // In UTF-8 half of all bytes take two.
        let bytes = file.up_to((MOST * (2 * IMAGE + AROUND)) as u64)?;
        file.end()?;
        let key = self.key;
        let pickle = Pickle::read(&bytes, MOST * OPCODES).map_err(|problem| file.error(problem))?;
        let labels = pickle.numbers(key);
        let labels =
            labels.ok_or_else(|| file.error(format!("is a pickle without a list `{key}` of bytes")))?;
        let wrong = || file.error("is a pickle without an array `data` of bytes, [N, 3072]");
        let ([count, width], data) = pickle.array("data").ok_or_else(wrong)?;
        if width != IMAGE || count == 0 || count != labels.len() {
            let labels = labels.len();
            return Err(file.error(format!(
                "has {labels} labels and images [{count}, {width}], expected [{labels}, {IMAGE}]"
            )));
        }
        file.check_labels(&labels, self.labels[self.labels.len() - 1])?;
        classes.extend(labels);
        pixels.extend_from_slice(&data);
        Ok(())
    }
}
