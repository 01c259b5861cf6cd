//! The random vector of HesScale-S.

use super::Real;
use super::loss::Local;
use super::softmax::{Softmax, dot, sum};
use crate::model::Loss;

impl<T: Real> Local<T> {
    /// Takes `v = B (1 − q qᵀ) s` out of what the vector `u = B q`, if there is one, has left of the Hessian `B Bᵀ`: the mean of
    /// `v vᵀ` over signs s is that rest.
    pub(super) fn take_random(&mut self, loss: &Loss, z: &[T], s: Vec<T>) {
        let v = match loss {
            Loss::SoftmaxCrossEntropy { .. } => {
                let v = self.of_softmax(z, s);
                self.h.iter_mut().zip(&v).for_each(|(h, v)| *h = *h - v.squared());
                v
            }
            _ => self.h.iter_mut().zip(s).map(|(h, s)| root_of(h) * s).collect(),
        };
        self.u.push(v);
    }

    /// With `B = √m (diag √p − p √pᵀ)`, m the mass of the target.
    fn of_softmax(&self, z: &[T], mut s: Vec<T>) -> Vec<T> {
        let square = |c: usize| self.u.iter().fold(T::zero(), |sum, u| sum + u[c].squared());
        let diagonal: Vec<T> = (0..z.len()).map(|c| self.h[c] + square(c)).collect();
        let total = sum(&diagonal);
        // Not so where it is NaN.
        if total <= T::zero() {
            return vec![T::zero(); z.len()];
        }
        let softmax = Softmax::of(z);
        if self.u.iter().flatten().any(|u| *u != T::zero()) {
            let q = softmax.towards_the_likeliest();
            let along = dot(&q, &s);
            s.iter_mut().zip(&q).for_each(|(s, q)| *s = *s - *q * along);
        }
        let root = (total / dot(&softmax.p, &softmax.rest)).sqrt();
        softmax.root_times(&s).into_iter().map(|v| root * v).collect()
    }
}

/// Takes the root of positive curvature, and leaves nothing of it.
fn root_of<T: Real>(h: &mut T) -> T {
    if *h > T::zero() { std::mem::replace(h, T::zero()).sqrt() } else { T::zero() }
}
