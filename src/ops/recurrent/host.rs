//! Recurrent layers on the CPU: at each position a product for all samples at once, then loops over units. The rules are those of
//! `reference/layer/recurrent.rs`.

use crate::host::math::{sigmoid, tanh};
use crate::host::product::{Matrix, Target, multiply};
use crate::host::vector::vectorized;
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::{Cell, Mode, Recurrence};
use crate::ops::conv::host::Convolve;

/// On samples `[positions, gates × units]`.
#[derive(Debug)]
pub(crate) struct Recur {
    layer: Recurrence,
    /// `q = W h + b` of all positions as a convolution of the output, whose sums are the parameters'.
    product: Convolve,
}

/// Rows of factors: see [`Recur::factors`].
const FACTORS: usize = 11;

/// Samples of a block are reckoned as if each had up to so many rows: their signals at all positions take memory.
const MOST_ROWS: usize = 8;

/// Where a backward pass works; a row is a position of a sample.
struct Room<'a> {
    /// Of each row the gates after their functions.
    gates: &'a mut [f32],
    /// Of each row, q of a GRU's last gate, or the c before of an LSTM.
    other: &'a mut [f32],
    /// Of each component and row, the signal at q.
    at_q: &'a mut [f32],
    /// Of each component and row, that at a of a GRU's last gate.
    at_a: &'a mut [f32],
    /// Of each component and sample, what has come through the product from behind, and at the unit's own state.
    carried: &'a mut [f32],
    own: &'a mut [f32],
    /// First and second derivatives of the units of a row.
    factors: &'a mut [f32],
    /// A component at h and at c of the units of a row, and g there.
    totals: &'a mut [f32],
}

/// A matrix row in numbers of `each`.
fn part(x: &[f32], index: usize, each: usize) -> &[f32] {
    &x[index * each..(index + 1) * each]
}

fn part_mut(x: &mut [f32], index: usize, each: usize) -> &mut [f32] {
    &mut x[index * each..(index + 1) * each]
}

impl Recur {
    pub(crate) fn new(layer: Recurrence) -> Recur {
        Recur { layer, product: Convolve::new(&layer.product()) }
    }

    /// Samples of an output.
    fn samples(&self, z: &[f32]) -> usize {
        z.len() / (self.layer.positions * self.layer.hidden)
    }

    /// `q ← W h + b`, of h `[rows, H]` that lie `stride` apart.
    fn multiply(&self, call: &Call<'_>, h: &[f32], stride: usize, q: &mut [f32]) {
        let (hidden, channels) = (self.layer.hidden, self.layer.channels());
        let (rows, biased) = (q.len() / channels, !call.bias.is_empty());
        self.begin(call, q);
        let weight = Matrix::new(call.weight, channels, hidden).transposed();
        let h = Matrix::strided(h, rows, hidden, stride);
        multiply(Target::new(q, rows, channels), biased, h, weight);
    }

    /// `q ← b`
    fn begin(&self, call: &Call<'_>, q: &mut [f32]) {
        match call.bias {
            [] => q.fill(0.0),
            bias => q.chunks_exact_mut(bias.len()).for_each(|q| q.copy_from_slice(bias)),
        }
    }

