//! Recurrent layers. A unit's step is a function of several inputs x: those of its gates, from the sequence (a) and from all units'
//! state before (q), and its own state before. Each is taken by itself, with first and second derivative:
//!
//! ```text
//! g_x = f_x g      h_x = f_x² h + f_xx g (Gauss-Newton: without f_xx g)      u_x = f_x u
//! ```
//!
//! ```text
//! GRU      f = (1 − σ(z)) n + σ(z) h, n = tanh(a_n + σ(r) q_n), r = a_r + q_r, z = a_z + q_z
//! LSTM     f = σ(o) tanh(c'), c' = σ(f) c + σ(i) tanh(g), each a + q; the signal at c' is what f leaves there and what comes from behind
//! ```
//!
//! The signal at a state is the sum of that at the output, of that through f of the unit's next step, and of that through
//! `q = W h + b` there: `Σ_k W_kj g_q`, h through W².

use super::conv::Convolve;
use super::{Weighted, act::activation, power, total};
use crate::model::{Activation::*, Cell, Mode, Recurrence};
use crate::reference::{Real, Signal};

pub(in crate::reference) struct Recur<'a, T> {
    layer: Recurrence,
    weight: &'a [T],
    /// Empty for none.
    bias: &'a [T],
    /// `q = W h + b` of all positions, from the output, whose sums are the parameters'.
    product: Convolve<'a, T>,
}

/// The first and the second derivative of a unit's step by one of its inputs.
type Slopes<T> = [T; 2];

/// A unit at one position.
struct Unit<T> {
    /// h, and of an LSTM c.
    state: [T; 2],
    /// Of h, for an LSTM of c by what c is made of (i, f, g) and of h by o: by a of each gate.
    by_a: Vec<Slopes<T>>,
    /// By q of each gate.
    by_q: Vec<Slopes<T>>,
    /// By the state before, which the step is linear in: of h by h, or of c by c.
    by_state: T,
    /// Of h by c.
    by_c: Slopes<T>,
}

impl<T: Real> Unit<T> {
    fn new(cell: Cell, a: &[T], q: &[T], before: [T; 2]) -> Unit<T> {
        match cell {
            Cell::Gru => Unit::gru(a, q, before[0]),
            Cell::Lstm => Unit::lstm(a, q, before[1]),
        }
    }

    fn gru(a: &[T], q: &[T], h: T) -> Unit<T> {
        let [r, r1, r2] = activation(Sigmoid, a[0] + q[0]);
        let [z, z1, z2] = activation(Sigmoid, a[1] + q[1]);
        let [n, n1, n2] = activation(Tanh, a[2] + r * q[2]);
        let rest = T::one() - z;
        let by_r = [rest * n1 * r1 * q[2], rest * (n2 * (r1 * q[2]).squared() + n1 * r2 * q[2])];
        let by_z = [z1 * (h - n), z2 * (h - n)];
        let by_n = [rest * n1, rest * n2];
        Unit {
            state: [rest * n + z * h, T::zero()],
            by_a: vec![by_r, by_z, by_n],
            by_q: vec![by_r, by_z, [by_n[0] * r, by_n[1] * r.squared()]],
            by_state: z,
            by_c: [T::zero(); 2],
        }
    }

    fn lstm(a: &[T], q: &[T], before: T) -> Unit<T> {
        let gate = |gate: usize, function| activation(function, a[gate] + q[gate]);
        let [i, i1, i2] = gate(0, Sigmoid);
        let [f, f1, f2] = gate(1, Sigmoid);
        let [g, g1, g2] = gate(2, Tanh);
        let [o, o1, o2] = gate(3, Sigmoid);
        let c = f * before + i * g;
        let [t, t1, t2] = activation(Tanh, c);
        let slopes = vec![[i1 * g, i2 * g], [f1 * before, f2 * before], [i * g1, i * g2], [o1 * t, o2 * t]];
        Unit { state: [o * t, c], by_a: slopes.clone(), by_q: slopes, by_state: f, by_c: [o * t1, o * t2] }
    }
}

/// What one component of a sample's signal comes to: at a and at q, `[gates H, T]`, and at h and c of each unit.
struct Passed<T> {
    a: Vec<T>,
    q: Vec<T>,
    states: Vec<[T; 2]>,
}

