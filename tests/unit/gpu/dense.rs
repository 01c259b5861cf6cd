//! Products of dense layers whose sums are sliced.

use super::{Bound, Lie, MODES, Signal, UNTOUCHED, compare, difference, numbers, run, words};
use crate::gemm::{Family, Gemm, Offsets, Product, Tile, Use};
use crate::model::{Activation, Mode};
use crate::shader::DeviceClass;

const fn sliced([rows, vectors, width, height]: [u32; 4]) -> Tile {
    Tile { family: Family::Sliced, rows, vectors, width, height }
}

/// One level of the tree and two, every access to memory that lies side by side, and slices for others than a power of two of
/// invocations to finish.
const TILES: [Tile; 8] = [
    sliced([1, 1, 1, 64]),
    sliced([8, 1, 8, 8]),
    sliced([1, 3, 1, 128]),
    sliced([3, 1, 4, 64]),
    sliced([2, 2, 16, 16]),
    sliced([5, 3, 2, 16]),
    sliced([3, 1, 3, 4]),
    sliced([1, 1, 8, 1]),
];

/// m, n, k: one of each, fewer terms than slices, as many as several rounds of slices take, edges of vec4s and of tiles.
const SIZES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [2, 3, 5],
    [1, 4, 4],
    [8, 10, 512],
    [1, 10, 512],
    [1, 512, 784],
    [3, 33, 65],
    [5, 20, 100],
    [7, 129, 1030],
    [8, 1030, 33],
    [11, 36, 36],
    [1, 4, 5000],
    [1, 1030, 17],
    [9, 64, 255],
];

/// A dense product with all that it reads.
struct Problem {
    m: usize,
    n: usize,
    k: usize,
    /// Of weights `[n, k]` in a forward pass, `[k, n]` for a signal.
    weights: Vec<f64>,
}

impl Problem {
    fn new([m, n, k]: [usize; 3]) -> Problem {
        // Sums of size 1, whose rounding errors are as small.
        let scale = (3.0 / k as f64).sqrt();
        let weights = numbers(3, n * k).into_iter().map(|w| f64::from((scale * w) as f32)).collect();
        Problem { m, n, k, weights }
    }

    fn product(&self, usage: Use, tile: Tile, planes: [usize; 2]) -> Product {
        let [m, n, k] = [self.m, self.n, self.k].map(|size| size as u32);
        let gemm = Gemm::new(DeviceClass::Software, usage, m, n, k).with_tile(tile);
        let [a_plane, c_plane] = planes.map(|plane| plane as u32);
        Product { gemm, offsets: Offsets { a_plane, c_plane, ..Offsets::ALONE } }
    }

    fn above(&self) -> Lie {
        Lie::Rows { len: self.m * self.k }
    }

    fn below(&self) -> Lie {
        Lie::Rows { len: self.m * self.n }
    }

    /// tanh of the layer's sums, and behind it the sums.
    fn forward(&self, tile: Tile, bias: bool) -> Vec<u32> {
        let usage = Use::Forward { activation: Activation::Tanh, bias, keep: true };
        let plane = self.below().plane();
        let stored =
            |values: Vec<f64>| Bound::Read(words(&values.iter().map(|v| *v as f32).collect::<Vec<_>>()));
        let mut bound = vec![stored(self.input()), stored(self.weights.clone()), Bound::Write(2 * plane)];
        bound.extend(bias.then(|| stored(self.bias())));
        run(self.product(usage, tile, [0, plane]), &bound).remove(0)
    }

    fn input(&self) -> Vec<f64> {
        numbers(1, self.m * self.k)
    }

    fn bias(&self) -> Vec<f64> {
        numbers(2, self.n)
    }

    fn check_forward(&self, what: &str, found: &[u32], bias: bool) {
        let (x, b, below) = (self.input(), self.bias(), self.below());
        let sum = |at: usize| {
            let (m, n) = (at / self.n, at % self.n);
            let products = (0..self.k).map(|k| x[m * self.k + k] * self.weights[n * self.k + k]);
            products.sum::<f64>() + if bias { b[n] } else { 0.0 }
        };
        let sums: Vec<f64> = (0..self.m * self.n).map(sum).collect();
        let outputs: Vec<f64> = sums.iter().map(|a| a.tanh()).collect();
        compare(&format!("{what}, sums"), &below.load(&found[below.plane()..][..below.elements()]), &sums);
        compare(what, &below.load(&found[..below.elements()]), &outputs);
    }

