use super::{Bound, Lie, Map, check_signal, compare, numbers, run, storages, words};
use crate::ops::batchnorm::{NormBy, NormForward, NormSignal};
use crate::shader::BatchShape;

#[test]
fn normalisation() {
    for (shape, lie) in storages() {
        let (channels, positions, padded) = match shape {
            BatchShape::Rows { features, .. } => (features as usize, 1, features as usize),
            BatchShape::Image { channels, positions, .. } => {
                (channels as usize, positions as usize, channels.next_multiple_of(4) as usize)
            }
            BatchShape::Line { .. } => unreachable!("no storage of a value"),
        };
        let [mean, inverse, gamma, beta] = [10, 11, 12, 13].map(|seed| numbers(seed, channels));
        let channel = |i: usize| i / positions % channels;
        let slope = |i: usize| gamma[channel(i)] * inverse[channel(i)];
        let map: Map = (0..lie.len()).map(|i| (i, i, slope(i))).collect();
        let x = numbers(4, lie.len());
        let expected: Vec<f64> =
            (0..x.len()).map(|i| slope(i) * (x[i] - mean[channel(i)]) + beta[channel(i)]).collect();
        let rows = |values: &[f64]| Lie::Rows { len: channels }.store(values);
        for (by, rest) in [(NormBy::Given, 0.0), (NormBy::Batch, 0.5)] {
            let norm = NormForward { shape, by };
            assert_eq!(norm.statistics_len() as usize, 3 * padded);
            let mut statistics = vec![0.0_f32; 3 * padded];
            for c in 0..channels {
                // The mean of a batch is in two parts.
                (statistics[c], statistics[padded + c]) = (mean[c] as f32 - rest, rest);
                statistics[2 * padded + c] = inverse[c] as f32;
            }
            let bound = [
                Bound::Read(lie.store(&x)),
                Bound::Write(lie.elements()),
                Bound::Read(words(&statistics)),
                Bound::Read(rows(&gamma)),
                Bound::Read(rows(&beta)),
            ];
            compare("norm", &lie.load(&run(norm, &bound)[0]), &expected);
        }
        let mut statistics = vec![0.0_f32; 3 * padded];
        statistics[2 * padded..].iter_mut().zip(&inverse).for_each(|(to, inverse)| *to = *inverse as f32);
        let kernel = |flow| NormSignal { shape, flow };
        check_signal("norm", kernel, &map, lie, lie, &[words(&statistics), rows(&gamma)]);
    }
}
