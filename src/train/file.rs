//! Data files: finding, opening (plain or compressed) and reading them. Whether a file is compressed its first bytes say, not its
//! name. Errors name the file.

use super::{Dataset, Labels, plain};
use crate::error::Cause;
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// What every gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) struct DataFile {
    path: PathBuf,
    /// Advice for the error if the file cannot be used.
    help: &'static str,
    bytes: Box<dyn BufRead>,
    /// Bytes read so far.
    read: u64,
}

impl DataFile {
    /// The first of `names` that exists in `directory`, each plain or compressed as `.gz`.
    pub(super) fn find(directory: &Path, names: &[impl AsRef<str>]) -> Option<PathBuf> {
        let candidates =
            names.iter().map(AsRef::as_ref).flat_map(|name| [name.to_owned(), format!("{name}.gz")]);
        let paths: Vec<PathBuf> = candidates.map(|name| directory.join(name)).collect();
        // Prefer a regular file to anything else of the name, which gives an error of its own.
        let found =
            paths.iter().find(|path| path.is_file()).or_else(|| paths.iter().find(|path| path.exists()));
        found.cloned()
    }

    /// Opens what [`DataFile::find`] finds.
    pub(super) fn open(directory: &Path, names: &[impl AsRef<str>], help: &'static str) -> Result<DataFile> {
        let Some(path) = DataFile::find(directory, names) else {
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            let (path, names) = (directory.join(names[0]), names.join(" or "));
            let problem = format!("there is no such file; looked for {names}, plain or with .gz");
            return Err(Error::File { path, problem, help: help.into(), source: None });
        };
        let opened = plain::open(&path).map_err(|error| Error::File {
            path: path.clone(),
            problem: format!("cannot be opened: {error}"),
            help: help.into(),
            source: Cause::new(error),
        })?;
        let mut file = DataFile { path, help, bytes: Box::new(BufReader::new(opened)), read: 0 };
        if file.begins_with(&GZIP)? {
            file.bytes = Box::new(BufReader::new(MultiGzDecoder::new(file.bytes)));
        }
        Ok(file)
    }

    /// Whether what comes next begins so; no more than a few bytes.
    fn begins_with(&mut self, start: &[u8]) -> Result<bool> {
        match self.bytes.fill_buf() {
            Ok(next) => Ok(next.starts_with(start)),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    /// The next byte, which stays the next; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        match self.bytes.fill_buf() {
            Ok(next) => Ok(next.first().copied()),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> Error {
        self.error_by(problem, None)
    }

    fn error_by(&self, problem: impl Into<String>, source: Option<Cause>) -> Error {
        Error::File { path: self.path.clone(), problem: problem.into(), help: self.help.into(), source }
    }

    /// Up to `most` bytes, fewer only at the file's end. Allocates only as much memory as there are bytes, whatever `most` is.
    pub(super) fn up_to(&mut self, most: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let outcome = self.bytes.by_ref().take(most).read_to_end(&mut bytes);
        self.read += bytes.len() as u64;
        match outcome {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        let problem = format!("cannot be read behind byte {}: {error}", self.read);
        self.error_by(problem, Cause::new(error))
    }

    /// The next `count` bytes, which hold `what`.
    pub(super) fn exactly(&mut self, count: u64, what: &str) -> Result<Vec<u8>> {
        let bytes = self.up_to(count)?;
        if bytes.len() as u64 != count {
            return Err(self.error(format!("ends after {} of the {count} bytes of {what}", bytes.len())));
        }
        Ok(bytes)
    }

    /// Checks that nothing follows. Reads to the end, where a compressed file has its checksum.
    pub(super) fn end(&mut self) -> Result<()> {
        let expected = self.read;
        if self.up_to(1)?.is_empty() {
            return Ok(());
        }
        Err(self.error(format!("goes on behind {expected} bytes, where it should end")))
    }

    /// Checks that each label is one of `classes`.
    pub(super) fn check_labels(&self, labels: &[u8], classes: usize) -> Result<()> {
        let bad = labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= classes);
        bad.map_or(Ok(()), |(index, label)| {
            Err(self.error(format!("label {index} is {label}; there are {classes} classes, from 0")))
        })
    }
}

/// Images of `width` bytes each, scaled to 0 to 1, with their classes.
pub(super) fn images(pixels: &[u8], width: usize, labels: &[u8]) -> Result<Dataset> {
    let inputs = pixels.iter().map(|pixel| f32::from(*pixel) / 255.0).collect();
    Dataset::new(inputs, width, Labels::Classes(labels.iter().map(|label| u32::from(*label)).collect()))
}
