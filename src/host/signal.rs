//! The components of a signal: `[g, u …, h]`, or `g` alone in plain backprop.

use super::vector::add_squares;

/// Whether a component is h, which is propagated with squared factors.
pub(crate) fn is_diagonal(component: usize, components: usize) -> bool {
    component > 0 && component + 1 == components
}

/// `d ← h + Σ u²`, the estimate of the diagonal, from components `[g, u …, h]` that lie one after the other.
pub(crate) fn total_diagonal(signal: &[f32], components: usize, d: &mut [f32]) {
    let len = d.len();
    d.copy_from_slice(&signal[(components - 1) * len..components * len]);
    signal[len..(components - 1) * len].chunks_exact(len).for_each(|u| add_squares(d, u));
}
