//! How full a GPU is: the invocations that a core keeps at once, and the turns in which its cores take the workgroups.

use super::sizes::Sizes;
use super::tile::Tile;

/// The cores of a GPU (NVIDIA's multiprocessors, AMD's compute units), and what the workgroups that one keeps at once share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cores {
    /// How many there are.
    pub count: u32,
    /// Multiply-adds of one in a clock.
    pub lanes: u32,
    /// 32-bit registers of one.
    pub registers: u32,
    /// Bytes of workgroup memory of one.
    pub memory: u32,
    /// Invocations that one keeps at most.
    pub most: u32,
    /// Invocations of one that hide its latencies.
    pub wanted: u32,
}

/// Registers of an invocation beside its sums and operands: addresses, and what is fetched for the next stage. Compilers for RDNA
/// 3, Ampere and Apple's M1 take 40 to 56 (counted in what they made of the shaders).
const OTHERS: u32 = 48;

/// Registers of an invocation that holds the sums of `held` components.
fn registers_of(tile: Tile, sizes: &Sizes, held: u32) -> u32 {
    OTHERS + tile.sums() * held + tile.rows * sizes.components + 4 * tile.vectors
}

impl Cores {
    /// Invocations that a core keeps at once, but for what a driver rounds.
    pub(super) fn kept(&self, tile: Tile, sizes: &Sizes, held: u32) -> u32 {
        let by_registers = self.registers / registers_of(tile, sizes, held);
        let groups = self.memory.checked_div(tile.storage(sizes.components)).unwrap_or(u32::MAX);
        by_registers.min(groups.saturating_mul(tile.lanes())).min(self.most).max(1)
    }

    /// How much longer all takes on a core with so many invocations. A guess: half as long again with half of those that are
    /// wanted.
    pub(crate) fn stretch(&self, invocations: u32) -> f64 {
        let lacking = f64::from(self.wanted) / f64::from(invocations.max(1));
        1.0 + 0.5 * (lacking - 1.0).max(0.0)
    }

    /// The turns of the busiest core, each as long as one of `groups` workgroups of `lanes` invocations would take a full core, if
    /// a core keeps so many invocations.
    pub(crate) fn turns(&self, groups: u32, lanes: u32, kept: u32) -> f64 {
        let at_once = (kept / lanes).max(1);
        let mine = groups.div_ceil(self.count);
        let turn = |together: u32| f64::from(together) * self.stretch(together * lanes);
        f64::from(mine / at_once) * turn(at_once) + turn(mine % at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sizes::TileUse;
    use super::super::tile::Family;
    use super::*;

    const AMPERE: Cores =
        Cores { count: 68, lanes: 128, registers: 65_536, memory: 102_400, most: 1536, wanted: 512 };

    /// What RADV says of RDNA 3 and NVK of Ampere (subgroups of 32 on a core), within a third or so, for they round down.
    #[test]
    fn drivers_count_alike() {
        const NAVI31: Cores = Cores { registers: 98_304, memory: 65_536, most: 2048, ..AMPERE };
        // Components; rows, vectors, width, height; steps; subgroups.
        for (components, [rows, vectors, width, height], steps, navi31, ampere) in [
            (1, [4, 1, 8, 8], 16, 16, 24),
            (1, [4, 2, 8, 8], 16, 12, 20),
            (1, [8, 2, 8, 8], 16, 8, 16),
            (1, [8, 2, 16, 16], 8, 20, 12),
            (2, [4, 1, 8, 8], 16, 12, 20),
            (2, [4, 2, 8, 16], 8, 20, 12),
            (3, [4, 2, 8, 8], 8, 12, 12),
            (4, [4, 1, 16, 8], 8, 20, 16),
        ] {
            let family = Family::Workgroup { steps, buffers: 2, slices: 1 };
            let tile = Tile { family, rows, vectors, width, height };
            let kind = TileUse::Signal;
            let [m, n, k] = [1024; 3];
            let sizes = Sizes { kind, components, m, n, k, segments: 1, step: 4, vectors: true, long: false };
            for (cores, said) in [(NAVI31, navi31), (AMPERE, ampere)] {
                let kept = cores.kept(tile, &sizes, components) / 32;
                assert!(
                    kept * 4 >= said * 3 && kept * 3 <= said * 5,
                    "{tile} of {components}: {kept}, not {said}"
                );
            }
        }
    }

    #[test]
    fn a_turn_is_as_long_as_the_busiest_core_takes() {
        // 512 invocations a core: four workgroups of 128.
        let turns = |groups| AMPERE.turns(groups, 128, 512);
        assert_eq!(turns(68 * 4), 4.0);
        // One more workgroup is a turn of its own, on one core, with a quarter of the invocations.
        assert_eq!(turns(68 * 4 + 1), 4.0 + AMPERE.stretch(128));
        // One on each core, or on one core only, takes as long.
        assert_eq!((turns(68), turns(1)), (2.5, 2.5));
    }
}
