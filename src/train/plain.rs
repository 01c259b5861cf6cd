//! Regular files only: a FIFO would block its reader forever, and a device must not be replaced.

use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::Path;

pub(super) fn open(path: &Path) -> io::Result<File> {
    check(&std::fs::metadata(path)?)?;
    File::open(path)
}

/// Refuses anything but a regular file, naming what it is.
pub(super) fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::other(format!("it is {}, and no plain file", kind(metadata.file_type()))))
}

#[cfg(unix)]
fn kind(of: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match of {
        of if of.is_dir() => "a directory",
        of if of.is_fifo() => "a FIFO",
        of if of.is_socket() => "a socket",
        of if of.is_char_device() || of.is_block_device() => "a device",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn kind(of: FileType) -> &'static str {
    if of.is_dir() { "a directory" } else { "something else" }
}
