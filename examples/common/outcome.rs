//! How a program ends.

use std::error::Error;
use std::process::ExitCode;

/// Reports an error, if any.
pub(crate) fn exit(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    if let Some(hesscale::Error::NoAdapter { .. }) = error.downcast_ref() {
        eprintln!("`--list` shows what there is; `--cpu` trains on the CPU instead.");
    }
    ExitCode::FAILURE
}

/// Reports an invalid command line.
pub(crate) fn misused(message: &str, usage: &str) -> ExitCode {
    eprintln!("{message}\n\n{usage}");
    ExitCode::from(2)
}
