//! A table whose rows the network's inputs select.
//!
//! The sums for a row come from wherever it was selected. Positions are sorted by row first, so that each sum finds its terms side by
//! side, in the order of the positions: deterministic without atomics, at the cost of the positions times the logarithm of their number
//! instead of positions times rows.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::{EmbeddingForward, EmbeddingSignal, EmbeddingSums, Merge, Selection, SortBlocks};

use crate::gemm::GradientSink;
use crate::graph::{
    BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Region, Setup, Signal, Slice,
};
use crate::model::{Activation, Embedding as Table, Layer, Role};
use crate::shader::Dtype;
use crate::{Error, Result};
#[cfg(feature = "cpu")]
use crate::{graph::Value, host::HostOp};

#[derive(Debug)]
pub(crate) struct Embedding {
    table: Table,
    /// Numbers of a sample that select a row each.
    positions: usize,
}

pub(super) fn lower(layer: &Layer, at: &LayerContext<'_>) -> Result<Option<Lowered>> {
    let Layer::Embedding(table) = *layer else { return Ok(None) };
    Ok(Some(Embedding { table, positions: at.input.iter().product() }.into()))
}

impl Embedding {
    fn selection(&self, setup: &Setup<'_>) -> Selection {
        let Table { count, width, .. } = self.table;
        let [rows, width, batch, positions] =
            [count, width, setup.batch, self.positions].map(|size| size as u32);
        Selection { rows, width, batch, positions }
    }

    /// The positions of each part of the batch, sorted by the rows that they select.
    fn sorted(&self, pass: &mut BackwardPass<'_>, op: &Op) -> Slice {
        let selection = self.selection(pass.setup);
        let name = format!("rows of {}", pass.output(op).name);
        let elements = 2 * selection.selections() as usize;
        let mut memory = || pass.schedule.transient(&name, elements, Dtype::F32);
        let [mut from, mut to] = [memory(), memory()];
        let input = pass.saved.network_input(pass.graph);
        pass.schedule.push(SortBlocks(selection), vec![input, from]);
        for run in selection.runs() {
            pass.schedule.push(Merge { selection, run }, vec![from, to]);
            std::mem::swap(&mut from, &mut to);
        }
        from
    }

    /// Gradient and diagonal, part by part.
    fn parameters(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) {
        let (setup, selection, flat) = (pass.setup, self.selection(pass.setup), pass.flat(op));
        let sorted = self.sorted(pass, op);
        for part in 0..selection.parts() {
            let kernel = EmbeddingSums {
                selection,
                part,
                mode: pass.mode,
                plane: signal.plane,
                accumulate: part > 0 || pass.sink == GradientSink::Accumulate,
                scale: setup.parameter_scale(),
            };
            let mut slices = vec![signal.slice, flat.of(Region::Gradient)];
            slices.extend(pass.mode.has_diagonal().then(|| flat.of(Region::Diagonal)));
            slices.push(sorted);
            pass.schedule.push(kernel, slices);
        }
    }
}

impl Operation for Embedding {
    fn layout(&self) -> Option<Layout> {
        Some(Layout::Image)
    }

    fn input_layout(&self) -> Option<Layout> {
        Some(Layout::Rows)
    }

    fn forward(&self, pass: &mut ForwardPass<'_>, op: &Op) -> Result<()> {
        let weight = pass.setup.parameter(op, Role::Weight);
        pass.of_network_input(op, EmbeddingForward(self.selection(pass.setup)), &[weight])
    }

    fn backward(&self, pass: &mut BackwardPass<'_>, op: &Op, signal: &Signal) -> Result<()> {
        if pass.setup.trains(op) {
            let (positions, most) = (self.positions as u64, u64::from(Selection::PART));
            if positions > most {
                let name = pass.output(op).name.clone();
                return Err(Error::limit(name, "numbers of a sample that select rows", positions, most));
            }
            self.parameters(pass, op, signal);
        }
        if pass.continues(op) {
            let to = pass.target(op.input())?;
            let elements = self.selection(pass.setup).selections();
            let flow = pass.flow(signal, &to, Activation::Identity);
            pass.schedule.push(EmbeddingSignal { elements, flow }, vec![signal.slice, to.slice]);
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Select { table: self.table, positions: self.positions }.into()
    }
}
