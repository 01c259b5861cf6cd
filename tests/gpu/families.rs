//! Every product through workgroup memory, and sums in slices, as on GPUs, on any adapter.

use crate::common::{ledger::Ledger, tiles};
use crate::golden::{cases, check};
use crate::harness::{Sample, bits, context, host_device, of_class_with_own_tiles, share};
use crate::layers::mixed;
use crate::problem::losses;
use crate::sizes::{MODES, edges};
use hesscale::model::{Conv2d, ConvTranspose2d, Role};
use hesscale::tuning::{DeviceClass, TileTable};
use hesscale::{Activation, Context, ContextOptions, Loss, Mode, Model, PlanOptions, wgpu};

fn with(table: TileTable) -> Context {
    let (device, queue) = host_device(wgpu::Limits::defaults());
    Context::from_device(&device, &queue, ContextOptions::default().tiles(table))
}

/// All products by the workgroup family.
fn staged(steps: u32, buffers: u32) -> Context {
    with(tiles::staged(steps, buffers))
}

#[test]
fn sliced_sums_at_the_edges_of_tiles() {
    edges(&with(tiles::sliced(8)), &[[1, 1, 1], [7, 33, 31], [8, 32, 128], [3, 65, 30]], &MODES);
    edges(&with(tiles::sliced(32)), &[[2, 517, 12], [1, 10, 515]], &MODES);
}

/// Whatever the loss and whatever a signal carries, the gradient is the plain one; and the same in every run.
#[test]
fn sliced_sums_have_the_same_bits_in_every_mode() {
    let context = with(tiles::sliced(8));
    let dense = Model::builder([13]).dense(24).act(Activation::Tanh).dense_no_bias(67).act(Activation::Gelu);
    let dense = dense.dense(36).act(Activation::Tanh).dense(4);
    for (loss, batch) in losses(4).into_iter().take(3).zip([1, 5, 11]) {
        let sample = Sample::new(dense.clone().loss(loss).unwrap(), batch, 3);
        for fewer in [true, false] {
            let on = |mode| {
                let got = sample.on(&context, PlanOptions::training(mode).fewer_dispatches(fewer));
                sample.judge(&got, mode, &[]).unwrap();
                [bits(&got.logits), bits(&got.gradient)]
            };
            let plain = on(Mode::None);
            assert!(on(Mode::None) == plain, "batch {batch}, joined {fewer}");
            for mode in [Mode::HesScale, Mode::HesScaleR2] {
                assert!(on(mode) == plain, "{mode:?}, batch {batch}, joined {fewer}");
            }
        }
    }
}

#[test]
fn sums_at_the_edges_of_tiles() {
    let sizes = [[1, 1, 1], [15, 16, 17], [33, 65, 63], [64, 32, 128], [17, 33, 32]];
    edges(&staged(8, 2), &share(sizes, 2).collect::<Vec<_>>(), &MODES[1..]);
    edges(&staged(16, 1), &[[5, 8, 7], [16, 64, 31]], &MODES[1..2]);
    edges(&staged(4, 2), &[[9, 7, 16], [32, 20, 36]], &MODES[2..]);
}

#[test]
fn golden_cases() {
    let mut ledger = Ledger::new(1e-5);
    let context = staged(8, 2);
    // A mode each; `golden` has all cases by other families.
    for (i, (case, model)) in share(&cases(), 10).enumerate() {
        let modes = [Mode::HesScale, Mode::HesScaleR2, Mode::None];
        check(&mut ledger, &context, case, model, modes[i % 3]);
    }
    ledger.settle();
}

/// Both families add in the same order, but for biases, whose terms the workgroup family deals out.
#[test]
fn the_bits_of_the_register_family() {
    let dense = Model::builder([13]).dense(24).act(Activation::Tanh).dense_no_bias(17).act(Activation::Gelu);
    let dense = dense.dense(4).loss(losses(4).swap_remove(1)).unwrap();
    let strided = Conv2d::new(12, 3).stride(2).padding(1).groups(2);
    let wide = Model::builder([20, 9, 7]).layer(strided).act(Activation::Tanh);
    let wide = wide.layer(ConvTranspose2d::new(8, 3).stride([3, 2])).flatten().dense(3);
    let models = [dense, mixed(losses(4).swap_remove(5)), wide.loss(Loss::mse()).unwrap()];
    let contexts = [staged(4, 2), staged(16, 1)];
    for (i, model) in share(models.into_iter().enumerate(), 2) {
        let biases: Vec<_> = model.parameters().iter().filter(|tensor| tensor.role == Role::Bias).collect();
        let of_bias = |at: usize| biases.iter().any(|bias| bias.range().contains(&at));
        let sample = Sample::new(model.clone(), 11, i as u64);
        // In turn.
        let (context, mode) = (&contexts[i % 2], [Mode::HesScaleR2, Mode::HesScale][i % 2]);
        let own = sample.on(&self::context(), PlanOptions::training(mode));
        let staged = sample.on(context, PlanOptions::training(mode));
        for (name, own, staged) in [
            ("logits", &own.logits, &staged.logits),
            ("gradient", &own.gradient, &staged.gradient),
            ("diagonal", &own.diagonal, &staged.diagonal),
        ] {
            let (own, staged) = (bits(own), bits(staged));
            let differ = (0..own.len()).filter(|at| own[*at] != staged[*at]);
            let differ = differ.filter(|at| name == "logits" || !of_bias(*at)).count();
            assert_eq!(differ, 0, "{name} of model {i}, {mode:?}");
        }
    }
}

/// Small products are shared out along k on GPUs; how, does not depend on the mode.
#[test]
fn sums_shared_out_along_k_have_the_same_bits_in_every_mode() {
    let model = Model::builder([301]).dense(200).act(Activation::Tanh).dense(133).act(Activation::Gelu);
    let sample = Sample::new(model.dense(10).loss(losses(10).swap_remove(1)).unwrap(), 37, 3);
    let software = context();
    for class in share([DeviceClass::Discrete, DeviceClass::Integrated], 2) {
        let context = of_class_with_own_tiles(class);
        let plain = sample.on(&context, PlanOptions::training(Mode::None));
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
            for _ in 0..2 {
                let run = sample.on(&context, PlanOptions::training(mode));
                assert_eq!(bits(&run.logits), bits(&plain.logits), "{class:?} {mode:?}");
                assert_eq!(bits(&run.gradient), bits(&plain.gradient), "{class:?} {mode:?}");
            }
        }
        // It is another order than that of one sum.
        assert_ne!(
            bits(&plain.logits),
            bits(&sample.on(&software, PlanOptions::training(Mode::None)).logits)
        );
    }
}
