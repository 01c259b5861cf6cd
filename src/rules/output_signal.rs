//! The signal at a network's outputs, supplied by the host.

use super::Mode;
use crate::{Error, Result};

/// A signal at the outputs of a network, for [`Loss::External`](crate::Loss::External): all that a loss of the host's own has to
/// say. Every slice is `[N, outputs]`, row by row, reduction factor included: a mean over the batch is the host's to divide.
///
/// `u` are the vectors that HesScale-R carries exactly, as many as the mode's [rank](Mode::rank): of a sample's Hessian at the
/// outputs, `H = Σ u uᵀ + rest`, `h` is the diagonal of the rest. Where there is nothing to be said of it, zeros and the whole
/// diagonal in `h` are right too: then it is HesScale.
///
/// ```
/// use hesscale::model::OutputSignal;
///
/// let (g, h) = ([0.5, -0.5], [0.25, 0.25]);
/// let curved = OutputSignal { g: &g, h: &h, u: &[] };
/// let plain = OutputSignal::from(&g[..]); // for Mode::None
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputSignal<'a, T = f32> {
    /// `dL/dz`
    pub g: &'a [T],
    /// The diagonal of `d²L/dz²`, without the share of `u`; empty in [`Mode::None`].
    pub h: &'a [T],
    /// The vectors of HesScale-R, or of HesScale-S, random or not; in [`Mode::Fisher`] the gradient, as is said there; none in other modes.
    pub u: &'a [&'a [T]],
}

impl<'a, T> From<&'a [T]> for OutputSignal<'a, T> {
    /// The gradient alone, for plain backprop.
    fn from(g: &'a [T]) -> OutputSignal<'a, T> {
        OutputSignal { g, h: &[], u: &[] }
    }
}

impl<T> OutputSignal<'_, T> {
    /// Whether it has what `mode` carries, each with `needed` elements.
    ///
    /// # Errors
    /// [`Error::SignalKind`]; [`Error::Length`].
    pub(crate) fn check(&self, mode: Mode, needed: usize) -> Result<()> {
        let (got, carried) = ((!self.h.is_empty(), self.u.len()), (mode.has_diagonal(), mode.rank()));
        if got != carried {
            let (needed, got) = (parts(carried), parts(got));
            return Err(Error::SignalKind { mode: mode.name(), needed, got });
        }
        Error::check_length("g of the signal", self.g.len(), needed)?;
        Error::check_length("h of the signal", self.h.len(), if mode.has_diagonal() { needed } else { 0 })?;
        self.u.iter().try_for_each(|u| Error::check_length("one u of the signal", u.len(), needed))
    }
}

/// A signal with a diagonal or without, and with so many vectors, in words.
fn parts((diagonal, vectors): (bool, usize)) -> String {
    match (diagonal, vectors) {
        (false, 0) => "g alone".into(),
        (true, 0) => "g and h".into(),
        (true, _) => format!("g, h and {vectors} u"),
        (false, _) => format!("g and {vectors} u"),
    }
}
