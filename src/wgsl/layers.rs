//! What each layer computes, as statements that fill `z` from `x`.

use super::body::Body;
use super::functions::Functions;
use super::index::Index;
use super::numbers::{Numbers, literal, packed};
use crate::model::{Activation, Convolution, Normalization, Window};

/// Rows and columns of an image `[channels, height, width]`, or of what comes before.
type Sizes = [usize; 2];

/// The numbers of one side of a layer that has windows: place of `[channel, row, column]`.
fn place(channel: Index, [row, column]: [Index; 2], [height, width]: Sizes) -> Index {
    (channel * height + row) * width + column
}

/// `z_o = Σ_i W_oi x_i + b_o`
pub(super) fn dense(
    body: &mut Body,
    inputs: usize,
    outputs: usize,
    weight: &Numbers<'_>,
    bias: Option<&Numbers<'_>>,
) {
    if body.is_unrolled() {
        // Vectors of four, and what is left.
        let parts: Vec<(usize, usize)> =
            (0..inputs).step_by(4).map(|at| (at, (inputs - at).min(4))).collect();
        for (k, (at, count)) in parts.iter().enumerate() {
            body.line(format!("let x{k} = {};", packed((*at..at + count).map(|i| format!("x[{i}]")))));
        }
        for o in 0..outputs {
            let product = |(k, (at, count)): (usize, &(usize, usize))| {
                let w = weight.run(o * inputs + at, *count);
                if *count == 1 { format!("{w} * x{k}") } else { format!("dot({w}, x{k})") }
            };
            let products = parts.iter().enumerate().map(product);
            let terms: Vec<String> = bias.map(|b| b.at(o.into())).into_iter().chain(products).collect();
            body.sum(&format!("z[{o}]"), &terms);
        }
        return;
    }
    body.each("o", outputs, |body, o| {
        let start = bias.map_or("0.0".into(), |b| b.at(o.clone()));
        body.line(format!("z[{o}] = {start};"));
        // Where rows of W begin with a vector.
        if inputs.is_multiple_of(4) {
            body.each("k", inputs / 4, |body, k| {
                let four = packed((0..4).map(|i| format!("x[{}]", k.clone() * 4 + i)));
                let w = weight.vector(o.clone() * (inputs / 4) + k);
                body.line(format!("z[{o}] += dot({w}, {four});"));
            });
        } else {
            body.each("i", inputs, |body, i| {
                body.line(format!("z[{o}] += {} * x[{i}];", weight.at(o.clone() * inputs + i.clone())));
            });
        }
    });
}

/// `z_i = f(x_i)`
pub(super) fn activation(body: &mut Body, len: usize, function: Activation, functions: &mut Functions<'_>) {
    let f = functions.activation(function);
    body.each("i", len, |body, i| body.line(format!("z[{i}] = {f}(x[{i}]);")));
}

/// `z = x` above 0, else `w x`, with one slope w or one for each channel.
pub(super) fn prelu(body: &mut Body, [channels, positions]: Sizes, of_channels: bool, slopes: &Numbers<'_>) {
    body.each("i", channels * positions, |body, i| {
        let c = if of_channels { i.clone() / positions } else { 0.into() };
        body.line(format!("z[{i}] = select({} * x[{i}], x[{i}], x[{i}] > 0.0);", slopes.at(c)));
    });
}

/// `z_i = x_i + w_i`, of a number for each element.
pub(super) fn positions(body: &mut Body, len: usize, numbers: &Numbers<'_>) {
    body.each("i", len, |body, i| body.line(format!("z[{i}] = x[{i}] + {};", numbers.at(i.clone()))));
}

/// Sines and cosines of octaves, as in `shaders/encode/frequency.wgsl`.
pub(super) fn frequencies(
    body: &mut Body,
    [channels, positions]: Sizes,
    octaves: usize,
    functions: &mut Functions<'_>,
) {
    let [sin_cos, nan_where, is_finite] =
        ["hs_sin_cos", "hs_nan_where", "hs_is_finite"].map(|name| functions.library(name));
    each_number(body, [channels, positions], |body, c, q| {
        let i = c.clone() * positions + q.clone();
        for octave in 0..octaves {
            let at = |k: usize| (c.clone() * (2 * octaves) + k) * positions + q.clone();
            body.block(|body| {
                body.line(format!("let t = {} * x[{i}];", literal(2.0_f32.powi(octave as i32))));
                body.line(format!("let s = {sin_cos}(3.14159265 * (t - 2.0 * round(0.5 * t)));"));
                body.line(format!("z[{}] = {nan_where}(!{is_finite}(t), s.x);", at(2 * octave)));
                body.line(format!("z[{}] = {nan_where}(!{is_finite}(t), s.y);", at(2 * octave + 1)));
            });
        }
    });
}