    /// Of `samples`, with signals of so many components.
    fn room<'a>(
        &self,
        scratch: &'a mut [f32],
        samples: usize,
        components: usize,
    ) -> (Room<'a>, &'a mut [f32]) {
        let mut rest = scratch;
        let mut take = |len: usize| {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut(len);
            rest = behind;
            part
        };
        let [gates, other, at_q, at_a, state, factors, totals] = self.sizes_of_room(samples, components);
        let room = Room {
            gates: take(gates),
            other: take(other),
            at_q: take(at_q),
            at_a: take(at_a),
            carried: take(state),
            own: take(state),
            factors: take(factors),
            totals: take(totals),
        };
        (room, rest)
    }

    fn sizes_of_room(&self, samples: usize, components: usize) -> [usize; 7] {
        let Recurrence { cell, hidden, positions, .. } = self.layer;
        let (rows, channels) = (samples * positions, self.layer.channels());
        let at_a = if cell == Cell::Gru { components * rows * hidden } else { 0 };
        let at_q = components * rows * channels;
        let state = components * samples * hidden;
        [rows * channels, rows * hidden, at_q, at_a, state, FACTORS * hidden, 4 * hidden]
    }

    /// The gates of all rows, from what the forward pass read and wrote.
    fn gates(&self, call: &Call<'_>, x: &[f32], z: &[f32], room: &mut Room<'_>) {
        let Recurrence { cell, hidden, positions, .. } = self.layer;
        let channels = self.layer.channels();
        let rows = room.gates.len() / channels;
        if rows > 1 {
            // Of every row the product with the one before, which of a sample's first is another's last.
            self.multiply(call, &z[..(rows - 1) * hidden], hidden, &mut room.gates[channels..]);
        }
        for row in (0..rows).step_by(positions) {
            self.begin(call, part_mut(room.gates, row, channels));
        }
        vectorized(
            #[inline(always)]
            || {
                for row in 0..rows {
                    let (gates, x) = (part_mut(room.gates, row, channels), part(x, row, channels));
                    match cell {
                        Cell::Gru => gru_gates(gates, x, part_mut(room.other, row, hidden)),
                        Cell::Lstm => {
                            lstm_gates(gates, x);
                            let (before, c) = room.other.split_at_mut(row * hidden);
                            let before = (row % positions > 0).then(|| part(before, row - 1, hidden));
                            let gates = (row % positions > 0).then(|| part(room.gates, row - 1, channels));
                            next_c(&mut c[..hidden], before.zip(gates));
                        }
                    }
                }
            },
        );
    }

    /// The signals at a and q of all rows.
    fn signals(&self, call: &Call<'_>, x: &[f32], z: &[f32], signal: &[&[f32]], room: &mut Room<'_>) {
        let Recurrence { hidden, positions, .. } = self.layer;
        let (samples, channels) = (self.samples(z), self.layer.channels());
        self.gates(call, x, z, room);
        room.carried.fill(0.0);
        room.own.fill(0.0);
        for t in (0..positions).rev() {
            vectorized(
                #[inline(always)]
                || {
                    for sample in 0..samples {
                        let row = sample * positions + t;
                        let before = (t > 0).then(|| part(z, row - 1, hidden));
                        self.factors(room, row, before);
                        self.row(call.mode, signal, room, [sample, row]);
                    }
                },
            );
            if t == 0 {
                return;
            }
            let of_rows = samples * positions * channels;
            for component in 0..signal.len() {
                let squared = is_diagonal(component, signal.len());
                let weight = if squared { call.squared } else { call.weight };
                let at_q = &part(room.at_q, component, of_rows)[t * channels..];
                let at_q = Matrix::strided(at_q, samples, channels, positions * channels);
                let carried = part_mut(room.carried, component, samples * hidden);
                let weight = Matrix::new(weight, channels, hidden);
                multiply(Target::new(carried, samples, hidden), false, at_q, weight);
            }
        }
    }

    /// First and second derivatives of the units of a row by the inputs of each gate, those of a sum one behind the other; then, of a GRU,
    /// by a of its last gate and by h; of an LSTM of h by c, and of c by c.
    #[inline(always)]
    fn factors(&self, room: &mut Room<'_>, row: usize, before: Option<&[f32]>) {
        let hidden = self.layer.hidden;
        let gates = part(room.gates, row, self.layer.channels());
        let other = part(room.other, row, hidden);
        let mut factors = room.factors.chunks_exact_mut(hidden);
        let mut f: [&mut [f32]; FACTORS] = std::array::from_fn(|_| factors.next().unwrap_or_default());
        for j in 0..hidden {
            let gate = |k: usize| gates[k * hidden + j];
            let of_unit = match self.layer.cell {
                Cell::Gru => gru_factors([gate(0), gate(1), gate(2)], other[j], before.map_or(0.0, |h| h[j])),
                Cell::Lstm => lstm_factors([gate(0), gate(1), gate(2), gate(3)], other[j]),
            };
            f.iter_mut().zip(of_unit).for_each(|(f, x)| f[j] = x);
        }
    }

    /// Takes each component of the signal through a row.
    #[inline(always)]
    fn row(&self, mode: Mode, signal: &[&[f32]], room: &mut Room<'_>, [sample, row]: [usize; 2]) {
        let (hidden, cell) = (self.layer.hidden, self.layer.cell);
        let (gates, components) = (cell.gates(), signal.len());
        let of_state = room.own.len() / components;
        let of_rows = room.gates.len();
        let factor = |k: usize| part(room.factors, k, hidden);
        let (totals, of_g) = room.totals.split_at_mut(2 * hidden);
        let (at_h, at_c) = totals.split_at_mut(hidden);
        for (component, s) in signal.iter().enumerate() {
            let squared = is_diagonal(component, components);
            let (g_h, g_c) = of_g.split_at(hidden);
            let bent = squared && mode.is_curved();
            let carried = part(&room.carried[component * of_state..], sample, hidden);
            let own = part_mut(&mut room.own[component * of_state..], sample, hidden);
            let s = part(s, row, hidden);
            match cell {
                Cell::Gru => {
                    for (j, total) in at_h.iter_mut().enumerate() {
                        *total = s[j] + carried[j] + own[j];
                    }
                    let last = part_mut(&mut room.at_a[component * of_rows / gates..], row, hidden);
                    pass(last, [factor(6), factor(7)], at_h, g_h, squared, bent);
                    pass(own, [factor(8), factor(8)], at_h, g_h, squared, false);
                }
                Cell::Lstm => {
                    for (j, total) in at_h.iter_mut().enumerate() {
                        *total = s[j] + carried[j];
                    }
                    pass(at_c, [factor(8), factor(9)], at_h, g_h, squared, bent);
                    at_c.iter_mut().zip(&*own).for_each(|(total, own)| *total += own);
                    pass(own, [factor(10), factor(10)], at_c, g_c, squared, false);
                }
            }
            let at_q = part_mut(&mut room.at_q[component * of_rows..], row, gates * hidden);
            for (gate, to) in at_q.chunks_exact_mut(hidden).enumerate() {
                let inner = cell == Cell::Lstm && gate < 3;
                let (s, g) = if inner { (&*at_c, g_c) } else { (&*at_h, g_h) };
                pass(to, [factor(2 * gate), factor(2 * gate + 1)], s, g, squared, bent);
            }
            if component == 0 {
                of_g[..hidden].copy_from_slice(at_h);
                of_g[hidden..].copy_from_slice(at_c);
            }
        }
    }
}

