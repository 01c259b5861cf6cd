//! Dispatches before they have buffers: what is written and read again within a pass shares memory with what is not in use
//! at the same time.

use super::build::Builder;
use super::check;
use super::memory::Kind;
use super::work::{Lists, Work};
use crate::Result;
use crate::gpu::{Buffer, Resource};
use crate::shader::{Dtype, Dtypes, Kernel};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A buffer range that a step reads or writes.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Memory that outlives the pass.
    Fixed(Resource),
    /// Memory from its first step to its last: which, and the bytes at its start that are left out.
    Passing(usize, u64),
}

impl Place {
    /// The same without its first bytes.
    pub(super) fn skipping(self, bytes: u64) -> Place {
        match self {
            Place::Fixed(place) => {
                Place::Fixed(Resource { offset: place.offset + bytes, size: place.size - bytes, ..place })
            }
            Place::Passing(id, skipped) => Place::Passing(id, skipped + bytes),
        }
    }
}

impl From<Resource> for Place {
    fn from(resource: Resource) -> Place {
        Place::Fixed(resource)
    }
}

/// Memory that is in use for a part of a pass only.
#[derive(Debug, Clone)]
struct Passing {
    name: String,
    /// Of four bytes.
    words: usize,
    number: Dtype,
}

/// A kernel, and what it is bound to.
pub(super) type Step = (Kernel, Vec<Place>);

/// The steps of one work, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    pub(super) steps: Vec<Step>,
    passing: Vec<Passing>,
}

impl Schedule {
    /// Memory for `elements` such numbers.
    pub(super) fn passing(&mut self, name: impl Into<String>, elements: usize, number: Dtype) -> Place {
        let words = number.bytes(elements).div_ceil(4);
        self.passing.push(Passing { name: name.into(), words, number });
        Place::Passing(self.passing.len() - 1, 0)
    }

    /// A kernel on places, whatever they hold.
    pub(super) fn push(&mut self, kernel: Kernel, places: Vec<Place>) {
        let numbers = places.iter().map(|place| self.number(place));
        self.steps.push((kernel.storing(Dtypes::of(numbers)), places));
    }

    /// What a place holds.
    pub(super) fn number(&self, place: &Place) -> Dtype {
        match place {
            Place::Fixed(resource) => resource.dtype,
            Place::Passing(id, _) => self.passing[*id].number,
        }
    }

    /// Where a place lies, in the buffers that the colours stand for.
    fn resource(&self, place: &Place, colors: &[usize], buffers: &[Buffer]) -> Resource {
        match place {
            Place::Fixed(resource) => resource.clone(),
            Place::Passing(id, skipped) => {
                let buffer = &buffers[colors[*id]];
                let memory = &self.passing[*id];
                let size = (4 * memory.words as u64).next_multiple_of(256).min(buffer.size());
                let (buffer, number) = (buffer.clone(), memory.number);
                Resource { buffer, offset: *skipped, size: size - skipped, dtype: number }
            }
        }
    }

    /// Of each passing memory: its words, its first and its last step.
    fn lives(&self) -> Vec<Life> {
        let mut lives: Vec<Option<Life>> = vec![None; self.passing.len()];
        for (step, (_, places)) in self.steps.iter().enumerate() {
            for place in places {
                if let Place::Passing(id, _) = place {
                    let life = Life { words: self.passing[*id].words, first: step, last: step };
                    lives[*id].get_or_insert(life).last = step;
                }
            }
        }
        let unused = |memory: &Passing| Life { words: memory.words, first: 0, last: 0 };
        self.passing.iter().zip(lives).map(|(memory, life)| life.unwrap_or_else(|| unused(memory))).collect()
    }
}

/// When a memory is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    words: usize,
    first: usize,
    last: usize,
}

/// Which of a few buffers each memory gets, so that none is used twice at a time; and how large those are. Largest first,
/// each into the first buffer where it fits in time: what is small finds room in what is large.
fn color(lives: &[Life]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|id| std::cmp::Reverse(lives[*id].words));
    let (mut colors, mut sizes): (Vec<usize>, Vec<usize>) = (vec![0; lives.len()], Vec::new());
    // Of each colour, when those that it has begin and end; none meets another.
    let mut tenants: Vec<BTreeMap<usize, usize>> = Vec::new();
    for id in order {
        let life = lives[id];
        let free = |tenants: &BTreeMap<usize, usize>| {
            tenants.range(..=life.last).next_back().is_none_or(|(_, last)| *last < life.first)
        };
        let color = tenants.iter().position(free).unwrap_or_else(|| {
            tenants.push(BTreeMap::new());
            sizes.push(life.words);
            tenants.len() - 1
        });
        tenants[color].insert(life.first, life.last);
        colors[id] = color;
    }
    (colors, sizes)
}

