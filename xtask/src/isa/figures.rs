//! What a compiler's report comes to.

use super::compile::CRASHED;
use super::devices::Device;
use super::program::Loop;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// Registers of an invocation, as the device counts them.
    pub(crate) registers: u32,
    pub(crate) spills: u32,
    /// How many waves (warps, threads) a unit holds at once with so many registers and so much workgroup memory.
    pub(crate) waves: u32,
    /// Bytes.
    pub(crate) code: u32,
    /// Of a program that is looked at: its hot loop, and the multiply-adds of all loops.
    pub(crate) hot: Option<Loop>,
    pub(crate) loops: Vec<u32>,
}

/// The figures, or why there are none.
pub(crate) fn read(device: &Device, report: &str) -> Result<Figures, String> {
    let (numbers, program) = match report.split_once("\n====\n") {
        Some((numbers, program)) => (numbers, Some(program)),
        None => (report, None),
    };
    let named = |name: &str| {
        let mut lines = numbers.lines().filter_map(|line| line.split_once('\t'));
        lines.find_map(|(known, value)| (known == name).then_some(value))
    };
    if let Some(why) = named(CRASHED).or_else(|| named("refused")) {
        return Err(why.into());
    }
    let number = |name: &str| {
        let value = named(name).and_then(|value| value.parse::<f64>().ok());
        value.map(|value| value as u32).ok_or_else(|| format!("{} says nothing of `{name}`", device.title))
    };
    let [registers, spills, waves] = device.numbers;
    let mut waves = number(waves)?;
    if device.driver == "radeon" {
        // RADV counts a wave of 64 twice.
        waves /= (number("subgroup")? / 32).max(1);
    }
    let program = program.map(device.disassembly);
    Ok(Figures {
        registers: number(registers)?,
        spills: number(spills)?,
        waves,
        code: number("Code size")?,
        hot: program.as_ref().map(super::program::Program::hot),
        loops: program.iter().flat_map(|p| p.loops()).map(|one| one.multiply_adds).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "milliseconds\t17\nsubgroup\t64\nVGPRs\t120\nSpilled VGPRs\t3\nCode size\t4080\n\
        Subgroups per SIMD\t12\n====\nBB1:\n\tv_fmac_f32_e32 v0, v1, v2 ; 3\n\ts_branch BB1 ; 4\n";

    #[test]
    fn a_report_is_read() {
        let navi = Device::of("navi31").unwrap();
        let figures = read(navi, REPORT).unwrap();
        let Figures { registers, spills, waves, code, ref hot, ref loops } = figures;
        assert_eq!((registers, spills, waves, code), (120, 3, 6, 4080));
        assert_eq!((hot.as_ref().unwrap().multiply_adds, &loops[..]), (1, &[1][..]));
        let numbers = read(navi, REPORT.split_once("====").unwrap().0).unwrap();
        assert!(numbers.hot.is_none() && numbers.loops.is_empty());
    }

    #[test]
    fn what_is_missing_is_named() {
        let navi = Device::of("navi31").unwrap();
        assert_eq!(read(navi, "crashed\tnot possible\n"), Err("not possible".into()));
        let message = read(navi, &REPORT.replace("Code size", "Size")).unwrap_err();
        assert!(message.contains("`Code size`"), "{message}");
    }
}
