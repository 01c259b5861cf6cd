//! Steps of a schedule that need nothing of each other, in one dispatch.

use super::schedule::{Place, Schedule, Step};
use crate::kernel::{Binding, Gemm, GemmPlaces, Hyper, Join, Kernel, Tuning, Use};
use std::collections::VecDeque;
use std::ops::Range;

impl Schedule {
    /// The same with neighbours joined: all that can be, or those that by themselves would leave the device partly idle.
    ///
    /// A signal goes down before its layer's parameters are updated, for it reads them. So a pass that stores gradients has
    /// each signal beside its own layer's, and one that updates has it beside the layer's above. Parts of a convolution's sums are
    /// added up before its signal goes down; then the signal is brought forward.
    pub(super) fn joined(mut self, tuning: Tuning<'_>, all: bool) -> Schedule {
        let pays = |join: &Join| all || join.fewest_groups() < tuning.busy();
        let mut steps = VecDeque::from(std::mem::take(&mut self.steps));
        while let Some(step) = steps.pop_front() {
            let joined = [0, 1].into_iter().find_map(|at| {
                let other = steps.get(at)?;
                let (join, places) = join(tuning, &step, other).filter(|(join, _)| pays(join))?;
                let free = steps.range(..at).all(|passed| is_free(passed, other));
                free.then_some((at, join, places))
            });
            self.steps.push(match joined {
                Some((at, join, places)) => {
                    steps.remove(at);
                    (Kernel::Join(Box::new(join)), places)
                }
                None => step,
            });
        }
        self
    }
}

/// Two products as one kernel, if that can be.
fn join(tuning: Tuning<'_>, one: &Step, other: &Step) -> Option<(Join, Vec<Place>)> {
    let (first, second) = (Product::of(one)?, Product::of(other)?);
    if !is_free(one, other) {
        return None;
    }
    // What goes on waits for the signal, so it comes first.
    let (first, second) = if first.is_signal() { (first, second) } else { (second, first) };
    let same_layer = Extent::of(&first.bound[0]) == Extent::of(&second.bound[0]);
    let (mut of_first, of_second) = (first.places, second.places);
    if first.is_signal() {
        match (second.update(), same_layer) {
            (Some(_), _) => of_first.first = first.weights_within(&second)?,
            (None, true) => (),
            (None, false) => return None,
        }
    }
    let join = Join::new(tuning, (*first.gemm, of_first), (*second.gemm, of_second))?;
    let places = join.bound(first.bound.to_vec(), second.bound.to_vec());
    Some((join, places))
}

/// A step that is a product.
struct Product<'a> {
    gemm: &'a Gemm,
    places: GemmPlaces,
    bound: &'a [Place],
}

impl Product<'_> {
    fn of((kernel, bound): &Step) -> Option<Product<'_>> {
        let Kernel::Gemm(gemm, places) = kernel else { return None };
        Some(Product { gemm, places: *places, bound })
    }

    fn is_signal(&self) -> bool {
        matches!(self.gemm.usage, Use::Signal { .. })
    }

    /// Of an update: the bytes of its parameters, and those from a first moment to its second.
    fn update(&self) -> Option<(Range<u64>, u64)> {
        let len = self.gemm.updated(&self.places)?;
        let start = 16 * u64::from(self.places.first);
        Some((start..start + 4 * u64::from(len), 4 * u64::from(self.places.c_plane)))
    }

    /// Of a signal: where its weights begin in what the other binds as parameters, in vec4s.
    fn weights_within(&self, update: &Product<'_>) -> Option<u32> {
        let (Place::Fixed(weights), Place::Fixed(parameters)) = (&self.bound[1], &update.bound[2]) else {
            return None;
        };
        let inside = weights.buffer == parameters.buffer && weights.offset >= parameters.offset;
        inside.then(|| ((weights.offset - parameters.offset) / 16) as u32)
    }
}

/// The extents that a step reads and writes. A fused update writes only its own layer's parameters and moments, and reads the
/// header before the moments: hyper-parameters and counters. It also raises the divergence word in that header, but by an atomic
/// maximum, which any order of updates leaves equal, so that does not count as a write.
fn extents(step: &Step) -> (Vec<Extent<'_>>, Vec<Extent<'_>>) {
    let (kernel, bound) = step;
    let kinds = kernel.bindings().into_iter().filter(|kind| *kind != Binding::Uniform);
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for (extent, kind) in bound.iter().map(Extent::of).zip(kinds) {
        if kind == Binding::Write { writes.push(extent) } else { reads.push(extent) }
    }
    if let Some((range, distance)) = Product::of(step).and_then(|product| product.update()) {
        let first = 4 * Hyper::FIRST as u64;
        let moment = |from: u64| from + range.start..from + range.end;
        let parts = [(0, range.clone()), (1, moment(first)), (1, moment(first + distance))];
        let part = |(at, bytes): (usize, Range<u64>)| Some(writes.get(at)?.part(bytes));
        let own = parts.into_iter().filter_map(part).collect();
        reads.extend(part((1, 0..first)));
        writes = own;
    }
    (reads, writes)
}

