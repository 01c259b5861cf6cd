//! Layers that move numbers to other places, or mix those of several positions: what each computes, as in `layers`.

use super::body::Body;
use super::functions::Functions;
use super::index::Index;
use super::numbers::{Numbers, literal};
use crate::model::{Activation, Cell, Embedding, HashGrid, Heads, Recurrence, Resampling};

/// x, and behind it y.
pub(super) fn concat(body: &mut Body, [first, second]: [usize; 2]) {
    body.each("i", first, |body, i| body.line(format!("z[{i}] = x[{i}];")));
    body.each("i", second, |body, i| body.line(format!("z[{}] = y[{i}];", i.clone() + first)));
}

/// `[C r², H, W]` as `[C, r H, r W]`, or the other way round; `sizes` are C, H and W.
pub(super) fn pixel_shuffle(body: &mut Body, sizes: [usize; 3], factor: usize, to_channels: bool) {
    let [channels, height, width] = sizes;
    body.each("c", channels * factor * factor, |body, c| {
        body.each("row", height, |body, row| {
            body.each("column", width, |body, column| {
                let many = (c.clone() * height + row.clone()) * width + column.clone();
                let whole = c.clone() / (factor * factor);
                let [a, b] = [c.clone() / factor % factor, c.clone() % factor];
                let row = whole * (factor * height) + row.clone() * factor + a;
                let large = row * (factor * width) + column * factor + b;
                let [to, from] = if to_channels { [many, large] } else { [large, many] };
                body.line(format!("z[{to}] = x[{from}];"));
            });
        });
    });
}

/// `z[y, x] = Σ_i Σ_j A[y, i] B[x, j] x[i, j]`, whose weights stand in the text: for a body without loops.
pub(super) fn resample(body: &mut Body, channels: usize, resampling: &Resampling) {
    let ([height, width], [rows, columns]) = (resampling.image, resampling.positions);
    let taps = |axis, count: usize| -> Vec<Vec<(usize, f32)>> {
        (0..count).map(|q| resampling.taps(axis, q).collect()).collect()
    };
    let [down, across] = [taps(0, rows), taps(1, columns)];
    for c in 0..channels {
        for (row, down) in down.iter().enumerate() {
            for (column, across) in across.iter().enumerate() {
                let pairs = down.iter().flat_map(|i| across.iter().map(move |j| (i, j)));
                let terms: Vec<String> = pairs
                    .map(|((i, a), (j, b))| {
                        let x = format!("x[{}]", (c * height + i) * width + j);
                        if a * b == 1.0 { x } else { format!("{} * {x}", literal(a * b)) }
                    })
                    .collect();
                body.sum(&format!("z[{}]", (c * rows + row) * columns + column), &terms);
            }
        }
    }
}

/// `z[c, q] = W[x[q], c]`, NaN where `x[q]` is no row; of bits, as in `shaders/embedding/row.wgsl`.
pub(super) fn embedding(
    body: &mut Body,
    table: &Embedding,
    positions: usize,
    weight: &Numbers<'_>,
    functions: &mut Functions<'_>,
) {
    let nan_where = functions.library("hs_nan_where");
    let last = literal((table.count - 1) as f32);
    body.each("q", positions, |body, q| {
        body.block(|body| {
            body.line(format!("let given = bitcast<u32>(x[{q}]);"));
            body.line("let bits = select(given, 0u, given == 0x80000000u);");
            body.line(format!("let row = u32(bitcast<f32>(min(bits, bitcast<u32>({last}))));"));
            body.line("let is_none = bitcast<u32>(f32(row)) != bits;");
            body.each("c", table.width, |body, c| {
                let number = weight.at(Index::variable("row") * table.width + c.clone());
                body.line(format!("z[{}] = {nan_where}(is_none, {number});", c * positions + q.clone()));
            });
        });
    });
}

