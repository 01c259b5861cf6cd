//! The lists of dispatches that a plan can record. Each comes from one schedule; lists share buffers, but none is ever recorded
//! in the middle of another.

use crate::gpu::Dispatch;
use crate::model::Mode;
use std::sync::Arc;

/// Which backward pass is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Pass {
    /// `false`: plain backprop, the diagonal and the optimiser's second moment stay as they are. The plan must have been
    /// made with [`crate::PlanOptions::lazy`].
    pub curvature: bool,
    /// `true`: gradient and diagonal are added to what is there. The plan must have been made with
    /// [`crate::PlanOptions::accumulate`].
    pub accumulate: bool,
}

impl Pass {
    /// The plan's mode, results written over what was there.
    pub const FULL: Pass = Pass { curvature: true, accumulate: false };

    /// The same without curvature.
    pub const fn without_curvature(self) -> Pass {
        Pass { curvature: false, ..self }
    }

    /// The same, added to what is there.
    pub const fn accumulating(self) -> Pass {
        Pass { accumulate: true, ..self }
    }
}

impl Default for Pass {
    fn default() -> Pass {
        Pass::FULL
    }
}

/// Which list of dispatches is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Forward,
    Gradient(Pass),
    Update(Pass),
    Step(Pass),
    /// Behind [`Work::Forward`], from the host's signal.
    Backward(Pass),
    /// The same with the update.
    BackwardStep(Pass),
    /// Behind [`Work::Gradient`], where the direction alone is new (`model/tangent.rs`).
    Next,
}

impl Work {
    pub(crate) fn pass(self) -> Option<Pass> {
        match self {
            Work::Forward | Work::Next => None,
            Work::Gradient(pass)
            | Work::Update(pass)
            | Work::Step(pass)
            | Work::Backward(pass)
            | Work::BackwardStep(pass) => Some(pass),
        }
    }

    /// The name of its list: without a diagonal there is no curvature to leave out, and an update does not depend on
    /// accumulation.
    pub(crate) fn in_mode(self, mode: Mode) -> Work {
        let named = |pass: Pass| Pass { curvature: pass.curvature || !mode.has_diagonal(), ..pass };
        match self {
            Work::Forward | Work::Next => self,
            Work::Gradient(pass) => Work::Gradient(named(pass)),
            Work::Update(pass) => Work::Update(Pass { accumulate: false, ..named(pass) }),
            Work::Step(pass) => Work::Step(named(pass)),
            Work::Backward(pass) => Work::Backward(named(pass)),
            Work::BackwardStep(pass) => Work::BackwardStep(named(pass)),
        }
    }

    /// The list that it follows, and reads what that has left.
    pub(crate) fn follows(self) -> Option<Work> {
        match self {
            Work::Backward(_) | Work::BackwardStep(_) => Some(Work::Forward),
            Work::Next => Some(Work::Gradient(Pass::FULL)),
            Work::Forward | Work::Gradient(_) | Work::Update(_) | Work::Step(_) => None,
        }
    }

    /// One full step out of the lists that there are: with the optimiser's update if there is one, and of an inference plan the
    /// forward pass.
    pub(crate) fn full_step<'a, T: 'a>(
        list: impl Fn(Work) -> Option<&'a [T]>,
    ) -> impl Iterator<Item = &'a T> + Clone {
        let one = |works: [Work; 2]| works.into_iter().find_map(&list);
        let whole = one([Work::Step(Pass::FULL), Work::Gradient(Pass::FULL)]);
        let behind = one([Work::BackwardStep(Pass::FULL), Work::Backward(Pass::FULL)]);
        let parts = match whole {
            Some(whole) => [whole, &[]],
            None => [list(Work::Forward).unwrap_or_default(), behind.unwrap_or_default()],
        };
        parts.into_iter().flatten()
    }
}

/// The dispatches of a plan. Equal steps on the same buffers are one dispatch.
#[derive(Debug, Default)]
pub(crate) struct Lists(pub(super) Vec<(Work, Vec<Arc<Dispatch>>)>);

impl Lists {
    pub(crate) fn get(&self, work: Work) -> Option<&[Arc<Dispatch>]> {
        self.0.iter().find(|(of, _)| *of == work).map(|(_, list)| list.as_slice())
    }
}
