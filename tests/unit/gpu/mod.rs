//! Kernels by themselves, on whatever adapter there is, against naive loops. Results are filled with a NaN pattern before,
//! stand between guard words, and channels that only pad an image hold what no result may depend on.

mod attention;
mod batchnorm;
mod channel_sums;
mod concat;
mod dense;
mod depthwise;
mod dropout;
mod embedding;
mod encode;
mod layout;
mod loss;
mod multiply;
mod norm;
mod outside;
mod partial;
mod pixelshuffle;
mod pool;
mod prelu;
mod recurrent;
mod resample;
mod residual;
mod row_sums;

use super::{Context, ContextOptions, Request, Resource, Tensor};
use crate::model::{Activation, Mode};
use crate::shader::{BatchShape, Dtype, Flow, Kernel};
use std::sync::OnceLock;

/// The modes that differ behind the loss.
const MODES: [Mode; 5] = [Mode::None, Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2];

/// What no result may keep and no guard word lose.
const UNTOUCHED: u32 = 0x7fc0_dead;

/// Guard words behind each result.
const GUARD: usize = 64;

/// `HESSCALE_ADAPTER` picks one by part of its name.
fn context() -> &'static Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT.get_or_init(|| {
        let request = Request { adapter: std::env::var("HESSCALE_ADAPTER").ok(), ..Request::default() };
        pollster::block_on(Context::request_with(&request)).expect("an adapter")
    })
}

/// The same device with so short a limit on the width of a grid that small grids fold too.
fn folding(groups: u32) -> &'static Context {
    static FOLDING: OnceLock<Vec<(u32, Context)>> = OnceLock::new();
    let contexts = FOLDING.get_or_init(|| {
        let short = |width: u32| {
            let own = context();
            let limits =
                wgpu::Limits { max_compute_workgroups_per_dimension: width, ..own.device().limits() };
            (width * width, Context::within(own.device(), own.queue(), ContextOptions::default(), limits))
        };
        [2, 4, 64].map(short).into()
    });
    let fits = contexts.iter().find(|(most, _)| groups <= *most);
    &fits.expect("tests are small").1
}

/// What stands at a binding after the uniform.
enum Bound {
    Read(Vec<u32>),
    /// As many words.
    Write(usize),
    /// These words, to be overwritten.
    Update(Vec<u32>),
}

fn words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Each storage with the same as the tests have it.
fn storages() -> Vec<(BatchShape, Lie)> {
    let rows = [(1, 1), (3, 5), (2, 33)];
    let images = [(1, 1, 1), (2, 3, 7), (1, 33, 6), (3, 5, 35)];
    let rows = rows.map(|(batch, features)| {
        let storage = BatchShape::Rows { batch: batch as u32, features: features as u32 };
        (storage, Lie::Rows { len: batch * features })
    });
    let images = images.map(|(batch, channels, positions)| {
        let storage =
            BatchShape::Image { batch: batch as u32, channels: channels as u32, positions: positions as u32 };
        (storage, Lie::Image { batch, channels, positions })
    });
    rows.into_iter().chain(images).collect()
}

/// A tensor as it is bound.
fn resource(tensor: &Tensor) -> Resource {
    let bytes = tensor.bytes();
    let (buffer, size) = (tensor.owned().clone(), bytes.end - bytes.start);
    Resource { buffer, offset: bytes.start, size, dtype: Dtype::F32 }
}

