//! Layer, RMS and group normalisation on the CPU. Sums over a group are in `f32` over a few numbers, in `f64` over these.

use crate::host::vector::{add_squares, add_to, vectorized};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::Normalization;
use std::ops::Range;

/// `z = γ x̂ + β`, `x̂ = (x − mean) / s`, over each group of a sample `[positions, channels]`.
#[derive(Debug)]
pub(crate) struct Normalize {
    of: Normalization,
    /// γ where there is none.
    ones: Vec<f32>,
    /// β where there is none.
    zeros: Vec<f32>,
}

/// What `x̂ = ((x − shift) − rest) · inverse` of a group takes: the mean is `shift + rest`, so that nothing is lost where it is far from 0.
#[derive(Debug, Clone, Copy)]
struct Standard {
    shift: f32,
    rest: f32,
    inverse: f32,
}

impl Standard {
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        ((x - self.shift) - self.rest) * self.inverse
    }
}

/// Numbers of a [`Standard`] in memory.
const KEPT: usize = 3;

impl Normalize {
    pub(crate) fn new(of: Normalization) -> Normalize {
        Normalize { of, ones: vec![1.0; of.channels], zeros: vec![0.0; of.channels] }
    }

    /// Elements of a sample.
    fn sample(&self) -> usize {
        self.of.channels * self.of.positions
    }

    /// A group's channels.
    fn channels(&self, group: usize) -> Range<usize> {
        let first = if self.of.apart { 0 } else { group * self.of.width() };
        first..first + self.of.width()
    }

    /// Where a group lies in a sample: its channels at every position, or at one.
    #[inline(always)]
    fn runs(&self, group: usize) -> impl Iterator<Item = Range<usize>> + Clone {
        let (channels, of) = (self.of.channels, self.channels(group));
        let positions = if self.of.apart { group..group + 1 } else { 0..self.of.positions };
        positions.map(move |q| q * channels + of.start..q * channels + of.end)
    }

    /// γ, of all channels.
    fn gamma<'a>(&'a self, call: &Call<'a>) -> &'a [f32] {
        if call.weight.is_empty() { &self.ones } else { call.weight }
    }

    #[inline(always)]
    fn standard(&self, group: usize, x: &[f32]) -> Standard {
        let count = self.of.len() as f64;
        let mut shift = 0.0;
        if self.of.centred {
            // Close to the mean, by the distance from one of them: they may be far from 0.
            let first = self.runs(group).next().map_or(0.0, |run| x[run.start]);
            let mut sum = [Total::default()];
            for run in self.runs(group) {
                add_each([&x[run]], &mut sum, |[x]| [x - first]);
            }
            shift = (f64::from(first) + sum[0].total() / count) as f32;
        }
        let mut sums = [Total::default(); 2];
        for run in self.runs(group) {
            add_each([&x[run]], &mut sums, |[x]| [x - shift, (x - shift) * (x - shift)]);
        }
        let rest = if self.of.centred { sums[0].total() / count } else { 0.0 };
        let variance = sums[1].total() / count - rest * rest;
        if !variance.is_finite() {
            return self.standard_of_large(group, x);
        }
        let inverse = 1.0 / ((variance.max(0.0) + self.of.eps) as f32).sqrt();
        Standard { shift, rest: rest as f32, inverse }
    }

    /// The same of numbers whose squares are too large for `f32`.
    fn standard_of_large(&self, group: usize, x: &[f32]) -> Standard {
        let numbers = || self.runs(group).flatten().map(|i| f64::from(x[i]));
        let count = self.of.len() as f64;
        let mean = if self.of.centred { numbers().sum::<f64>() / count } else { 0.0 };
        let variance = numbers().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let inverse = (1.0 / (variance + self.of.eps).sqrt()) as f32;
        Standard { shift: mean as f32, rest: (mean - f64::from(mean as f32)) as f32, inverse }
    }

