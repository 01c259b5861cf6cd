//! Joins independent steps of a schedule into one dispatch.

use crate::gemm::{Join, Product, Tuning, Use};
use crate::graph::{Region, Schedule, Slice, Step};
use crate::ops::optimizer::Hyper;
use crate::shader::Binding;
use std::collections::VecDeque;
use std::ops::Range;

/// The same with neighbours joined: all that can be, or those that by themselves would leave the device partly idle.
///
/// A signal goes down before its layer's parameters are updated, for it reads them. So a pass that stores gradients has each
/// signal beside its own layer's, and one that updates has it beside the layer's above. Parts of a convolution's sums are added
/// up before its signal goes down; then the signal is brought forward.
pub(super) fn neighbours(mut schedule: Schedule, tuning: Tuning<'_>, all: bool) -> Schedule {
    let pays = |join: &Join| all || join.fewest_groups() < tuning.busy();
    let mut steps = VecDeque::from(std::mem::take(&mut schedule.steps));
    while let Some(step) = steps.pop_front() {
        let joined = [0, 1].into_iter().find_map(|at| {
            let other = steps.get(at)?;
            let (join, slices) = join(tuning, &step, other).filter(|(join, _)| pays(join))?;
            let free = steps.range(..at).all(|passed| is_free(passed, other));
            free.then_some((at, join, slices))
        });
        schedule.steps.push(match joined {
            Some((at, join, slices)) => {
                steps.remove(at);
                (join.into(), slices)
            }
            None => step,
        });
    }
    schedule
}

fn join(tuning: Tuning<'_>, one: &Step, other: &Step) -> Option<(Join, Vec<Slice>)> {
    let (first, second) = (ProductStep::of(one)?, ProductStep::of(other)?);
    if !is_free(one, other) {
        return None;
    }
    // Later steps wait for the signal, so it comes first.
    let (first, second) = if first.is_signal() { (first, second) } else { (second, first) };
    let same_layer = extent(&first.slices[0]) == extent(&second.slices[0]);
    let (mut of_first, of_second) = (*first.product, *second.product);
    if first.is_signal() {
        match (second.update(), same_layer) {
            (Some(_), _) => of_first.offsets.first = first.weights_within(&second)?,
            (None, true) => (),
            (None, false) => return None,
        }
    }
    let join = Join::new(tuning, of_first, of_second)?;
    let slices = join.bound(first.slices.to_vec(), second.slices.to_vec());
    Some((join, slices))
}

/// A step that is a product in f32.
struct ProductStep<'a> {
    product: &'a Product,
    slices: &'a [Slice],
}

impl ProductStep<'_> {
    fn of((kernel, slices): &Step) -> Option<ProductStep<'_>> {
        let product = kernel.product().filter(|_| kernel.dtypes().all_f32())?;
        Some(ProductStep { product, slices })
    }

    fn is_signal(&self) -> bool {
        matches!(self.product.gemm.usage, Use::Signal { .. })
    }

    /// For an update: the byte range of its parameters, and the distance from the first moments to the second.
    fn update(&self) -> Option<(Range<u64>, u64)> {
        let len = self.product.updated()?;
        let start = 16 * u64::from(self.product.offsets.first);
        Some((start..start + 4 * u64::from(len), 4 * u64::from(self.product.offsets.c_plane)))
    }

    /// For a signal: the offset of its weights in the parameters that the update binds, in vec4s.
    fn weights_within(&self, update: &ProductStep<'_>) -> Option<u32> {
        let (weights, parameters) = (&self.slices[1], &update.slices[2]);
        let inside = weights.region == parameters.region && weights.offset >= parameters.offset;
        inside.then(|| ((weights.offset - parameters.offset) / 16) as u32)
    }
}