/// Runs a kernel once; the words of all that it writes.
fn run(kernel: impl Into<Kernel>, bound: &[Bound]) -> Vec<Vec<u32>> {
    let kernel = kernel.into();
    let context = folding(kernel.groups());
    let tensors: Vec<Tensor> = bound
        .iter()
        .map(|bound| {
            let words = match bound {
                Bound::Read(words) => words.clone(),
                Bound::Update(words) => [&words[..], &[UNTOUCHED; GUARD]].concat(),
                Bound::Write(len) => vec![UNTOUCHED; len + GUARD],
            };
            let buffer = context.storage("test", words.len()).expect("a buffer");
            let tensor = Tensor::new("test", &buffer, 0, &[words.len()]);
            context.write_bytes(&tensor, bytemuck::cast_slice(&words)).expect("a write");
            tensor
        })
        .collect();
    let resources: Vec<Resource> = tensors.iter().map(resource).collect();
    let dispatch = context.dispatch(&kernel, &resources).expect("a dispatch");
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    dispatch.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
    context.queue().submit([encoder.finish()]);
    let written = tensors.iter().zip(bound).filter(|(_, bound)| !matches!(bound, Bound::Read(_)));
    let written: Vec<&Tensor> = written.map(|(tensor, _)| tensor).collect();
    let results = context.read_blocking(&written).expect("a result");
    results
        .into_iter()
        .map(|result| {
            let mut result = words(&result);
            let guard = result.split_off(result.len() - GUARD);
            assert!(guard.iter().all(|word| *word == UNTOUCHED), "{} writes past the end", kernel.label());
            result
        })
        .collect()
}

/// Numbers that look random, within ±1.
fn numbers(seed: u64, len: usize) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| f64::from(2.0 * random.f32() - 1.0)).collect()
}

/// How the numbers `[batch, channels, positions]` lie in a buffer.
#[derive(Debug, Clone, Copy)]
enum Lie {
    Rows { len: usize },
    Image { batch: usize, channels: usize, positions: usize },
}

impl Lie {
    /// Numbers without padding.
    fn len(self) -> usize {
        match self {
            Lie::Rows { len } => len,
            Lie::Image { batch, channels, positions } => batch * channels * positions,
        }
    }

    /// Elements in the buffer.
    fn elements(self) -> usize {
        match self {
            Lie::Rows { len } => len,
            Lie::Image { batch, channels, positions } => batch * positions * channels.next_multiple_of(4),
        }
    }

    /// Elements of a plane, as plans have it.
    fn plane(self) -> usize {
        self.elements().next_multiple_of(64)
    }

    /// Where number `i` lies.
    fn place(self, i: usize) -> usize {
        match self {
            Lie::Rows { .. } => i,
            Lie::Image { channels, positions, .. } => {
                let (sample, channel, q) =
                    (i / positions / channels, i / positions % channels, i % positions);
                (sample * positions + q) * channels.next_multiple_of(4) + channel
            }
        }
    }

    /// Numbers into a buffer; the padding is large and must not matter.
    fn store(self, values: &[f64]) -> Vec<u32> {
        assert_eq!(values.len(), self.len());
        let mut stored = vec![1e9_f32.to_bits(); self.elements()];
        for (i, value) in values.iter().enumerate() {
            stored[self.place(i)] = (*value as f32).to_bits();
        }
        stored
    }

    /// Numbers out of a buffer, all of which is finite.
    fn load(self, stored: &[u32]) -> Vec<f64> {
        assert_eq!(stored.len(), self.elements());
        assert!(stored.iter().all(|word| f32::from_bits(*word).is_finite()), "something was not written");
        (0..self.len()).map(|i| f64::from(f32::from_bits(stored[self.place(i)]))).collect()
    }
}

/// What is wrong with `found`, if anything.
fn difference(found: &[f64], expected: &[f64]) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} numbers, not {}", found.len(), expected.len()));
    }
    // Asked this way round, so that NaN is not near anything.
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
    match found.iter().zip(expected).position(|pair| !near(pair)) {
        Some(i) => Err(format!("number {i} of {} is {}, not {}", found.len(), found[i], expected[i])),
        None => Ok(()),
    }
}

fn compare(what: &str, found: &[f64], expected: &[f64]) {
    difference(found, expected).unwrap_or_else(|e| panic!("{what}: {e}"));
}

