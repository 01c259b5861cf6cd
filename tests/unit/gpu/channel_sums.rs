use super::depthwise::{cases, lies, meetings};
use super::{Bound, Lie, MODES, Signal, compare, numbers, run, words};
use crate::model::{Mode, Window};
use crate::ops::batchnorm::NormBy;
use crate::ops::channel_sums::{ChannelParameters, ChannelSums};
use crate::ops::depthwise::DepthwiseSizes;
use crate::shader::BatchShape;

/// Sums over splits: `[number][parameter]`, with parameter = channel · entries + entry.
fn collected(partial: &ChannelSums, channels: usize, sums: &[u32]) -> Vec<Vec<f64>> {
    let (numbers, entries) = (partial.components() as usize, partial.entries() as usize);
    let stride = partial.stride() as usize;
    let mut result = vec![vec![0.0; channels * entries]; numbers];
    for split in 0..partial.splits() as usize {
        for (number, result) in result.iter_mut().enumerate() {
            for (parameter, result) in result.iter_mut().enumerate() {
                let (channel, entry) = (parameter / entries, parameter % entries);
                let at = ((split * numbers + number) * entries + entry) * stride + channel;
                *result += f64::from(f32::from_bits(sums[at]));
            }
        }
    }
    result
}

/// Gradient and diagonal from `(output, parameter, what it multiplies)`: u is summed over a sample before it is squared.
fn expected(
    mode: Mode,
    signal: &Signal,
    terms: &[(usize, usize, f64)],
    batch: usize,
    count: usize,
) -> Vec<Vec<f64>> {
    let per_sample = signal.0[0].len() / batch;
    let sum = |values: &[f64], square: bool| {
        let mut sums = vec![vec![0.0; count]; batch];
        for (j, parameter, b) in terms {
            sums[j / per_sample][*parameter] += values[*j] * if square { b * b } else { *b };
        }
        sums
    };
    let over_batch = |sums: Vec<Vec<f64>>, f: fn(f64) -> f64| -> Vec<f64> {
        (0..count).map(|k| sums.iter().map(|sample| f(sample[k])).sum()).collect()
    };
    let mut result = vec![over_batch(sum(&signal.0[0], false), |s| s)];
    if mode.has_diagonal() {
        let mut diagonal = over_batch(sum(&signal.0[1], true), |s| s);
        for u in &signal.0[2..] {
            let squares = over_batch(sum(u, false), |s| s * s);
            diagonal.iter_mut().zip(squares).for_each(|(d, s)| *d += s);
        }
        result.push(diagonal);
    }
    result
}

fn check(
    parameters: ChannelParameters,
    [batch, channels]: [usize; 2],
    z: Lie,
    extras: &[Vec<u32>],
    terms: &[(usize, usize, f64)],
    modes: &[Mode],
) {
    for &mode in modes {
        let signal = Signal::new(mode, z.len());
        let partial = ChannelSums { parameters, mode, plane: z.plane() as u32 };
        let mut bound = vec![Bound::Read(signal.store(mode, z)), Bound::Write(partial.len())];
        bound.extend(extras.iter().cloned().map(Bound::Read));
        let found = collected(&partial, channels, &run(partial, &bound)[0]);
        let expected = expected(mode, &signal, terms, batch, channels * partial.entries() as usize);
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            compare(&format!("{parameters:?} {} {number}", mode.name()), found, expected);
        }
    }
}

fn check_depthwise(sizes: DepthwiseSizes, modes: &[Mode]) {
    let (x, z) = lies(&sizes);
    let (batch, channels, taps) = (sizes.batch as usize, sizes.channels as usize, sizes.window.taps());
    let values = numbers(8, x.len());
    for bias in [false, true] {
        let entries = taps + usize::from(bias);
        let place = |weight: usize| weight / taps * entries + weight % taps;
        let mut terms: Vec<_> =
            meetings(&sizes).into_iter().map(|(j, i, weight)| (j, place(weight), values[i])).collect();
        if bias {
            let positions = z.len() / batch / channels;
            terms.extend((0..z.len()).map(|j| (j, j / positions % channels * entries + taps, 1.0)));
        }
        check(
            ChannelParameters::Depthwise { sizes, bias },
            [batch, channels],
            z,
            &[x.store(&values)],
            &terms,
            modes,
        );
    }
}

#[test]
fn depthwise_parameters() {
    for sizes in cases() {
        check_depthwise(sizes, &MODES);
    }
}

#[test]
fn depthwise_parameters_of_large_images() {
    let image = [100, 90];
    let window = Window {
        image,
        kernel: [1, 2],
        stride: [1, 1],
        dilation: [1, 1],
        before: [0, 0],
        after: [0, 0],
        positions: [100, 89],
    };
    check_depthwise(DepthwiseSizes { window, batch: 2, channels: 2 }, &[Mode::HesScaleR2]);
}

fn check_norm(shape: BatchShape, by: NormBy, z: Lie, modes: &[Mode]) {
    let (batch, channels, positions, padded) = match shape {
        BatchShape::Rows { batch, features } => (batch, features as usize, 1, features as usize),
        BatchShape::Image { batch, channels, positions } => {
            (batch, channels as usize, positions as usize, channels.next_multiple_of(4) as usize)
        }
        BatchShape::Line { .. } => unreachable!("no storage of a value"),
    };
    let [mean, inverse] = [10, 11].map(|seed| numbers(seed, channels));
    let mut statistics = vec![0.0_f32; 3 * padded];
    for c in 0..channels {
        // The mean of a batch is in two parts.
        let rest = if by == NormBy::Batch { 0.5 } else { 0.0 };
        (statistics[c], statistics[padded + c]) = (mean[c] as f32 - rest, rest);
        statistics[2 * padded + c] = inverse[c] as f32;
    }
    let x = numbers(4, z.len());
    let mut terms = Vec::new();
    for (j, x) in x.iter().enumerate() {
        let c = j / positions % channels;
        terms.extend([(j, 2 * c, (x - mean[c]) * inverse[c]), (j, 2 * c + 1, 1.0)]);
    }
    let extras = [z.store(&x), words(&statistics)];
    check(ChannelParameters::Norm(shape, by), [batch as usize, channels], z, &extras, &terms, modes);
}

