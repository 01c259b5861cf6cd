//! Counter-based random numbers: they depend on where they are used, not on when.

use std::f64::consts::TAU;

/// The state of random numbers: dropout's, those of [`Mode::HesScaleS1`](crate::Mode::HesScaleS1) and `HesScaleS2`, and of
/// [`Rule::Upgd`](crate::model::Rule::Upgd). The number of an element is a hash of (element's index in the batch, counted in
/// row-major `[N, C, H, W]` order; node; step; seed) by `pcg4d` (Jarzynski & Olano, *Hash Functions for GPU Rendering*,
/// 2020): the same on every device and in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Noise {
    /// Chosen by the user.
    pub seed: u32,
    /// Counts backward passes; of an optimiser its steps, from 1.
    pub step: u32,
}

impl Noise {
    /// The random word of one element of one node.
    #[must_use]
    pub fn word(self, node: u32, element: u32) -> u32 {
        self.words(node, element)[0]
    }

    /// Four normal numbers of mean 0 and deviation 1 from the hash's four words a, b, c, d, by Box and Muller: `r cos φ`, `r sin φ`
    /// with `r = √(−2 ln((⌊a / 256⌋ + 1) / 2²⁴))`, `φ = 2π ⌊b / 256⌋ / 2²⁴`, then the same of c and d. An optimiser's noise has
    /// [`Noise::PARAMETERS`] for a node; parameters 4 i to 4 i + 3 of the flat layout have the numbers of element i.
    #[must_use]
    pub fn normals(self, node: u32, element: u32) -> [f64; 4] {
        let unit = |word: u32| f64::from(word >> 8) / 16_777_216.0;
        let [a, b, c, d] = self.words(node, element).map(unit);
        let radius = |u: f64| (-2.0 * (u + 1.0 / 16_777_216.0).ln()).sqrt();
        let ([r, q], [(sin, cos), (sin_q, cos_q)]) =
            ([a, c].map(radius), [b, d].map(|u| (TAU * u).sin_cos()));
        [r * cos, r * sin, q * cos_q, q * sin_q]
    }

    /// Whether a sample has the sign −1 at an output, in [`Mode::HesScaleS1`](crate::Mode::HesScaleS1). A bit of the output's word, the
    /// first with [`Noise::OUTPUTS`] for a node, turned over where the numbers of sample and output have an odd number of binary
    /// ones in common, as in a column of a Hadamard matrix: signs of a sample are independent, those of two outputs orthogonal
    /// over as many samples as a power of two that is not below the number of outputs. So the noise of samples that are alike cancels.
    #[must_use]
    pub fn is_negative(self, sample: u32, output: u32) -> bool {
        let ones = (self.word(Noise::OUTPUTS, output) >> 31) + (sample & output).count_ones();
        ones % 2 == 1
    }

    /// In the place of a node's number, the outputs of the network.
    pub const OUTPUTS: u32 = u32::MAX - 1;

    /// In the place of a node's number, the parameters.
    pub const PARAMETERS: u32 = u32::MAX;

    fn words(self, node: u32, element: u32) -> [u32; 4] {
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
        v
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