#[test]
fn a_difference_is_noticed() {
    assert!(difference(&[1.0, 2.0], &[1.0, 2.0]).is_ok());
    assert!(difference(&[1.0, 2.0], &[1.0, 2.0001]).is_err());
    assert!(difference(&[1.0, f64::MAX], &[1.0, 2.0]).is_err());
    assert!(difference(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
    assert!(difference(&[1.0], &[1.0, 2.0]).is_err());
    let lie = Lie::Image { batch: 1, channels: 1, positions: 1 };
    let unwritten = std::panic::catch_unwind(|| lie.load(&[0, 0, 0, UNTOUCHED]));
    assert!(unwritten.is_err());
}

/// A linear map as `(output, input, factor)`.
type Map = Vec<(usize, usize, f64)>;

fn apply(map: &Map, x: &[f64], outputs: usize) -> Vec<f64> {
    let mut z = vec![0.0; outputs];
    for (j, i, f) in map {
        z[*j] += f * x[*i];
    }
    z
}

/// A signal: g, h, u.
struct Signal(Vec<Vec<f64>>);

impl Signal {
    fn new(mode: Mode, len: usize) -> Signal {
        let count = if mode.has_diagonal() { 2 + mode.rank() as u64 } else { 1 };
        Signal((0..count).map(|k| numbers(100 + k, len)).collect())
    }

    /// Down through a linear map: each number by its factor, h by the square.
    fn through(&self, map: &Map, inputs: usize) -> Signal {
        let through = |(number, values): (usize, &Vec<f64>)| {
            let mut result = vec![0.0; inputs];
            for (j, i, f) in map {
                result[*i] += values[*j] * if number == 1 { f * f } else { *f };
            }
            result
        };
        Signal(self.0.iter().enumerate().map(through).collect())
    }

    /// Down through tanh at `a`.
    fn through_tanh(mut self, mode: Mode, a: &[f64]) -> Signal {
        for (i, a) in a.iter().enumerate() {
            let t = a.tanh();
            let (first, second) = (1.0 - t * t, -2.0 * t * (1.0 - t * t));
            let g = self.0[0][i];
            for (number, values) in self.0.iter_mut().enumerate() {
                values[i] *= if number == 1 { first * first } else { first };
            }
            if mode.has_diagonal() && mode != Mode::HesScaleGn {
                self.0[1][i] += second * g;
            }
        }
        self
    }

    /// The number in a plane: g; d; with u: h, u.
    fn in_plane(&self, plane: usize) -> Vec<f64> {
        match (plane, self.0.len()) {
            (0, _) => self.0[0].clone(),
            (1, _) => {
                let d = |i| self.0[1][i] + self.0[2..].iter().map(|u| u[i] * u[i]).sum::<f64>();
                (0..self.0[0].len()).map(d).collect()
            }
            _ => self.0[plane - 1].clone(),
        }
    }

    fn store(&self, mode: Mode, lie: Lie) -> Vec<u32> {
        let mut stored = vec![UNTOUCHED; lie.plane() * mode.planes()];
        for plane in 0..mode.planes() {
            let numbers = lie.store(&self.in_plane(plane));
            stored[plane * lie.plane()..][..numbers.len()].copy_from_slice(&numbers);
        }
        stored
    }

    fn check(&self, what: &str, mode: Mode, lie: Lie, stored: &[u32]) {
        for plane in 0..mode.planes() {
            let found = lie.load(&stored[plane * lie.plane()..][..lie.elements()]);
            compare(&format!("{what}, plane {plane}"), &found, &self.in_plane(plane));
        }
    }
}

/// Checks a backward kernel in every mode, with tanh below and with nothing: the signal above lies as `above`, the one below
/// as `below`, `extras` are what it reads beside them.
fn check_signal<K: Into<Kernel>>(
    what: &str,
    kernel: impl Fn(Flow) -> K,
    map: &Map,
    above: Lie,
    below: Lie,
    extras: &[Vec<u32>],
) {
    for mode in MODES {
        let signal = Signal::new(mode, above.len());
        for activation in [Activation::Identity, Activation::Tanh] {
            let (plane_in, plane_out) = (above.plane() as u32, below.plane() as u32);
            let a = numbers(7, below.len());
            let mut bound =
                vec![Bound::Read(signal.store(mode, above)), Bound::Write(below.plane() * mode.planes())];
            bound.extend(extras.iter().cloned().map(Bound::Read));
            let mut expected = signal.through(map, below.len());
            if activation == Activation::Tanh {
                bound.push(Bound::Read(below.store(&a)));
                expected = expected.through_tanh(mode, &a);
            }
            let found = run(kernel(Flow { mode, below: activation, plane_in, plane_out }), &bound);
            expected.check(&format!("{what} {} {}", mode.name(), activation.name()), mode, below, &found[0]);
        }
    }
}
