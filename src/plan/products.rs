//! Products of a model's matrices of second derivatives with vectors, recorded into the caller's encoder.

use super::{Pass, Plan, PlanOptions, State, Work};
use crate::curvature::Operator;
use crate::gpu::{Context, Tensor};
use crate::model::{Matrix, Mode, Model, Parameter};
use crate::{Error, Result};
use std::ops::Range;

/// Products `H v` of the loss's Hessian over all parameters, or of its Gauss-Newton matrix, exact but for rounding: Pearlmutter, *Fast
/// exact multiplication by the Hessian*, 1994. Nothing is estimated; what is estimated from such products is in
/// [`curvature`](crate::curvature).
///
/// A product is one pass of plain backprop through the network beside its derivative along v, eight products of matrices for each
/// layer in place of three; for the Gauss-Newton matrix five. Its memory is two to three times that of a plan.
///
/// Layers: dense, convolutions and their transposes, all activations, pooling, padding, resampling, pixel shuffle, a sequence's last
/// position, layer, RMS and group normalisation (but with γ for each number of an image), embeddings and hash grids, learned positions
/// behind other parameters, sums, products and concatenations of values (both of which depend on parameters), blocks, shared parameters;
/// anything without parameters that stands before all that have some; dropout does nothing. Losses: all but PPO, a
/// [`RowLoss`](crate::model::RowLoss) and [`Loss::External`](crate::Loss::External); those whose second derivative is a convention
/// (Huber's kinks, the denominator of a relative error) by that convention. Custom functions by the derivatives that they give.
///
/// In f16 ([`PlanOptions::storage`]) what is stored along v is held at ±65,504, and of a small v nothing is left: scale v to the size of
/// the parameters.
///
/// ```no_run
/// use hesscale::model::Matrix;
/// # use hesscale::{Context, Mode, Model, PlanOptions, Products, State};
/// # fn main() -> hesscale::Result<()> {
/// # let context = pollster::block_on(Context::request())?;
/// # let model = Model::builder([4]).dense(3).loss(hesscale::Loss::mse())?;
/// # let state = State::new(&context, &model, None)?;
/// # let v = state.parameters();
/// let products = Products::new(&context, &model, 32, Matrix::Hessian, PlanOptions::training(Mode::None))?;
/// // products.plan().write_input(…)?; products.plan().write_targets(…)?;
/// let mut encoder = context.device().create_command_encoder(&Default::default());
/// products.record(&mut encoder, &state, v)?; // v: any tensor in the flat layout
/// context.queue().submit([encoder.finish()]);
/// let product = context.read_blocking(&[products.product()])?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Products {
    model: Model,
    matrix: Matrix,
    plan: Plan,
    /// Of parameters and direction; the first half of its gradient is the product.
    state: State,
    product: Tensor,
    direction: Tensor,
}

impl Products {
    /// For `batch` samples of `model`. The options may ask for what a plan of plain backprop has: a weight for each sample, a part of
    /// the batch, storage in f16.
    ///
    /// # Errors
    /// [`Error::Unsupported`] naming a layer or loss without a rule, and for a mode other than [`Mode::None`];
    /// [`Error::NotPlanned`] for options of inference; all of [`Plan::new`] and [`State::new`].
    pub fn new(
        context: &Context,
        model: &Model,
        batch: usize,
        matrix: Matrix,
        options: PlanOptions,
    ) -> Result<Products> {
        if options.mode != Mode::None {
            let what =
                format!("mode {} of products with a matrix: they take Mode::None", options.mode.name());
            return Err(Error::unsupported("plan", what));
        }
        if !options.training {
            return Err(Error::not_planned(
                "a product with a matrix",
                "PlanOptions::training, not inference",
            ));
        }
        let tangent = model.tangent(matrix)?;
        let state = State::new(context, &tangent, None)?;
        let plan = Plan::new(context, &tangent, &state, batch, options)?;
        let flat = model.flat_len();
        let part = |name, of: &Tensor, first| Tensor::new(name, of.owned(), first, &[flat]);
        let product = part("product", state.gradient(), 0);
        let direction = part("direction", state.parameters(), flat);
        // What it checks is alike for both models; the one beside its derivative is nobody's but ours.
        let plan = Plan { model: model.clone(), ..plan };
        Ok(Products { model: model.clone(), matrix, plan, state, product, direction })
    }

    /// Which matrix.
    pub fn matrix(&self) -> Matrix {
        self.matrix
    }

    /// The plan, whose input, targets, weights and count are the batch's, to be written as any plan's, and whose loss is the
    /// loss. Its state and outputs are not the model's.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The product, in the model's flat layout, where [`Products::record`] leaves it; zeros in the gaps.
    pub fn product(&self) -> &Tensor {
        &self.product
    }

