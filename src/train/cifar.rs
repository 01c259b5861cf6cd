//! The binary versions of CIFAR-10 and CIFAR-100: records of label bytes and a 3 × 32 × 32 image, channel by channel
//! (format: <https://www.cs.toronto.edu/~kriz/cifar.html>).

use super::Dataset;
use super::file::{DataFile, images};
use crate::Result;
use std::path::{Path, PathBuf};

const IMAGE: usize = 3 * 32 * 32;
/// Most records of a file, so that a compressed one cannot exhaust memory; the largest real one has 50,000.
const MOST: usize = 100_000;

struct Version {
    subdirectory: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// Number of classes of each label byte; the last is the one to learn.
    labels: &'static [usize],
    help: &'static str,
}

const CIFAR_10: Version = Version {
    subdirectory: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: &[10],
    help: "get the binary version of CIFAR-10 from https://www.cs.toronto.edu/~kriz/cifar.html",
};

const CIFAR_100: Version = Version {
    subdirectory: "cifar-100-binary",
    train: &["train.bin"],
    test: "test.bin",
    labels: &[20, 100],
    help: "get the binary version of CIFAR-100 from https://www.cs.toronto.edu/~kriz/cifar.html",
};

/// CIFAR-10's training and test set: inputs `[N, 3072]` in 0 to 1, `[3, 32, 32]` each, ten classes.
///
/// Reads `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin` in `directory` or in its `cifar-10-batches-bin`, plain
/// or as `.gz`. Any whole number of records up to 100,000 a file will do.
///
/// # Errors
/// [`Error::File`](crate::Error::File) for a file that is missing, empty, no whole number of records, or has a label out of
/// range.
pub fn cifar10(directory: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    CIFAR_10.read(directory.as_ref())
}

/// CIFAR-100's training and test set: inputs `[N, 3072]` in 0 to 1, `[3, 32, 32]` each, a hundred (fine) classes.
///
/// Reads `train.bin` and `test.bin` in `directory` or in its `cifar-100-binary`, plain or as `.gz`.
///
/// # Errors
/// As [`cifar10`].
pub fn cifar100(directory: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    CIFAR_100.read(directory.as_ref())
}

impl Version {
    fn read(&self, directory: &Path) -> Result<(Dataset, Dataset)> {
        let inner = directory.join(self.subdirectory);
        let directory = if inner.is_dir() { inner } else { PathBuf::from(directory) };
        Ok((self.part(&directory, self.train)?, self.part(&directory, &[self.test])?))
    }

    /// The records of several files, one file after the other.
    fn part(&self, directory: &Path, names: &[&str]) -> Result<Dataset> {
        let (mut pixels, mut classes) = (Vec::new(), Vec::new());
        for name in names {
            let mut file = DataFile::open(directory, &[name], self.help)?;
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
        }
        images(&pixels, IMAGE, &classes)
    }
}
