//! Matrices of second derivatives over a whole data set.

use super::{Dataset, Trainer};
use crate::curvature::Operator;
use crate::memory::zeros;
use crate::model::{Matrix, Mode, Parameter};
use crate::plan::{Pass, PlanOptions, Products, State, Whole};
use crate::{Error, Result};
#[cfg(feature = "cpu")]
use crate::{cpu, cpu::Flat, ops::loss::HostWeights};
use std::ops::Range;

impl Trainer {
    /// The Hessian or the Gauss-Newton matrix of the loss over all samples, each with its weight where the set has weights, at the
    /// parameters as they are now: an [`Operator`], for [`curvature`](crate::curvature). Each of its products goes over the whole set,
    /// `batch` samples at a time; the reduction is that of [`Trainer::gradient_over`]. Dropout does nothing, all parameters count, those of
    /// frozen groups too, and everything is stored in f32. Making one makes its plans: take it again only where parameters have changed.
    ///
    /// ```
    /// use hesscale::curvature::{hutchinson, lanczos};
    /// use hesscale::model::Matrix;
    /// use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
    /// use hesscale::{Activation, Loss, Model, Optimizer};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// let model = Model::builder([2]).dense(8).act(Activation::Tanh).dense(3).loss(Loss::cross_entropy())?;
    /// let data = Dataset::new(vec![0.1, 0.2, -0.3, 0.4, 0.5, -0.6], 2, Labels::Classes(vec![0, 1, 2]))?;
    /// let trainer = Trainer::on_cpu(&model, Optimizer::adam(1e-3), TrainerOptions::default())?;
    /// let mut hessian = trainer.matrix_over(Matrix::Hessian, &data, 2)?;
    /// let diagonal = hutchinson(&mut hessian, 16, 1)?;
    /// let sharpness = lanczos(&mut hessian, 10, 1)?.values[0];
    /// assert!(sharpness.is_finite() && diagonal.diagonal.len() == model.flat_len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] naming a layer or loss without a rule; [`Error::ZeroSize`] for a batch of 0; [`Error::Length`],
    /// [`Error::NoRow`] and the targets' errors; what a plan or an executor refuses.
    pub fn matrix_over<'a>(
        &'a self,
        matrix: Matrix,
        data: &'a Dataset,
        batch: usize,
    ) -> Result<OverData<'a>> {
        Error::check_batch(batch)?;
        let samples = self.samples(data)?;
        let batch = batch.min(samples);
        let shares = self.shares(data)?;
        let path = self.path_of(matrix, batch, samples)?;
        let ranges = self.model.parameters().iter().map(Parameter::range).collect();
        let (most, len) = (self.engine.most_parts(), self.model.flat_len());
        Ok(OverData { path, data, batch, shares, most, ranges, len })
    }

    fn path_of(&self, matrix: Matrix, batch: usize, samples: usize) -> Result<Path<'_>> {
        if let Some(state) = self.engine.state() {
            let products = |batch| {
                let mut options = PlanOptions::training(Mode::None).accumulate(1.0).sample_weights();
                options.part_of = Some(Whole { share: 1.0, samples });
                Products::new(state.context(), &self.model, batch, matrix, options)
            };
            // The last batch may be smaller than the rest.
            let rest = samples % batch;
            let rest = if rest > 0 { Some(products(rest)?) } else { None };
            let whole = Box::new(products(batch)?);
            return Ok(Path::Gpu { state, whole, rest: rest.map(Box::new), again: false });
        }
        #[cfg(feature = "cpu")]
        {
            let options = cpu::ExecutorOptions::training(Mode::None);
            let options = match self.engine.threads() {
                Some(threads) => options.threads(threads.clone()),
                None => options,
            };
            let products = Box::new(cpu::Products::new(&self.model, batch, matrix, options)?);
            Ok(Path::Cpu { parameters: self.parameters()?, products, again: false })
        }
        #[cfg(not(feature = "cpu"))]
        unreachable!("without the CPU path every trainer is on a GPU")
    }
}

/// A matrix over a data set: see [`Trainer::matrix_over`].
#[derive(Debug)]
pub struct OverData<'a> {
    path: Path<'a>,
    data: &'a Dataset,
    batch: usize,
    shares: Vec<f32>,
    /// Batches that are added up before they are read.
    most: usize,
    ranges: Vec<Range<usize>>,
    len: usize,
}

/// `again`: whether there is a single batch, and was a product of it before, so that the direction alone is new.
#[derive(Debug)]
enum Path<'a> {
    Gpu {
        state: &'a State,
        whole: Box<Products>,
        rest: Option<Box<Products>>,
        again: bool,
    },
    #[cfg(feature = "cpu")]
    Cpu {
        parameters: Vec<f32>,
        products: Box<cpu::Products>,
        again: bool,
    },
}

impl Operator for OverData<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    fn apply(&mut self, v: &[f32], product: &mut [f32]) -> Result<()> {
        Error::check_length("direction", v.len(), self.len)?;
        Error::check_length("product", product.len(), self.len)?;
        let mut sums: Vec<f64> = zeros("product", Some(self.len))?;
        let mut add = |part: &[f32]| sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += f64::from(*x));
        let (samples, data) = (self.data.len(), self.data);
        for (index, at) in (0..samples).step_by(self.batch).enumerate() {
            let range = at..(at + self.batch).min(samples);
            let (inputs, targets) = data.range(range.clone());
            let shares = &self.shares[range.clone()];
            match &mut self.path {
                #[cfg(feature = "cpu")]
                Path::Cpu { parameters, products, again } => {
                    let weights = HostWeights { given: Some(shares), part_of: Some(samples) };
                    let both = Flat { parameters, direction: v, again: std::mem::take(again) };
                    add(products.product_by(both, inputs, targets, weights)?);
                    *again = samples <= self.batch;
                }
                Path::Gpu { state, whole, rest, again } => {
                    let is_whole = range.len() == self.batch;
                    let products = if is_whole { whole } else { rest.as_mut().expect("made for it") };
                    let context = state.context();
                    let mut encoder = context.device().create_command_encoder(&Default::default());
                    if index == 0 || !is_whole {
                        context.write(products.direction(), v)?;
                    }
                    if std::mem::take(again) {
                        products.record_next(&mut encoder)?;
                    } else {
                        products.plan().write_input(inputs)?;
                        products.plan().write_targets(targets)?;
                        products.plan().write_sample_weights(shares)?;
                        if index == 0 || !is_whole {
                            products.record_parameters(&mut encoder, state)?;
                        }
                        let adds = is_whole && !index.is_multiple_of(self.most);
                        let pass = if adds { Pass::FULL.accumulating() } else { Pass::FULL };
                        products.plan().record_gradient(&mut encoder, pass)?;
                    }
                    *again = samples <= self.batch;
                    context.queue().submit([encoder.finish()]);
                    let ends = (index + 1).is_multiple_of(self.most) || at + 2 * self.batch > samples;
                    if ends || !is_whole {
                        add(&context.read_blocking(&[products.product()])?[0]);
                    }
                }
            }
        }
        product.iter_mut().zip(sums).for_each(|(product, sum)| *product = sum as f32);
        Ok(())
    }
}
