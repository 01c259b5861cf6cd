//! Memory: what each thread has for itself, and the signals that threads share.

use super::local::Sums;
use super::network::{Network, OpKind, Stage};
use crate::Result;
use crate::model::Mode;
use crate::model::memory::{product, zeros};

/// What a thread has for itself.
#[derive(Debug)]
pub(super) struct Worker {
    /// What lives within a block: of each value the signal, in planes, or without a backward pass the value itself.
    pub brief: Vec<Vec<f32>>,
    /// Of each operation with parameters.
    pub sums: Vec<Sums>,
    pub scratch: Vec<f32>,
    /// A further branch's signal before it is added.
    pub branch: Vec<f32>,
}

impl Worker {
    pub(super) fn new(network: &Network, mode: Mode, batch: usize) -> Result<Worker> {
        let (ops, values, planes) = (&network.ops, &network.values, network.planes);
        let mut worker = Worker {
            brief: values.iter().map(|_| Vec::new()).collect(),
            sums: ops.iter().map(|_| Sums::default()).collect(),
            scratch: Vec::new(),
            branch: Vec::new(),
        };
        let (mut scratch, mut branch) = (Some(0), Some(0));
        let grow =
            |len: &mut Option<usize>, needed: Option<usize>| *len = len.zip(needed).map(|(a, b)| a.max(b));
        for stage in &network.stages {
            let Stage::Run { ops: run, block, .. } = stage else { continue };
            let block = (*block).min(batch);
            for index in run.clone() {
                let op = &ops[index];
                let OpKind::Local(local) = &op.kind else { continue };
                grow(&mut scratch, Some(local.scratch(block)));
                if values[op.output].brief && (planes == 0 || values[op.output].wanted) {
                    let len = product([planes.max(1), block, values[op.output].size]);
                    worker.brief[op.output] = zeros("a block of samples", len)?;
                }
                for (input, adds) in op.inputs.iter().zip(&op.adds) {
                    let len = product([planes, block, values[*input].size]);
                    grow(&mut branch, if *adds { len } else { Some(0) });
                }
                if let (Some(weighted), true) = (local.weighted(), planes > 0) {
                    worker.sums[index] = Sums::new(weighted.sizes(), mode)?;
                }
            }
        }
        (worker.scratch, worker.branch) = (zeros("scratch", scratch)?, zeros("a branch", branch)?);
        Ok(worker)
    }
}

/// Of each value, the buffer that its signal has, and of each buffer the numbers of a sample. A buffer serves again when the
/// operation behind whose output it stands is done, unless signals are kept.
pub(super) fn place(network: &Network, keep: bool) -> (Vec<Option<usize>>, Vec<usize>) {
    let (mut sizes, mut free): (Vec<usize>, Vec<usize>) = Default::default();
    let mut slots = vec![None; network.values.len()];
    let mut give = |value: usize, slots: &mut Vec<Option<usize>>, free: &mut Vec<usize>| {
        let v = &network.values[value];
        if !v.wanted || v.brief || slots[value].is_some() {
            return;
        }
        let fitting = (0..free.len()).min_by_key(|i| sizes[free[*i]].abs_diff(v.size));
        let slot = fitting.map_or_else(
            || {
                sizes.push(0);
                sizes.len() - 1
            },
            |i| free.swap_remove(i),
        );
        sizes[slot] = sizes[slot].max(v.size);
        slots[value] = Some(slot);
    };
    give(network.logits, &mut slots, &mut free);
    for stage in network.stages.iter().rev() {
        for op in network.ops[stage.ops()].iter().rev() {
            op.inputs.iter().for_each(|input| give(*input, &mut slots, &mut free));
        }
        if !keep {
            free.extend(network.ops[stage.ops()].iter().filter_map(|op| slots[op.output]));
        }
    }
    (slots, sizes)
}