/// What a step reads and writes. An update reads hyper-parameters and counters, and otherwise accesses only its own layer's
/// parameters and moments. (The divergence word only ever rises, in any order.)
fn extents(step: &Step) -> (Vec<Slice>, Vec<Slice>) {
    let (kernel, bound) = step;
    let kinds = kernel.bindings().into_iter().filter(|kind| *kind != Binding::Uniform);
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for (slice, kind) in bound.iter().map(extent).zip(kinds) {
        if kind == Binding::Write { writes.push(slice) } else { reads.push(slice) }
    }
    if let Some((range, distance)) = ProductStep::of(step).and_then(|bound| bound.update()) {
        let first = 4 * Hyper::FIRST as u64;
        let moment = |from: u64| from + range.start..from + range.end;
        let parts = [(0, range.clone()), (1, moment(first)), (1, moment(first + distance))];
        let part = |(at, bytes): (usize, Range<u64>)| {
            let of: &Slice = writes.get(at)?;
            Some(Slice { offset: of.offset + bytes.start, size: bytes.end - bytes.start, ..*of })
        };
        let own = parts.into_iter().filter_map(part).collect();
        reads.extend(part((1, 0..first)));
        writes = own;
    }
    (reads, writes)
}

/// Whether neither of two steps writes what the other reads or writes.
fn is_free(one: &Step, other: &Step) -> bool {
    let ((reads, writes), (other_reads, other_writes)) = (extents(one), extents(other));
    let meet = |some: &[Slice], others: &[Slice]| some.iter().any(|one| others.iter().any(|o| one.meets(o)));
    !meet(&writes, &other_writes) && !meet(&writes, &other_reads) && !meet(&reads, &other_writes)
}

/// A slice; for transient memory, everything from its start on.
fn extent(slice: &Slice) -> Slice {
    match slice.region {
        Region::Transient(_) => Slice { size: u64::MAX - slice.offset, ..*slice },
        _ => *slice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::{Gemm, GradientSink, Offsets};
    use crate::model::Rule;
    use crate::ops::optimizer::{Advance, Update};
    use crate::shader::DeviceClass;

    /// Parameters of the model, in the flat layout.
    const LEN: u32 = 1024;

    fn rule() -> Update {
        Update::new(&Rule::Adam { beta1: 0.9, beta2: 0.99, eps: 1e-3 }, LEN, false)
    }

    fn memory() -> Slice {
        Slice::new(Region::Optimizer, 0, Hyper::FIRST + 2 * LEN as usize)
    }

    /// Counts a step.
    fn advance() -> Step {
        (Advance::of(&rule()).into(), vec![memory()])
    }

    /// The update of sixteen by eight weights, from that one on.
    fn update(first: u32) -> Step {
        let usage = Use::Parameters { diagonal: false, bias: false, sink: GradientSink::Update(rule()) };
        let gemm = Gemm::new(DeviceClass::Discrete, usage, 16, 8, 4);
        let offsets = Offsets { first: first / 4, c_plane: LEN, ..Offsets::ALONE };
        let transient = |id| Slice::new(Region::Transient(id), 0, 64);
        let parameters = Slice::new(Region::Parameters, 0, LEN as usize);
        (Product { gemm, offsets }.into(), vec![transient(0), transient(1), parameters, memory()])
    }

    /// An update reads the counts that a step begins with, and changes its own layer's moments only.
    #[test]
    fn an_update_stays_behind_the_count_of_its_step() {
        assert!(!is_free(&advance(), &update(128)));
        assert!(!is_free(&update(128), &advance()));
        assert!(is_free(&update(128), &update(256)));
        assert!(!is_free(&update(128), &update(128)));
        assert!(!is_free(&update(128), &update(192)));
        // Where both could be joined, the count keeps its place between them.
        let joined = |steps| {
            let mut schedule = Schedule::default();
            schedule.steps = steps;
            neighbours(schedule, DeviceClass::Discrete.into(), true).steps.len()
        };
        assert_eq!(joined(vec![update(128), advance(), update(256)]), 3);
        assert_eq!(joined(vec![advance(), update(128), update(256)]), 2);
    }
}
