//! AMD's RDNA, as ACO disassembles it.

use super::{Kind, Program, Wait};

pub(crate) fn read(text: &str) -> Program {
    let mut program = Program::default();
    for line in text.lines() {
        let code = line.split(';').next().unwrap_or_default().trim();
        if let Some(label) = code.strip_suffix(':') {
            program.label(label);
            continue;
        }
        let Some((name, operands)) =
            code.split_once(' ').or(Some((code, ""))).filter(|(name, _)| !name.is_empty())
        else {
            continue;
        };
        let wait = waits(name, operands);
        if name.starts_with("s_branch") || name.starts_with("s_cbranch") {
            program.jump(operands.trim(), wait);
        } else {
            program.push(kind(name, code), 1, wait);
        }
    }
    program
}

fn kind(name: &str, code: &str) -> Kind {
    let is_multiply_add = |name: &&str| {
        let name = name.trim_start_matches("v_").trim_start_matches("dual_");
        ["fma_f32", "fmac_f32", "fmaak_f32", "fmamk_f32"].iter().any(|one| name.starts_with(one))
    };
    if name.starts_with("v_") {
        // Two instructions may be issued as one: `v_dual_fmac_f32 … :: v_dual_mov_b32 …`.
        match code.split_whitespace().filter(is_multiply_add).count() as u32 {
            0 => Kind::Vector,
            both => Kind::MultiplyAdds(both),
        }
    } else if name.starts_with("ds_load") || name.starts_with("ds_read") {
        let two = if name.contains("2addr") || name.contains("read2") { 2 } else { 1 };
        let bits = name.rsplit_once("_b").and_then(|(_, bits)| bits.parse::<u32>().ok());
        Kind::Shared(two * bits.unwrap_or(32))
    } else if ["buffer_load", "global_load", "flat_load"].iter().any(|load| name.starts_with(load)) {
        Kind::Load(None)
    } else {
        Kind::Other
    }
}

/// Loads from memory arrive in order: `s_waitcnt vmcnt(2)` waits for all but the last two, as `s_wait_loadcnt 0x2` does.
fn waits(name: &str, operands: &str) -> Wait {
    let left = match name {
        "s_waitcnt" => operands.split_once("vmcnt(").and_then(|(_, rest)| rest.split(')').next()),
        "s_wait_loadcnt" | "s_wait_loadcnt_dscnt" => operands.split_whitespace().next(),
        _ => None,
    };
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    left.and_then(number).map_or(Wait::Nothing, Wait::Until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "BB0:
\ts_load_b128 s[4:7], s[0:1], 0x20                            ; f4080100 f8000020
BB1:
\tbuffer_load_b128 v[12:15], v5, s[12:15], 0 offen            ; e05c0000 80430c05
\tbuffer_load_b128 v[16:19], v6, s[12:15], 0 offen            ; e05c0000 80431006
\ts_waitcnt vmcnt(1) lgkmcnt(0)                               ; bf890ff7
\tv_mad_u64_u32 v[2:3], null, v2, s10, 0                      ; 1
\tds_load_b128 v[20:23], v1                                   ; 2
\tds_load_2addr_b32 v[20:21], v1 offset1:4                    ; 2
\tv_fmac_f32_e32 v0, v1, v2                                   ; 3
\tv_dual_fmac_f32 v0, v1, v2 :: v_dual_fmac_f32 v3, v4, v5    ; 4
\tv_dual_fmac_f32 v0, v1, v2 :: v_dual_mov_b32 v3, v4         ; 4
\ts_waitcnt vmcnt(0)                                          ; bf8903f7
\ts_cbranch_scc0 BB1                                          ; bfa10734
BB2:
\ts_endpgm                                                    ; bfb00000
";

    #[test]
    fn a_loop_is_counted() {
        let hot = read(TEXT).hot();
        assert_eq!((hot.multiply_adds, hot.vector), (4, 4));
        assert_eq!((hot.shared, hot.shared_bits), (2, 128 + 64));
        assert_eq!((hot.loads, hot.waited), (2, 1));
    }

    #[test]
    fn waits_are_for_loads_only() {
        assert_eq!(waits("s_waitcnt", "lgkmcnt(0)"), Wait::Nothing);
        assert_eq!(waits("s_waitcnt_vscnt", "null, 0x0"), Wait::Nothing);
        assert_eq!(waits("s_wait_loadcnt", "0xa"), Wait::Until(10));
    }

    #[test]
    fn integers_are_no_multiply_adds() {
        assert_eq!(kind("v_mad_u32_u24", "v_mad_u32_u24 v1, v2, v3, v4"), Kind::Vector);
        assert_eq!(kind("v_fma_f32", "v_fma_f32 v1, v2, v3, v4"), Kind::MultiplyAdds(1));
    }
}
