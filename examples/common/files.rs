//! Files that the user names. Whether one can be written is asked before the work whose results it is for.

use std::error::Error;
use std::fs::OpenOptions;
use std::path::Path;

/// Whether a file can be put there, or what is there be written over. Leaves all as it was.
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
            // At the end of a symbolic link it may be, but is not there yet.
            let made = std::fs::File::create(path).and_then(|_| std::fs::remove_file(path.canonicalize()?));
            Ok(made.map_err(|error| problem(&error))?)
        }
    }
}

/// All of a text file. What is no plain file is refused: a FIFO would keep one waiting.
#[allow(dead_code)] // not every example reads one
pub(crate) fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    let problem = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    if !path.metadata().map_err(|error| problem(&error))?.is_file() {
        return Err(problem(&"it is no plain file").into());
    }
    Ok(std::fs::read_to_string(path).map_err(|error| problem(&error))?)
}
