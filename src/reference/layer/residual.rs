//! The sum at the end of a residual block. Its signal goes unchanged to each input.

use crate::reference::Real;

/// The sum of one or more inputs of equal shape.
pub(super) fn sum<T: Real>(inputs: &[&[T]]) -> Vec<T> {
    let mut sum = inputs[0].to_vec();
    for other in &inputs[1..] {
        sum.iter_mut().zip(*other).for_each(|(sum, x)| *sum += *x);
    }
    sum
}
