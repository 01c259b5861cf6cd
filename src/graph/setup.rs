//! What decides a plan's steps besides the graph: batch size, device, options, optimiser.

use super::{Op, Owned, Purpose, Region, Slice, Value};
use crate::gemm::Tuning;
use crate::model::{Groups, Mode, Model, Optimizer, Parameter, Role};
use crate::shader::Dtype;
use crate::{At, Error, Result};
use std::cell::RefCell;

/// The part of [`crate::PlanOptions`] that decides the steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options<'a> {
    pub mode: Mode,
    pub training: bool,
    pub signals: &'a [At],
    pub activations: &'a [At],
    /// Whether a number in memory says how many samples count.
    pub partial: bool,
    pub storage: Dtype,
    /// The factor of the parameters' sums.
    pub scale: f32,
    /// The factor of the loss, which keeps f16 signals in range.
    pub loss_scale: f32,
    pub fewer_dispatches: Option<bool>,
    pub sample_weights: bool,
    /// Whether these are shares of the whole loss, with its reduction.
    pub shares: bool,
    /// How many samples the whole loss is of.
    pub samples: usize,
}

/// A model at one batch size on one class of device.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub model: &'a Model,
    pub batch: usize,
    pub tuning: Tuning<'a>,
    pub options: Options<'a>,
    pub optimizer: Option<&'a Optimizer>,
    pub groups: &'a Groups,
    /// For each parameter, whether it is trained.
    trained: Vec<bool>,
    /// Buffers that belong to the plan: [`Region::Own`].
    owned: RefCell<Vec<Owned>>,
}

/// The most elements of a buffer: shaders count in 32 bits.
pub(crate) const MOST_ELEMENTS: usize = u32::MAX as usize / 4;

impl<'a> Setup<'a> {
    pub(crate) fn new(
        model: &'a Model,
        batch: usize,
        tuning: Tuning<'a>,
        options: Options<'a>,
        optimizer: Option<&'a Optimizer>,
        groups: &'a Groups,
    ) -> Setup<'a> {
        let trained = groups.trained(model);
        Setup { model, batch, tuning, options, optimizer, groups, trained, owned: RefCell::default() }
    }

    /// The parameters that are trained.
    pub(crate) fn trained(&self) -> impl Iterator<Item = &'a Parameter> {
        self.model.parameters().iter().zip(&self.trained).filter(|(_, trained)| **trained).map(|(p, _)| p)
    }

    /// Whether an operation has parameters that are trained.
    pub(crate) fn trains(&self, op: &Op) -> bool {
        op.node.is_some_and(|node| self.model.trains(node, &self.trained))
    }

    /// Elements of the flat parameters, gradient and diagonal.
    pub(crate) fn flat_len(&self) -> usize {
        self.model.flat_len().max(64)
    }

    pub(crate) fn flat(&self, region: Region) -> Slice {
        Slice::new(region, 0, self.flat_len())
    }

    pub(crate) fn own(&self, purpose: Purpose, name: impl Into<String>, elements: usize) -> Slice {
        self.add(Owned { name: name.into(), purpose, elements, constants: None })
    }

    /// Constants that the plan holds and no kernel changes.
    pub(crate) fn constants(&self, name: impl Into<String>, values: Vec<f32>) -> Slice {
        let (purpose, elements) = (Purpose::Parameter, values.len());
        self.add(Owned { name: name.into(), purpose, elements, constants: Some(values) })
    }

    fn add(&self, owned: Owned) -> Slice {
        let mut all = self.owned.borrow_mut();
        let elements = owned.elements;
        all.push(owned);
        Slice::new(Region::Own(all.len() - 1), 0, elements)
    }

    pub(crate) fn owned(&self) -> std::cell::Ref<'_, Vec<Owned>> {
        self.owned.borrow()
    }

    pub(crate) fn parameter(&self, op: &Op, role: Role) -> Slice {
        let parameter = op.node.and_then(|node| self.model.parameter_of(node, role));
        let parameter = parameter.expect("asked for only where there is one");
        Slice::new(Region::Parameters, parameter.offset, parameter.len())
    }

    /// `batch × per_sample`.
    pub(crate) fn elements(&self, place: &str, per_sample: usize) -> Result<usize> {
        let elements = self.batch.saturating_mul(per_sample);
        if elements > MOST_ELEMENTS {
            return Err(Error::limit(place, Setup::ELEMENTS, elements as u64, MOST_ELEMENTS as u64));
        }
        Ok(elements)
    }

    /// The name of the limit [`MOST_ELEMENTS`].
    pub(crate) const ELEMENTS: &'static str = "elements of one buffer";

    pub(crate) fn elements_of(&self, value: &Value) -> Result<usize> {
        self.elements(&value.name, value.len())
    }

    /// Whether to save dispatches with kernels that need barriers within a workgroup, or none: barriers are expensive in software.
    pub(crate) fn saves_dispatches(&self, barriers: bool) -> bool {
        let cheap = !self.tuning.class.is_software() || !barriers;
        self.options.fewer_dispatches.unwrap_or(cheap)
    }

    pub(crate) fn parameter_scale(&self) -> f32 {
        self.options.scale / self.options.loss_scale
    }
}