/// Buffers for all schedules, of which one runs at a time; then their dispatches. All shaders are compiled before anything
/// needs one, so that it is known how many there are.
#[allow(clippy::mutable_key_type)] // a buffer is known by its id
pub(super) fn realise(
    builder: &Builder<'_>,
    schedules: &[(Work, Schedule)],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Lists> {
    let colored = |(_, schedule): &'_ (Work, Schedule)| color(&schedule.lives());
    let colored: Vec<_> = schedules.iter().map(colored).collect();
    if cfg!(debug_assertions) {
        for ((work, schedule), (colors, _)) in schedules.iter().zip(&colored) {
            let needed = |kernel: &Kernel, resource: &Resource| builder.needed(*work, kernel, resource);
            let checked = check::reads(&schedule.steps, colors, needed);
            checked.unwrap_or_else(|fault| panic!("{work:?} of {}: {fault}", builder.model.to_json()));
        }
    }
    let count = colored.iter().map(|(_, sizes)| sizes.len()).max().unwrap_or(0);
    let mut buffers = Vec::with_capacity(count);
    for index in 0..count {
        let size = colored.iter().filter_map(|(_, sizes)| sizes.get(index)).max().copied().unwrap_or(0);
        let mut memories = schedules.iter().flat_map(|(_, schedule)| &schedule.passing);
        let name = memories.find(|memory| memory.words == size).map_or("signal", |memory| &memory.name);
        buffers.push(builder.storage(Kind::Signal, name, size)?);
    }
    let mut distinct: Vec<Bound> = Vec::new();
    let mut on: HashMap<Vec<Resource>, Vec<usize>> = HashMap::new();
    let mut lists: Vec<(Work, Vec<usize>)> = Vec::new();
    for ((work, schedule), (colors, _)) in schedules.iter().zip(&colored) {
        let bound = |(kernel, places): &Step| {
            let resource = |place| schedule.resource(place, colors, &buffers);
            let resources: Vec<Resource> = places.iter().map(resource).collect();
            let same = on.entry(resources.clone()).or_default();
            same.iter().copied().find(|known| distinct[*known].0 == *kernel).unwrap_or_else(|| {
                same.push(distinct.len());
                distinct.push((kernel.clone(), resources));
                distinct.len() - 1
            })
        };
        lists.push((*work, schedule.steps.iter().map(bound).collect()));
    }
    builder.context.compile(distinct.iter().map(|(kernel, _)| kernel), progress)?;
    let dispatch = |(kernel, resources): &Bound| Ok(Arc::new(builder.context.dispatch(kernel, resources)?));
    let dispatches = distinct.iter().map(dispatch).collect::<Result<Vec<_>>>()?;
    let list = |(work, steps): (Work, Vec<usize>)| {
        (work, steps.into_iter().map(|step| Arc::clone(&dispatches[step])).collect())
    };
    Ok(Lists(lists.into_iter().map(list).collect()))
}

/// A kernel, and what it is bound to once buffers are there.
type Bound = (Kernel, Vec<Resource>);

#[cfg(test)]
mod tests {
    use super::*;

    fn life(words: usize, first: usize, last: usize) -> Life {
        Life { words, first, last }
    }

    #[test]
    fn what_is_never_in_use_together_shares() {
        // A chain: each is written by one step and read by the next.
        let chain = [life(10, 0, 1), life(20, 1, 2), life(40, 2, 3), life(30, 3, 4)];
        let (colors, sizes) = color(&chain);
        assert_eq!(sizes, [40, 30]);
        assert_eq!((colors[2], colors[3]), (0, 1));
        for (a, b) in [(0, 1), (1, 2), (2, 3)] {
            assert_ne!(colors[a], colors[b]);
        }
    }

    #[test]
    fn what_is_in_use_together_does_not() {
        let (colors, sizes) = color(&[life(5, 0, 9), life(7, 1, 2), life(6, 2, 3), life(1, 4, 4)]);
        assert_eq!(sizes, [7, 6, 5]);
        assert_eq!(colors[..3], [2, 0, 1]);
        assert_ne!(colors[3], 2);
    }
}
