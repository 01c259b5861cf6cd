//! The shipped permutations that store in f16: single kernels with what plans let them bind. They differ from those with f32 in how
//! numbers are read and written and in nothing else; so one activation, one mode and sums of moderate length stand for all.

use super::permutations::all;
use super::{
    DeviceClass, Direction, Family, Flow, Image, Kernel, Leave, Number, Numbers, Pooling, Show, Use,
};
use crate::model::{Activation, Mode};
use Number::{F16, F32};

/// All of them, for one class of device. Products of GPUs go through workgroup memory.
pub(super) fn halves(class: DeviceClass, kernels: &[Kernel]) -> Vec<Kernel> {
    let here = |kernel: &&Kernel| match (class, kernel.product()) {
        (DeviceClass::Software, _) => true,
        (DeviceClass::Discrete, Some((gemm, _))) => matches!(gemm.tile().family, Family::Workgroup { .. }),
        _ => false,
    };
    let each = |kernel: &Kernel| {
        numbers(kernel).into_iter().map(|numbers| kernel.clone().storing(numbers)).collect::<Vec<_>>()
    };
    let show = Show { elements: 24, planes: 2, plane_in: 128, plane_out: 64, scale: 0.25 }.into();
    let shown = kernels.iter().filter(here).filter(|kernel| is_shown(kernel));
    shown.chain([&show]).flat_map(each).collect()
}

/// Whether it stands for what differs from it in activation, mode, bias or length.
fn is_shown(kernel: &Kernel) -> bool {
    let (shown, tanh) = (Mode::HesScale, Activation::Tanh);
    let flows = |flow: &Flow| flow.mode == shown && [Activation::Identity, tanh].contains(&flow.below);
    match kernel {
        Kernel::Gemm(gemm, _) if gemm.m > 10_000 || gemm.k > 1_000 => false,
        Kernel::Gemm(gemm, _) => match gemm.usage {
            Use::Forward { activation: Activation::Identity, bias, .. } => bias,
            Use::Forward { activation, bias, keep } => activation == tanh && bias && keep,
            Use::Signal { mode, below } => mode == shown && [Activation::Identity, tanh].contains(&below),
            Use::Parameters { diagonal, bias, leave } => diagonal && bias && leave == Leave::Replace,
            Use::Partial { mode, bias } => mode == shown && bias,
        },
        Kernel::Loss(loss) => loss.mode() == shown,
        Kernel::Forward(forward) => forward.activation == tanh,
        Kernel::Backward(back) => back.mode == shown && back.activation == tanh,
        Kernel::Image(image) => match image {
            Image::Depthwise(depthwise) => depthwise.activation == tanh && depthwise.keep && depthwise.bias,
            Image::Partial(partial) => partial.mode == shown,
            other => flow(other).is_none_or(flows),
        },
        _ => false,
    }
}

fn flow(image: &Image) -> Option<&Flow> {
    match image {
        Image::PoolSignal(k) => Some(&k.flow),
        Image::PadSignal(k) => Some(&k.flow),
        Image::DropoutSignal(k) => Some(&k.flow),
        Image::NormSignal(k) => Some(&k.flow),
        Image::SumSignal(k) => Some(&k.flow),
        Image::DepthwiseSignal(k) => Some(&k.flow),
        _ => None,
    }
}

/// What the bindings hold: inputs, logits, parameters and sums are f32, the rest is f16.
fn numbers(kernel: &Kernel) -> Vec<Numbers> {
    let bound: Vec<Vec<Number>> = match kernel {
        Kernel::Gemm(gemm, _) => match gemm.usage {
            Use::Forward { activation: Activation::Identity, .. } => vec![vec![F16]],
            Use::Forward { .. } if gemm.image.is_some() => vec![vec![F16, F32, F16]],
            Use::Forward { .. } => vec![vec![F32, F32, F16], vec![F16, F32, F16]],
            Use::Signal { below: Activation::Identity, .. } => vec![vec![F16, F32, F16]],
            Use::Signal { .. } => vec![vec![F16, F32, F16, F16]],
            Use::Parameters { .. } => vec![vec![F16, F16], vec![F16]],
            Use::Partial { .. } => vec![vec![F16, F16]],
        },
        Kernel::Loss(_) => vec![vec![F32, F32, F32, F16]],
        Kernel::Forward(_) => vec![vec![F16, F16]],
        Kernel::Backward(_) => vec![vec![F16, F16, F16]],
        Kernel::Image(image) => match image {
            Image::Layout(layout) if layout.direction == Direction::ToImage => {
                vec![vec![F32, F16], vec![F16, F16]]
            }
            Image::Layout(_) => vec![vec![F16, F16], vec![F16]],
            Image::Pool(_) | Image::Pad(_) | Image::Norm(_) | Image::Dropout(_) => vec![vec![F16, F16]],
            Image::Sum(_) => vec![vec![F16, F16, F16]],
            Image::Depthwise(_) | Image::Partial(_) => vec![vec![F16, F32, F16]],
            Image::PoolSignal(k) if !matches!(k.pooling, Pooling::Max(_)) => vec![backward(&k.flow, &[])],
            Image::PadSignal(k) => vec![backward(&k.flow, &[])],
            Image::PoolSignal(_) | Image::DropoutSignal(_) | Image::DepthwiseSignal(_) => {
                flow(image).map(|flow| backward(flow, &[F32])).into_iter().collect()
            }
            Image::NormSignal(k) => vec![backward(&k.flow, &[F32, F32])],
            Image::SumSignal(k) => vec![backward(&k.flow, &[F16])],
            Image::Show(_) => vec![vec![F16]],
            Image::AdvanceNoise(_) => vec![],
        },
        _ => vec![],
    };
    bound.into_iter().map(|bound| Numbers::of(bound.into_iter())).collect()
}

/// The signals, what else is read, what the activation below had as its input.
fn backward(flow: &Flow, extras: &[Number]) -> Vec<Number> {
    let below = (flow.below != Activation::Identity).then_some(F16);
    [F16, F16].into_iter().chain(extras.iter().copied()).chain(below).collect()
}

#[test]
fn what_is_stored_in_f16_is_said_so() {
    let kernels = all(DeviceClass::Software);
    let halves: Vec<&Kernel> = kernels.iter().filter(|kernel| matches!(kernel, Kernel::Half(..))).collect();
    assert!(halves.len() > 100, "{}", halves.len());
    for kernel in halves {
        let text = kernel.source();
        assert!(text.starts_with(super::ENABLE) && kernel.label().ends_with(" in f16"), "{}", kernel.label());
    }
}
