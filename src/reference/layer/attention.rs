//! Attention: `z_i = Σ_j p_ij v_j`, `p_i = softmax_j(a q_i · k_j)`, `a = 1/√w`, in each head of width w.
//!
//! The signal goes through the product with v, the softmax and the product of q and k one after the other. Each is taken by itself:
//!
//! ```text
//! g_p = Σ_c v_jc g_ic        h_p = Σ_c v_jc² h_ic                          g_v = Σ_i p_ij g_i     h_v = Σ_i p_ij² h_i
//! g_s = p (g_p − ḡ)          h_s = p² [h_p (1 − 2p) + Σ p² h_p]            ḡ = Σ_j p g_p
//!                                  + p (1 − 2p) (g_p − ḡ)                  Gauss-Newton: without this line
//! g_q = a Σ_j g_s k_j        h_q = a² Σ_j h_s k_j²                         g_k = a Σ_i g_s q_i    h_k = a² Σ_i h_s q_i²
//! ```
//!
//! and u as g.

use super::{power, total};
use crate::model::{Heads, Mode};
use crate::reference::softmax::Softmax;
use crate::reference::{Real, Signal};

pub(in crate::reference) struct Attend(Heads);

/// Queries, keys and values: which of the three a channel belongs to.
const Q: usize = 0;
const K: usize = 1;
const V: usize = 2;

impl Attend {
    pub(super) fn new(heads: Heads) -> Attend {
        Attend(heads)
    }

    /// Where channel c of a head lies in a sample of the input.
    fn input(&self, part: usize, head: usize, c: usize, position: usize) -> usize {
        (part * self.0.channels() + head * self.0.width + c) * self.0.positions + position
    }

    /// The same in the output.
    fn output(&self, head: usize, c: usize, position: usize) -> usize {
        self.input(Q, head, c, position)
    }

    fn samples<'a, T>(&self, x: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        x.chunks_exact(3 * self.0.channels() * self.0.positions)
    }

    fn scale<T: Real>(&self) -> T {
        T::from_f64(self.0.scale())
    }

    /// p of a query in a sample: of the positions that it sees.
    fn weights<T: Real>(&self, x: &[T], head: usize, i: usize) -> Vec<T> {
        let score = |j: usize| {
            let terms =
                (0..self.0.width).map(|c| x[self.input(Q, head, c, i)] * x[self.input(K, head, c, j)]);
            self.scale::<T>() * total(terms)
        };
        Softmax::of(&(0..self.0.seen(i)).map(score).collect::<Vec<T>>()).p
    }

    pub(super) fn forward<T: Real>(&self, x: &[T]) -> Vec<T> {
        let size = self.0.channels() * self.0.positions;
        let one = |x: &[T]| {
            let mut z = vec![T::zero(); size];
            for (head, i) in self.queries() {
                let p = self.weights(x, head, i);
                for c in 0..self.0.width {
                    let terms = p.iter().enumerate().map(|(j, p)| *p * x[self.input(V, head, c, j)]);
                    z[self.output(head, c, i)] = total(terms);
                }
            }
            z
        };
        self.samples(x).flat_map(one).collect()
    }

    fn queries(&self) -> impl Iterator<Item = (usize, usize)> {
        let positions = self.0.positions;
        (0..self.0.count).flat_map(move |head| (0..positions).map(move |i| (head, i)))
    }

    pub(super) fn backward<T: Real>(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        let linear = |s: &Vec<T>| self.of_batch(x, s, &signal.g, None);
        let h = self.of_batch(x, signal.diagonal(), &signal.g, Some(mode.is_curved()));
        Signal::new(linear(&signal.g), h, signal.u.iter().map(linear).collect())
    }

    /// A component through each sample; `h` says whether second derivatives go with it.
    fn of_batch<T: Real>(&self, x: &[T], s: &[T], g: &[T], h: Option<bool>) -> Vec<T> {
        let size = self.0.channels() * self.0.positions;
        let parts = self.samples(x).zip(s.chunks_exact(size)).zip(g.chunks_exact(size));
        parts.flat_map(|((x, s), g)| self.through(x, s, h.map(|curved| curved.then_some(g)))).collect()
    }

    /// A sample's component through all three; h where there is a gradient that its second derivatives go with, or none for
    /// Gauss-Newton.
    fn through<T: Real>(&self, x: &[T], s: &[T], h: Option<Option<&[T]>>) -> Vec<T> {
        let squared = h.is_some();
        let factor = power(self.scale::<T>(), squared);
        let mut to = vec![T::zero(); x.len()];
        for (head, i) in self.queries() {
            let p = self.weights(x, head, i);
            let at_weights = |s: &[T], squared: bool| -> Vec<T> {
                let at = |j| {
                    let term = |c| power(x[self.input(V, head, c, j)], squared) * s[self.output(head, c, i)];
                    total((0..self.0.width).map(term))
                };
                (0..p.len()).map(at).collect()
            };
            let of_p = at_weights(s, squared);
            let scores = match h {
                None => softmax(&p, &of_p),
                Some(g) => {
                    let mut scores = softmax_squared(&p, &of_p);
                    if let Some(g) = g {
                        let slopes = softmax(&p, &at_weights(g, false));
                        let second = p.iter().zip(slopes).map(|(p, slope)| (T::one() - *p - *p) * slope);
                        scores.iter_mut().zip(second).for_each(|(score, second)| *score += second);
                    }
                    scores
                }
            };
            for (c, j) in (0..self.0.width).flat_map(|c| (0..p.len()).map(move |j| (c, j))) {
                let [q, k, v] = [(Q, i), (K, j), (V, j)].map(|(part, at)| self.input(part, head, c, at));
                to[q] += factor * scores[j] * power(x[k], squared);
                to[k] += factor * scores[j] * power(x[q], squared);
                to[v] += power(p[j], squared) * s[self.output(head, c, i)];
            }
        }
        to
    }
}

/// `p (s − Σ p s)`
fn softmax<T: Real>(p: &[T], s: &[T]) -> Vec<T> {
    let mean = total(p.iter().zip(s).map(|(p, s)| *p * *s));
    p.iter().zip(s).map(|(p, s)| *p * (*s - mean)).collect()
}

/// `p² [h (1 − 2p) + Σ p² h]`
fn softmax_squared<T: Real>(p: &[T], h: &[T]) -> Vec<T> {
    let sum = total(p.iter().zip(h).map(|(p, h)| p.squared() * *h));
    p.iter().zip(h).map(|(p, h)| p.squared() * (*h * (T::one() - *p - *p) + sum)).collect()
}
