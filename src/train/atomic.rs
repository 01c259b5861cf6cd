//! Files that are whole at every moment, whatever interrupts.

use std::fs::{DirEntry, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Puts `bytes` at `path`: written beside it, made durable, then moved into its place. What was there before stays whole
/// until then.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, temporary) = temporary(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| std::fs::rename(&temporary, path)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
    })?;
    sweep(path);
    sync_directory(path)
}

/// What a writer that was killed has left. One that lives writes more often than this; should it not, its move fails and
/// nothing else.
const STALE: Duration = Duration::from_secs(60);

/// Removes what earlier writers of this file have left beside it. What cannot be removed does no harm.
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

/// Where it lies.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file in the same directory, and so on the same file system.
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

/// The move itself survives a power cut only then.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

/// Elsewhere directories cannot be opened.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