    /// What [`Normalize::standard`] found of all groups of a sample.
    #[inline(always)]
    fn keep(&self, x: &[f32], kept: &mut [f32]) {
        for (group, kept) in kept.chunks_exact_mut(KEPT).enumerate() {
            let Standard { shift, rest, inverse } = self.standard(group, x);
            kept.copy_from_slice(&[shift, rest, inverse]);
        }
    }

    /// Numbers that a sample's [`Standard`]s take.
    fn kept(&self) -> usize {
        KEPT * self.of.count()
    }

    /// c
    fn centred(&self) -> f32 {
        f32::from(self.of.centred)
    }

    fn mean(&self, sum: &Total) -> f32 {
        (sum.total() / self.of.len() as f64) as f32
    }

    /// `to ← Jᵀ s`; returns the mean of `γ s x̂`.
    #[inline(always)]
    fn through(&self, of: &Group<'_>, s: &[f32], to: &mut [f32]) -> f32 {
        let (c, standard) = (self.centred(), of.standard);
        let gamma = &of.gamma[self.channels(of.group)];
        let mut sums = [Total::default(); 2];
        for run in self.runs(of.group) {
            add_each([&of.x[run.clone()], &s[run], gamma], &mut sums, |[x, s, gamma]| {
                let t = gamma * s;
                [t, t * standard.of(x)]
            });
        }
        let [plain, once] = [self.mean(&sums[0]), self.mean(&sums[1])];
        for run in self.runs(of.group) {
            set_each([&of.x[run.clone()], &s[run.clone()], gamma], &mut to[run], |[x, s, gamma]| {
                (gamma * s - c * plain - standard.of(x) * once) * standard.inverse
            });
        }
        once
    }

    /// `to ← (J∘J)ᵀ h`, and where curvature counts `+ Σ_k g_k ∂²z_k/∂x_i²`, from the gradient below and the mean of `γ g x̂` above.
    #[inline(always)]
    fn through_squares(&self, of: &Group<'_>, h: &[f32], curved: Option<(&[f32], f32)>, to: &mut [f32]) {
        let (n, c, standard) = (self.of.len() as f32, self.centred(), of.standard);
        let (inverse, factor) = (standard.inverse, standard.inverse * standard.inverse);
        let gamma = &of.gamma[self.channels(of.group)];
        let mut sums = [Total::default(); 3];
        for run in self.runs(of.group) {
            add_each([&of.x[run.clone()], &h[run], gamma], &mut sums, |[x, h, gamma]| {
                let (t, x) = (gamma * gamma * h, standard.of(x));
                [t, t * x, t * x * x]
            });
        }
        let [plain, once, twice] = [0, 1, 2].map(|order| self.mean(&sums[order]));
        let share = 1.0 / n;
        let linear = |x: f32, h: f32, gamma: f32| {
            let own = gamma * gamma * h * (1.0 - 2.0 * share * (c + x * x));
            let others = c * (plain + 2.0 * x * once) + x * x * twice;
            (own + others * share) * factor
        };
        for run in self.runs(of.group) {
            let [x, h] = [&of.x[run.clone()], &h[run.clone()]];
            match curved {
                None => {
                    set_each([x, h, gamma], &mut to[run], |[x, h, gamma]| linear(standard.of(x), h, gamma))
                }
                Some((below, slope)) => {
                    set_each([x, h, gamma, &below[run.clone()]], &mut to[run], |[x, h, gamma, below]| {
                        let x = standard.of(x);
                        let rest = 1.0 - share * (c + x * x);
                        let second = (2.0 * share * x * below + rest * inverse * slope) * inverse;
                        linear(x, h, gamma) - second
                    });
                }
            }
        }
    }

