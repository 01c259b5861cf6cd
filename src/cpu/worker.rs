//! Memory that belongs to one thread.

use super::program::Program;
use super::stages::Stage;
use crate::Result;
use crate::host::{HostOp, Sums};
use crate::memory::{product, zeros};
use crate::model::Mode;

#[derive(Debug)]
pub(super) struct Worker {
    /// For each block-local value its signal, component by component, or for inference the value itself. Empty for all other
    /// values.
    pub block_local: Vec<Vec<f32>>,
    /// For each operation; empty for one without parameters.
    pub sums: Vec<Sums>,
    pub scratch: Vec<f32>,
    /// The signal of one branch, before it is added to that of others.
    pub branch: Vec<f32>,
}

impl Worker {
    pub(super) fn new(program: &Program, mode: Mode, batch: usize) -> Result<Worker> {
        let (ops, values, components) = (&program.ops, &program.values, program.components);
        let mut worker = Worker {
            block_local: values.iter().map(|_| Vec::new()).collect(),
            sums: ops.iter().map(|_| Sums::default()).collect(),
            scratch: Vec::new(),
            branch: Vec::new(),
        };
        let (mut scratch, mut branch) = (Some(0), Some(0));
        let grow =
            |len: &mut Option<usize>, needed: Option<usize>| *len = len.zip(needed).map(|(a, b)| a.max(b));
        for (op, sums) in ops.iter().zip(&mut worker.sums).filter(|_| components > 0) {
            if let HostOp::Batch(batch_op) = &op.kind {
                *sums = Sums::new(batch_op.sizes(), mode)?;
            }
        }
        for stage in &program.stages {
            let Stage::Run { ops: run, block, .. } = stage else { continue };
            let block = (*block).min(batch);
            for index in run.clone() {
                let op = &ops[index];
                let HostOp::Sample(sample_op) = &op.kind else { continue };
                grow(&mut scratch, Some(sample_op.scratch(block, components)));
                if values[op.output].block_local && (components == 0 || values[op.output].wanted) {
                    let len = product([components.max(1), block, values[op.output].size]);
                    worker.block_local[op.output] = zeros("a block of samples", len)?;
                }
                for (input, adds) in op.inputs.iter().zip(&op.adds) {
                    let len = product([components, block, values[*input].size]);
                    grow(&mut branch, if *adds { len } else { Some(0) });
                }
                if let (Some(weighted), true) = (sample_op.weighted(), components > 0) {
                    worker.sums[index] = Sums::new(weighted.sizes(), mode)?;
                }
            }
        }
        (worker.scratch, worker.branch) = (zeros("scratch", scratch)?, zeros("a branch", branch)?);
        Ok(worker)
    }
}