/// A Gaussian over bins, as in `shaders/encode/oneblob.wgsl`.
pub(super) fn one_blob(
    body: &mut Body,
    [channels, positions]: Sizes,
    bins: usize,
    functions: &mut Functions<'_>,
) {
    let [exp, with_nan_of] = ["hs_exp", "hs_with_nan_of"].map(|name| functions.library(name));
    let scale = literal(bins as f32);
    each_number(body, [channels, positions], |body, c, q| {
        let i = c.clone() * positions + q.clone();
        body.each("k", bins, |body, k| {
            let at = (c.clone() * bins + k.clone()) * positions + q.clone();
            body.block(|body| {
                body.line(format!("let d = clamp({scale} * x[{i}] - (f32({k}) + 0.5), -20.0, 20.0);"));
                body.line(format!("z[{at}] = {with_nan_of}(x[{i}], {exp}(-0.5 * d * d));"));
            });
        });
    });
}

/// Each channel and position.
fn each_number(body: &mut Body, [channels, positions]: Sizes, f: impl Fn(&mut Body, Index, Index)) {
    body.each("c", channels, |body, c| {
        body.each("q", positions, |body, q| f(body, c.clone(), q));
    });
}

/// `z_i = x_i y_i`
pub(super) fn multiply(body: &mut Body, len: usize) {
    body.each("i", len, |body, i| body.line(format!("z[{i}] = x[{i}] * y[{i}];")));
}

/// `z_i = x_i + y_i`
pub(super) fn add(body: &mut Body, len: usize) {
    body.each("i", len, |body, i| body.line(format!("z[{i}] = x[{i}] + y[{i}];")));
}

/// `z = γ (x − mean) / √(var + ε) + β`, with the inverse deviations as they are.
pub(super) fn batch_norm(
    body: &mut Body,
    [channels, positions]: Sizes,
    [mean, inverse, gamma, beta]: [&Numbers<'_>; 4],
) {
    body.each("i", channels * positions, |body, i| {
        let c = || i.clone() / positions;
        let [mean, inverse, gamma, beta] = [mean, inverse, gamma, beta].map(|numbers| numbers.at(c()));
        body.line(format!("z[{i}] = {gamma} * {inverse} * (x[{i}] - {mean}) + {beta};"));
    });
}

/// `z = γ (x − mean) / √(var + ε) + β` over each group. The mean is a sum of two numbers, `mean + rest`, as in
/// `shaders/norm/forward.wgsl`.
pub(super) fn norm(
    body: &mut Body,
    norm: &Normalization,
    gamma: Option<&Numbers<'_>>,
    beta: Option<&Numbers<'_>>,
    functions: &mut Functions<'_>,
) {
    let len = norm.len();
    let [nan_where, is_finite] = ["hs_nan_where", "hs_is_finite"].map(|name| functions.library(name));
    let count = literal(len as f32);
    body.line("var mean: f32;");
    body.line("var sums: vec2<f32>;");
    body.each("g", norm.count(), |body, g| {
        let at = |i: &Index| match norm.apart {
            true => i.clone() * norm.positions + g.clone(),
            false => g.clone() * len + i.clone(),
        };
        body.block(|body| {
            body.line("mean = 0.0;");
            if norm.centred {
                body.each("i", len, |body, i| body.line(format!("mean += x[{}];", at(&i))));
                body.line(format!("mean /= {count};"));
            }
            body.line("sums = vec2(0.0);");
            body.each("i", len, |body, i| {
                let apart = format!("x[{}] - mean", at(&i));
                body.line(format!("sums += vec2({apart}, ({apart}) * ({apart}));"));
            });
            body.line(format!("sums /= {count};"));
            let rest = if norm.centred { "sums.x" } else { "0.0" };
            body.line(format!("let rest = {rest};"));
            body.line("let variance = sums.y - rest * rest;");
            let s = format!("sqrt(max(variance, 0.0) + {})", literal(norm.eps as f32));
            body.line(format!("let inverse = {nan_where}(!{is_finite}(variance), 1.0 / {s});"));
            body.each("i", len, |body, i| {
                let i = at(&i);
                let parameter = |numbers: Option<&Numbers<'_>>| {
                    let c = i.clone() / norm.positions % norm.channels;
                    numbers.map(|numbers| numbers.at(c))
                };
                let normal = format!("((x[{i}] - mean) - rest) * inverse");
                let scaled = parameter(gamma).map_or(normal.clone(), |gamma| format!("{gamma} * ({normal})"));
                let shift = parameter(beta).map_or(String::new(), |beta| format!(" + {beta}"));
                body.line(format!("z[{i}] = {scaled}{shift};"));
            });
        });
    });
}

