//! One pass of one network with what it must give.

use super::common::golden::{self, Case, OwnedTargets};
use super::common::inputs;
use super::models;

use crate::model::{Layer, Loss, Matrix, Noise, OutputSignal, Reduction, Role, Targets};
use crate::plan::Outline;
use crate::reference::{
    Dual, OptimizerState, PassOutput, pass_from_signal, predict, weighted_loss_and_signal, weighted_pass,
};
use crate::shader::DeviceClass;
use crate::{Activation, At, Dtype, Mode, Model, Optimizer, PlanOptions, Result};
use std::rc::Rc;

/// What of a plan is run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Forward and backward, the signals behind every layer kept: little is fused.
    Signals,
    /// The same from the host's signal at the outputs: a list of the forward pass, and one of what follows.
    Outside,
    /// Of all samples but the last; of a mean over weights, each with one.
    Partial,
    /// A product with a matrix of second derivatives, behind the model that makes it.
    Product(Matrix),
    /// Forward and backward, all fused that can be.
    Fused,
    /// The same with a weight for each sample.
    Weighted,
    /// A backward pass at half scale, and another that adds to it.
    Accumulated,
    Inference,
    /// A step with curvature and one without.
    Steps(Optimizer),
    /// The same, parameters updated where their gradient is summed.
    FusedSteps(Optimizer),
    /// Of these, with two kernels in one dispatch where that can be. All others have one each.
    Joined,
    JoinedAccumulated,
    JoinedSteps(Optimizer),
    /// The same with the network taken as a whole.
    Whole,
    WholeAccumulated,
    WholeSteps(Optimizer),
}

impl Kind {
    pub(super) fn optimizer(self) -> Option<Optimizer> {
        match self {
            Kind::Steps(optimizer)
            | Kind::FusedSteps(optimizer)
            | Kind::JoinedSteps(optimizer)
            | Kind::WholeSteps(optimizer) => Some(optimizer),
            _ => None,
        }
    }
}

/// A result, and where it is found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot {
    Loss,
    Logits,
    /// At parameter i.
    Gradient(usize),
    Diagonal(usize),
    Parameter(usize),
    SignalGradient(At),
    SignalDiagonal(At),
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub name: String,
    pub model: Model,
    pub mode: Mode,
    pub class: DeviceClass,
    pub kind: Kind,
    pub batch: usize,
    pub parameters: Vec<f32>,
    pub x: Vec<f32>,
    pub targets: OwnedTargets,
    pub weights: Option<Vec<f32>>,
    /// Relative max norm that a tensor's error may have.
    pub bound: f64,
    /// What lies between its kernels, and what signals are multiplied by there.
    storage: Dtype,
    loss_scale: Option<f32>,
    /// Of a product, the model whose matrix it is.
    of: Option<Rc<Model>>,
    golden: Option<Rc<Case>>,
}

/// What all but the longest sums keep to.
const BOUND: f64 = 1e-5;

impl Job {
    pub(super) fn all() -> impl Iterator<Item = Job> {
        golden_jobs().into_iter().chain(models::jobs())
    }

    /// The same with activations and signals in f16.
    pub(super) fn halved(&self) -> Job {
        Job {
            name: format!("{} in f16", self.name),
            storage: Dtype::F16,
            // A mean over an area divides h by the area twice, and with the usual scale most of its bits are gone.
            loss_scale: self.name.contains("pool, shared").then_some(16_384.0),
            // As `tests/gpu/half.rs` reasons.
            bound: 12.0 / 2048.0 * (self.model.layers().len() + 1) as f64,
            ..self.clone()
        }
    }

    /// What its device must have: it runs nowhere else.
    pub(super) fn features(&self) -> wgpu::Features {
        self.options().required_features()
    }

