//! What a plan would dispatch, without a device.

use super::work::Work;
use super::{PlanOptions, build};
use crate::Result;
use crate::gemm::Tuning;
use crate::gpu::Context;
use crate::model::{Groups, Model, Optimizer};
use crate::shader::{DeviceClass, Kernel};

/// The kernels of every list of a plan. Two are equal if the plans would have the same kernels, in the same order, on the same
/// bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    lists: Vec<(Work, Vec<Bound>)>,
}

/// A kernel, and the bytes of each of its bindings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bound {
    pub kernel: Kernel,
    pub bytes: Vec<u64>,
}

impl Outline {
    /// What [`Plan::new`](crate::Plan::new) would make of the same on a device of that class with WebGPU's default limits. None is
    /// asked.
    ///
    /// # Errors
    /// As [`Plan::new`](crate::Plan::new), but for what only a device refuses.
    pub fn new(
        class: DeviceClass,
        model: &Model,
        batch: usize,
        optimizer: Option<&Optimizer>,
        options: &PlanOptions,
    ) -> Result<Outline> {
        Outline::tuned(class.into(), model, batch, optimizer, options)
    }

    /// What it would make on that context: with its class, its limits and its tiles.
    ///
    /// # Errors
    /// As [`Outline::new`]; [`crate::Error::TileTable`] for an entry that no shader can be made of.
    pub fn on(
        context: &Context,
        model: &Model,
        batch: usize,
        optimizer: Option<&Optimizer>,
        options: &PlanOptions,
    ) -> Result<Outline> {
        context.check_options()?;
        Outline::tuned(context.tuning(), model, batch, optimizer, options)
    }

    pub(crate) fn tuned(
        tuning: Tuning<'_>,
        model: &Model,
        batch: usize,
        optimizer: Option<&Optimizer>,
        options: &PlanOptions,
    ) -> Result<Outline> {
        let groups = Groups::default();
        let (_, schedules) = build::design(model, batch, tuning, (optimizer, &groups), options)?;
        let lists = schedules.all.into_iter().map(|(work, schedule)| {
            let steps = schedule.steps.into_iter().map(|(kernel, slices)| {
                let bytes = slices.iter().map(|slice| slice.size).collect();
                Bound { kernel, bytes }
            });
            (work, steps.collect())
        });
        Ok(Outline { lists: lists.collect() })
    }

    /// The kernels of one full step in the order they run, by name, with their floating-point operations: as
    /// [`Plan::dispatches`](crate::Plan::dispatches).
    pub fn dispatches(&self) -> impl Iterator<Item = (String, u64)> {
        self.full_step().map(|bound| (bound.kernel.label(), bound.kernel.flops()))
    }

    /// The kernels of all lists.
    #[cfg(test)]
    pub(crate) fn kernels(self) -> impl Iterator<Item = Kernel> {
        self.lists.into_iter().flat_map(|(_, steps)| steps).map(|bound| bound.kernel)
    }

    /// The kernels of one list, if there is such a list.
    #[cfg(test)]
    pub(crate) fn list(&self, work: Work) -> Option<impl Iterator<Item = &Kernel>> {
        let steps = &self.lists.iter().find(|(of, _)| *of == work)?.1;
        Some(steps.iter().map(|bound| &bound.kernel))
    }

    pub(crate) fn full_step(&self) -> impl Iterator<Item = &Bound> {
        let list = |wanted| self.lists.iter().find(|(work, _)| *work == wanted);
        Work::full_step(move |wanted| list(wanted).map(|(_, steps)| steps.as_slice()))
    }
}
