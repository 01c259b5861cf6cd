//! Shared by the examples that train: command line, device, and output.

pub(crate) mod arguments;
pub(crate) mod backend;
#[allow(dead_code)] // not every example learns them
pub(crate) mod digits;
pub(crate) mod files;
#[allow(dead_code)] // not every example compares optimizers
pub(crate) mod method;
pub(crate) mod outcome;
#[allow(dead_code)] // not every example averages over starts of one network
pub(crate) mod starts;

use std::error::Error;
use std::io::Write as _;

/// Like `println!`, but a closed pipe is an error instead of a panic.
pub(crate) fn say(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// The adapters of this machine, a line each.
pub(crate) fn list() -> Result<(), Box<dyn Error>> {
    let adapters = pollster::block_on(hesscale::Context::adapters());
    if adapters.is_empty() {
        eprintln!("no adapter; `cargo xtask demo` installs a software one on Debian and Ubuntu");
    }
    adapters.iter().try_for_each(|adapter| say(adapter))
}