    /// Numbers drawn from a seed that the name decides, weights scaled to their layer's width.
    pub(super) fn new(name: &str, model: Model, batch: usize, mode: Mode, kind: Kind) -> Job {
        let mut random =
            fastrand::Rng::with_seed(name.bytes().fold(7, |seed, byte| seed * 31 % 65_521 + u64::from(byte)));
        // exp of exp of exp overflows soon.
        let steep = model.layers().iter().any(|layer| matches!(layer, Layer::Act(Activation::Exp)));
        let narrow = if steep { 0.3 } else { 1.0 };
        let mut parameters = vec![0.0; model.flat_len()];
        for p in model.parameters() {
            let (middle, reach) = match (p.role, &p.shape[1..]) {
                (Role::Weight, []) => (1.0, 0.5),
                (Role::Weight, fan_in) => {
                    (0.0, narrow * (3.0 / fan_in.iter().product::<usize>() as f32).sqrt())
                }
                (Role::Bias, _) => (0.0, 0.5),
            };
            parameters[p.range()].fill_with(|| middle + (random.f32() * 2.0 - 1.0) * reach);
        }
        let x = inputs(&model, batch, || random.f32().into());
        let x: Vec<f32> = x.into_iter().map(|x| x as f32).collect();
        let (classes, len) = (model.classes() as u32, batch * model.target_len());
        let targets = match model.loss() {
            loss if loss.takes_classes() => {
                OwnedTargets::Classes((0..len).map(|_| random.u32(0..classes)).collect())
            }
            // Rows of an action, its old log-probability and an advantage.
            Loss::PpoDiscrete { .. } => {
                let mut row = || {
                    let (action, old) =
                        (random.u32(0..classes) as f32, (classes as f32).ln() + random.f32() - 0.5);
                    [action, -old, random.f32() * 4.0 - 2.0]
                };
                OwnedTargets::Values((0..batch).flat_map(|_| row()).collect())
            }
            Loss::PpoGaussian { .. } => {
                let logits = predict(&model, &f64s(&parameters), &f64s(&x)).expect("they fit");
                let mut row = |outputs: &[f64]| {
                    let (means, heads) = outputs.split_at(outputs.len() / 2);
                    let actions: Vec<f32> =
                        means.iter().map(|mean| *mean as f32 + random.f32() - 0.5).collect();
                    let each = actions.iter().zip(means).zip(heads).map(|((action, mean), rho)| {
                        let d = f64::from(*action) - mean;
                        -0.5 * (d * d * (-rho).exp() + rho + std::f64::consts::TAU.ln())
                    });
                    let old = each.sum::<f64>() as f32 + random.f32() - 0.5;
                    [&actions[..], &[old, random.f32() * 4.0 - 2.0]].concat()
                };
                OwnedTargets::Values(logits.chunks(model.outputs()).flat_map(&mut row).collect())
            }
            _ => OwnedTargets::Values((0..len).map(|_| random.f32()).collect()),
        };
        let of_weights = kind == Kind::Partial && model.loss().reduction() == Reduction::WeightedMean;
        let weighs = kind == Kind::Weighted || of_weights;
        let weights = weighs.then(|| (0..batch).map(|_| random.f32() * 4.0 - 1.5).collect());
        let (class, golden, bound) = (DeviceClass::Software, None, BOUND);
        Job {
            name: named(name, mode, class, kind),
            model,
            mode,
            class,
            kind,
            batch,
            parameters,
            x,
            targets,
            weights,
            bound,
            storage: Dtype::F32,
            loss_scale: None,
            of: None,
            golden,
        }
    }

    /// A product with a matrix of `model`, along a direction drawn as the parameters are.
    pub(super) fn product(name: &str, model: &Model, batch: usize, matrix: Matrix) -> Job {
        let tangent = model.tangent(matrix).expect("it has a rule");
        let of = Some(Rc::new(model.clone()));
        Job { of, bound: 3.0 * BOUND, ..Job::new(name, tangent, batch, Mode::None, Kind::Product(matrix)) }
    }

    /// The same with a weight for each sample.
    pub(super) fn weighted(&self) -> Job {
        let weights = Some((0..self.batch).map(|sample| 1.5 - sample as f32 / 2.0).collect());
        Job { name: format!("{}, weighted", self.name), weights, ..self.clone() }
    }

    /// The same with the tiles of a GPU.
    pub(super) fn on_gpus(name: &str, model: Model, batch: usize, mode: Mode, kind: Kind) -> Job {
        Job::of_class(DeviceClass::Discrete, name, model, batch, mode, kind)
    }

