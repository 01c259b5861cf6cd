//! Products of a model's matrices of second derivatives with vectors, on the CPU.

use super::flat::Flat;
use super::{Executor, ExecutorOptions};
use crate::curvature::Operator;
use crate::model::{Matrix, Mode, Model, Noise, Parameter, Targets};
use crate::ops::loss::HostWeights;
use crate::{Error, Result};
use std::ops::Range;

/// Products `H v` of the loss's Hessian over all parameters, or of its Gauss-Newton matrix: what [`Products`](crate::Products) is on a
/// GPU, with the same layers and losses.
///
/// ```
/// use hesscale::cpu::{ExecutorOptions, Products};
/// use hesscale::curvature::lanczos;
/// use hesscale::model::{Init, Matrix, Targets};
/// use hesscale::{Activation, Loss, Mode, Model};
///
/// # fn main() -> hesscale::Result<()> {
/// let model = Model::builder([2]).dense(16).act(Activation::Tanh).dense(2).loss(Loss::cross_entropy())?;
/// let (parameters, x) = (model.init(Init::Auto, 1)?, [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
/// let targets = Targets::Classes(&[0, 1, 1, 0]);
/// let mut products = Products::new(&model, 4, Matrix::Hessian, ExecutorOptions::training(Mode::None))?;
/// let h = products.product(&parameters, &x, targets, None, &parameters)?;
/// assert_eq!(h.len(), model.flat_len());
/// let sharpness = lanczos(&mut products.at(&parameters, &x, targets, None)?, 20, 1)?.values[0];
/// assert!(sharpness > 0.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Products {
    model: Model,
    matrix: Matrix,
    executor: Executor,
}

impl Products {
    /// For batches of at most `batch` samples. Of the options the threads count, and whether what is given is looked at; all parameters
    /// count, whatever the groups.
    ///
    /// # Errors
    /// [`Error::Unsupported`] naming a layer or loss without a rule, and for a mode other than [`Mode::None`]; all of
    /// [`Executor::new`].
    pub fn new(model: &Model, batch: usize, matrix: Matrix, options: ExecutorOptions) -> Result<Products> {
        let mode = options.mode.ok_or_else(|| {
            Error::not_planned("a product with a matrix", "ExecutorOptions::training, not inference")
        })?;
        if mode != Mode::None {
            let what = format!("mode {} of products with a matrix: they take Mode::None", mode.name());
            return Err(Error::unsupported("executor", what));
        }
        let tangent = model.tangent(matrix)?;
        let ExecutorOptions { threads, checked, .. } = options;
        let options = ExecutorOptions { threads, checked, ..ExecutorOptions::training(mode) };
        let executor = Executor::new(&tangent, batch, options)?;
        Ok(Products { model: model.clone(), matrix, executor })
    }

    /// Which matrix.
    pub fn matrix(&self) -> Matrix {
        self.matrix
    }

    /// Floating-point operations of the matrix products of one product, of a whole batch.
    pub fn flops(&self) -> u64 {
        self.executor.flops(Mode::None)
    }

    /// The same of each product behind the first at one point, [`Products::at`].
    pub fn flops_behind_the_first(&self) -> u64 {
        self.executor.flops_of(Mode::None, true)
    }

    /// The product with `v` at `parameters`, all in the model's flat layout, for the loss of a batch; zeros in the gaps.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters or v; all of [`Executor::weighted_pass`].
    pub fn product(
        &mut self,
        parameters: &[f32],
        inputs: &[f32],
        targets: Targets<'_>,
        weights: Option<&[f32]>,
        v: &[f32],
    ) -> Result<&[f32]> {
        let both = Flat { parameters, direction: v, again: false };
        self.product_by(both, inputs, targets, weights.into())
    }

    /// The same with weights that the reduction may be in.
    pub(crate) fn product_by(
        &mut self,
        both: Flat<'_>,
        inputs: &[f32],
        targets: Targets<'_>,
        weights: HostWeights<'_>,
    ) -> Result<&[f32]> {
        let flat = self.model.flat_len();
        Error::check_length("parameters", both.parameters.len(), flat)?;
        Error::check_length("direction", both.direction.len(), flat)?;
        self.executor.pass_by(Mode::None, both, inputs, targets, weights, Noise::default())?;
        Ok(&self.executor.gradient()[..flat])
    }

    /// The matrix at `parameters`, for the loss of a batch. What does not depend on the direction, the forward pass and the signal of the
    /// derivatives, is computed with the first product and serves all others: they take six products of matrices for each layer in place
    /// of eight, four of five for the Gauss-Newton matrix.
    ///
    /// # Errors
    /// [`Error::Length`] for parameters.
    pub fn at<'a>(
        &'a mut self,
        parameters: &'a [f32],
        inputs: &'a [f32],
        targets: Targets<'a>,
        weights: Option<&'a [f32]>,
    ) -> Result<AtBatch<'a>> {
        Error::check_length("parameters", parameters.len(), self.model.flat_len())?;
        let ranges = self.model.parameters().iter().map(Parameter::range).collect();
        Ok(AtBatch { products: self, parameters, inputs, targets, weights, ranges, again: false })
    }
}

/// The matrix at some parameters, for a batch: see [`Products::at`].
#[derive(Debug)]
pub struct AtBatch<'a> {
    products: &'a mut Products,
    parameters: &'a [f32],
    inputs: &'a [f32],
    targets: Targets<'a>,
    weights: Option<&'a [f32]>,
    ranges: Vec<Range<usize>>,
    /// Whether there has been a product here, whose passes through the network itself serve the next.
    again: bool,
}

impl Operator for AtBatch<'_> {
    fn len(&self) -> usize {
        self.products.model.flat_len()
    }

    fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    fn apply(&mut self, v: &[f32], product: &mut [f32]) -> Result<()> {
        Error::check_length("product", product.len(), self.len())?;
        let AtBatch { products, parameters, inputs, targets, weights, again, .. } = self;
        let both = Flat { parameters, direction: v, again: std::mem::take(again) };
        product.copy_from_slice(products.product_by(both, inputs, *targets, (*weights).into())?);
        *again = true;
        Ok(())
    }
}
