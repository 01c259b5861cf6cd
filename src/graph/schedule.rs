//! A schedule: the steps of one list of dispatches, and its transient memory.

use super::{Region, Slice};
use crate::lifetime::Life;
use crate::shader::{Dtype, Dtypes, Kernel};

pub(crate) type Step = (Kernel, Vec<Slice>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Schedule {
    pub(crate) steps: Vec<Step>,
    transients: Vec<Transient>,
}

/// Memory that is in use during a part of the schedule.
#[derive(Debug, Clone)]
struct Transient {
    name: String,
    bytes: u64,
}

impl Schedule {
    /// Memory for `elements` of a type, in use from the first step that binds it to the last.
    pub(crate) fn transient(&mut self, name: impl Into<String>, elements: usize, dtype: Dtype) -> Slice {
        let size = (dtype.bytes(elements) as u64).next_multiple_of(256);
        self.transients.push(Transient { name: name.into(), bytes: size });
        Slice { region: Region::Transient(self.transients.len() - 1), offset: 0, size, dtype }
    }

    pub(crate) fn push(&mut self, kernel: impl Into<Kernel>, slices: Vec<Slice>) {
        let dtypes = Dtypes::of(slices.iter().map(|slice| slice.dtype));
        self.steps.push((kernel.into().storing(dtypes), slices));
    }

    /// The same of these steps alone.
    pub(crate) fn only(&self, keep: impl Fn(usize) -> bool) -> Schedule {
        let kept = self.steps.iter().enumerate().filter(|(step, _)| keep(*step));
        Schedule { steps: kept.map(|(_, step)| step.clone()).collect(), transients: self.transients.clone() }
    }

    /// For each transient its bytes, and its first and last step.
    pub(crate) fn lives(&self) -> Vec<Life> {
        let unused = |memory: &Transient| Life { size: memory.bytes as usize, first: usize::MAX, last: 0 };
        let mut lives: Vec<Life> = self.transients.iter().map(unused).collect();
        for (step, (_, slices)) in self.steps.iter().enumerate() {
            for slice in slices {
                if let Region::Transient(id) = slice.region {
                    lives[id].first = lives[id].first.min(step);
                    lives[id].last = step;
                }
            }
        }
        let bound = |life: Life| Life { first: life.first.min(life.last), ..life };
        lives.into_iter().map(bound).collect()
    }

    /// The name of the first transient memory of that size.
    pub(crate) fn named(&self, bytes: usize) -> Option<&str> {
        self.transients.iter().find(|memory| memory.bytes as usize == bytes).map(|memory| &memory.name[..])
    }
}