/// Whether neither of two steps writes what the other reads or writes.
fn is_free(one: &Step, other: &Step) -> bool {
    let ((reads, writes), (other_reads, other_writes)) = (extents(one), extents(other));
    let meet = |some: &[Extent<'_>], others: &[Extent<'_>]| {
        some.iter().any(|one| others.iter().any(|other| one.meets(other)))
    };
    !meet(&writes, &other_writes) && !meet(&writes, &other_reads) && !meet(&reads, &other_writes)
}

/// Bytes of a memory.
struct Extent<'a> {
    place: &'a Place,
    whole: Range<u64>,
}

impl PartialEq for Extent<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.whole == other.whole && self.is_in_that_of(other)
    }
}

impl<'a> Extent<'a> {
    fn of(place: &'a Place) -> Extent<'a> {
        let whole = match place {
            Place::Fixed(resource) => resource.offset..resource.offset + resource.size,
            Place::Passing(_, skipped) => *skipped..u64::MAX,
        };
        Extent { place, whole }
    }

    /// Some of its bytes.
    fn part(&self, bytes: Range<u64>) -> Extent<'a> {
        Extent { place: self.place, whole: self.whole.start + bytes.start..self.whole.start + bytes.end }
    }

    /// Whether both are of one memory.
    fn is_in_that_of(&self, other: &Extent<'_>) -> bool {
        match (self.place, other.place) {
            (Place::Fixed(one), Place::Fixed(other)) => one.buffer == other.buffer,
            (Place::Passing(one, _), Place::Passing(other, _)) => one == other,
            _ => false,
        }
    }

    fn meets(&self, other: &Extent<'_>) -> bool {
        let apart = self.whole.end <= other.whole.start || other.whole.end <= self.whole.start;
        self.is_in_that_of(other) && !apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Context;
    use crate::gpu::{Buffer, Resource};
    use crate::kernel::{Advance, Leave, Number, Update};
    use crate::model::Rule;

    struct Rig {
        context: Context,
        parameters: Buffer,
        memory: Buffer,
        rule: Update,
    }

    /// Parameters of the model, in the flat layout.
    const LEN: u32 = 1024;

    impl Rig {
        fn new() -> Rig {
            let context = pollster::block_on(Context::request()).expect("an adapter");
            let buffer = |name, len| context.storage(name, len).expect("a buffer");
            let (parameters, memory) =
                (buffer("parameters", LEN as usize), buffer("memory", Hyper::FIRST + 2 * LEN as usize));
            let rule = Update::new(&Rule::Adam { beta1: 0.9, beta2: 0.99, eps: 1e-3 }, LEN, false);
            Rig { context, parameters, memory, rule }
        }

        fn whole(buffer: &Buffer) -> Place {
            let (buffer, size) = (buffer.clone(), buffer.size());
            Place::Fixed(Resource { buffer, offset: 0, size, number: Number::F32 })
        }

        /// Counts a step.
        fn advance(&self) -> Step {
            (Kernel::Advance(Advance::of(&self.rule)), vec![Rig::whole(&self.memory)])
        }

        /// The update of sixteen by eight weights, from that one on.
        fn update(&self, first: u32) -> Step {
            let usage = Use::Parameters { diagonal: false, bias: false, leave: Leave::Update(self.rule) };
            let gemm = Gemm::new(self.context.tuning(), usage, 16, 8, 4);
            let places = GemmPlaces { first: first / 4, c_plane: LEN, ..GemmPlaces::ALONE };
            let bound = [Place::Passing(0, 0), Place::Passing(1, 0)];
            let written = [&self.parameters, &self.memory].map(Rig::whole);
            (Kernel::Gemm(gemm, places), bound.into_iter().chain(written).collect())
        }
    }

    /// An update reads the counts that a step begins with, and changes its own layer's moments only.
    #[test]
    fn an_update_stays_behind_the_count_of_its_step() {
        let rig = Rig::new();
        assert!(!is_free(&rig.advance(), &rig.update(128)));
        assert!(!is_free(&rig.update(128), &rig.advance()));
        assert!(is_free(&rig.update(128), &rig.update(256)));
        assert!(!is_free(&rig.update(128), &rig.update(128)));
        assert!(!is_free(&rig.update(128), &rig.update(192)));
        // Where both could be joined, the count keeps its place between them.
        let joined = |steps| {
            let mut schedule = Schedule::default();
            schedule.steps = steps;
            schedule.joined(rig.context.tuning(), true).steps.len()
        };
        assert_eq!(joined(vec![rig.update(128), rig.advance(), rig.update(256)]), 3);
        assert_eq!(joined(vec![rig.advance(), rig.update(128), rig.update(256)]), 2);
    }
}
