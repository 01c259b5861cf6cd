use super::{Bound, Lie, MODES, Signal, UNTOUCHED, compare, numbers, run, words};
use crate::model::{Activation, Mode};
use crate::ops::embedding::{EmbeddingForward, EmbeddingSignal, EmbeddingSums, Merge, Selection, SortBlocks};
use crate::shader::Flow;

/// Rows and width of the table, samples and positions: single ones, more positions than a block, rows than a workgroup, and two
/// parts.
fn selections() -> Vec<Selection> {
    [[1, 1, 1, 1], [5, 3, 1, 7], [9, 8, 70, 3], [300, 5, 3, 65], [70, 1, 33, 131], [3, 2, 2, 4096]]
        .map(|[rows, width, batch, positions]| Selection { rows, width, batch, positions })
        .into()
}

/// Inputs that select the first rows more often; every row of a batch some, and row 0 of another sample all.
fn inputs(selection: &Selection) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(3);
    let rows = selection.rows as f32;
    let mut inputs: Vec<f32> =
        (0..selection.selections()).map(|_| (random.f32().powi(2) * rows).floor()).collect();
    inputs[..selection.positions as usize].fill(-0.0);
    inputs
}

/// Sorted as plans do it, part by part.
fn sorted(selection: Selection, x: &[f32]) -> Vec<u32> {
    let pairs = 2 * selection.selections() as usize;
    let pairs_of = |kernel: crate::shader::Kernel, from: Vec<u32>| {
        run(kernel, &[Bound::Read(from), Bound::Write(pairs)]).swap_remove(0)
    };
    let mut pairs = pairs_of(SortBlocks(selection).into(), words(x));
    for run in selection.runs() {
        pairs = pairs_of(Merge { selection, run }.into(), pairs);
    }
    pairs
}

#[test]
fn rows_are_selected_and_nothing_else_is() {
    for selection in selections() {
        let (rows, width) = (selection.rows as usize, selection.width as usize);
        let lie = Lie::Image {
            batch: selection.batch as usize,
            channels: width,
            positions: selection.positions as usize,
        };
        let table = numbers(1, rows * width);
        let weight: Vec<u32> = table.iter().map(|x| (*x as f32).to_bits()).collect();
        let mut x = inputs(&selection);
        let forward = |x: &[f32]| {
            let bound = [Bound::Read(words(x)), Bound::Write(lie.elements()), Bound::Read(weight.clone())];
            run(EmbeddingForward(selection), &bound).swap_remove(0)
        };
        let place = |i: usize| {
            let (q, positions) = (i % selection.positions as usize, selection.positions as usize);
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

#[test]
fn parts_are_sorted_by_row_then_by_position() {
    for selection in selections() {
        let mut x = inputs(&selection);
        *x.last_mut().expect("there is one") = f32::NAN;
        // As many whole samples as have no more than 4,096 positions.
        let part = 4096 / selection.positions * selection.positions;
        let mut want: Vec<[u32; 2]> = (0..).zip(&x).map(|(i, x)| [*x as u32, i]).collect();
        want.last_mut().expect("there is one")[0] = u32::MAX;
        want.chunks_mut(part as usize).for_each(<[_]>::sort_unstable);
        assert!(sorted(selection, &x) == want.concat(), "{selection:?}");
    }
}

/// Gradient, and the diagonal where the mode has one, from loops over samples and positions.
fn expected(selection: &Selection, mode: Mode, signal: &Signal, x: &[f32]) -> Vec<Vec<f64>> {
    let [width, positions] = [selection.width, selection.positions].map(|size| size as usize);
    let mut sums = vec![vec![0.0; selection.rows as usize * width]; 1 + usize::from(mode.has_diagonal())];
    for (number, s) in signal.0.iter().enumerate() {
        let to = &mut sums[number.min(1)];
        for (n, x) in x.chunks_exact(positions).enumerate() {
            let mut sample = vec![0.0; to.len()];
            for (c, q) in (0..width).flat_map(|c| (0..positions).map(move |q| (c, q))) {
                sample[x[q] as usize * width + c] += s[(n * width + c) * positions + q];
            }
            to.iter_mut().zip(sample).for_each(|(to, s)| *to += if number < 2 { s } else { s * s });
        }
    }
    sums
}

#[test]
fn sums_of_the_rows_that_were_selected() {
    for selection in selections() {
        let [width, batch, positions] =
            [selection.width, selection.batch, selection.positions].map(|size| size as usize);
        let lie = Lie::Image { batch, channels: width, positions };
        let (x, len) = (inputs(&selection), selection.rows as usize * width);
        let pairs = sorted(selection, &x);
        for mode in MODES {
            let signal = Signal::new(mode, lie.len());
            let want = expected(&selection, mode, &signal, &x);
            for accumulate in [false, true] {
                let before = 2.0_f32.to_bits();
                let mut found = vec![vec![if accumulate { before } else { UNTOUCHED }; len]; want.len()];
                for part in 0..selection.parts() {
                    let (plane, scale) = (lie.plane() as u32, 0.5);
                    let accumulate = accumulate || part > 0;
                    let kernel = EmbeddingSums { selection, part, mode, plane, accumulate, scale };
                    let mut bound = vec![Bound::Read(signal.store(mode, lie))];
                    bound.extend(found.into_iter().map(Bound::Update));
                    bound.push(Bound::Read(pairs.clone()));
                    found = run(kernel, &bound);
                }
                for (found, want) in found.iter().zip(&want) {
                    let start = if accumulate { 2.0 } else { 0.0 };
                    let want: Vec<f64> = want.iter().map(|sum| start + 0.5 * sum).collect();
                    let found: Vec<f64> = found.iter().map(|x| f64::from(f32::from_bits(*x))).collect();
                    compare(&format!("{selection:?} {mode:?}"), &found, &want);
                }
            }
        }
    }
}

#[test]
fn no_signal_flows_to_what_selects() {
    for mode in MODES {
        let (above, below) = (Lie::Image { batch: 2, channels: 3, positions: 70 }, Lie::Rows { len: 140 });
        let flow = Flow { mode, below: Activation::Identity, plane_in: 448, plane_out: 192 };
        let bound = [
            Bound::Read(Signal::new(mode, above.len()).store(mode, above)),
            Bound::Write(below.plane() * mode.planes()),
        ];
        let found = run(EmbeddingSignal { elements: 140, flow }, &bound).swap_remove(0);
        Signal(vec![vec![0.0; 140]; 2 + mode.rank()]).check("nothing", mode, below, &found);
    }
}
