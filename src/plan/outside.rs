//! The signal at the outputs of a network without a loss, which the host writes.

use super::PlanOptions;
use crate::Result;
use crate::gpu::{Context, Tensor};
use crate::model::{Mode, OutputSignal};
use crate::ops::outside::places;

/// The signal at the outputs of a model with [`Loss::External`](crate::Loss::External), for the host to write before
/// [`Plan::record_backward`](crate::Plan::record_backward): [`Plan::outside_signal`](crate::Plan::outside_signal).
///
/// It is planes of `f32` in one buffer, each `[batch, …]` row by row in the model's own shape (images as `[C, H, W]`), each from a
/// multiple of 256 bytes on, so that it can be bound by itself:
///
/// | mode | 0 | 1 | 2 | 3 | 4 |
/// |---|---|---|---|---|---|
/// | `None` | g | | | | |
/// | `HesScale`, `HesScaleGn`, `Bl89` | g | h | | | |
/// | `HesScaleR1`, `HesScaleR2`, `HesScaleS1`, `HesScaleS2` | g | not read | h | u | u, of rank 2 |
/// | `Fisher` | g | not read | zeros | u | |
///
/// What they mean is said of [`OutputSignal`]. In HesScale-R plane 1 is where a signal within a plan has `h + Σ u²`; so
/// [`Plan::signal_planes`](crate::Plan::signal_planes) of one plan can be the signal at the outputs of another as it lies. A buffer
/// of the host's ([`PlanOptions::outside_signal`]) has all planes, the last one up to the next multiple of 256 bytes.
#[derive(Debug, Clone)]
pub struct OutsideSignal {
    planes: Tensor,
    gradient: Tensor,
    diagonal: Option<Tensor>,
    vectors: Vec<Tensor>,
}

impl OutsideSignal {
    /// `planes` is `[planes, stride]`, one of them `shape`.
    pub(super) fn new(planes: &Tensor, mode: Mode, shape: &[usize]) -> OutsideSignal {
        let (first, stride) = ((planes.bytes().start / 4) as usize, planes.shape()[1]);
        let plane = |name: &str, index: usize| {
            let name = format!("{name} at the outputs");
            Tensor::new(name, planes.owned(), first + index * stride, shape)
        };
        let [h, u] = places(mode);
        OutsideSignal {
            planes: planes.clone(),
            gradient: plane("g", 0),
            diagonal: mode.has_diagonal().then(|| plane("h", h)),
            vectors: (0..mode.rank()).map(|vector| plane("u", u + vector)).collect(),
        }
    }

    /// All planes, `[planes, stride]`.
    pub fn planes(&self) -> &Tensor {
        &self.planes
    }

    /// g, `[batch, …]`.
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
    }

    /// h, `[batch, …]`: in HesScale-R and -S without the share of u. None in [`Mode::None`].
    pub fn diagonal(&self) -> Option<&Tensor> {
        self.diagonal.as_ref()
    }

    /// The vectors u of HesScale-R and -S, each `[batch, …]`.
    pub fn vectors(&self) -> &[Tensor] {
        &self.vectors
    }

    pub(super) fn write(
        &self,
        context: &Context,
        options: &PlanOptions,
        signal: OutputSignal<'_>,
    ) -> Result<()> {
        let plain = options.lazy_curvature && signal.h.is_empty() && signal.u.is_empty();
        signal.check(if plain { Mode::None } else { options.mode }, self.gradient.len())?;
        let curved = self.diagonal.iter().filter(|_| !plain).map(|h| (h, signal.h));
        let vectors = self.vectors.iter().zip(signal.u.iter().copied());
        let parts: Vec<_> = [(&self.gradient, signal.g)].into_iter().chain(curved).chain(vectors).collect();
        parts.iter().try_for_each(|(tensor, values)| context.check_values(tensor, values))?;
        parts.iter().try_for_each(|(tensor, values)| context.write(tensor, values))
    }
}