/// `z[l F + f] = Σ_c share_c W[row_c, f]` over the corners c of the point's cell in level l, as in `shaders/hashgrid/grid.wgsl`: for a
/// body without loops.
pub(super) fn hash_grid(
    body: &mut Body,
    grid: &HashGrid,
    axes: usize,
    weight: &Numbers<'_>,
    functions: &mut Functions<'_>,
) {
    let [is_nan, nan_where] = ["hs_is_nan", "hs_nan_where"].map(|name| functions.library(name));
    for k in 0..axes {
        body.line(format!("let spoilt{k} = {is_nan}(x[{k}]);"));
        body.line(format!("let x{k} = clamp(select(x[{k}], 0.0, spoilt{k}), 0.0, 1.0);"));
    }
    for l in 0..grid.levels {
        let level = grid.level(l, axes);
        let (cells, first) = (level.cells, l * grid.table());
        body.block(|body| {
            for k in 0..axes {
                body.line(format!("let t{k} = x{k} * {};", literal(cells as f32)));
                body.line(format!("let first{k} = min(u32(t{k}), {}u);", cells - 1));
                body.line(format!("let right{k} = {nan_where}(spoilt{k}, t{k} - f32(first{k}));"));
            }
            for corner in 0..1 << axes {
                let is_further = |k: usize| corner >> k & 1;
                let mut step = 1;
                let along = |k: usize| {
                    let place = format!("(first{k} + {}u)", is_further(k));
                    let factor = if level.dense { step as u32 } else { HashGrid::PRIMES[k] };
                    step *= cells + 1;
                    format!("{place} * {factor}u")
                };
                let places: Vec<String> = (0..axes).map(along).collect();
                let row = match level.dense {
                    true => format!("{first}u + {}", places.join(" + ")),
                    false => format!("{first}u + ((({})) & {}u)", places.join(") ^ ("), grid.table() - 1),
                };
                let shares = (0..axes).map(|k| match is_further(k) {
                    0 => format!("(1.0 - right{k})"),
                    _ => format!("right{k}"),
                });
                let shares: Vec<String> = shares.collect();
                body.line(format!("let row{corner} = {row};"));
                body.line(format!("let share{corner} = {};", shares.join(" * ")));
            }
            for f in 0..grid.features {
                let term = |corner: usize| {
                    let at = Index::variable(&format!("row{corner}")) * grid.features + f;
                    format!("share{corner} * {}", weight.at(at))
                };
                let terms: Vec<String> = (0..1 << axes).map(term).collect();
                body.sum(&format!("z[{}]", l * grid.features + f), &terms);
            }
        });
    }
}

/// `z_i = Σ_j p_ij v_j`, `p_i = softmax_j(q_i · k_j / √w)`, head by head.
pub(super) fn attention(body: &mut Body, heads: &Heads, functions: &mut Functions<'_>) {
    let [exp, nan_where, is_finite] =
        ["hs_exp", "hs_nan_where", "hs_is_finite"].map(|name| functions.library(name));
    let Heads { count, width, positions, causal } = *heads;
    let channels = heads.channels();
    body.line(format!("var p = array<f32, {positions}>();"));
    ["var largest: f32;", "var sum: f32;", "var spoilt: bool;"].into_iter().for_each(|line| body.line(line));
    body.each("m", count, |body, m| {
        let place = |part: usize, k: Index, position: Index| {
            (m.clone() * width + k + part * channels) * positions + position
        };
        body.each("i", positions, |body, i| {
            let seen = |body: &mut Body, f: &dyn Fn(&mut Body, Index)| {
                body.each("j", positions, |body, j| match causal {
                    true => body.when(&[(j.clone(), i.clone() + 1)], |body| f(body, j.clone())),
                    false => f(body, j),
                });
            };
            body.block(|body| {
                // A score that is NaN, or infinite above, makes all of the query's NaN.
                body.line("largest = -3.40282347e38;");
                body.line("sum = 0.0;");
                body.line("spoilt = false;");
                seen(body, &|body, j| {
                    body.line(format!("p[{j}] = 0.0;"));
                    body.each("k", width, |body, k| {
                        let [q, key] = [place(0, k.clone(), i.clone()), place(1, k, j.clone())];
                        body.line(format!("p[{j}] += x[{q}] * x[{key}];"));
                    });
                    body.line(format!("p[{j}] *= {};", literal(heads.scale() as f32)));
                    body.line(format!("largest = max(largest, p[{j}]);"));
                    let is_low = format!("bitcast<u32>(p[{j}]) == 0xff800000u");
                    body.line(format!("spoilt = spoilt || (!{is_finite}(p[{j}]) && !({is_low}));"));
                });
                seen(body, &|body, j| {
                    body.line(format!("p[{j}] = {exp}(p[{j}] - largest);"));
                    body.line(format!("sum += p[{j}];"));
                });
                body.line(format!("let inverse = {nan_where}(spoilt || !(sum > 0.0), 1.0 / sum);"));
                body.each("k", width, |body, k| {
                    let to = place(0, k.clone(), i.clone());
                    seen(body, &|body, j| {
                        let v = place(2, k.clone(), j.clone());
                        body.line(format!("z[{to}] += p[{j}] * x[{v}];"));
                    });
                    body.line(format!("z[{to}] *= inverse;"));
                });
            });
        });
    });
}

