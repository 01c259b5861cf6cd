//! A table whose rows the network's inputs select.

#[cfg(feature = "cpu")]
pub(crate) mod host;
mod kernel;

pub(crate) use kernel::EmbeddingForward;

use crate::Result;
use crate::graph::{BackwardPass, ForwardPass, LayerContext, Layout, Lowered, Op, Operation, Setup, Signal};
use crate::model::{Embedding as Table, Layer, Role};
use crate::ops::row_sums::{self, Clear, Entries, Selection};
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
        let [rows, width, batch, each] = [count, width, setup.batch, self.positions].map(|size| size as u32);
        Selection { rows, width, batch, each, entries: Entries::Embedding }
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
        let selection = self.selection(pass.setup);
        if pass.setup.trains(op) {
            row_sums::push(pass, op, signal, selection)?;
        }
        if pass.continues(op) {
            // What selects rows has no derivative.
            let to = pass.target(op.input())?.slice;
            pass.schedule.push(Clear { elements: (to.size / to.dtype.bytes(1) as u64) as u32 }, vec![to]);
        }
        Ok(())
    }

    #[cfg(feature = "cpu")]
    fn host(&self, _: &Value, _: &Value) -> HostOp {
        host::Select { table: self.table, positions: self.positions }.into()
    }
}