/// Each channel, row and column of images.
fn each_place(body: &mut Body, channels: usize, sizes: Sizes, f: impl Fn(&mut Body, Index, [Index; 2])) {
    body.each("c", channels, |body, c| {
        body.each("row", sizes[0], |body, row| {
            body.each("column", sizes[1], |body, column| f(body, c.clone(), [row.clone(), column]));
        });
    });
}

/// Each element of a kernel or window.
fn each_tap(body: &mut Body, sizes: Sizes, f: impl Fn(&mut Body, [Index; 2])) {
    body.each("u", sizes[0], |body, u| {
        body.each("v", sizes[1], |body, v| f(body, [u.clone(), v]));
    });
}

/// Where tap t of the window at q lies in the image; what lies before it is beyond it, as `u32` wraps.
fn covered(window: &Window, q: &[Index; 2], tap: &[Index; 2]) -> [Index; 2] {
    [0, 1].map(|axis| {
        q[axis].clone() * window.stride[axis] + tap[axis].clone() * window.dilation[axis]
            - window.before[axis]
    })
}

fn within(at: &[Index; 2], image: Sizes) -> [(Index, Index); 2] {
    [0, 1].map(|axis| (at[axis].clone(), image[axis].into()))
}

/// `z[o, q] = Σ_{c, t} W[o, c, t] x[c, q·stride + t·dilation − padding] + b[o]`
pub(super) fn convolution(
    body: &mut Body,
    conv: &Convolution,
    weight: &Numbers<'_>,
    bias: Option<&Numbers<'_>>,
) {
    let Convolution { window, inputs, outputs, groups, .. } = conv;
    let (inputs, group) = (inputs / groups, outputs / groups);
    each_place(body, *outputs, window.positions, |body, o, q| {
        let z = place(o.clone(), q.clone(), window.positions);
        let start = bias.map_or("0.0".into(), |b| b.at(o.clone()));
        body.line(format!("z[{z}] = {start};"));
        body.each("i", inputs, |body, i| {
            each_tap(body, window.kernel, |body, tap| {
                let at = covered(window, &q, &tap);
                body.when(&within(&at, window.image), |body| {
                    let w = weight.at(place(o.clone() * inputs + i.clone(), tap, window.kernel));
                    let x = place(o.clone() / group * inputs + i.clone(), at, window.image);
                    body.line(format!("z[{z}] += {w} * x[{x}];"));
                });
            });
        });
    });
}

/// `z[o, q·stride + t·dilation − padding] += Σ_c W[c, o, t] x[c, q]`, from `z = b`
pub(super) fn transposed(
    body: &mut Body,
    conv: &Convolution,
    weight: &Numbers<'_>,
    bias: Option<&Numbers<'_>>,
) {
    let Convolution { window, inputs, outputs, groups, .. } = conv;
    let (group, own) = (inputs / groups, outputs / groups);
    if let Some(bias) = bias {
        each_place(body, *outputs, window.image, |body, o, at| {
            let b = bias.at(o.clone());
            body.line(format!("z[{}] = {b};", place(o, at, window.image)));
        });
    }
    each_place(body, *inputs, window.positions, |body, c, q| {
        body.each("o", own, |body, o| {
            each_tap(body, window.kernel, |body, tap| {
                let at = covered(window, &q, &tap);
                body.when(&within(&at, window.image), |body| {
                    let w = weight.at(place(c.clone() * own + o.clone(), tap, window.kernel));
                    let z = place(c.clone() / group * own + o.clone(), at, window.image);
                    let x = place(c.clone(), q.clone(), window.positions);
                    body.line(format!("z[{z}] += {w} * x[{x}];"));
                });
            });
        });
    });
}

