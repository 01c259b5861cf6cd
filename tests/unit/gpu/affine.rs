use super::{Bound, Lie, Map, apply, check_signal, compare, numbers, run, words};
use crate::model::Noise;
use crate::ops::batchnorm::{NormForward, NormSignal};
use crate::ops::dropout::{AdvanceNoise, DropoutForward, DropoutSignal};
use crate::shader::Storage;

/// Each storage with the same as the tests have it.
fn storages() -> Vec<(Storage, Lie)> {
    let rows = [(1, 1), (3, 5), (2, 33)];
    let images = [(1, 1, 1), (2, 3, 7), (1, 33, 6), (3, 5, 35)];
    let rows = rows.map(|(batch, features)| {
        let storage = Storage::Rows { batch: batch as u32, features: features as u32 };
        (storage, Lie::Rows { len: batch * features })
    });
    let images = images.map(|(batch, channels, positions)| {
        let storage =
            Storage::Image { batch: batch as u32, channels: channels as u32, positions: positions as u32 };
        (storage, Lie::Image { batch, channels, positions })
    });
    rows.into_iter().chain(images).collect()
}

#[test]
fn dropout_draws_what_the_model_says() {
    let (noise, node) = (Noise { seed: 0xdead_beef, step: 41 }, 7);
    let state = vec![noise.seed, noise.step, 0, 0];
    for (storage, lie) in storages() {
        for p in [0.0, 0.4] {
            let scale = |i: usize| if noise.keeps(node, i as u32, p) { 1.0 / (1.0 - p) } else { 0.0 };
            let map: Map = (0..lie.len()).map(|i| (i, i, scale(i))).collect();
            let x = numbers(4, lie.len());
            let dropout = DropoutForward { storage, node, p };
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

#[test]
fn normalisation() {
    for (storage, lie) in storages() {
        let (channels, positions, padded) = match storage {
            Storage::Rows { features, .. } => (features as usize, 1, features as usize),
            Storage::Image { channels, positions, .. } => {
                (channels as usize, positions as usize, channels.next_multiple_of(4) as usize)
            }
        };
        let norm = NormForward { storage };
        assert_eq!(norm.statistics_len() as usize, 2 * padded);
        let [mean, inverse, gamma, beta] = [10, 11, 12, 13].map(|seed| numbers(seed, channels));
        let mut statistics = vec![0.0_f32; 2 * padded];
        for c in 0..channels {
            statistics[c] = mean[c] as f32;
            statistics[padded + c] = inverse[c] as f32;
        }
        let channel = |i: usize| i / positions % channels;
        let slope = |i: usize| gamma[channel(i)] * inverse[channel(i)];
        let map: Map = (0..lie.len()).map(|i| (i, i, slope(i))).collect();
        let x = numbers(4, lie.len());
        let expected: Vec<f64> =
            (0..x.len()).map(|i| slope(i) * (x[i] - mean[channel(i)]) + beta[channel(i)]).collect();
        let rows = |values: &[f64]| Lie::Rows { len: channels }.store(values);
        let bound = [
            Bound::Read(lie.store(&x)),
            Bound::Write(lie.elements()),
            Bound::Read(words(&statistics)),
            Bound::Read(rows(&gamma)),
            Bound::Read(rows(&beta)),
        ];
        compare("norm", &lie.load(&run(norm, &bound)[0]), &expected);
        let kernel = |flow| NormSignal { norm, flow };
        check_signal("norm", kernel, &map, lie, lie, &[words(&statistics), rows(&gamma)]);
    }
}
