use super::row_sums::{inputs, selections};
use super::{Bound, Lie, compare, numbers, run, words};
use crate::ops::embedding::EmbeddingForward;

#[test]
fn rows_are_selected_and_nothing_else_is() {
    for selection in selections() {
        let (rows, width) = (selection.rows as usize, selection.width as usize);
        let lie = Lie::Image {
            batch: selection.batch as usize,
            channels: width,
            positions: selection.each as usize,
        };
        let table = numbers(1, rows * width);
        let weight: Vec<u32> = table.iter().map(|x| (*x as f32).to_bits()).collect();
        let mut x = inputs(&selection);
        let forward = |x: &[f32]| {
            let bound = [Bound::Read(words(x)), Bound::Write(lie.elements()), Bound::Read(weight.clone())];
            run(EmbeddingForward(selection), &bound).swap_remove(0)
        };
        let place = |i: usize| {
            let (q, positions) = (i % selection.each as usize, selection.each as usize);
            (i / positions / width * positions + q, i / positions % width)
        };
        let want = |i: usize| {
            let (at, c) = place(i);
            table[x[at] as usize * width + c]
        };
        compare("rows", &lie.load(&forward(&x)), &(0..lie.len()).map(want).collect::<Vec<_>>());
        // Each kind of what is no row, in turn at the last position.
        let last = x.len() - 1;
        for bad in [rows as f32, -1.0, 0.5, 1e-40, 1e30, -1e-40, f32::INFINITY, f32::NAN, -f32::NAN] {
            x[last] = bad;
            let found = forward(&x);
            for i in 0..lie.len() {
                let (at, c) = place(i);
                let number = f32::from_bits(found[lie.place(i)]);
                match at == last {
                    true => assert!(number.is_nan(), "{bad} selects {number}"),
                    false => assert_eq!(f64::from(number), table[x[at] as usize * width + c], "{bad}"),
                }
            }
        }
    }
}