impl<'a, T: Real> Recur<'a, T> {
    pub(super) fn new(layer: Recurrence, weight: &'a [T], bias: &'a [T]) -> Recur<'a, T> {
        Recur { layer, weight, bias, product: Convolve::new(&layer.product(), weight, bias) }
    }

    /// The linear map in it.
    pub(super) fn product(&self) -> &dyn Weighted<T> {
        &self.product
    }

    /// Numbers of a sample of input and output.
    fn sizes(&self) -> [usize; 2] {
        [self.layer.channels(), self.layer.hidden].map(|channels| channels * self.layer.positions)
    }

    /// The units of a sample, position by position.
    fn units(&self, x: &[T]) -> Vec<Unit<T>> {
        let Recurrence { cell, hidden, positions, .. } = self.layer;
        let mut units: Vec<Unit<T>> = Vec::with_capacity(hidden * positions);
        for t in 0..positions {
            let before: Vec<[T; 2]> = match t {
                0 => vec![[T::zero(); 2]; hidden],
                _ => units[(t - 1) * hidden..].iter().map(|unit| unit.state).collect(),
            };
            let q: Vec<T> = (0..self.layer.channels()).map(|k| self.q(k, &before)).collect();
            for (unit, before) in before.iter().enumerate() {
                let gates = |of: &dyn Fn(usize) -> T| -> Vec<T> {
                    (0..cell.gates()).map(|gate| of(gate * hidden + unit)).collect()
                };
                let (a, q) = (gates(&|k| x[k * positions + t]), gates(&|k| q[k]));
                units.push(Unit::new(cell, &a, &q, *before));
            }
        }
        units
    }

    /// `q = W h + b` of one gate of one unit.
    fn q(&self, k: usize, before: &[[T; 2]]) -> T {
        let weight = &self.weight[k * self.layer.hidden..];
        let bias = self.bias.get(k).map_or(T::zero(), |b| *b);
        bias + total(weight.iter().zip(before).map(|(w, [h, _])| *w * *h))
    }

    pub(super) fn forward(&self, x: &[T]) -> Vec<T> {
        let [inputs, outputs] = self.sizes();
        let one = |x: &[T]| {
            let mut z = vec![T::zero(); outputs];
            for (index, unit) in self.units(x).into_iter().enumerate() {
                let (t, channel) = (index / self.layer.hidden, index % self.layer.hidden);
                z[channel * self.layer.positions + t] = unit.state[0];
            }
            z
        };
        x.chunks_exact(inputs).flat_map(one).collect()
    }

    /// The signals at a and at q, from the one at the output.
    fn through(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> [Signal<T>; 2] {
        let [inputs, outputs] = self.sizes();
        let mut both = [Signal::none(), Signal::none()];
        both.iter_mut().for_each(|to| to.u = vec![Vec::new(); signal.u.len()]);
        let mut diagonals = [Vec::new(), Vec::new()];
        for (n, x) in x.chunks_exact(inputs).enumerate() {
            let units = self.units(x);
            let sample = n * outputs..(n + 1) * outputs;
            let g = self.component(&units, &signal.g[sample.clone()], None);
            if !signal.h.is_empty() {
                let curved = (mode.is_curved()).then_some(&g.states[..]);
                let h = self.component(&units, &signal.diagonal()[sample.clone()], Some(curved));
                diagonals[0].extend(h.a);
                diagonals[1].extend(h.q);
            }
            for (k, u) in signal.u.iter().enumerate() {
                let u = self.component(&units, &u[sample.clone()], None);
                both[0].u[k].extend(u.a);
                both[1].u[k].extend(u.q);
            }
            both[0].g.extend(g.a);
            both[1].g.extend(g.q);
        }
        let [at_a, at_q] = both;
        let [of_a, of_q] = diagonals;
        [Signal::new(at_a.g, of_a, at_a.u), Signal::new(at_q.g, of_q, at_q.u)]
    }

    /// One component of a sample's signal. `h` says that it is h, and has g at the states where second derivatives go with it.
    fn component(&self, units: &[Unit<T>], s: &[T], h: Option<Option<&[[T; 2]]>>) -> Passed<T> {
        let (squared, hidden, positions) = (h.is_some(), self.layer.hidden, self.layer.positions);
        let zeros = || vec![T::zero(); self.sizes()[0]];
        let mut passed = Passed { a: zeros(), q: zeros(), states: vec![[T::zero(); 2]; units.len()] };
        let mut carried = vec![[T::zero(); 2]; hidden];
        for t in (0..positions).rev() {
            let mut direct = vec![[T::zero(); 2]; hidden];
            for unit in 0..hidden {
                let at = t * hidden + unit;
                let step = &units[at];
                let g = h.flatten().map_or([T::zero(); 2], |g| g[at]);
                let pass = |[first, second]: Slopes<T>, s: T, g: T| power(first, squared) * s + second * g;
                let [mut of_h, mut of_c] = carried[unit];
                of_h += s[unit * positions + t];
                of_c += pass(step.by_c, of_h, g[0]);
                passed.states[at] = [of_h, of_c];
                for gate in 0..self.layer.cell.gates() {
                    let (s, g) = match self.layer.cell {
                        Cell::Lstm if gate < 3 => (of_c, g[1]),
                        _ => (of_h, g[0]),
                    };
                    let to = (gate * hidden + unit) * positions + t;
                    passed.a[to] = pass(step.by_a[gate], s, g);
                    passed.q[to] = pass(step.by_q[gate], s, g);
                }
                let by_state = power(step.by_state, squared);
                match self.layer.cell {
                    Cell::Gru => direct[unit][0] = by_state * of_h,
                    Cell::Lstm => direct[unit][1] = by_state * of_c,
                }
            }
            for (unit, direct) in direct.iter_mut().enumerate() {
                let terms = (0..self.layer.channels())
                    .map(|k| power(self.weight[k * hidden + unit], squared) * passed.q[k * positions + t]);
                direct[0] += total(terms);
            }
            carried = direct;
        }
        passed
    }

    pub(super) fn backward(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        let [at_a, _] = self.through(mode, x, signal);
        at_a
    }

    /// The signal at q, where the weight multiplies the output of the position before.
    pub(super) fn at_product(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        let [_, at_q] = self.through(mode, x, signal);
        at_q
    }
}
