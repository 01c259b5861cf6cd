//! The project's commands: `cargo xtask demo`, `test`, `portability`, `isa`, `tune` and `wasm`.
//!
//! It has no dependencies, so that it starts quickly on a machine with only Rust. xtask's own messages go to standard error;
//! standard output belongs to the programs that it runs.

mod cli;
mod distro;
mod isa;
mod matrix;
mod portability;
#[allow(dead_code, reason = "the crate's tests use all of it")]
#[path = "../../tests/unit/portability/record.rs"]
mod record;
mod setup;
mod stage;
mod tools;
mod vulkan;
mod wasm;

use std::process::ExitCode;

use cli::Command;

/// Exit status for an invalid command line, by Unix convention.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", cli::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::Demo { args }) => stage::demo(args),
        Ok(Command::Tune { args }) => stage::tune(args),
        Ok(Command::Test) => stage::test(),
        Ok(Command::Portability { stacks }) => portability::portability(&stacks),
        Ok(Command::Isa(options)) => isa::isa(&options),
        Ok(Command::Wasm) => wasm::wasm(),
        Err(message) => {
            eprint!("xtask: {message}\n\n{}", cli::USAGE);
            ExitCode::from(USAGE_ERROR)
        }
    }
}
