//! Atomic file replacement: a file is complete at every moment, whatever interrupts.

use super::plain;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf, is_separator};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Failed {
    pub error: io::Error,
    /// Whether the new file is in place nevertheless, only not guaranteed to be durable.
    pub replaced: bool,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed { error, replaced: false }
    }
}

/// Writes `bytes` to `path`: to a temporary file beside it, which is made durable and then renamed. The previous file stays
/// intact until then, and its permissions are kept. Symbolic links are followed; anything but a regular file is left alone.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    write_and(path, bytes, Directory::sync)
}

/// Whether `write` could create a file at `path`. Leaves nothing behind.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let (file, temporary, _) = Destination::find(path)?.prepare()?;
    drop(file);
    std::fs::remove_file(temporary)
}

/// `settle` is the last step, which makes the rename durable.
fn write_and(path: &Path, bytes: &[u8], settle: fn(&Directory) -> io::Result<()>) -> Result<(), Failed> {
    let destination = Destination::find(path)?;
    let (mut file, temporary, directory) = destination.prepare()?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| std::fs::rename(&temporary, &destination.path)).inspect_err(|_| {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    })?;
    sweep(&destination.path);
    settle(&directory).map_err(|error| Failed { error, replaced: true })
}

struct Destination {
    path: PathBuf,
    old: Option<std::fs::Metadata>,
}

/// More symbolic links than this count as a loop.
const LINKS: usize = 40;

impl Destination {
    /// Follows all symbolic links; the last one may lead to no file yet.
    fn find(path: &Path) -> io::Result<Destination> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let Ok(link) = std::fs::read_link(&path) else {
                let old = match std::fs::symlink_metadata(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    old => Some(old?),
                };
                old.as_ref().map_or(Ok(()), plain::check)?;
                if path.as_os_str().as_encoded_bytes().last().is_some_and(|end| is_separator((*end).into())) {
                    return Err(io::Error::other("it ends as the name of a directory"));
                }
                return Ok(Destination { path, old });
            };
            path = directory(&path).join(link);
        }
        Err(io::Error::other("its symbolic links lead in a circle"))
    }

    /// A new, empty file in the same directory, hence on the same file system, with the permissions of the old one. The
    /// directory is opened now, so that a failure shows before anything has changed.
    fn prepare(&self) -> io::Result<(File, PathBuf, Directory)> {
        let directory = Directory::open(directory(&self.path))?;
        let (file, temporary) = temporary(&self.path)?;
        if let Some(old) = &self.old {
            file.set_permissions(old.permissions()).inspect_err(|_| {
                let _ = std::fs::remove_file(&temporary);
            })?;
        }
        Ok((file, temporary, directory))
    }
}

/// Temporary files older than this were left by a killed writer. A live writer writes more often; if it does not, only its rename
/// fails.
const STALE: Duration = Duration::from_secs(60);

/// Removes temporary files of earlier writers of this file. Failing to remove one does no harm.
fn sweep(path: &Path) {
    let Some(name) = path.file_name().map(|name| format!(".{}.", name.to_string_lossy())) else { return };
    let stale = |entry: &DirEntry| {
        let entry_name = entry.file_name();
        let random = entry_name.to_str().and_then(|n| n.strip_prefix(&name)?.strip_suffix(".tmp"));
        let ours = random.is_some_and(|r| r.len() == 8 && r.bytes().all(|b| b.is_ascii_hexdigit()));
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        ours && age().is_some_and(|age| age > STALE)
    };
    let entries = std::fs::read_dir(directory(path)).into_iter().flatten().flatten();
    for entry in entries.filter(stale) {
        let _ = std::fs::remove_file(entry.path());
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    loop {
        let temporary = path.with_file_name(format!(".{name}.{:08x}.tmp", fastrand::u32(..)));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return Ok((outcome?, temporary)),
        }
    }
}

/// An open directory: a rename within it survives a power failure only after the directory is synced.
#[cfg(unix)]
struct Directory(File);

#[cfg(unix)]
impl Directory {
    fn open(path: &Path) -> io::Result<Directory> {
        File::open(path).map(Directory)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Elsewhere directories cannot be opened.
#[cfg(not(unix))]
struct Directory;

#[cfg(not(unix))]
impl Directory {
    fn open(_: &Path) -> io::Result<Directory> {
        Ok(Directory)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("hesscale atomic {test} {}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    fn fails(_: &Directory) -> io::Result<()> {
        Err(io::Error::other("no"))
    }

    /// What an error says of the old file is so, on either side of the move.
    #[test]
    fn a_failure_knows_which_file_is_there() {
        let directory = directory("failures");
        let path = directory.join("file");
        write(&path, b"old").unwrap();
        let failed = write_and(&path, b"new", fails).unwrap_err();
        assert!(failed.replaced);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");

        // What cannot be moved over: it became a directory after it was looked at.
        let destination = Destination::find(&directory.join("other")).unwrap();
        std::fs::create_dir_all(destination.path.join("full")).unwrap();
        let failed = write(&destination.path, b"new").unwrap_err();
        assert!(!failed.replaced && failed.error.to_string().contains("a directory"), "{failed:?}");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2, "nothing is left beside");
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn asking_leaves_nothing() {
        let directory = directory("asking");
        check(&directory.join("file")).unwrap();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        write(&directory.join("file"), b"old").unwrap();
        check(&directory.join("file")).unwrap();
        assert_eq!(std::fs::read(directory.join("file")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        check(&directory).unwrap_err();
        check(&directory.join("no").join("file")).unwrap_err();
        std::fs::remove_dir_all(directory).unwrap();
    }
}
