//! Apple's AGX, as Honeykrisp dumps it: `1c4c: 05812406aaca1200 load r80, dr82, r81, lsl 2, i32, x, a`.

use super::{Kind, Program, Wait};

/// The longest of the programs in a dump: before the main one runs a preamble.
pub(crate) fn read(text: &str) -> Program {
    let mut programs: Vec<Vec<(i64, &str)>> = Vec::new();
    for line in text.lines() {
        let Some((address, code)) = instruction(line) else { continue };
        if address == 0 {
            programs.push(Vec::new());
        }
        programs.last_mut().into_iter().for_each(|program| program.push((address, code)));
    }
    let mut program = Program::default();
    for (address, code) in programs.into_iter().max_by_key(Vec::len).unwrap_or_default() {
        program.label(&address.to_string());
        let (name, operands) = code.split_once(' ').unwrap_or((code, ""));
        let last = operands.rsplit(',').next().unwrap_or_default().trim();
        match (name, last.parse::<i64>()) {
            ("jmp_any" | "jmp_none", Ok(by)) => program.jump(&(address + by).to_string(), Wait::Nothing),
            // Slots have letters.
            ("wait", _) => program.push(Kind::Other, 1, Wait::Slots(slot(last).map_or(0, |slot| 1 << slot))),
            _ => program.push(kind(name, operands, slot(last)), 1, Wait::Nothing),
        }
    }
    program
}

/// The instructions of a dump, which goes through many forms before.
pub(crate) fn kept(dump: &str) -> String {
    dump.lines().filter(|line| instruction(line).is_some()).map(|line| format!("{line}\n")).collect()
}

/// The address and the words behind the code's bytes.
fn instruction(line: &str) -> Option<(i64, &str)> {
    let (address, rest) = line.trim().split_once(": ")?;
    let (bytes, code) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    u64::from_str_radix(bytes.get(..4)?, 16).ok()?;
    Some((i64::from_str_radix(address, 16).ok()?, code.trim()))
}

fn slot(name: &str) -> Option<u32> {
    match name {
        "a" => Some(0),
        "b" => Some(1),
        _ => None,
    }
}

fn kind(name: &str, operands: &str, slot: Option<u32>) -> Kind {
    const CONTROL: [&str; 14] = [
        "if",
        "else",
        "while",
        "pop_exec",
        "push_exec",
        "break",
        "stop",
        "trap",
        "barrier",
        "jmp_any",
        "jmp_none",
        "store",
        "lstore",
        "unknown",
    ];
    match name {
        "ffma" => Kind::MultiplyAdds(1),
        // `lload r84_r85_r86_r87, r81l, 0, i32, xyzw`
        "lload" => {
            let registers = operands.split(',').next().unwrap_or_default().matches('_').count() as u32 + 1;
            let bits = if operands.contains("i16") { 16 } else { 32 };
            Kind::Shared(registers * bits)
        }
        "load" => Kind::Load(slot),
        _ if CONTROL.contains(&name) || name.starts_with("stack") || name.starts_with("atomic") => {
            Kind::Other
        }
        _ => Kind::Vector,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "block197 {
   0: f2050000               mov      $r1, threadgroup_in_grid_x
   4: 2e91006028020000       iadd     $r4, 0, ^r3
   c: 522da2412902           while    u17, $r74, 1, ugte
  12: 20c012190000           jmp_none 90
  18: 0579ac0699c21200       load     r79, dr78, r77, i32, x, a
  20: 0561a046a9ca1200       load     r76, dr80, r77, lsl 2, i32, x, b
  28: 3800                   wait     b
  2a: 69d12202f4000028       lload    r84_r85_r86_r87, r81l, 0, i32, xyzw
  32: 69c5010214000020       lload    r81, r0h, 0, i32, x
  3a: 3e3903c06522           ffma     $r1, r2, r3, $r1
  40: 92b158421b58403b8028   csel     $r76, r76, u26, r76, u26, ult
  4a: 3801                   wait     a
  4c: 6800                   barrier
  4e: 00c0eee6ffff           jmp_any  -66
  54: 520e00000000           pop_exec 1
  5a: 8800                   stop
   0: f2050000               mov      $r1, threadgroup_in_grid_x
   4: 8800                   stop
";

    #[test]
    fn a_loop_is_counted() {
        let program = read(TEXT);
        assert_eq!(program.loops().len(), 1);
        let hot = program.hot();
        assert_eq!((hot.multiply_adds, hot.vector), (1, 2));
        assert_eq!((hot.shared, hot.shared_bits), (2, 128 + 32));
        assert_eq!((hot.loads, hot.waited), (2, 1));
    }

    #[test]
    fn instructions_are_told_from_the_rest_of_a_dump() {
        assert_eq!(instruction("  28: 3800                   wait     b"), Some((0x28, "wait     b")));
        for other in ["block197 {", "   stop ", "shader: MESA_SHADER_COMPUTE", "begin: of"] {
            assert_eq!(instruction(other), None, "{other}");
        }
        assert_eq!(kept(TEXT).lines().count(), TEXT.lines().count() - 1);
    }
}
