//! Steps whose parameters are updated where their gradient is summed, against those that store gradient and diagonal first.

use crate::harness::{Sample, bits, context, submit};
use crate::layers::norm;
use hesscale::model::{Conv2d, Rule};
use hesscale::{
    Activation, Loss, Mode, Model, Optimizer, Pass, Pieces, Plan, PlanOptions, Result, State, Tensor, wgpu,
};

const UNTOUCHED: f32 = -77.0;

/// Sizes in vec4s and not, with biases and without.
fn dense() -> Model {
    let builder = Model::builder([7]).dense(12).act(Activation::Tanh).dense(20).act(Activation::Tanh);
    builder.dense_no_bias(8).act(Activation::Tanh).dense(6).loss(Loss::cross_entropy()).unwrap()
}

fn images() -> Model {
    let builder = Model::builder([2, 5, 6]).conv2d(4, 3).act(Activation::Tanh).layer(norm(4));
    let builder = builder.layer(Conv2d::new(4, 2).groups(4)).act(Activation::Tanh);
    builder.flatten().dense(12).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap()
}

fn optimizers() -> [Optimizer; 5] {
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-3);
    [
        Rule::Sgd { momentum: 0.9, nesterov: false }.at(0.05).weight_decay(0.1),
        Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.05),
        Rule::Adam { beta1, beta2, eps }.at(0.02).weight_decay(0.2),
        Rule::AdaHesScale { beta1, beta2, eps }.at(0.01).weight_decay(0.2),
        Rule::AdaHesScaleGn { beta1, beta2, eps }.at(0.01),
    ]
}

struct Rig {
    state: State,
    plan: Plan,
}

impl Rig {
    fn new(sample: &Sample, optimizer: Optimizer, options: PlanOptions) -> Rig {
        let state = State::new(&context(), &sample.model, Some(optimizer)).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context(), &sample.model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        Rig { state, plan }
    }

    /// The bits of parameters and moments, without the gaps.
    fn bits(&self) -> Vec<Vec<u32>> {
        let (first, second) = self.state.moments();
        let flat = [Some(self.state.parameters()), first, second].into_iter().flatten();
        let parameters = self.plan.model().parameters();
        let parts = flat.flat_map(|flat| parameters.iter().map(|p| self.state.part(flat, p).unwrap()));
        let tensors: Vec<Tensor> = parts.collect();
        let read = context().read_blocking(&tensors.iter().collect::<Vec<_>>()).unwrap();
        read.iter().map(|tensor| bits(tensor)).collect()
    }

    /// The parameters whose gradient still has its fill value.
    fn untouched(&self) -> Vec<String> {
        let parameters = self.plan.model().parameters();
        let of = |p| {
            context().read_blocking(&[&self.state.part(self.state.gradient(), p).unwrap()]).unwrap().remove(0)
        };
        let stays = parameters.iter().filter(|p| of(p).iter().all(|g| *g == UNTOUCHED));
        stays.map(|p| p.name()).collect()
    }
}

fn options(mode: Mode) -> PlanOptions {
    PlanOptions::training(mode).lazy()
}

/// Curvature on two steps of three.
fn train(rig: &Rig, record: impl Fn(&mut wgpu::CommandEncoder, Pass) -> Result<()>) {
    let gradient = rig.state.gradient();
    let filled = vec![UNTOUCHED.to_le_bytes(); gradient.len()].concat();
    context().queue().write_buffer(gradient.buffer(), 0, &filled);
    for step in 0..6 {
        let pass = if step % 3 == 1 { Pass::FULL.without_curvature() } else { Pass::FULL };
        submit(&context(), |encoder| record(encoder, pass).unwrap());
    }
}

#[test]
fn parameters_and_moments_have_the_same_bits() {
    for (model, batch) in [(dense(), 1), (dense(), 2), (dense(), 40), (images(), 1)] {
        let sample = Sample::new(model, batch, 5);
        for optimizer in optimizers() {
            let mode = optimizer.rule.mode();
            let apart = Rig::new(&sample, optimizer, options(mode));
            let fused = Rig::new(&sample, optimizer, options(mode).fused_update());
            train(&apart, |encoder, pass| apart.plan.record_step(encoder, pass));
            let start = fused.bits();
            train(&fused, |encoder, pass| fused.plan.record_step(encoder, pass));
            assert!(start != fused.bits());
            assert!(apart.bits() == fused.bits(), "{optimizer:?} batch {batch}");
        }
    }
}

#[test]
fn nothing_is_stored_of_what_is_fused() {
    let optimizer = Optimizer::ada_hesscale(1e-2);
    let stays = |model, batch| {
        let rig = Rig::new(&Sample::new(model, batch, 5), optimizer, options(Mode::HesScale).fused_update());
        train(&rig, |encoder, pass| rig.plan.record_step(encoder, pass));
        rig.untouched().join(" ")
    };
    // Seven inputs are no vec4s, and convolutions are summed in parts.
    assert_eq!(stays(dense(), 1), "2.weight 2.bias 4.weight 6.weight 6.bias");
    assert_eq!(stays(images(), 2), "6.weight 6.bias 8.weight 8.bias");
}

/// A diagonal that only the user reads is stored, and so is the gradient.
#[test]
fn nothing_is_fused_where_the_diagonal_is_for_the_user() {
    let sample = Sample::new(dense(), 1, 5);
    let rig = Rig::new(&sample, Optimizer::adam(1e-2), PlanOptions::training(Mode::HesScale).fused_update());
    let gradient = vec![UNTOUCHED.to_le_bytes(); rig.state.gradient().len()].concat();
    context().queue().write_buffer(rig.state.gradient().buffer(), 0, &gradient);
    submit(&context(), |encoder| rig.plan.record_step(encoder, Pass::FULL).unwrap());
    assert!(rig.untouched().is_empty());
}

#[test]
fn a_gradient_that_is_asked_for_is_stored() {
    let sample = Sample::new(dense(), 1, 5);
    let rig = Rig::new(&sample, Optimizer::ada_hesscale(1e-2), options(Mode::HesScale).fused_update());
    train(&rig, |encoder, pass| rig.plan.record_gradient(encoder, pass));
    assert!(rig.untouched().is_empty());
}

#[test]
fn pieces_leave_the_same_bits() {
    let sample = Sample::new(dense(), 1, 5);
    let optimizer = Optimizer::ada_hesscale(1e-2);
    let rig = || Rig::new(&sample, optimizer, options(Mode::HesScale).fused_update());
    let (whole, pieces) = (rig(), rig());
    train(&whole, |encoder, pass| whole.plan.record_step(encoder, pass));
    train(&pieces, |encoder, pass| {
        let mut step = Pieces::step(pass);
        while !pieces.plan.record_piece(encoder, &mut step, 1)?.last {}
        Ok(())
    });
    assert!(whole.bits() == pieces.bits());
}
