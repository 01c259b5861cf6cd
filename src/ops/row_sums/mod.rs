//! Sums for the rows of a table from wherever they were selected: gradient and diagonal of embeddings and hash grids.
//!
//! Selections are sorted by row first, so that each sum finds its terms side by side and in the order of the batch: deterministic
//! without atomics, at a cost that does not grow with rows times selections.

mod kernel;

pub(crate) use kernel::{Carry, Clear, Entries, Merge, Selection, SortBlocks, Sums};

use crate::gemm::GradientSink;
use crate::graph::{BackwardPass, Op, Region, Signal, Slice};
use crate::shader::Dtype;
use crate::{Error, Result};

/// Pushes gradient and diagonal of the table whose rows an operation has selected by the network's input.
pub(crate) fn push(
    pass: &mut BackwardPass<'_>,
    op: &Op,
    signal: &Signal,
    selection: Selection,
) -> Result<()> {
    let (setup, flat, curved) = (pass.setup, pass.flat(op), pass.mode.has_diagonal());
    let name = &pass.output(op).name;
    let limits = [
        ("selections of a sample", selection.each, Selection::MOST_OF_SAMPLE),
        ("selections of a batch", setup.elements(name, selection.each as usize)? as u32, Selection::MOST),
    ];
    Error::check_limits(name, limits.map(|(limit, needed, most)| (limit, needed.into(), most.into())))?;
    let input = pass.saved.network_input(pass.graph);
    let sorted = sorted(pass, op, input, selection);
    let mut sums = vec![flat.of(Region::Gradient)];
    sums.extend(curved.then(|| flat.of(Region::Diagonal)));
    if pass.sink_of(op) != GradientSink::Accumulate {
        let elements = selection.rows * selection.width;
        sums.iter().for_each(|to| pass.schedule.push(Clear { elements }, vec![*to]));
    }
    let kernel = Sums { selection, mode: pass.mode, plane: signal.plane, scale: setup.parameter_scale() };
    let carried = pass.schedule.transient(format!("carried sums of {name}"), kernel.carried(), Dtype::F32);
    let points = selection.reads_input().then_some(input);
    let bound = [&[signal.slice], &sums[..], &[carried, sorted]].concat();
    pass.schedule.push(kernel, bound.into_iter().chain(points).collect());
    if selection.chunks() > 1 {
        pass.schedule.push(Carry(kernel), [&[carried], &sums[..], &[sorted]].concat());
    }
    Ok(())
}

/// Pairs of row and entry, sorted.
fn sorted(pass: &mut BackwardPass<'_>, op: &Op, input: Slice, selection: Selection) -> Slice {
    let name = format!("rows of {}", pass.output(op).name);
    let mut memory = || pass.schedule.transient(name.clone(), 2 * selection.entries() as usize, Dtype::F32);
    let [mut from, mut to] = [memory(), memory()];
    pass.schedule.push(SortBlocks(selection), vec![input, from]);
    for run in selection.runs() {
        pass.schedule.push(Merge { selection, run }, vec![from, to]);
        std::mem::swap(&mut from, &mut to);
    }
    from
}