    /// The same with sums in slices.
    pub(super) fn sliced(name: &str, model: Model, batch: usize, mode: Mode, kind: Kind) -> Job {
        Job::of_class(DeviceClass::Integrated, name, model, batch, mode, kind)
    }

    fn of_class(class: DeviceClass, name: &str, model: Model, batch: usize, mode: Mode, kind: Kind) -> Job {
        Job { class, name: named(name, mode, class, kind), ..Job::new(name, model, batch, mode, kind) }
    }

    /// Everywhere a signal can be looked at.
    fn places(&self) -> Vec<At> {
        match self.kind {
            Kind::Signals | Kind::Outside => {
                std::iter::once(At::Input).chain((0..self.model.layers().len()).map(At::Layer)).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn options(&self) -> PlanOptions {
        let options = match self.kind {
            Kind::Inference => PlanOptions::inference(),
            Kind::Accumulated | Kind::JoinedAccumulated | Kind::WholeAccumulated => {
                PlanOptions::training(self.mode).accumulate(0.5)
            }
            Kind::Steps(_) | Kind::WholeSteps(_) => PlanOptions::training(self.mode).lazy(),
            Kind::FusedSteps(_) | Kind::JoinedSteps(_) => {
                PlanOptions::training(self.mode).lazy().fused_update()
            }
            Kind::Weighted => PlanOptions::training(self.mode).sample_weights(),
            Kind::Partial if self.weights.is_some() => {
                PlanOptions::training(self.mode).partial().sample_weights()
            }
            Kind::Partial => PlanOptions::training(self.mode).partial(),
            Kind::Product(_) if self.weights.is_some() => PlanOptions::training(self.mode).sample_weights(),
            Kind::Fused | Kind::Product(_) | Kind::Signals | Kind::Outside | Kind::Joined | Kind::Whole => {
                PlanOptions::training(self.mode)
            }
        };
        let whole = matches!(self.kind, Kind::Whole | Kind::WholeAccumulated | Kind::WholeSteps(_));
        let joined = matches!(self.kind, Kind::Joined | Kind::JoinedAccumulated | Kind::JoinedSteps(_));
        let mut options = options.whole_network(whole).fewer_dispatches(joined).storage(self.storage);
        options.loss_scale = self.loss_scale;
        self.places().into_iter().fold(options, PlanOptions::signal)
    }

    /// What must come out, by an independent program where there are its vectors, else by the reference in f64.
    pub(super) fn expected(&self) -> Result<Vec<(Slot, Vec<f64>)>> {
        if let Some(case) = &self.golden {
            return Ok(self.of_case(case));
        }
        let mut parameters = f64s(&self.parameters);
        let x = f64s(&self.x[..self.samples() * self.model.inputs()]);
        let targets = match self.targets.view() {
            Targets::Classes(classes) => {
                Targets::Classes(&classes[..self.samples() * self.model.target_len()])
            }
            Targets::Values(values) => Targets::Values(&values[..self.samples() * self.model.target_len()]),
        };
        if self.kind == Kind::Inference {
            return Ok(vec![(Slot::Logits, predict(&self.model, &parameters, &x)?)]);
        }
        let weights = self.weights.as_ref().map(|weights| &weights[..self.samples()]);
        if let (Kind::Product(matrix), Some(of)) = (self.kind, &self.of) {
            let (w, v) = parameters.split_at(of.flat_len());
            let product = product(of, matrix, [w, v], &x, (targets, weights))?;
            let parts = of.parameters().iter().enumerate();
            return Ok(parts.map(|(i, p)| (Slot::Gradient(i), product[p.range()].to_vec())).collect());
        }
        let run = |parameters: &[f64], mode| match self.kind {
            Kind::Outside => self.with_signal(|signal| {
                let [g, h] = [f64s(signal.g), f64s(signal.h)];
                let u: Vec<Vec<f64>> = signal.u.iter().map(|u| f64s(u)).collect();
                let u: Vec<&[f64]> = u.iter().map(|u| &u[..]).collect();
                let signal = OutputSignal { g: &g, h: &h, u: &u };
                pass_from_signal(&self.model, mode, parameters, &x, signal, Noise::default())
            }),
            _ => weighted_pass(&self.model, mode, parameters, &x, targets, weights, Noise::default()),
        };
        let mut last = run(&parameters, self.mode)?;
        let mut results = Vec::new();
        if let Some(optimizer) = self.kind.optimizer() {
            let mut state = OptimizerState::new(parameters.len());
            state.step(&optimizer, &mut parameters, &last.gradient, &last.diagonal)?;
            let plain = run(&parameters, Mode::None)?;
            state.step(&optimizer, &mut parameters, &plain.gradient, &[])?;
            // The diagonal stays as the step with curvature left it.
            last = PassOutput { diagonal: last.diagonal, ..plain };
            results.extend(self.parts(Slot::Parameter, &parameters));
        }
        if self.kind != Kind::Partial {
            results.push((Slot::Logits, last.logits.clone()));
        }
        if self.kind != Kind::Outside {
            results.push((Slot::Loss, vec![last.loss]));
        }
        if !matches!(self.kind, Kind::FusedSteps(_) | Kind::JoinedSteps(_)) {
            results.extend(self.parts(Slot::Gradient, &last.gradient));
            if self.mode.has_diagonal() {
                results.extend(self.parts(Slot::Diagonal, &last.diagonal));
            }
        }
        for at in self.places() {
            let signal = match at {
                At::Input => &last.input_signal,
                At::Layer(i) => &last.signals[i],
            };
            results.push((Slot::SignalGradient(at), signal.g.clone()));
            if self.mode.has_diagonal() {
                results.push((Slot::SignalDiagonal(at), signal.h.clone()));
            }
        }
        Ok(results)
    }

    /// How many samples count.
    pub(super) fn samples(&self) -> usize {
        if self.kind == Kind::Partial { self.batch - 1 } else { self.batch }
    }

    /// A signal at the outputs in the job's mode.
    pub(super) fn with_signal<R>(&self, work: impl FnOnce(OutputSignal<'_>) -> R) -> R {
        let (mut random, len) = (fastrand::Rng::with_seed(17), self.batch * self.model.outputs());
        let mut numbers = |there: bool| -> Vec<f32> {
            let len = if there { len } else { 0 };
            (0..len).map(|_| random.f32() - 0.25).collect()
        };
        let (g, h) = (numbers(true), numbers(self.mode.has_diagonal()));
        let u: Vec<Vec<f32>> = (0..self.mode.rank()).map(|_| numbers(true)).collect();
        let u: Vec<&[f32]> = u.iter().map(|u| &u[..]).collect();
        work(OutputSignal { g: &g, h: &h, u: &u })
    }

    /// A flat vector by parameters.
    fn parts(&self, slot: fn(usize) -> Slot, flat: &[f64]) -> Vec<(Slot, Vec<f64>)> {
        let parts = self.model.parameters().iter().enumerate();
        parts.map(|(i, p)| (slot(i), flat[p.range()].to_vec())).collect()
    }

    fn of_case(&self, case: &Case) -> Vec<(Slot, Vec<f64>)> {
        let mut wanted = vec![(Slot::Loss, "loss".to_owned()), (Slot::Logits, "logits".to_owned())];
        for (i, p) in self.model.parameters().iter().enumerate() {
            wanted.push((Slot::Gradient(i), format!("grad.{}", p.name())));
            if self.mode.has_diagonal() {
                wanted.push((Slot::Diagonal(i), format!("{}.{}", self.mode.name(), p.name())));
            }
        }
        for at in self.places() {
            let At::Layer(i) = at else { continue };
            wanted.push((Slot::SignalGradient(at), format!("delta.{i}")));
            match self.mode {
                Mode::HesScale => wanted.push((Slot::SignalDiagonal(at), format!("s.{i}"))),
                Mode::HesScaleGn => wanted.push((Slot::SignalDiagonal(at), format!("s_gn.{i}"))),
                _ => {}
            }
        }
        // Signals are in some files only; check of the rest is that there is an expectation for each parameter.
        let found = wanted.into_iter().map(|(slot, name)| (slot, name.clone(), case.tensors.get(&name)));
        let required = |slot: &Slot| !matches!(slot, Slot::SignalGradient(_) | Slot::SignalDiagonal(_));
        found
            .filter_map(|(slot, name, values)| match values {
                Some(values) => Some((slot, values.clone())),
                None if required(&slot) => panic!("{} has no {name}", case.name),
                None => None,
            })
            .collect()
    }
}

/// The product of a matrix at w with v, by dual numbers.
fn product(
    model: &Model,
    matrix: Matrix,
    [w, v]: [&[f64]; 2],
    x: &[f64],
    (targets, weights): (Targets<'_>, Option<&[f32]>),
) -> Result<Vec<f64>> {
    let along = w.iter().zip(v).map(|(value, slope)| Dual { value: *value, slope: *slope });
    let (along, fixed) =
        (along.collect::<Vec<_>>(), x.iter().map(|x| Dual::constant(*x)).collect::<Vec<_>>());
    let slopes =
        |numbers: Vec<Dual<f64>>| -> Vec<f64> { numbers.into_iter().map(|dual| dual.slope).collect() };
    match matrix {
        Matrix::Hessian => {
            let noise = Noise::default();
            Ok(slopes(weighted_pass(model, Mode::None, &along, &fixed, targets, weights, noise)?.gradient))
        }
        Matrix::GaussNewton => {
            let logits = predict(model, &along, &fixed)?;
            let (_, signal) =
                weighted_loss_and_signal(model, Mode::None, &logits, targets, weights, Noise::default())?;
            let p = slopes(signal.g);
            let signal = OutputSignal { g: &p, h: &[], u: &[] };
            Ok(pass_from_signal(model, Mode::None, w, x, signal, Noise::default())?.gradient)
        }
    }
}

fn named(name: &str, mode: Mode, class: DeviceClass, kind: Kind) -> String {
    let kind = match kind {
        Kind::Steps(optimizer) => format!("steps {}", optimizer.rule.name()),
        Kind::FusedSteps(optimizer) => format!("fused steps {}", optimizer.rule.name()),
        Kind::JoinedSteps(optimizer) => format!("joined steps {}", optimizer.rule.name()),
        Kind::WholeSteps(optimizer) => format!("whole steps {}", optimizer.rule.name()),
        kind => format!("{kind:?}").to_lowercase(),
    };
    format!("{name}, {}, {kind}, {class:?}", mode.name())
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Every golden case in every mode; in some with all signals kept, and with the tiles of GPUs.
fn golden_jobs() -> Vec<Job> {
    let cases = golden::load(&golden::directory()).expect("the golden vectors are there");
    let mut jobs = Vec::new();
    for case in cases {
        let case = Rc::new(case.expect("each can be read"));
        let model = case.model.as_ref().expect("each can be taken");
        let job = |mode, class, kind| Job {
            name: named(&case.name, mode, class, kind),
            model: model.clone(),
            mode,
            class,
            kind,
            batch: case.batch,
            parameters: case.parameters.clone(),
            x: case.x.clone(),
            targets: OwnedTargets::clone(&case.targets),
            weights: None,
            bound: BOUND,
            storage: Dtype::F32,
            loss_scale: None,
            of: None,
            golden: Some(Rc::clone(&case)),
        };
        jobs.extend(Mode::ALL.map(|mode| job(mode, DeviceClass::Software, Kind::Fused)));
        for mode in [Mode::HesScale, Mode::HesScaleGn] {
            jobs.push(job(mode, DeviceClass::Software, Kind::Signals));
        }
        // Discrete's tiles come from a table. Of the others each that has kernels of its own.
        let mut known = Vec::new();
        for class in &DeviceClass::ALL[1..] {
            let job = job(Mode::HesScaleR2, *class, Kind::Fused);
            let outline = Outline::new(*class, &job.model, job.batch, None, &job.options());
            if *class == DeviceClass::Discrete || !known.contains(&outline) {
                jobs.push(job);
                known.push(outline);
            }
        }
    }
    jobs
}