    /// Where the direction lies, `flat_len` numbers in the flat layout, for the host to write; then [`Products::record_again`].
    pub fn direction(&self) -> &Tensor {
        &self.direction
    }

    /// Records copies of the state's parameters and of `v`, `flat_len` numbers in the flat layout, and the product's pass. Nothing is
    /// submitted, and the state stays as it is.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a state of another model or context, and for a tensor of another device; [`Error::Length`] for v;
    /// [`Error::BufferUsage`] for a buffer of the host's that cannot be copied from.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder, state: &State, v: &Tensor) -> Result<()> {
        Error::check_length("direction", v.len(), self.model.flat_len())?;
        self.plan.context.check_buffer("tensor", v.owned())?;
        copyable("direction", v)?;
        self.record_parameters(encoder, state)?;
        if !v.is(&self.direction) {
            v.record_copy(encoder, &self.direction, v.len());
        }
        self.record_again(encoder)
    }

    /// Records the copy of the state's parameters alone, `flat_len` numbers: the point at which [`Products::record_again`] takes the
    /// matrix from then on.
    ///
    /// # Errors
    /// As of [`Products::record`].
    pub fn record_parameters(&self, encoder: &mut wgpu::CommandEncoder, state: &State) -> Result<()> {
        self.check(state)?;
        let flat = self.model.flat_len();
        state.parameters().record_copy(encoder, self.state.parameters(), flat);
        Ok(())
    }

    /// Records the product's pass alone, at the parameters that were copied before, along what [`Products::direction`] holds; both are
    /// zeros at first.
    ///
    /// # Errors
    /// As [`Plan::record_gradient`].
    pub fn record_again(&self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        self.plan.record_gradient(encoder, Pass::FULL)
    }

    /// Records less than [`Products::record_again`] where the direction alone has changed since the last product, and neither parameters
    /// nor anything of the batch: six products of matrices for each layer in place of eight, four of five for the Gauss-Newton matrix.
    ///
    /// # Errors
    /// As [`Plan::record_gradient`].
    pub fn record_next(&self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        self.plan.record_next(encoder)
    }

    /// The kernels that [`Products::record_next`] records, as [`Plan::dispatches`] has those of a product by itself.
    pub fn next_dispatches(&self) -> impl Iterator<Item = (&str, u64)> {
        let kernels = self.plan.kernels(Work::Next).into_iter().flatten();
        kernels.map(|dispatch| (dispatch.label.as_str(), dispatch.flops))
    }

    fn check(&self, state: &State) -> Result<()> {
        if !state.context().is(&self.plan.context) {
            return Err(Error::Foreign { what: "state", owner: "context" });
        }
        if state.model() != &self.model {
            return Err(Error::Foreign { what: "state", owner: "model" });
        }
        copyable("parameters", state.parameters())
    }

    /// The matrix at the state's parameters, for the batch that has been written, both as they are at the first product: what
    /// does not depend on the direction is computed then, and serves all others. Each product is a submission, and waits for its result.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a state of another model or context; [`Error::BufferUsage`] as of [`Products::record`].
    pub fn at<'a>(&'a mut self, state: &'a State) -> Result<AtState<'a>> {
        self.check(state)?;
        let ranges = self.model.parameters().iter().map(Parameter::range).collect();
        Ok(AtState { products: self, state, ranges, again: false })
    }
}

/// Whether a tensor, which may lie in a buffer of the host's, can be copied from.
fn copyable(name: &str, tensor: &Tensor) -> Result<()> {
    let usage = tensor.buffer().usage();
    if usage.contains(wgpu::BufferUsages::COPY_SRC) {
        return Ok(());
    }
    Err(Error::BufferUsage { buffer: name.into(), got: format!("{usage:?}"), needed: "COPY_SRC".into() })
}

/// The matrix at a state's parameters: see [`Products::at`].
#[derive(Debug)]
pub struct AtState<'a> {
    products: &'a mut Products,
    state: &'a State,
    ranges: Vec<Range<usize>>,
    /// Whether there has been a product.
    again: bool,
}

impl Operator for AtState<'_> {
    fn len(&self) -> usize {
        self.products.model.flat_len()
    }

    fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    fn apply(&mut self, v: &[f32], product: &mut [f32]) -> Result<()> {
        let Products { plan, direction, product: result, .. } = &*self.products;
        let context = &plan.context;
        Error::check_length("product", product.len(), self.len())?;
        context.write(direction, v)?;
        let mut encoder = context.device().create_command_encoder(&Default::default());
        if std::mem::take(&mut self.again) {
            self.products.record_next(&mut encoder)?;
        } else {
            self.products.record_parameters(&mut encoder, self.state)?;
            self.products.record_again(&mut encoder)?;
        }
        context.queue().submit([encoder.finish()]);
        product.copy_from_slice(&context.read_blocking(&[result])?[0]);
        self.again = true;
        Ok(())
    }
}