    /// A sample's signal, group by group: the rules of `reference/layer/norm.rs`.
    #[inline(always)]
    fn backward_sample(&self, call: &Call<'_>, x: &[f32], kept: &[f32], s: &[&[f32]], to: &mut [&mut [f32]]) {
        let gamma = self.gamma(call);
        let (linear, h) = to.split_at_mut(s.len().max(2) - 1);
        for (group, kept) in kept.chunks_exact(KEPT).enumerate() {
            let standard = Standard { shift: kept[0], rest: kept[1], inverse: kept[2] };
            let of = Group { group, x, standard, gamma };
            let slope = self.through(&of, s[0], linear[0]);
            for (u, to) in s[1..].iter().zip(&mut linear[1..]) {
                self.through(&of, u, to);
            }
            if let [h] = h {
                let curved = call.mode.is_curved().then_some((&*linear[0], slope));
                self.through_squares(&of, s[linear.len()], curved, h);
            }
        }
    }
}

/// A group of a sample on the way back.
struct Group<'a> {
    group: usize,
    /// The sample.
    x: &'a [f32],
    standard: Standard,
    /// Of all channels.
    gamma: &'a [f32],
}

impl Group<'_> {
    fn normal(&self, i: usize) -> f64 {
        self.standard.of(self.x[i]).into()
    }
}

/// Numbers that are taken at once.
const LANES: usize = 16;
/// Of how many numbers a lane's sum is taken in `f32`.
const CHAIN: usize = 32;

/// A sum: of a few numbers for each lane in `f32`, of these in `f64`.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    lanes: [f32; LANES],
    /// Numbers in a lane, at most.
    chain: usize,
    sum: f64,
}

impl Total {
    /// The lanes' by halves.
    #[inline(always)]
    fn total(&self) -> f64 {
        let mut lanes = self.lanes;
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
            half /= 2;
        }
        self.sum + f64::from(lanes[0])
    }

    /// Before so many more numbers are added to a lane.
    #[inline(always)]
    fn make_room(&mut self, more: usize) {
        self.chain += more;
        if self.chain > CHAIN {
            *self = Total { sum: self.total(), chain: more, ..Total::default() };
        }
    }
}

/// The numbers at `L` places from `first` on. Loops over arrays, here and below, are what the compiler makes vectors of.
#[inline(always)]
fn numbers<const N: usize, const L: usize>(inputs: [&[f32]; N], first: usize) -> [[f32; N]; L] {
    let mut numbers = [[0.0; N]; L];
    for n in 0..N {
        let part: &[f32; L] = inputs[n][first..first + L].try_into().expect("the slice is as long");
        for lane in 0..L {
            numbers[lane][n] = part[lane];
        }
    }
    numbers
}

#[inline(always)]
fn add_lanes<const N: usize, const M: usize, const L: usize>(
    inputs: [&[f32]; N],
    first: usize,
    sums: &mut [Total; M],
    f: impl Fn([f32; N]) -> [f32; M],
) {
    for (lane, numbers) in numbers::<N, L>(inputs, first).into_iter().enumerate() {
        let terms = f(numbers);
        for m in 0..M {
            sums[m].lanes[lane] += terms[m];
        }
    }
}

/// Adds `f` of the numbers at each place; all slices are as long.
#[inline(always)]
fn add_each<const N: usize, const M: usize>(
    inputs: [&[f32]; N],
    sums: &mut [Total; M],
    f: impl Fn([f32; N]) -> [f32; M],
) {
    let (len, mut first) = (inputs[0].len(), 0);
    while first + LANES <= len {
        let lanes = ((len - first) / LANES).min(CHAIN);
        for sum in sums.iter_mut() {
            sum.make_room(lanes);
        }
        for _ in 0..lanes {
            add_lanes::<N, M, LANES>(inputs, first, sums, &f);
            first += LANES;
        }
    }
    if first == len {
        return;
    }
    for sum in sums.iter_mut() {
        sum.make_room(2);
    }
    if first + LANES / 2 <= len {
        add_lanes::<N, M, { LANES / 2 }>(inputs, first, sums, &f);
        first += LANES / 2;
    }
    for (lane, place) in (first..len).enumerate() {
        let terms = f(numbers::<N, 1>(inputs, place)[0]);
        for m in 0..M {
            sums[m].lanes[lane] += terms[m];
        }
    }
}

