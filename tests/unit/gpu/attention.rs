use super::{Bound, Lie, MODES, Signal, compare, numbers, run};
use crate::model::{self, Activation, Heads, Mode, Targets};
use crate::ops::attention::{
    Attention, AttentionForward, AttentionScores, AttentionSignal, AttentionWeights,
};
use crate::reference::{self, pass};
use crate::shader::{DeviceClass, Flow};
use crate::{Loss, Model};

/// As the kernels' tests have it: g, what of the diagonal is not in u, u.
fn signal(of: &reference::Signal<f64>) -> Signal {
    let rest = if of.u.is_empty() { &of.h } else { &of.rest };
    let own = if rest.is_empty() { vec![] } else { vec![rest.clone()] };
    Signal([vec![of.g.clone()], own, of.u.clone()].concat())
}

fn check(class: DeviceClass, batch: usize, heads: Heads) {
    let Heads { count, width, positions, causal } = heads;
    let channels = count * width;
    let [x, z] = [3 * channels, channels].map(|channels| Lie::Image { batch, channels, positions });
    let layer = model::Attention::new(count).causal(causal);
    let model = Model::builder([3 * channels, positions]).layer(layer).flatten();
    let model = model.loss(Loss::mse().sum()).expect("valid");
    // Some scores are far apart.
    let values: Vec<f64> = numbers(3, x.len()).iter().map(|x| f64::from((2.0 * x) as f32)).collect();
    let of = |mode| pass(&model, mode, &[], &values, Targets::Values(&vec![0.5; z.len()])).expect("it runs");
    let attention = Attention::new(class, heads, batch as u32);
    let what = format!("{attention:?}");
    let weights = &run(
        AttentionWeights(attention),
        &[Bound::Read(x.store(&values)), Bound::Write(attention.weights())],
    )[0];
    let read = |words: &Vec<u32>| Bound::Read(words.clone());
    let bound = [Bound::Read(x.store(&values)), Bound::Write(z.elements()), read(weights)];
    compare(&what, &z.load(&run(AttentionForward(attention), &bound)[0]), &of(Mode::None).logits);
    for mode in MODES {
        let want = of(mode);
        let above = signal(&want.signals[0]).store(mode, z);
        let bound = [
            read(&above),
            Bound::Write(attention.scores(mode)),
            Bound::Read(x.store(&values)),
            read(weights),
        ];
        let scores = &run(AttentionScores { attention, mode, plane: z.plane() as u32 }, &bound)[0];
        for below in [Activation::Identity, Activation::Tanh] {
            let flow = Flow { mode, below, plane_in: z.plane() as u32, plane_out: x.plane() as u32 };
            let mut bound = vec![
                read(&above),
                Bound::Write(x.plane() * mode.planes()),
                Bound::Read(x.store(&values)),
                read(weights),
                read(scores),
            ];
            let a = numbers(7, x.len());
            let mut expected = signal(&want.input_signal);
            if below == Activation::Tanh {
                bound.push(Bound::Read(x.store(&a)));
                expected = expected.through_tanh(mode, &a);
            }
            let found = &run(AttentionSignal { attention, flow }, &bound)[0];
            expected.check(&format!("{what} {} {}", mode.name(), below.name()), mode, x, found);
        }
    }
}

#[test]
fn attention_and_what_flows_back() {
    for class in [DeviceClass::Software, DeviceClass::Discrete] {
        for (batch, [count, width, positions], causal) in [
            (1, [1, 1, 1], false),
            (3, [2, 3, 7], true),
            (2, [3, 4, 9], false),
            (5, [1, 8, 20], true),
            (1, [2, 2, 270], false),
        ] {
            check(class, batch, Heads { count, width, positions, causal });
        }
    }
}