/// `first · s`, or squared `first² · s`, and where it is bent `second · g` with it.
#[inline(always)]
fn pass(to: &mut [f32], [first, second]: [&[f32]; 2], s: &[f32], g: &[f32], squared: bool, bent: bool) {
    let factors = first.iter().zip(second);
    let all = to.iter_mut().zip(factors).zip(s.iter().zip(g));
    if bent {
        all.for_each(|((to, (first, second)), (s, g))| *to = first * first * s + second * g);
    } else if squared {
        all.for_each(|((to, (first, _)), (s, _))| *to = first * first * s);
    } else {
        all.for_each(|((to, (first, _)), (s, _))| *to = first * s);
    }
}

/// From q to r, z, n; q of n is kept.
#[inline(always)]
fn gru_gates(gates: &mut [f32], x: &[f32], kept: &mut [f32]) {
    let hidden = kept.len();
    let ([r, z, n], [a_r, a_z, a_n]) = (three_mut(gates, hidden), three(x, hidden));
    kept.copy_from_slice(n);
    for j in 0..hidden {
        r[j] = sigmoid(a_r[j] + r[j]).0;
        z[j] = sigmoid(a_z[j] + z[j]).0;
        n[j] = tanh(a_n[j] + r[j] * n[j]).0;
    }
}

#[inline(always)]
fn three(x: &[f32], each: usize) -> [&[f32]; 3] {
    [0, 1, 2].map(|k| part(x, k, each))
}

#[inline(always)]
fn three_mut(x: &mut [f32], each: usize) -> [&mut [f32]; 3] {
    let (first, rest) = x.split_at_mut(each);
    let (second, rest) = rest.split_at_mut(each);
    [first, second, &mut rest[..each]]
}

/// From q to i, f, g, o.
#[inline(always)]
fn lstm_gates(gates: &mut [f32], x: &[f32]) {
    let hidden = gates.len() / 4;
    gates.iter_mut().zip(x).for_each(|(gate, a)| *gate += a);
    let (i_f, g_o) = gates.split_at_mut(2 * hidden);
    let (g, o) = g_o.split_at_mut(hidden);
    i_f.iter_mut().chain(o).for_each(|s| *s = sigmoid(*s).0);
    g.iter_mut().for_each(|s| *s = tanh(*s).0);
}

/// The c before a row, from the one before the last row and that row's gates; at first 0.
#[inline(always)]
fn next_c(c: &mut [f32], last: Option<(&[f32], &[f32])>) {
    let Some((before, gates)) = last else { return c.fill(0.0) };
    let [i, f, g] = three(gates, c.len());
    for (j, c) in c.iter_mut().enumerate() {
        *c = f[j] * before[j] + i[j] * g[j];
    }
}

/// By r, z, q_n, a_n, and h: see `shaders/recurrent/gru_signal.wgsl`.
#[inline(always)]
fn gru_factors([r, z, n]: [f32; 3], q: f32, h: f32) -> [f32; FACTORS] {
    let by_n = (1.0 - z) * (1.0 - n * n);
    let by_nn = -2.0 * n * by_n;
    let slope = r * (1.0 - r) * q;
    let by_rr = by_nn * slope * slope + by_n * (1.0 - 2.0 * r) * slope;
    let by_z = z * (1.0 - z) * (h - n);
    let by_zz = (1.0 - 2.0 * z) * by_z;
    [by_n * slope, by_rr, by_z, by_zz, r * by_n, r * r * by_nn, by_n, by_nn, z, 0.0, 0.0]
}

