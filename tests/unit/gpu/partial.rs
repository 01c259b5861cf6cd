use super::{Bound, UNTOUCHED, compare, numbers, run, words};
use crate::ops::partial::Rows;

/// The rows behind the count hold NaN; what a mean was divided by is taken off, of vectors its root.
#[test]
fn rows_that_count_are_copied_and_the_others_are_zero() {
    for (row, batch, count) in [(1, 1, 1), (5, 7, 3), (33, 9, 9), (64, 6, 1), (3, 200, 0), (7, 5, 1000)] {
        let (elements, kept) = (row * batch, row * usize::min(count, batch));
        for (planes, vectors) in [(1, 0), (2, 0), (5, 2)] {
            let (plane_in, plane_out) = (elements.next_multiple_of(64), elements.next_multiple_of(64) + 64);
            let x = numbers(3, planes * plane_in);
            let mut stored = words(&x.iter().map(|x| *x as f32).collect::<Vec<_>>());
            stored.chunks_mut(plane_in).for_each(|plane| plane[kept..].fill(UNTOUCHED));
            for mean_of in [None, Some(batch as u32)] {
                let c = mean_of.map_or(1.0, |batch| f64::from(batch) / count.clamp(1, batch as usize) as f64);
                let rows = Rows {
                    elements: elements as u32,
                    row: row as u32,
                    planes: planes as u32,
                    vectors,
                    plane_in: plane_in as u32,
                    plane_out: plane_out as u32,
                    mean_of,
                };
                let number = Bound::Read(vec![count as u32]);
                let bound = [Bound::Read(stored.clone()), number, Bound::Write(planes * plane_out)];
                let found = run(rows, &bound).remove(0);
                for (plane, found) in found.chunks(plane_out).enumerate() {
                    let c = if plane + vectors as usize >= planes { c.sqrt() } else { c };
                    let mine = x[plane * plane_in..][..kept].iter().map(|x| c * x);
                    let expected: Vec<f64> = mine.chain(vec![0.0; elements - kept]).collect();
                    let (found, behind) = found.split_at(elements);
                    let found: Vec<f64> = found.iter().map(|word| f64::from(f32::from_bits(*word))).collect();
                    compare(&format!("{row}x{batch}, {count}, plane {plane}"), &found, &expected);
                    assert!(behind.iter().all(|word| *word == UNTOUCHED));
                }
            }
        }
    }
}