    fn signal(&self, tile: Tile, mode: Mode, below: Activation) -> Vec<u32> {
        let usage = Use::Signal { mode, below };
        let planes = [self.above().plane(), self.below().plane()];
        let weights: Vec<f32> = self.weights.iter().map(|v| *v as f32).collect();
        let mut bound = vec![
            Bound::Read(Signal::new(mode, self.above().len()).store(mode, self.above())),
            Bound::Read(words(&weights)),
            Bound::Write(planes[1] * mode.planes()),
        ];
        if below != Activation::Identity {
            bound.push(Bound::Read(self.below().store(&numbers(7, self.below().len()))));
        }
        run(self.product(usage, tile, planes), &bound).remove(0)
    }

    fn check_signal(&self, what: &str, found: &[u32], mode: Mode, below: Activation) {
        let Signal(above) = Signal::new(mode, self.above().len());
        let through = |(number, values): (usize, Vec<f64>)| {
            let sum = |at: usize| {
                let (m, n) = (at / self.n, at % self.n);
                let terms = (0..self.k).map(|k| {
                    let weight = self.weights[k * self.n + n];
                    values[m * self.k + k] * if number == 1 { weight * weight } else { weight }
                });
                terms.sum()
            };
            (0..self.m * self.n).map(sum).collect()
        };
        let mut expected = Signal(above.into_iter().enumerate().map(through).collect());
        if below == Activation::Tanh {
            expected = expected.through_tanh(mode, &numbers(7, self.below().len()));
        }
        expected.check(what, mode, self.below(), found);
    }
}

/// A few tiles for each size, and each tile for several.
fn problems() -> impl Iterator<Item = (Problem, Tile)> {
    let each = SIZES.into_iter().enumerate();
    each.flat_map(|(at, size)| [at, at + 3].map(|tile| (Problem::new(size), TILES[tile % TILES.len()])))
}

#[test]
fn sliced_sums_forward() {
    for (at, (problem, tile)) in problems().enumerate() {
        let found = problem.forward(tile, at % 2 == 0);
        problem.check_forward(&name(&problem, tile), &found, at % 2 == 0);
    }
}

#[test]
fn sliced_sums_of_a_signal() {
    for (at, (problem, tile)) in problems().enumerate() {
        let below = [Activation::Identity, Activation::Tanh][at % 2];
        for mode in [MODES[0], MODES[1 + at % 4]] {
            let found = problem.signal(tile, mode, below);
            problem.check_signal(&format!("{} {}", name(&problem, tile), mode.name()), &found, mode, below);
        }
    }
}

fn name(problem: &Problem, tile: Tile) -> String {
    format!("{}x{}x{} in {tile}", problem.m, problem.n, problem.k)
}

/// The order of a sum depends on the number of slices alone: not on the mode, nor on rows and columns of a tile.
#[test]
fn slices_decide_the_bits() {
    for size in [[5, 36, 516], [3, 33, 131]] {
        let problem = Problem::new(size);
        let g = |tile, mode| {
            let mut found = problem.signal(tile, mode, Activation::Tanh);
            found.truncate(problem.below().len());
            found
        };
        let plain = sliced([1, 1, 4, 16]);
        let (bits, forward) = (g(plain, Mode::None), problem.forward(plain, true));
        assert!(!bits.contains(&UNTOUCHED));
        for (tile, mode) in [
            (plain, Mode::None),
            (plain, Mode::HesScale),
            (sliced([4, 2, 4, 16]), Mode::HesScaleGn),
            (sliced([8, 1, 2, 16]), Mode::HesScaleR1),
            (sliced([2, 1, 8, 16]), Mode::HesScaleR2),
        ] {
            assert!(g(tile, mode) == bits, "{} {}", name(&problem, tile), mode.name());
            assert!(problem.forward(tile, true) == forward, "{}", name(&problem, tile));
        }
        assert!(g(sliced([1, 1, 4, 8]), Mode::None) != bits);
        // One slice is summed as the other families sum.
        let (one, registers) =
            (sliced([1, 1, 8, 1]), Tile { family: Family::Registers, ..sliced([4, 1, 8, 1]) });
        assert!(g(one, Mode::None) == g(registers, Mode::None));
        assert!(problem.forward(one, true) == problem.forward(registers, true));
    }
}

/// A wrong sum is noticed.
#[test]
fn a_missing_term_is_noticed() {
    let problem = Problem::new([1, 4, 64]);
    let found = problem.forward(TILES[0], false);
    let sums = problem.below().load(&found[problem.below().plane()..][..problem.below().elements()]);
    let mut short = Problem::new([1, 4, 64]);
    short.weights[63] = 0.0;
    let sum = |problem: &Problem| (0..64).map(|k| problem.input()[k] * problem.weights[k]).sum::<f64>();
    assert!(difference(&sums[..1], &[sum(&problem)]).is_ok());
    assert!(difference(&sums[..1], &[sum(&short)]).is_err());
}
