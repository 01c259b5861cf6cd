//! Qualcomm's Adreno, as ir3 prints it: `(sy)(rpt3)mad.f32 r12.x, …`, where `rpt3` stands for four in a row.

use super::{Kind, Program, Wait};

pub(crate) fn read(text: &str) -> Program {
    let mut program = Program::default();
    for line in text.lines() {
        let line = line.trim();
        if let Some(label) = line.strip_suffix(':').filter(|label| label.starts_with('l')) {
            program.label(label);
            continue;
        }
        if line.starts_with([';', '@']) {
            continue;
        }
        let (flags, code) = flags(line);
        let (name, operands) = code.split_once(' ').unwrap_or((code, ""));
        // Everything but texture reads and storage is waited for by `ss`.
        let wait = if flags.contains(&"sy") { Wait::Until(0) } else { Wait::Nothing };
        if let Some((_, label)) = operands.rsplit_once('#').filter(|_| is_jump(name)) {
            program.jump(label, wait);
        } else {
            let more = flags.iter().find_map(|flag| flag.strip_prefix("rpt")?.parse::<u32>().ok());
            program.push(kind(name, operands), 1 + more.unwrap_or(0), wait);
        }
    }
    program
}

/// The words in parentheses before an instruction, and the instruction.
fn flags(line: &str) -> (Vec<&str>, &str) {
    let (mut found, mut rest) = (Vec::new(), line);
    while let Some((flag, behind)) = rest.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
        found.push(flag);
        rest = behind.trim_start();
    }
    (found, rest)
}

fn is_jump(name: &str) -> bool {
    ["br", "braa", "brao", "brac", "jump"].contains(&name)
}

fn kind(name: &str, operands: &str) -> Kind {
    const CONTROL: [&str; 22] = [
        "nop", "bar", "end", "br", "braa", "brao", "brac", "jump", "predt", "predf", "prede", "shps", "shpe",
        "getone", "fence", "lock", "unlock", "ret", "resinfo", "ldc", "stc", "ccinv",
    ];
    let first = name.split('.').next().unwrap_or_default();
    match first {
        "mad" if name == "mad.f32" => Kind::MultiplyAdds(1),
        // `ldl.u32 r1.x, l[r2.x], 4`: four numbers.
        "ldl" => {
            let count = operands.rsplit(',').next().and_then(|count| count.trim().parse::<u32>().ok());
            Kind::Shared(32 * count.unwrap_or(1))
        }
        // Storage that is only read is read as a texture.
        "isam" | "ldib" | "ldg" => Kind::Load(None),
        "" | "stl" | "stib" | "stg" | "stp" | "ldp" | "atomic" | "alias" => Kind::Other,
        other if CONTROL.contains(&other) => Kind::Other,
        _ => Kind::Vector,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "; num_ubos: 0
@in(r48.x)	in0 (wrmask=0x7)
l161:
(sy)(ss)shr.b r49.z, r48.w, 2
isam.v.base0 (u32)(xyzw)r3.w, r3.y, s#0, t#1
isam.v.base0 (u32)(xyzw)r6.y, r3.z, s#0, t#1
(ss)br p0.y, #l608
(sy)sel.b32 r7.w, (last)r6.x, r4.z, c16.z
ldl.u32 r1.x, l[r2.x+16], 4
ldl.u32 r1.x, l[r2.x], 1
(rpt3)mad.f32 r30.x, (r)r29.y, r1.w, (r)(last)r30.x
(nop2) mad.f32 r30.x, r29.y, r1.w, r30.x
madsh.m16 r2.y, r1.y, r1.w, (last)r2.y
(sy)(ss)jump #l161
l608:
end
";

    #[test]
    fn a_loop_is_counted() {
        let hot = read(TEXT).hot();
        assert_eq!((hot.multiply_adds, hot.vector), (5, 8));
        assert_eq!((hot.shared, hot.shared_bits), (2, 128 + 32));
        assert_eq!((hot.loads, hot.waited), (2, 2));
    }

    #[test]
    fn flags_stand_before() {
        assert_eq!(flags("(sy)(rpt2)add.u r1.x, (last)r2.y"), (vec!["sy", "rpt2"], "add.u r1.x, (last)r2.y"));
        assert_eq!(flags("(nop1) shr.b r0.x"), (vec!["nop1"], "shr.b r0.x"));
    }
}
