use super::{Bound, Lie, Map, apply, check_signal, compare, numbers, run};
use crate::model::Window;
use crate::ops::pool::{PoolForward, PoolSignal, Pooling};

fn window(image: [usize; 2], kernel: [usize; 2], stride: [usize; 2], before: [usize; 2]) -> Window {
    let positions = [0, 1].map(|axis| (image[axis] + 2 * before[axis] - kernel[axis]) / stride[axis] + 1);
    Window { image, kernel, stride, dilation: [1, 1], before, after: before, positions }
}

/// With more padding below and right than above and left, and one more row of windows than fits there.
fn beyond(image: [usize; 2], kernel: [usize; 2], stride: [usize; 2]) -> Window {
    let [rows, columns] = window(image, kernel, stride, [0, 0]).positions;
    Window { after: [0, 1], positions: [rows + 1, columns], ..window(image, kernel, stride, [0, 0]) }
}

/// The places of an image that the window at `q` covers, and how many elements it counts.
fn covered(pooling: &Pooling, q: [usize; 2]) -> (Vec<[usize; 2]>, f64) {
    let [rows, columns] = match pooling {
        Pooling::Max(window) | Pooling::Mean { window, .. } => [0, 1]
            .map(|axis| (0..window.kernel[axis]).filter_map(|t| window.covers(axis, q[axis], t)).collect()),
        Pooling::Adaptive { image, positions } => [0, 1].map(|axis| {
            let (size, parts) = (image[axis], positions[axis]);
            (q[axis] * size / parts..((q[axis] + 1) * size).div_ceil(parts)).collect::<Vec<_>>()
        }),
    };
    let places: Vec<_> = rows.iter().flat_map(|row| columns.iter().map(|column| [*row, *column])).collect();
    let count = match pooling {
        Pooling::Mean { window, count_padding: true } => {
            let along = |axis: usize| {
                let end = window.before[axis] + window.image[axis] + window.after[axis];
                (0..window.kernel[axis]).filter(|t| q[axis] * window.stride[axis] + t < end).count()
            };
            along(0) * along(1)
        }
        _ => places.len(),
    };
    (places, count as f64)
}

fn sizes(pooling: &Pooling) -> ([usize; 2], [usize; 2]) {
    match pooling {
        Pooling::Max(window) | Pooling::Mean { window, .. } => (window.image, window.positions),
        Pooling::Adaptive { image, positions } => (*image, *positions),
    }
}

/// The linear map that pooling is at `x`.
fn map(pooling: &Pooling, planes: usize, x: &[f64]) -> Map {
    let ([h, w], [rows, columns]) = sizes(pooling);
    let mut map = Map::new();
    for plane in 0..planes {
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let j = (plane * rows + row) * columns + column;
            let (places, count) = covered(pooling, [row, column]);
            let places = places.into_iter().map(|[y, x]| (plane * h + y) * w + x);
            match pooling {
                Pooling::Max(_) => {
                    let first = places.reduce(|best, i| if x[i] > x[best] { i } else { best });
                    map.push((j, first.expect("a window covers something"), 1.0));
                }
                _ => map.extend(places.map(|i| (j, i, 1.0 / count))),
            }
        }
    }
    map
}

fn check(pooling: Pooling, batch: usize, channels: usize, backward: bool) {
    let ([h, w], [rows, columns]) = sizes(&pooling);
    let x = Lie::Image { batch, channels, positions: h * w };
    let z = Lie::Image { batch, channels, positions: rows * columns };
    // Coarse, so that there are equal numbers.
    let values: Vec<f64> = numbers(3, x.len()).into_iter().map(|v| (8.0 * v).round() / 8.0).collect();
    let map = map(&pooling, batch * channels, &values);
    let expected = apply(&map, &values, z.len());
    let (batch, channels) = (batch as u32, channels as u32);
    let input = || Bound::Read(x.store(&values));
    let found =
        run(PoolForward { pooling, batch, channels, keep: false }, &[input(), Bound::Write(z.elements())]);
    compare(&format!("{pooling:?}"), &z.load(&found[0]), &expected);

    let mut extras = Vec::new();
    if matches!(pooling, Pooling::Max(_)) {
        let keeping = PoolForward { pooling, batch, channels, keep: true };
        let taps = Bound::Write(keeping.taps_len() as usize);
        let mut found = run(keeping, &[input(), Bound::Write(z.elements()), taps]);
        extras.extend(found.pop());
        compare(&format!("{pooling:?}, kept"), &z.load(&found[0]), &expected);
    }
    if backward {
        let kernel = |flow| PoolSignal { pooling, batch, channels, flow };
        check_signal(&format!("{pooling:?}"), kernel, &map, z, x, &extras);
    }
}

#[test]
fn max_pooling() {
    check(Pooling::Max(window([1, 1], [1, 1], [1, 1], [0, 0])), 1, 1, true);
    check(Pooling::Max(window([7, 5], [3, 2], [2, 1], [1, 1])), 2, 5, true);
    check(Pooling::Max(window([9, 12], [2, 3], [4, 5], [1, 0])), 1, 33, true);
    check(Pooling::Max(window([6, 20], [2, 2], [2, 2], [0, 0])), 3, 9, true);
    check(Pooling::Max(beyond([6, 7], [3, 3], [2, 2])), 2, 5, true);
}

#[test]
fn max_pooling_with_windows_of_more_than_256_elements() {
    check(Pooling::Max(window([20, 24], [17, 18], [3, 2], [2, 3])), 1, 3, true);
}

#[test]
fn max_pooling_with_windows_and_places_that_a_workgroup_shares() {
    check(Pooling::Max(window([40, 37], [34, 35], [1, 1], [1, 1])), 1, 1, true);
}

#[test]
fn mean_pooling() {
    for count_padding in [false, true] {
        let mean = |image, kernel, stride, before| Pooling::Mean {
            window: window(image, kernel, stride, before),
            count_padding,
        };
        check(mean([1, 1], [1, 1], [1, 1], [0, 0]), 1, 1, false);
        check(mean([7, 5], [3, 2], [2, 1], [1, 1]), 2, 5, true);
        check(mean([9, 12], [2, 3], [4, 5], [1, 0]), 1, 33, false);
        check(Pooling::Mean { window: beyond([6, 7], [3, 3], [2, 2]), count_padding }, 2, 5, true);
    }
}

#[test]
fn adaptive_pooling() {
    for (image, positions) in [([5, 7], [1, 1]), ([5, 7], [2, 3]), ([3, 2], [5, 4]), ([6, 4], [3, 4])] {
        check(Pooling::Adaptive { image, positions }, 2, 5, image == [5, 7]);
    }
}

#[test]
fn global_pooling_of_a_large_image() {
    check(Pooling::Adaptive { image: [300, 300], positions: [1, 1] }, 2, 1, false);
}

#[test]
fn pooling_onto_a_large_image() {
    check(Pooling::Adaptive { image: [2, 1], positions: [60, 70] }, 1, 3, true);
}