/// `q = W h + b`, then each unit's step by itself, position by position: `shaders/recurrent/{gru,lstm}.wgsl`. x is what is added to q.
pub(super) fn recurrent(
    body: &mut Body,
    layer: &Recurrence,
    weight: &Numbers<'_>,
    bias: Option<&Numbers<'_>>,
    functions: &mut Functions<'_>,
) {
    let Recurrence { cell, hidden, positions, .. } = *layer;
    let [sigmoid, tanh] = [Activation::Sigmoid, Activation::Tanh].map(|f| functions.activation(f));
    body.line(format!("var h = array<f32, {hidden}>();"));
    body.line(format!("var next = array<f32, {hidden}>();"));
    (0..cell.gates()).for_each(|gate| body.line(format!("var q{gate}: f32;")));
    if cell == Cell::Lstm {
        body.line(format!("var c = array<f32, {hidden}>();"));
    }
    body.each("t", positions, |body, t| {
        // All units read what all were.
        body.block(|body| {
            body.each("j", hidden, |body, j| {
                body.block(|body| {
                    for gate in 0..cell.gates() {
                        let row = j.clone() + gate * hidden;
                        let start = bias.map_or("0.0".into(), |bias| bias.at(row.clone()));
                        body.line(format!("q{gate} = {start};"));
                        body.each("k", hidden, |body, k| {
                            let w = weight.at(row.clone() * hidden + k.clone());
                            body.line(format!("q{gate} += {w} * h[{k}];"));
                        });
                    }
                    let a =
                        |gate: usize| format!("x[{}]", (j.clone() + gate * hidden) * positions + t.clone());
                    let gate = |name: &str, f: &str, k: usize| format!("let {name} = {f}({} + q{k});", a(k));
                    match cell {
                        Cell::Gru => {
                            body.line(gate("r", &sigmoid, 0));
                            body.line(gate("s", &sigmoid, 1));
                            body.line(format!("let n = {tanh}({} + r * q2);", a(2)));
                            body.line(format!("next[{j}] = (1.0 - s) * n + s * h[{j}];"));
                        }
                        Cell::Lstm => {
                            for (k, (name, f)) in
                                [("i", &sigmoid), ("f", &sigmoid), ("g", &tanh), ("o", &sigmoid)]
                                    .into_iter()
                                    .enumerate()
                            {
                                body.line(gate(&format!("gate_{name}"), f, k));
                            }
                            body.line(format!("c[{j}] = gate_f * c[{j}] + gate_i * gate_g;"));
                            body.line(format!("next[{j}] = gate_o * {tanh}(c[{j}]);"));
                        }
                    }
                    body.line(format!("z[{}] = next[{j}];", j.clone() * positions + t.clone()));
                });
            });
            body.line("h = next;");
        });
    });
}