#[test]
fn normalisation_parameters() {
    for (batch, features) in [(1, 1), (3, 5), (2, 33), (3000, 1)] {
        let z = Lie::Rows { len: batch * features };
        let shape = BatchShape::Rows { batch: batch as u32, features: features as u32 };
        check_norm(shape, NormBy::Given, z, &MODES);
    }
    for (batch, channels, positions) in [(1, 1, 1), (2, 3, 7), (3, 33, 6)] {
        let shape =
            BatchShape::Image { batch: batch as u32, channels: channels as u32, positions: positions as u32 };
        for by in [NormBy::Given, NormBy::Batch] {
            check_norm(shape, by, Lie::Image { batch, channels, positions }, &MODES);
        }
    }
}

#[test]
fn normalisation_parameters_of_batches_that_are_split_and_images_that_are_shared() {
    let modes = [Mode::HesScale, Mode::HesScaleR1];
    for (batch, channels, positions, splits) in [(20, 3, 300, 7), (5, 3, 3000, 1), (2, 1, 40_000, 1)] {
        let shape =
            BatchShape::Image { batch: batch as u32, channels: channels as u32, positions: positions as u32 };
        let parameters = ChannelParameters::Norm(shape, NormBy::Given);
        let partial = ChannelSums { parameters, mode: Mode::None, plane: 64 };
        assert_eq!(partial.splits(), splits);
        check_norm(shape, NormBy::Batch, Lie::Image { batch, channels, positions }, &modes);
    }
}

/// Slopes of PReLU: of each channel, and one for all of an image or a row.
#[test]
fn slopes() {
    for [batch, channels, positions] in
        [[1, 1, 1], [3, 5, 1], [2, 33, 1], [2, 3, 7], [3, 33, 6], [40, 2, 300], [2, 3, 3000], [1, 5, 20_000]]
    {
        let [n, c, p] = [batch, channels, positions].map(|size| size as u32);
        let image = BatchShape::Image { batch: n, channels: c, positions: p };
        let mut cases = vec![(image, Lie::Image { batch, channels, positions })];
        if positions == 1 {
            cases.push((BatchShape::Rows { batch: n, features: c }, Lie::Rows { len: batch * channels }));
        }
        for (shape, z) in cases {
            let x = numbers(4, z.len());
            let terms = |one: bool| -> Vec<_> {
                let slope = |j: usize| if one { 0 } else { j / positions % channels };
                x.iter().enumerate().map(|(j, x)| (j, slope(j), x.min(0.0))).collect()
            };
            let extras = [z.store(&x)];
            let one = ChannelParameters::Slopes(shape.as_line());
            check(one, [batch, 1], z, &extras, &terms(true), &MODES);
            if let BatchShape::Image { .. } = shape {
                check(ChannelParameters::Slopes(shape), [batch, channels], z, &extras, &terms(false), &MODES);
            }
        }
    }
}

/// By statistics of each sample's groups, or where there are none of its positions: a mean in two parts, and 1/s.
fn check_groups([batch, channels, positions]: [usize; 3], groups: Option<usize>, bias: bool) {
    let (apart, of_sample) = (groups.is_none(), groups.unwrap_or(positions));
    let groups = groups.unwrap_or(1);
    let [n, c, p] = [batch, channels, positions].map(|size| size as u32);
    let (shape, z) = if positions == 1 && groups == 1 {
        (BatchShape::Rows { batch: n, features: c }, Lie::Rows { len: batch * channels })
    } else {
        (BatchShape::Image { batch: n, channels: c, positions: p }, Lie::Image { batch, channels, positions })
    };
    let statistics = numbers(10, 4 * batch * of_sample);
    let x = numbers(4, z.len());
    let entries = 1 + usize::from(bias);
    let mut terms = Vec::new();
    for (j, x) in x.iter().enumerate() {
        let (sample, c) = (j / positions / channels, j / positions % channels);
        let group = if apart { j % positions } else { c * groups / channels };
        let of = &statistics[4 * (sample * of_sample + group)..];
        terms.push((j, entries * c, (x - of[0] - of[1]) * of[2]));
        terms.extend(bias.then_some((j, entries * c + 1, 1.0)));
    }
    let stored: Vec<f32> = statistics.iter().map(|x| *x as f32).collect();
    let extras = [z.store(&x), words(&stored)];
    let parameters = ChannelParameters::Groups { shape, groups: groups as u32, apart, bias };
    check(parameters, [batch, channels], z, &extras, &terms, &MODES);
}

#[test]
fn parameters_of_groups() {
    for ([batch, channels, positions], groups, bias) in [
        ([1, 1, 1], Some(1), true),
        ([37, 33, 1], Some(1), true),
        ([1500, 2, 1], Some(1), false),
        ([3, 6, 1], Some(2), true),
        ([2, 6, 7], Some(2), true),
        ([3, 33, 6], Some(11), true),
        ([2, 5, 3000], Some(5), true),
        ([3, 6, 7], None, true),
        ([70, 33, 5], None, false),
        ([2, 5, 3000], None, true),
    ] {
        check_groups([batch, channels, positions], groups, bias);
    }
}