#[inline(always)]
fn set_lanes<const N: usize, const L: usize>(
    inputs: [&[f32]; N],
    output: &mut [f32],
    first: usize,
    f: impl Fn([f32; N]) -> f32,
) {
    let numbers = numbers::<N, L>(inputs, first);
    let output: &mut [f32; L] = (&mut output[first..first + L]).try_into().expect("the slice is as long");
    for lane in 0..L {
        output[lane] = f(numbers[lane]);
    }
}

/// Sets each place of the output to `f` of the inputs there.
#[inline(always)]
fn set_each<const N: usize>(inputs: [&[f32]; N], output: &mut [f32], f: impl Fn([f32; N]) -> f32) {
    let (len, mut first) = (inputs[0].len(), 0);
    while first + LANES <= len {
        set_lanes::<N, LANES>(inputs, output, first, &f);
        first += LANES;
    }
    if first + LANES / 2 <= len {
        set_lanes::<N, { LANES / 2 }>(inputs, output, first, &f);
        first += LANES / 2;
    }
    for place in first..len {
        set_lanes::<N, 1>(inputs, output, place, &f);
    }
}

impl SampleOp for Normalize {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let (sample, gamma) = (self.sample(), self.gamma(call));
        let beta = if call.bias.is_empty() { &self.zeros } else { call.bias };
        vectorized(
            #[inline(always)]
            || {
                for (x, z) in inputs[0].chunks_exact(sample).zip(output.chunks_exact_mut(sample)) {
                    for group in 0..self.of.count() {
                        let standard = self.standard(group, x);
                        let [gamma, beta] = [gamma, beta].map(|of| &of[self.channels(group)]);
                        for run in self.runs(group) {
                            set_each([&x[run.clone()], gamma, beta], &mut z[run], |[x, gamma, beta]| {
                                standard.of(x) * gamma + beta
                            });
                        }
                    }
                }
            },
        );
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let (sample, kept) = (self.sample(), self.kept());
        vectorized(
            #[inline(always)]
            || {
                let samples = call.input.chunks_exact(sample).zip(scratch.chunks_exact_mut(kept));
                for (n, (x, kept)) in samples.enumerate() {
                    let range = n * sample..(n + 1) * sample;
                    if !call.summed {
                        self.keep(x, kept);
                    }
                    let mut s: [&[f32]; MOST] = [&[]; MOST];
                    let mut below: [&mut [f32]; MOST] = Default::default();
                    for (component, (of, to)) in signal.iter().zip(&mut *to).enumerate() {
                        s[component] = &of[range.clone()];
                        below[component] = &mut to[range.clone()];
                    }
                    let count = signal.len();
                    self.backward_sample(call, x, kept, &s[..count], &mut below[..count]);
                }
            },
        );
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        self.of.weight.then_some(self)
    }

    fn scratch(&self, samples: usize, components: usize) -> usize {
        if components > 0 { samples * self.kept() } else { 0 }
    }

    fn work(&self) -> usize {
        24 * self.sample()
    }
}

/// Components of a signal, at most.
const MOST: usize = 4;

impl Weighted for Normalize {
    fn sizes(&self) -> [usize; 2] {
        [self.of.channels, if self.of.bias { self.of.channels } else { 0 }]
    }

