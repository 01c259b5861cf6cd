use super::{Bound, Map, apply, check_signal, compare, numbers, run, storages};
use crate::model::Noise;
use crate::ops::dropout::{DropoutForward, DropoutSignal};
use crate::ops::noise::AdvanceNoise;

#[test]
fn dropout_draws_what_the_model_says() {
    let (noise, node) = (Noise { seed: 0xdead_beef, step: 41 }, 7);
    let state = vec![noise.seed, noise.step, 0, 0];
    for (shape, lie) in storages() {
        for p in [0.0, 0.4] {
            let scale = |i: usize| if noise.keeps(node, i as u32, p) { 1.0 / (1.0 - p) } else { 0.0 };
            let map: Map = (0..lie.len()).map(|i| (i, i, scale(i))).collect();
            let x = numbers(4, lie.len());
            let dropout = DropoutForward { shape, node, p };
            let bound =
                [Bound::Read(lie.store(&x)), Bound::Write(lie.elements()), Bound::Read(state.clone())];
            compare("dropout", &lie.load(&run(dropout, &bound)[0]), &apply(&map, &x, x.len()));
            let kernel = |flow| DropoutSignal { dropout, flow };
            check_signal("dropout", kernel, &map, lie, lie, std::slice::from_ref(&state));
        }
    }
}

#[test]
fn dropout_counts_steps() {
    let found = run(AdvanceNoise, &[Bound::Update(vec![5, u32::MAX, 3, 4])]);
    assert_eq!(found[0], [5, 0, 3, 4]);
}
