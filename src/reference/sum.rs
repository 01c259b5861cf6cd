//! Compensated summation.

use super::Real;

/// A sum with its rounding error so far (Kahan): as accurate as one in twice the digits, however many terms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum<T> {
    value: T,
    lost: T,
}

impl<T: Real> Sum<T> {
    pub(super) fn new() -> Sum<T> {
        Sum { value: T::zero(), lost: T::zero() }
    }

    pub(super) fn add(&mut self, term: T) {
        let term = term - self.lost;
        let next = self.value + term;
        self.lost = (next - self.value) - term;
        self.value = next;
    }

    pub(super) fn value(self) -> T {
        self.value
    }
}
