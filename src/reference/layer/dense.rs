//! `z = W x + b`

use super::{Linear, Sums, Weighted, power};
use crate::reference::Real;

pub(super) struct Dense<'a, T> {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// `[outputs, inputs]`
    pub(super) weight: &'a [T],
    /// Empty for none.
    pub(super) bias: &'a [T],
}

impl<T: Real> Linear<T> for Dense<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let mut z = Vec::with_capacity(x.len() / self.inputs * self.outputs);
        for x in x.chunks_exact(self.inputs) {
            z.extend(self.weight.chunks_exact(self.inputs).map(|w| dot(w, x)));
        }
        for z in z.chunks_exact_mut(self.outputs) {
            z.iter_mut().zip(self.bias).for_each(|(z, b)| *z += *b);
        }
        z
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        let weight: Vec<T> = self.weight.iter().map(|w| power(*w, squared)).collect();
        let mut result = vec![T::zero(); s.len() / self.outputs * self.inputs];
        for (result, s) in result.chunks_exact_mut(self.inputs).zip(s.chunks_exact(self.outputs)) {
            for (w, s) in weight.chunks_exact(self.inputs).zip(s) {
                result.iter_mut().zip(w).for_each(|(r, w)| *r += *s * *w);
            }
        }
        result
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Dense<'_, T> {
    fn shared(&self) -> bool {
        false
    }

    fn sizes(&self) -> [usize; 2] {
        [self.inputs, self.outputs]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.weight.len(), self.outputs)
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        for (row, s) in sums.weight.chunks_exact_mut(self.inputs).zip(s) {
            row.iter_mut().zip(x).for_each(|(sum, x)| *sum += *s * *x);
        }
        sums.bias.iter_mut().zip(s).for_each(|(sum, s)| *sum += *s);
    }
}

/// `Σ aᵢ bᵢ` in eight partial sums: shorter chains round less, and the compiler can keep them in one register.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut partial = [T::zero(); 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in partial.iter_mut().zip(a).zip(b) {
            *sum += *a * *b;
        }
    }
    partial.into_iter().fold(T::zero(), |sum, part| sum + part)
}
