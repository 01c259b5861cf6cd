//! Counter-based random numbers: they depend on where they are used, not on when.

/// The state of dropout's random numbers. The number of an element is a hash of (element's index in the batch, counted in
/// row-major `[N, C, H, W]` order; node; step; seed) by `pcg4d` (Jarzynski & Olano, *Hash Functions for GPU Rendering*,
/// 2020): the same on every device and in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Noise {
    /// Chosen by the user.
    pub seed: u32,
    /// Counts backward passes.
    pub step: u32,
}

impl Noise {
    /// The random word of one element of one node.
    #[must_use]
    pub fn word(self, node: u32, element: u32) -> u32 {
        let mut v = [element, node, self.step, self.seed]
            .map(|x| x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let mix = |v: &mut [u32; 4]| {
            for (i, j, k) in [(0, 1, 3), (1, 2, 0), (2, 0, 1), (3, 1, 2)] {
                v[i] = v[i].wrapping_add(v[j].wrapping_mul(v[k]));
            }
        };
        mix(&mut v);
        v = v.map(|x| x ^ (x >> 16));
        mix(&mut v);
        v[0]
    }

    /// Whether dropout with probability `p` keeps the element.
    #[must_use]
    pub fn keeps(self, node: u32, element: u32, p: f64) -> bool {
        self.word(node, element) >= threshold(p)
    }
}

/// Elements whose random word is below this are dropped: a fraction `p` of all.
pub(crate) fn threshold(p: f64) -> u32 {
    (p * 4_294_967_296.0) as u32
}
