//! Files named by the user. Output files are checked before the work whose results they receive.

use std::error::Error;
use std::fs::OpenOptions;
use std::path::Path;

/// Checks that a file can be created or overwritten there, without changing anything.
#[allow(dead_code)] // not every example writes one
pub(crate) fn can_write(path: &Path) -> Result<(), Box<dyn Error>> {
    let problem = |why: &dyn std::fmt::Display| format!("cannot write {}: {why}", path.display());
    match path.metadata() {
        Ok(there) if !there.is_file() => Err(problem(&"it is no plain file").into()),
        Ok(_) => {
            OpenOptions::new().append(true).open(path).map_err(|error| problem(&error))?;
            Ok(())
        }
        Err(_) => {
            // The target of a symbolic link may not exist yet.
            let made = std::fs::File::create(path).and_then(|_| std::fs::remove_file(path.canonicalize()?));
            Ok(made.map_err(|error| problem(&error))?)
        }
    }
}

/// Reads a text file. Only regular files are accepted: a FIFO would block.
#[allow(dead_code)] // not every example reads one
pub(crate) fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    let problem = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    if !path.metadata().map_err(|error| problem(&error))?.is_file() {
        return Err(problem(&"it is no plain file").into());
    }
    Ok(std::fs::read_to_string(path).map_err(|error| problem(&error))?)
}