/// By i, f, g, o, of h by c, and of c by c: see `shaders/recurrent/lstm_signal.wgsl`.
#[inline(always)]
fn lstm_factors([i, f, g, o]: [f32; 4], before: f32) -> [f32; FACTORS] {
    let t = tanh(f * before + i * g).0;
    let by_c = o * (1.0 - t * t);
    let (by_i, by_f) = (i * (1.0 - i) * g, f * (1.0 - f) * before);
    let (by_g, by_o) = (i * (1.0 - g * g), o * (1.0 - o) * t);
    let of_gates = [by_i, (1.0 - 2.0 * i) * by_i, by_f, (1.0 - 2.0 * f) * by_f, by_g, -2.0 * g * by_g];
    let [a, b, c, d, e, g] = of_gates;
    [a, b, c, d, e, g, by_o, (1.0 - 2.0 * o) * by_o, by_c, -2.0 * t * by_c, f]
}

impl SampleOp for Recur {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]) {
        let Recurrence { cell, hidden, positions, .. } = self.layer;
        let (samples, channels) = (self.samples(output), self.layer.channels());
        let (q, rest) = scratch.split_at_mut(samples * channels);
        let c = &mut rest[..samples * hidden];
        c.fill(0.0);
        for t in 0..positions {
            match t {
                0 => self.begin(call, q),
                _ => self.multiply(call, &output[(t - 1) * hidden..], positions * hidden, q),
            }
            vectorized(
                #[inline(always)]
                || {
                    for sample in 0..samples {
                        let row = sample * positions + t;
                        let (before, z) = output.split_at_mut(row * hidden);
                        let z = &mut z[..hidden];
                        let (x, q) = (part(inputs[0], row, channels), part_mut(q, sample, channels));
                        let c = part_mut(c, sample, hidden);
                        match cell {
                            Cell::Gru => {
                                // c has no use here but to take q of the last gate.
                                gru_gates(q, x, c);
                                match t {
                                    0 => z.fill(0.0),
                                    _ => z.copy_from_slice(&before[(row - 1) * hidden..]),
                                }
                                let [_, kept, n] = three(q, hidden);
                                for (j, h) in z.iter_mut().enumerate() {
                                    *h = (1.0 - kept[j]) * n[j] + kept[j] * *h;
                                }
                            }
                            Cell::Lstm => {
                                lstm_gates(q, x);
                                let ([i, f, g], o) = (three(q, hidden), part(q, 3, hidden));
                                for (j, (h, c)) in z.iter_mut().zip(c).enumerate() {
                                    *c = f[j] * *c + i[j] * g[j];
                                    *h = o[j] * tanh(*c).0;
                                }
                            }
                        }
                    }
                },
            );
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let (hidden, channels) = (self.layer.hidden, self.layer.channels());
        let (mut room, _) = self.room(scratch, self.samples(call.output), signal.len());
        if !call.summed {
            self.signals(call, call.input, call.output, signal, &mut room);
        }
        let of_rows = room.gates.len();
        for (component, to) in to.iter_mut().enumerate() {
            to.copy_from_slice(part(room.at_q, component, of_rows));
            if self.layer.cell == Cell::Gru {
                let last = &room.at_a[component * of_rows / 3..];
                for (to, from) in to.chunks_exact_mut(channels).zip(last.chunks_exact(hidden)) {
                    to[2 * hidden..].copy_from_slice(from);
                }
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn scratch(&self, samples: usize, components: usize) -> usize {
        if components == 0 {
            return samples * (self.layer.channels() + self.layer.hidden);
        }
        let sizes = self.sizes_of_room(samples, components);
        // There are two states.
        sizes.iter().sum::<usize>() + sizes[4] + self.product.scratch(samples, components)
    }

    fn rows(&self) -> Option<usize> {
        Some(self.layer.positions.min(MOST_ROWS))
    }

    fn work(&self) -> usize {
        self.product.work()
    }
}

impl Weighted for Recur {
    fn sizes(&self) -> [usize; 2] {
        self.product.sizes()
    }

    fn feeds_back(&self) -> bool {
        true
    }

    fn add(&self, call: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let (mut room, rest) = self.room(scratch, self.samples(call.output), signal.len());
        self.signals(call, x, call.output, signal, &mut room);
        let of_rows = room.gates.len();
        let at_q: Vec<&[f32]> = (0..signal.len()).map(|c| part(room.at_q, c, of_rows)).collect();
        self.product.add(call, call.output, &at_q, sums, rest);
    }
}
