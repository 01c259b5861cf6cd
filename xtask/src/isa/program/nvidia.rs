//! NVIDIA's, as NAK prints it: `destination = name operands // delay=1 wt=000001 wr:0`.

use super::{Kind, Program, Wait};

pub(crate) fn read(text: &str) -> Program {
    let mut program = Program::default();
    for line in text.lines() {
        let (code, scheduling) = line.split_once("//").unwrap_or((line, ""));
        // `block 1 L5 [0] -> {`
        if code.starts_with("block") {
            code.split_whitespace().nth(2).into_iter().for_each(|label| program.label(label));
            continue;
        }
        let code = match code.strip_prefix('@') {
            Some(predicated) => predicated.split_once(' ').map_or("", |(_, code)| code),
            None => code,
        };
        let code = code.trim();
        if code.is_empty() || code.starts_with('}') {
            continue;
        }
        let (target, operation) = code.split_once(" = ").unwrap_or(("", code));
        let name = operation.split_whitespace().next().unwrap_or_default();
        let wait = field(scheduling, "wt=").and_then(|mask| u32::from_str_radix(mask, 2).ok());
        let wait = wait.map_or(Wait::Nothing, Wait::Slots);
        if name == "bra" {
            program.jump(operation.split_whitespace().last().unwrap_or_default(), wait);
        } else {
            let slot = field(scheduling, "wr:").and_then(|slot| slot.parse().ok());
            program.push(kind(target.trim(), name, slot), 1, wait);
        }
    }
    program
}

fn field<'a>(scheduling: &'a str, name: &str) -> Option<&'a str> {
    scheduling.split_whitespace().find_map(|word| word.strip_prefix(name))
}

fn kind(target: &str, name: &str, slot: Option<u32>) -> Kind {
    let mut parts = name.split('.');
    let bits = || name.rsplit_once(".b").and_then(|(_, bits)| bits.parse().ok()).unwrap_or(32);
    match (parts.next(), parts.next()) {
        (Some("ffma"), _) => Kind::MultiplyAdds(1),
        (Some("ld"), Some("shared")) => Kind::Shared(bits()),
        (Some("ld"), Some("global")) => Kind::Load(slot),
        // Constants and special registers are read by units of their own.
        (Some("ld" | "ldc" | "s2r" | "atom"), _) => Kind::Other,
        // Registers of lanes and their predicates; `ur` and `up` are a warp's, `b` are of control flow.
        _ if target.starts_with(['r', 'p']) => Kind::Vector,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "block.u 0 L3 [] -> {
      ur2       = ldc.b32 c[0x0][+0x0]                                  // delay=2 wr:2
} -> [1]
block 1 L2 [0, 1] -> {
      r6        = ld.global.a64.constant.b32 [r6+ur2..4], p0            // delay=2 wt=000011 rd:0 wr:1
      r7        = ld.global.a64.constant.b128 [r7+ur2..4], p0           // delay=2 rd:0 wr:2
      p0        = isetp.lt.u32 r7 c[0x1][0x18]                          // delay=7 wt=000100
      ur0       = iadd3 ur0 ur2 rZ                                      // delay=3 wt=000101
      r20..24   = ld.shared.strong.cta.b128 [r27.x16+rZ]                // delay=1 wr:0
      r12       = ffma.ftz -r13 r4 r12                                  // delay=5 wt=000001
@!p0  r12       = ffma.ftz -r13 r4 r12                                  // delay=5 wt=000010
                  bar.sync                                              // delay=6 yld
@!p0              bra pT L2                                             // delay=1 wt=111110
} -> [1, 2]
block 2 L4 [1] -> {
                  exit                                                  // delay=1
}
";

    #[test]
    fn a_loop_is_counted() {
        let hot = read(TEXT).hot();
        assert_eq!((hot.multiply_adds, hot.vector), (2, 3));
        assert_eq!((hot.shared, hot.shared_bits), (1, 128));
        assert_eq!((hot.loads, hot.waited), (2, 1));
    }

    #[test]
    fn what_a_warp_does_as_a_whole_is_not_the_lanes() {
        assert_eq!(kind("ur0", "iadd3", None), Kind::Other);
        assert_eq!(kind("r0", "iadd3", None), Kind::Vector);
        assert_eq!(kind("r0", "ld.local.b32", Some(1)), Kind::Other);
        assert_eq!(kind("b0", "bssy", None), Kind::Other);
    }
}
