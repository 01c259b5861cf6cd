use super::{Bound, UNTOUCHED, compare, context, numbers, run, words};
use crate::model::Loss;
use crate::ops::loss::{CountedMean, Shares};
use crate::ops::partial::Rows;

/// A share for each sample that counts and 0 for the others, whose weights and classes are of no matter.
#[test]
fn shares_of_those_that_count() {
    for (batch, count) in [(1, 1), (7, 3), (200, 130), (9, 0), (5, 1000)] {
        let kept = usize::min(count, batch);
        let mut weights: Vec<f32> = numbers(5, batch).iter().map(|w| *w as f32).collect();
        weights[kept..].fill(f32::NAN);
        let factors: Vec<f32> = (0..=batch).map(|n| 1.0 / n.max(1) as f32).collect();
        let weights = Bound::Read(words(&weights));
        let number = || Bound::Read(vec![count as u32]);
        let bound = [number(), Bound::Read(words(&factors)), weights, Bound::Write(batch)];
        let found = run(CountedMean { batch: batch as u32 }, &bound).remove(0);
        let Bound::Read(weights) = &bound[2] else { unreachable!() };
        let weight = |n: usize| f64::from(f32::from_bits(weights[n]));
        let close = |found: &[u32], expected: &dyn Fn(usize) -> f64| {
            let found: Vec<f64> = found.iter().map(|word| f64::from(f32::from_bits(*word))).collect();
            let expected: Vec<f64> = (0..batch).map(|n| if n < kept { expected(n) } else { 0.0 }).collect();
            compare(&format!("{count} of {batch}"), &found, &expected);
        };
        close(&found, &|n| f64::from(factors[kept]) * weight(n));
        // Two positions with a class each, one of which is ignored.
        let of_class = [0.5_f32, 2.0, 1.0];
        let classes: Vec<u32> =
            (0..2 * batch).map(|i| if i < 2 * kept { i as u32 % 3 } else { 77 }).collect();
        let loss = Loss::from(crate::Loss::cross_entropy().ignore_index(2).weighted_mean());
        let kernel = Shares::new(context().class(), loss, batch as u32, &[3, 2]).partial(true);
        let bound = [
            Bound::Read(classes.clone()),
            Bound::Read(words(&of_class)),
            Bound::Read(weights.clone()),
            Bound::Write(batch),
            number(),
        ];
        let of_row = |i: usize| if classes[i] == 2 { 0.0 } else { f64::from(of_class[classes[i] as usize]) };
        let sum: f64 = (0..2 * kept).map(|i| weight(i / 2) * of_row(i)).sum();
        close(&run(kernel, &bound).remove(0), &|n| weight(n) / sum);
    }
}

/// The rows behind the count hold NaN.
#[test]
fn rows_that_count_are_copied_and_the_others_are_zero() {
    for (row, batch, count) in [(1, 1, 1), (5, 7, 3), (33, 9, 9), (64, 6, 1), (3, 200, 0), (7, 5, 1000)] {
        let (elements, kept) = (row * batch, row * usize::min(count, batch));
        for planes in [1, 2, 5] {
            let (plane_in, plane_out) = (elements.next_multiple_of(64), elements.next_multiple_of(64) + 64);
            let x = numbers(3, planes * plane_in);
            let mut stored = words(&x.iter().map(|x| *x as f32).collect::<Vec<_>>());
            stored.chunks_mut(plane_in).for_each(|plane| plane[kept..].fill(UNTOUCHED));
            let rows = Rows {
                elements: elements as u32,
                row: row as u32,
                planes: planes as u32,
                plane_in: plane_in as u32,
                plane_out: plane_out as u32,
            };
            let number = Bound::Read(vec![count as u32]);
            let bound = [Bound::Read(stored.clone()), number, Bound::Write(planes * plane_out)];
            let found = run(rows, &bound).remove(0);
            for (plane, found) in found.chunks(plane_out).enumerate() {
                let expected = [&stored[plane * plane_in..][..kept], &vec![0; elements - kept]].concat();
                let (found, behind) = found.split_at(elements);
                assert_eq!(found, expected, "{row}x{batch}, {count}, plane {plane}");
                assert!(behind.iter().all(|word| *word == UNTOUCHED));
            }
        }
    }
}
