use super::{Bound, Lie, MODES, Signal, compare, numbers, run, words};
use crate::model::{HashGrid, Mode};
use crate::ops::hashgrid::Grid;
use crate::ops::row_sums::{Carry, Clear, Entries, Merge, Selection, SortBlocks, Sums};
use crate::shader::Kernel;

/// Embeddings by rows and width of the table, samples and positions: single ones, more positions than a block, rows than a
/// workgroup, a chunk that ends with a sample, samples of several chunks, and one that is as long as can be.
pub(super) fn selections() -> Vec<Selection> {
    let sizes = [
        [1, 1, 1, 1],
        [5, 3, 1, 7],
        [9, 8, 70, 3],
        [4, 2, 3, 64],
        [300, 5, 3, 65],
        [70, 1, 33, 131],
        [2, 2, 3, 400],
        [3, 2, 2, 4096],
    ];
    let selection = |[rows, width, batch, each]: [u32; 4]| Selection {
        rows,
        width,
        batch,
        each,
        entries: Entries::Embedding,
    };
    sizes.map(selection).into()
}

/// Inputs of an embedding that select the first rows more often; those of the first sample all row 0.
pub(super) fn inputs(selection: &Selection) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(3);
    let rows = selection.rows as f32;
    let mut inputs: Vec<f32> =
        (0..selection.entries()).map(|_| (random.f32().powi(2) * rows).floor()).collect();
    inputs[..selection.each as usize].fill(-0.0);
    inputs
}

/// Sorted as plans do it.
fn sorted(selection: Selection, x: &[f32]) -> Vec<u32> {
    let pairs = 2 * selection.entries() as usize;
    let next = |kernel: Kernel, from: Vec<u32>| {
        run(kernel, &[Bound::Read(from), Bound::Write(pairs)]).swap_remove(0)
    };
    let first = next(SortBlocks(selection).into(), words(x));
    selection.runs().fold(first, |pairs, run| next(Merge { selection, run }.into(), pairs))
}

#[test]
fn entries_are_sorted_by_row_then_by_place() {
    for selection in selections() {
        let mut x = inputs(&selection);
        *x.last_mut().expect("there is one") = f32::NAN;
        let mut want: Vec<[u32; 2]> = (0..).zip(&x).map(|(i, x)| [*x as u32, i]).collect();
        want.last_mut().expect("there is one")[0] = u32::MAX;
        want.sort_unstable();
        assert!(sorted(selection, &x) == want.concat(), "{selection:?}");
    }
}

/// What an entry does: the sample, the row, for each number of it where that goes to in the signal, and the factor.
struct Entry {
    sample: usize,
    row: usize,
    outputs: Vec<usize>,
    factor: f64,
}

/// Gradient, and the diagonal where the mode has one. `len` numbers of the table, `width` a row.
fn expected(
    mode: Mode,
    signal: &Signal,
    entries: &[Entry],
    [len, width, batch]: [usize; 3],
) -> Vec<Vec<f64>> {
    let mut sums = vec![vec![0.0; len]; 1 + usize::from(mode.has_diagonal())];
    for n in 0..batch {
        // Of each output the factor of each number of the table, in this sample.
        let mut factors = std::collections::BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.sample == n) {
            for (c, output) in entry.outputs.iter().enumerate() {
                *factors.entry((*output, entry.row * width + c)).or_insert(0.0) += entry.factor;
            }
        }
        for (number, s) in signal.0.iter().enumerate() {
            let mut sample = vec![0.0; len];
            for ((output, at), factor) in &factors {
                sample[*at] += s[*output] * if number == 1 { factor * factor } else { *factor };
            }
            let to = &mut sums[number.min(1)];
            to.iter_mut().zip(sample).for_each(|(to, s)| *to += if number < 2 { s } else { s * s });
        }
    }
    sums
}

