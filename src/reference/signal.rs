//! The signal that flows backwards.

use super::Real;

/// The signal of a batch at one place of the network, every vector `[N, size]`: the gradient, and what the mode carries
/// of the Hessian's diagonal beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal<T> {
    /// `dL/da`
    pub g: Vec<T>,
    /// The estimate of `d²L/da²`: `rest + Σ u²` where vectors `u` are carried. Empty in [`Mode::None`](crate::Mode).
    pub h: Vec<T>,
    /// HesScale-R only, else empty: the part of the diagonal that is not in `u`. This is what travels on.
    pub rest: Vec<T>,
    /// HesScale-R only, else empty: the vectors whose outer products are carried exactly.
    pub u: Vec<Vec<T>>,
}

impl<T: Real> Signal<T> {
    /// A signal of a gradient, a diagonal (empty for none) and the vectors carried beside it.
    pub(super) fn new(g: Vec<T>, diagonal: Vec<T>, u: Vec<Vec<T>>) -> Signal<T> {
        if u.is_empty() {
            return Signal { g, h: diagonal, rest: Vec::new(), u };
        }
        let mut h = diagonal.clone();
        for u in &u {
            h.iter_mut().zip(u).for_each(|(h, u)| *h += u.squared());
        }
        Signal { g, h, rest: diagonal, u }
    }

    /// Through a map: what g and u go through, and what the diagonal does.
    pub(super) fn through(
        &self,
        linear: impl Fn(&[T]) -> Vec<T>,
        squared: impl Fn(&[T]) -> Vec<T>,
    ) -> Signal<T> {
        let u = self.u.iter().map(|u| linear(u)).collect();
        Signal::new(linear(&self.g), squared(self.diagonal()), u)
    }

    /// Before any has arrived.
    pub(super) fn none() -> Signal<T> {
        Signal { g: Vec::new(), h: Vec::new(), rest: Vec::new(), u: Vec::new() }
    }

    /// Adds the signal of a further branch: g and u exactly, the diagonals without their cross terms.
    pub(super) fn add(&mut self, other: &Signal<T>) {
        if self.g.is_empty() {
            *self = other.clone();
            return;
        }
        let sum = |a: &[T], b: &[T]| a.iter().zip(b).map(|(a, b)| *a + *b).collect::<Vec<T>>();
        let u = self.u.iter().zip(&other.u).map(|(a, b)| sum(a, b)).collect();
        *self = Signal::new(sum(&self.g, &other.g), sum(self.diagonal(), other.diagonal()), u);
    }

    /// The diagonal that the rules push on: without `u`'s share.
    pub(crate) fn diagonal(&self) -> &[T] {
        if self.u.is_empty() { &self.h } else { &self.rest }
    }
}