    /// Leaves what [`SampleOp::backward`] takes in the scratch memory.
    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let (channels, sample) = (self.of.channels, self.sample());
        if self.of.bias {
            sums.add_bias(signal, sample);
        }
        let Sums { gradient, diagonal, .. } = sums;
        let mut all = vec![0.0; channels];
        for (n, (x, kept)) in x.chunks_exact(sample).zip(scratch.chunks_exact_mut(self.kept())).enumerate() {
            vectorized(
                #[inline(always)]
                || self.keep(x, kept),
            );
            for (component, s) in signal.iter().enumerate() {
                let squared = is_diagonal(component, signal.len());
                // Each sample is summed by itself: shorter chains lose less to rounding.
                all.fill(0.0);
                let s = &s[n * sample..(n + 1) * sample];
                vectorized(
                    #[inline(always)]
                    || {
                        for (group, kept) in kept.chunks_exact(KEPT).enumerate() {
                            let standard = Standard { shift: kept[0], rest: kept[1], inverse: kept[2] };
                            let sums = &mut all[self.channels(group)];
                            for run in self.runs(group) {
                                for (sum, (s, x)) in sums.iter_mut().zip(s[run.clone()].iter().zip(&x[run])) {
                                    let x = standard.of(*x);
                                    *sum += s * if squared { x * x } else { x };
                                }
                            }
                        }
                    },
                );
                match component {
                    0 => add_to(&mut gradient[0], &all),
                    _ if squared => add_to(&mut diagonal[0], &all),
                    _ => add_squares(&mut diagonal[0], &all),
                }
            }
        }
    }
}

/// `ẏ = J(a) ȧ` of a normalisation without γ and β.
#[derive(Debug)]
pub(crate) struct Along(pub Normalize);

impl Along {
    /// Calls `with` for each group of each sample.
    #[inline(always)]
    fn each_group(&self, a: &[f32], mut with: impl FnMut(Range<usize>, &Group<'_>)) {
        let sample = self.0.sample();
        for (n, x) in a.chunks_exact(sample).enumerate() {
            for group in 0..self.0.of.count() {
                let standard = self.0.standard(group, x);
                with(n * sample..(n + 1) * sample, &Group { group, x, standard, gamma: &self.0.ones });
            }
        }
    }

    /// `−[x̂ φ/n + J g Σu x̂/n + J u Σg x̂/n] / s`: see `shaders/norm/bend.wgsl`.
    fn bend(&self, of: &Group<'_>, g: &[f32], u: &[f32], to: &mut [f32]) {
        let (norm, n, c) = (&self.0, self.0.of.len() as f64, f64::from(self.0.centred()));
        let mut sums = [0.0_f64; 5];
        for i in norm.runs(of.group).flatten() {
            let [g, u, x] = [f64::from(g[i]), f64::from(u[i]), of.normal(i)];
            for (sum, term) in sums.iter_mut().zip([g, g * x, u, u * x, g * u]) {
                *sum += term;
            }
        }
        let [g_mean, gx, u_mean, ux, gu] = sums.map(|sum| sum / n);
        let inverse = f64::from(of.standard.inverse);
        let phi = (gu - c * g_mean * u_mean - gx * ux) * inverse;
        for i in norm.runs(of.group).flatten() {
            let x = of.normal(i);
            let of_g = (f64::from(g[i]) - c * g_mean - x * gx) * inverse;
            let of_u = (f64::from(u[i]) - c * u_mean - x * ux) * inverse;
            to[i] = (-(x * phi + of_g * ux + of_u * gx) * inverse) as f32;
        }
    }
}

impl SampleOp for Along {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || {
                self.each_group(inputs[1], |sample, of| {
                    self.0.through(of, &inputs[0][sample.clone()], &mut output[sample]);
                });
            },
        );
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let a = if call.branch == 0 { call.other } else { call.input };
        self.each_group(a, |sample, of| {
            let (g, to) = (&signal[0][sample.clone()], &mut to[0][sample.clone()]);
            match call.branch {
                0 => drop(self.0.through(of, g, to)),
                _ => self.bend(of, g, &call.other[sample], to),
            }
        });
    }

    fn work(&self) -> usize {
        24 * self.0.sample()
    }
}
