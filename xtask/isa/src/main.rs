//! Compiles compute shaders on the first Vulkan device and writes down what its compiler says of each. `cargo xtask isa` runs it
//! under a driver that only believes to have a device; see `docs/isa.md`.
//!
//! Each line of the standard input asks for a shader: a file of SPIR-V, its bindings (`u` a uniform, `s` storage), `program` or
//! `numbers` alone, the file for the report, with tabs between. On the standard error `begin` and the SPIR-V's file say that it is
//! being compiled, `end` that the report is there: a driver that crashes takes this program along, and whoever started it knows by
//! whose fault. The standard output is left to drivers, some of which dump programs there.

mod device;
mod report;

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("isa: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let device = device::Device::first()?;
    say(&format!("device {}", device.name))?;
    for line in std::io::stdin().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let [shader, bindings, what, report] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("`{line}` is no request"));
        };
        say(&format!("begin {shader}"))?;
        let words = words(shader)?;
        let text = device.compile(&words, bindings, what == "program")?;
        // A report is there as a whole or not at all.
        let part = format!("{report}.part");
        std::fs::write(&part, text).map_err(|e| format!("{part}: {e}"))?;
        std::fs::rename(&part, report).map_err(|e| format!("{report}: {e}"))?;
        say(&format!("end {shader}"))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), String> {
    writeln!(std::io::stderr(), "{line}").map_err(|e| e.to_string())
}

fn words(file: &str) -> Result<Vec<u32>, String> {
    let bytes = std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let word = |four: &[u8]| u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    match bytes.len() % 4 {
        0 => Ok(bytes.chunks_exact(4).map(word).collect()),
        _ => Err(format!("{file} is no SPIR-V")),
    }
}