/// Replacing what is there and adding to it, at half scale, in every mode.
fn check(selection: Selection, lie: Lie, x: &[f32], entries: &[Entry]) {
    let len = (selection.rows * selection.width) as usize;
    let pairs = sorted(selection, x);
    for mode in MODES {
        let signal = Signal::new(mode, lie.len());
        let sizes = [len, selection.width as usize, selection.batch as usize];
        let want = expected(mode, &signal, entries, sizes);
        let kernel = Sums { selection, mode, plane: lie.plane() as u32, scale: 0.5 };
        for start in [0.0, 2.0_f32] {
            let mut found = vec![vec![2.0_f32.to_bits(); len]; want.len()];
            if start == 0.0 {
                for to in &mut found {
                    *to = run(Clear { elements: len as u32 }, &[Bound::Write(len)]).swap_remove(0);
                }
            }
            let mut bound = vec![Bound::Read(signal.store(mode, lie))];
            bound.extend(found.into_iter().map(Bound::Update));
            bound.extend([Bound::Write(kernel.carried()), Bound::Read(pairs.clone())]);
            bound.extend(selection.reads_input().then(|| Bound::Read(words(x))));
            let mut found = run(kernel, &bound);
            let carried = found.pop().expect("it is written");
            if selection.chunks() > 1 {
                let mut bound = vec![Bound::Read(carried)];
                bound.extend(found.into_iter().map(Bound::Update));
                bound.push(Bound::Read(pairs.clone()));
                found = run(Carry(kernel), &bound);
            }
            for (found, want) in found.iter().zip(&want) {
                let want: Vec<f64> = want.iter().map(|sum| f64::from(start) + 0.5 * sum).collect();
                let found: Vec<f64> = found.iter().map(|x| f64::from(f32::from_bits(*x))).collect();
                compare(&format!("{selection:?} {mode:?}"), &found, &want);
            }
        }
    }
}

#[test]
fn sums_of_the_rows_that_inputs_selected() {
    for selection in selections() {
        let [width, batch, positions] =
            [selection.width, selection.batch, selection.each].map(|size| size as usize);
        let lie = Lie::Image { batch, channels: width, positions };
        let x = inputs(&selection);
        let entry = |(i, x): (usize, &f32)| {
            let (sample, q) = (i / positions, i % positions);
            let outputs = (0..width).map(|c| (sample * width + c) * positions + q).collect();
            Entry { sample, row: *x as usize, outputs, factor: 1.0 }
        };
        let entries: Vec<Entry> = x.iter().enumerate().map(entry).collect();
        check(selection, lie, &x, &entries);
    }
}

/// Corners with rows of their own, and tables so small that corners of one cell meet in a row.
#[test]
fn sums_of_the_rows_that_cells_selected() {
    for (axes, layer, batch) in [
        (2, HashGrid { levels: 3, features: 2, log2_table: 4, base: 2, growth: 1.5 }, 70_usize),
        (2, HashGrid { levels: 1, features: 5, log2_table: 1, base: 3, growth: 1.0 }, 3),
        (3, HashGrid { levels: 4, features: 1, log2_table: 3, base: 1, growth: 2.0 }, 40),
        (3, HashGrid { levels: 2, features: 2, log2_table: 6, base: 3, growth: 3.0 }, 1),
    ] {
        let grid = Grid::new(&layer, axes);
        let each = layer.levels << axes;
        let [rows, width, samples, per_sample] =
            [layer.levels * layer.table(), layer.features, batch, each].map(|size| size as u32);
        let entries = Entries::HashGrid(grid);
        let selection = Selection { rows, width, batch: samples, each: per_sample, entries };
        // Some are outside.
        let x: Vec<f32> = numbers(5, batch * axes).iter().map(|x| (0.7 * x + 0.5) as f32).collect();
        let entry = |i: usize| {
            let (sample, level, corner) = (i / each, (i >> axes) % layer.levels, i % (1 << axes));
            let shape = layer.level(level, axes);
            let (mut place, mut factor) = (Vec::new(), 1.0);
            for (axis, x) in x[sample * axes..][..axes].iter().enumerate() {
                let t = f64::from(x.clamp(0.0, 1.0)) * shape.cells as f64;
                let first = (t.floor() as usize).min(shape.cells - 1);
                let further = corner >> axis & 1;
                place.push(first + further);
                let right = t - first as f64;
                factor *= if further == 1 { right } else { 1.0 - right };
            }
            let outputs = (0..layer.features).map(|f| (i >> axes) * layer.features + f).collect();
            Entry { sample, row: shape.row(&place), outputs, factor }
        };
        let entries: Vec<Entry> = (0..batch * each).map(entry).collect();
        check(selection, Lie::Rows { len: batch * layer.levels * layer.features }, &x, &entries);
    }
}
