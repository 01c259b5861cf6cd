use super::{Bound, Lie, MODES, Signal, compare, numbers, run};
use crate::model::{Activation, Cell, Gru, Layer, Lstm, Mode, Recurrence, Targets};
use crate::ops::recurrent::{Before, Recurrent, RecurrentForward, RecurrentSignal};
use crate::reference::{self, pass};
use crate::shader::Flow;
use crate::{Loss, Model};

/// As the kernels' tests have it: g, what of the diagonal is not in u, u.
fn signal(of: &reference::Signal<f64>) -> Signal {
    let rest = if of.u.is_empty() { &of.h } else { &of.rest };
    let own = if rest.is_empty() { vec![] } else { vec![rest.clone()] };
    Signal([vec![of.g.clone()], own, of.u.clone()].concat())
}

/// Where the components that the kernels pass on lie: planes of g, h and u.
fn planes(mode: Mode) -> Vec<(usize, bool)> {
    let h = mode.has_diagonal().then_some((if mode.rank() > 0 { 2 } else { 1 }, true));
    let u = (0..mode.rank()).map(|r| (3 + r, false));
    std::iter::once((0, false)).chain(h).chain(u).collect()
}

fn number(words: &[u32], at: usize) -> f64 {
    f64::from(f32::from_bits(words[at]))
}

/// All steps of a layer forward and back, the products between them in plain loops.
fn check(cell: Cell, batch: usize, hidden: usize, positions: usize, bias: bool) {
    let recurrence = Recurrence { cell, hidden, positions, bias };
    let channels = recurrence.channels();
    let [x_lie, z_lie] = [channels, hidden].map(|channels| Lie::Image { batch, channels, positions });
    let own: Layer = match cell {
        Cell::Gru => Gru::new(hidden).bias(bias).into(),
        Cell::Lstm => Lstm::new(hidden).bias(bias).into(),
    };
    let model =
        Model::builder([channels, positions]).layer(own).flatten().loss(Loss::mse().sum()).expect("valid");
    let mut parameters = vec![0.0; model.flat_len()];
    for (seed, p) in model.parameters().iter().enumerate() {
        parameters[p.range()].copy_from_slice(&numbers(20 + seed as u64, p.len()));
    }
    let weight = &parameters[model.parameters()[0].range()];
    let biases = model.parameters().get(1).map(|p| &parameters[p.range()]);
    let x = numbers(3, x_lie.len());
    let targets = vec![0.5; z_lie.len()];
    let of = |mode| pass(&model, mode, &parameters, &x, Targets::Values(&targets)).expect("it runs");

    let layer = Recurrent::new(recurrence, batch as u32);
    let what = format!("{layer:?}");
    let store = |values: &[f64]| -> Vec<u32> { values.iter().map(|x| (*x as f32).to_bits()).collect() };
    let (mut z, mut state, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let update = |words: &Vec<u32>, len: usize| match words.is_empty() {
        true => Bound::Write(len),
        false => Bound::Update(words.clone()),
    };
    for position in 0..positions {
        let (q, before) = match (position, biases) {
            (0, Some(bias)) => (store(bias), Before::Bias),
            (0, None) => (store(weight), Before::Nothing),
            _ => {
                let product = |(n, k): (usize, usize)| -> f64 {
                    let row = (0..hidden).map(|j| weight[k * hidden + j] * number(&state, n * hidden + j));
                    row.sum::<f64>() + biases.map_or(0.0, |b| b[k])
                };
                let all = (0..batch).flat_map(|n| (0..channels).map(move |k| (n, k)));
                (store(&all.map(product).collect::<Vec<_>>()), Before::State)
            }
        };
        let bound = [
            Bound::Read(x_lie.store(&x)),
            update(&z, z_lie.elements()),
            Bound::Read(q),
            update(&state, layer.state()),
            update(&kept, batch * positions * layer.kept()),
        ];
        let kernel = RecurrentForward { layer, position: position as u32, before, keep: true };
        let mut results = run(kernel, &bound).into_iter();
        [&mut z, &mut state, &mut kept].into_iter().for_each(|to| *to = results.next().expect("written"));
    }
    compare(&what, &z_lie.load(&z), &of(Mode::None).logits);

    for mode in MODES {
        let want = of(mode);
        let above = signal(&want.signals[0]).store(mode, z_lie);
        for (below, continues) in
            [(Activation::Identity, true), (Activation::Tanh, true), (Activation::Identity, false)]
        {
            let a = numbers(7, x_lie.len());
            let sizes = layer.planes(mode);
            let flow = Flow { mode, below, plane_in: z_lie.plane() as u32, plane_out: x_lie.plane() as u32 };
            let mut carried = kept.clone();
            let (mut to, mut rows, mut image) = (Vec::new(), Vec::new(), Vec::new());
            for position in (0..positions).rev() {
                let last = position + 1 == positions;
                let mut bound = vec![Bound::Read(above.clone())];
                bound.extend(continues.then(|| update(&to, x_lie.plane() * mode.planes())));
                bound.extend([Bound::Read(kept.clone()), Bound::Read(carried.clone())]);
                bound.extend([update(&rows, sizes.rows()), update(&image, sizes.image())]);
                bound.extend((below == Activation::Tanh).then(|| Bound::Read(x_lie.store(&a))));
                let position = position as u32;
                let results = run(RecurrentSignal { layer, flow, position, last, continues }, &bound);
                let mut results = results.into_iter();
                if continues {
                    to = results.next().expect("written");
                }
                rows = results.next().expect("written");
                image = results.next().expect("written");
                carried = vec![0; sizes.carried()];
                for (plane, squared) in planes(mode) {
                    for (n, j) in (0..batch).flat_map(|n| (0..hidden).map(move |j| (n, j))) {
                        let term = |k: usize| {
                            let w = weight[k * hidden + j];
                            let s = number(&rows, plane * sizes.row as usize + n * channels + k);
                            if squared { w * w * s } else { w * s }
                        };
                        let sum = (0..channels).map(term).sum::<f64>() as f32;
                        carried[plane * sizes.state as usize + n * hidden + j] = sum.to_bits();
                    }
                }
            }
            if continues {
                let mut expected = signal(&want.input_signal);
                if below == Activation::Tanh {
                    expected = expected.through_tanh(mode, &a);
                }
                expected.check(&format!("{what} {} {}", mode.name(), below.name()), mode, x_lie, &to);
            }
        }
    }
}

#[test]
fn steps_of_recurrent_layers() {
    for cell in [Cell::Gru, Cell::Lstm] {
        for (batch, hidden, positions, bias) in
            [(1, 1, 1, true), (3, 5, 3, true), (2, 8, 4, false), (67, 6, 2, true), (2, 36, 2, true)]
        {
            check(cell, batch, hidden, positions, bias);
        }
    }
}
