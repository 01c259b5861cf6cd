use super::{Bound, Lie, Map, apply, check_signal, compare, numbers, run};
use crate::model::{Activation, Window};
use crate::ops::depthwise::{DepthwiseForward, DepthwiseSignal, DepthwiseSizes};

/// A few windows, with the batch and the channels they run over.
pub(super) fn cases() -> Vec<DepthwiseSizes> {
    [
        (1, 1, [1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
        (2, 5, [6, 7], [3, 2], [1, 1], [1, 2], [1, 0]),
        (1, 33, [9, 8], [2, 3], [3, 2], [2, 1], [0, 2]),
        (3, 3, [5, 5], [3, 3], [1, 1], [1, 1], [1, 1]),
        (1, 4, [9, 11], [2, 1], [4, 3], [1, 1], [1, 0]),
    ]
    .map(|(batch, channels, image, kernel, stride, dilation, before)| {
        let positions = [0, 1].map(|axis: usize| {
            (image[axis] + 2 * before[axis] - (kernel[axis] - 1) * dilation[axis] - 1) / stride[axis] + 1
        });
        let window = Window { image, kernel, stride, dilation, before, after: before, positions };
        DepthwiseSizes { window, batch, channels }
    })
    .into()
}

/// How input and output lie.
pub(super) fn lies(sizes: &DepthwiseSizes) -> (Lie, Lie) {
    let [x, z] = [sizes.window.image, sizes.window.positions].map(|[rows, columns]| Lie::Image {
        batch: sizes.batch as usize,
        channels: sizes.channels as usize,
        positions: rows * columns,
    });
    (x, z)
}

/// `(output, input, index of the weight)` for all that meet.
pub(super) fn meetings(sizes: &DepthwiseSizes) -> Vec<(usize, usize, usize)> {
    let DepthwiseSizes { window, batch, channels } = *sizes;
    let ([h, w], [rows, columns], [kh, kw]) = (window.image, window.positions, window.kernel);
    let mut found = Vec::new();
    for plane in 0..(batch * channels) as usize {
        for (j, t) in (0..rows * columns).flat_map(|j| (0..kh * kw).map(move |t| (j, t))) {
            let down = window.covers(0, j / columns, t / kw);
            let along = window.covers(1, j % columns, t % kw);
            if let (Some(y), Some(x)) = (down, along) {
                let weight = plane % channels as usize * kh * kw + t;
                found.push((plane * rows * columns + j, (plane * h + y) * w + x, weight));
            }
        }
    }
    found
}

#[test]
fn depthwise_convolution() {
    for sizes in cases() {
        let (x, z) = lies(&sizes);
        let channels = sizes.channels as usize;
        let weight = numbers(5, channels * sizes.window.taps());
        let bias = numbers(6, channels);
        let map: Map = meetings(&sizes).into_iter().map(|(j, i, t)| (j, i, weight[t])).collect();
        let values = numbers(7, x.len());
        let [stored_weight, stored_bias] = [&weight, &bias].map(|v| Lie::Rows { len: v.len() }.store(v));
        for (with_bias, keep, activation) in
            [(false, false, Activation::Identity), (true, true, Activation::Tanh)]
        {
            let mut a = apply(&map, &values, z.len());
            let plane = z.plane();
            let kernel = DepthwiseForward { sizes, bias: with_bias, activation, keep, plane: plane as u32 };
            let results = if keep { plane + z.elements() } else { z.elements() };
            let mut bound = vec![
                Bound::Read(x.store(&values)),
                Bound::Read(stored_weight.clone()),
                Bound::Write(results),
            ];
            if with_bias {
                bound.push(Bound::Read(stored_bias.clone()));
                let positions = a.len() / (sizes.batch as usize * channels);
                a.iter_mut().enumerate().for_each(|(j, a)| *a += bias[j / positions % channels]);
            }
            let found = run(kernel, &bound).swap_remove(0);
            let act = |a: &f64| if activation == Activation::Tanh { a.tanh() } else { *a };
            let expected: Vec<f64> = a.iter().map(act).collect();
            compare(&format!("{sizes:?}"), &z.load(&found[..z.elements()]), &expected);
            if keep {
                compare(&format!("{sizes:?}, kept"), &z.load(&found[plane..]), &a);
            }
        }
        let kernel = |flow| DepthwiseSignal { sizes, flow };
        check_signal(&format!("{sizes:?}"), kernel, &map, z, x, &[stored_weight]);
    }
}
