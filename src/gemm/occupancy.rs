//! How many invocations of a tile a core keeps at once: too few, and memory's and instructions' latency shows.

use super::sizes::Sizes;
use super::tile::Tile;

/// A core of a GPU (NVIDIA's multiprocessor, AMD's compute unit): what the workgroups that it keeps at once share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Core {
    /// 32-bit registers.
    pub(super) registers: u32,
    /// Bytes of workgroup memory.
    pub(super) memory: u32,
    /// Invocations that hide its latencies.
    pub(super) wanted: u32,
}

/// Registers of an invocation beside its sums and operands: addresses, and what is fetched for the next stage. Compilers for RDNA 3,
/// Ampere and Apple's M1 take 40 to 56 (counted in what they made of the shaders).
const OTHERS: u32 = 48;

impl Core {
    /// Registers of an invocation that holds the sums of `held` components.
    pub(super) fn registers_of(tile: Tile, sizes: &Sizes, held: u32) -> u32 {
        OTHERS + tile.sums() * held + tile.rows * sizes.components + 4 * tile.vectors
    }

    /// Invocations that it keeps at once, but for what a driver rounds.
    pub(super) fn kept(&self, tile: Tile, sizes: &Sizes, held: u32) -> u32 {
        let by_registers = self.registers / Core::registers_of(tile, sizes, held);
        let groups = self.memory.checked_div(tile.storage(sizes.components)).unwrap_or(u32::MAX);
        by_registers.min(groups.saturating_mul(tile.lanes())).max(1)
    }

    /// How much longer all takes for want of invocations. A guess: half as long again with half of those that are wanted.
    pub(super) fn stretch(&self, tile: Tile, sizes: &Sizes, held: u32) -> f64 {
        let lacking = f64::from(self.wanted) / f64::from(self.kept(tile, sizes, held));
        1.0 + 0.5 * (lacking - 1.0).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sizes::TileUse;
    use super::super::tile::Family;
    use super::*;

    /// What RADV says of RDNA 3 and NVK of Ampere (subgroups of 32 on a core), within a quarter, for they round down.
    #[test]
    fn drivers_count_alike() {
        const NAVI31: Core = Core { registers: 98_304, memory: 65_536, wanted: 512 };
        const AMPERE: Core = Core { registers: 65_536, memory: 102_400, wanted: 512 };
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
            for (core, said) in [(NAVI31, navi31), (AMPERE, ampere)] {
                let kept = core.kept(tile, &sizes, components) / 32;
                assert!(
                    kept * 4 >= said * 3 && kept * 3 <= said * 5,
                    "{tile} of {components}: {kept}, not {said}"
                );
            }
        }
    }
}