/// The part of an image that each window of a pooling layer covers.
pub(super) struct Windows {
    image: Sizes,
    positions: Sizes,
    /// Of windows that slide: kernel, stride, padding before.
    sliding: Option<[Sizes; 3]>,
}

impl Windows {
    pub(super) fn sliding(window: &Window) -> Windows {
        let Window { image, positions, kernel, stride, before, .. } = *window;
        Windows { image, positions, sliding: Some([kernel, stride, before]) }
    }

    /// From `⌊q·H/Q⌋` to `⌈(q+1)·H/Q⌉`.
    pub(super) fn adaptive(image: Sizes, positions: Sizes) -> Windows {
        Windows { image, positions, sliding: None }
    }

    /// The first place that window q covers, and the one behind the last.
    fn bounds(&self, axis: usize, q: Index) -> [Index; 2] {
        let (size, positions) = (self.image[axis], self.positions[axis]);
        match self.sliding {
            Some([kernel, stride, before]) => {
                let (start, before) = (q * stride[axis], before[axis]);
                [start.clone().max(before) - before, (start + kernel[axis]).min(size + before) - before]
            }
            None => [q.clone() * size / positions, ((q + 1) * size + (positions - 1)) / positions],
        }
    }

    /// Numbers of the largest window.
    pub(super) fn largest(&self) -> Sizes {
        [0, 1].map(|axis| match self.sliding {
            Some([kernel, ..]) => kernel[axis].min(self.image[axis]),
            None => self.image[axis].div_ceil(self.positions[axis]) + 1,
        })
    }

    /// The statements of `first` for each window, of `rest` for each number in it, of `end` behind them, given the place of the
    /// result, that of a number, and how many numbers there are.
    fn each(
        &self,
        body: &mut Body,
        channels: usize,
        first: impl Fn(&Index, &Index) -> String,
        rest: impl Fn(&Index, &Index) -> String,
        end: impl Fn(&Index, Index) -> Option<String>,
    ) {
        each_place(body, channels, self.positions, |body, c, q| {
            let z = place(c.clone(), q.clone(), self.positions);
            let [row, column] = q;
            let [top, bottom] = self.bounds(0, row);
            let [left, right] = self.bounds(1, column);
            let x = |at| place(c.clone(), at, self.image);
            body.line(first(&z, &x([top.clone(), left.clone()])));
            each_tap(body, self.largest(), |body, [u, v]| {
                let at = [top.clone() + u, left.clone() + v];
                let [row, column] = at.clone();
                body.when(&[(row, bottom.clone()), (column, right.clone())], |body| {
                    body.line(rest(&z, &x(at)));
                });
            });
            let count = (bottom.clone() - top.clone()) * (right.clone() - left.clone());
            end(&z, count).into_iter().for_each(|line| body.line(line));
        });
    }

    /// The largest number of each window.
    pub(super) fn maximum(&self, body: &mut Body, channels: usize, functions: &mut Functions<'_>) {
        let larger = functions.library("hs_larger");
        let first = |z: &Index, x: &Index| format!("z[{z}] = x[{x}];");
        let rest = |z: &Index, x: &Index| format!("z[{z}] = {larger}(z[{z}], x[{x}]);");
        self.each(body, channels, first, rest, |_, _| None);
    }

    /// The mean of each window: its sum by `divisor`, or by how many numbers it covers.
    pub(super) fn mean(&self, body: &mut Body, channels: usize, divisor: Option<usize>) {
        let first = |z: &Index, _: &Index| format!("z[{z}] = 0.0;");
        let rest = |z: &Index, x: &Index| format!("z[{z}] += x[{x}];");
        let end =
            |z: &Index, count: Index| Some(format!("z[{z}] /= f32({});", divisor.map_or(count, Index::from)));
        self.each(body, channels, first, rest, end);
    }
}

/// Zeros around an image, which `z` has in the beginning.
pub(super) fn zero_pad(
    body: &mut Body,
    channels: usize,
    image: Sizes,
    [left, right, top, bottom]: [usize; 4],
) {
    let size = [image[0] + top + bottom, image[1] + left + right];
    each_place(body, channels, image, |body, c, [row, column]| {
        let z = place(c.clone(), [row.clone() + top, column.clone() + left], size);
        body.line(format!("z[{z}] = x[{}];", place(c, [row, column], image)));
    });
}
