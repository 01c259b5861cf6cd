//! IDX files: MNIST and Fashion-MNIST (format: <http://yann.lecun.com/exdb/mnist/>). Numbers are big-endian.

use super::Dataset;
use super::file::{DataFile, images};
use crate::Result;
use std::path::Path;

const SIDE: u32 = 28;
const CLASSES: usize = 10;
/// Most images, so that a compressed file cannot exhaust memory; the real ones have 60,000.
const MOST: u32 = 1_000_000;
/// Unsigned bytes in three dimensions and in one.
const IMAGES_MAGIC: u32 = 0x803;
const LABELS_MAGIC: u32 = 0x801;

/// MNIST's training and test set: inputs `[N, 784]` in 0 to 1, ten classes.
///
/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte` in
/// `directory`, in its `MNIST/raw` (torchvision's) or in its `raw`, with or without `.gz`, plain or compressed; a dot before `idx`
/// works like the hyphen. The files determine the number of images.
///
/// # Errors
/// [`Error::File`](crate::Error::File) for a file that is missing, truncated, too long or damaged; for images that are not
/// 28 × 28, a label over 9, or numbers of images and labels that differ.
pub fn mnist(directory: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    both(directory.as_ref(), "MNIST", "get MNIST from https://ossci-datasets.s3.amazonaws.com/mnist/")
}

/// Fashion-MNIST's training and test set: same files and format as [`mnist`], torchvision's in `FashionMNIST/raw`.
///
/// # Errors
/// As [`mnist`].
pub fn fashion_mnist(directory: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    both(
        directory.as_ref(),
        "FashionMNIST",
        "get Fashion-MNIST from https://github.com/zalandoresearch/fashion-mnist",
    )
}

/// `name` is the data set's in torchvision.
fn both(directory: &Path, name: &str, help: &'static str) -> Result<(Dataset, Dataset)> {
    Ok((one(directory, name, "train", help)?, one(directory, name, "t10k", help)?))
}

fn one(directory: &Path, name: &str, part: &str, help: &'static str) -> Result<Dataset> {
    let open = |kind: &str| {
        let plain = format!("{part}-{kind}-ubyte");
        let torchvision = [format!("{name}/raw/{plain}"), format!("raw/{plain}")];
        let names = [plain, format!("{part}-{}-ubyte", kind.replace('-', "."))];
        let names: Vec<&str> = names.iter().chain(&torchvision).map(String::as_str).collect();
        DataFile::open(directory, &names, help)
    };

    let mut file = open("images-idx3")?;
    let [count, rows, columns] = header(&mut file, IMAGES_MAGIC)?;
    if [rows, columns] != [SIDE; 2] {
        return Err(file.error(format!("its images are {rows} x {columns}, expected {SIDE} x {SIDE}")));
    }
    if !(1..=MOST).contains(&count) {
        return Err(file.error(format!("promises {count} images, expected 1 to {MOST}")));
    }
    let pixels = file.exactly(u64::from(count) * u64::from(SIDE * SIDE), &format!("{count} images"))?;
    file.end()?;

    let mut file = open("labels-idx1")?;
    let [labelled] = header(&mut file, LABELS_MAGIC)?;
    if labelled != count {
        return Err(file.error(format!("holds {labelled} labels, expected {count}, as there are images")));
    }
    let labels = file.exactly(u64::from(labelled), &format!("{labelled} labels"))?;
    file.end()?;
    file.check_labels(&labels, CLASSES)?;
    images(&pixels, (SIDE * SIDE) as usize, &labels)
}

/// The dimensions after the magic number.
fn header<const N: usize>(file: &mut DataFile, magic: u32) -> Result<[u32; N]> {
    let bytes = file.exactly(4 + 4 * N as u64, "its header")?;
    let mut numbers = bytes.as_chunks().0.iter().map(|number| u32::from_be_bytes(*number));
    let mut next = || numbers.next().expect("so many bytes were read");
    let found = next();
    if found != magic {
        return Err(
            file.error(format!("begins with {found:#010x}, expected {magic:#010x}: no such IDX file"))
        );
    }
    Ok(std::array::from_fn(|_| next()))
}
