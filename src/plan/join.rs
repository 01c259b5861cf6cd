//! Steps of a schedule that need nothing of each other, in one dispatch.

use super::schedule::{Place, Schedule, Step};
use crate::kernel::{DeviceClass, Gemm, GemmPlaces, Join, Kernel, Tuning, Use};
use std::ops::Range;

impl Schedule {
    /// The same with neighbours joined: all that can be, none, or (`None`) those that a GPU by itself would idle at.
    ///
    /// A signal goes down before its layer's parameters are updated, for it reads them. So a pass that stores gradients has
    /// each signal beside its own layer's, and one that updates has it beside the layer's above.
    pub(super) fn joined(mut self, tuning: Tuning<'_>, wanted: Option<bool>) -> Schedule {
        let pays = |join: &Join| match wanted {
            Some(all) => all,
            None => tuning.class != DeviceClass::Software && join.fewest_groups() < tuning.busy(),
        };
        let mut steps = std::mem::take(&mut self.steps).into_iter().peekable();
        while let Some(step) = steps.next() {
            let joined =
                steps.peek().and_then(|next| join(tuning, &step, next)).filter(|(join, _)| pays(join));
            self.steps.push(match joined {
                Some((join, places)) => {
                    steps.next();
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
    if !first.is_free_of(&second) {
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

    /// Of an update: the bytes of its parameters.
    fn update(&self) -> Option<Range<u64>> {
        let len = self.gemm.updated(&self.places)?;
        let start = 16 * u64::from(self.places.first);
        Some(start..start + 4 * u64::from(len))
    }

    /// Of a signal: where its weights begin in what the other binds as parameters, in vec4s.
    fn weights_within(&self, update: &Product<'_>) -> Option<u32> {
        let (Place::Fixed(weights), Place::Fixed(parameters)) = (&self.bound[1], &update.bound[2]) else {
            return None;
        };
        let inside = weights.buffer == parameters.buffer && weights.offset >= parameters.offset;
        inside.then(|| ((weights.offset - parameters.offset) / 16) as u32)
    }

    /// What it reads and what it writes, of an update its layer's own parameters only. Moments are touched by updates
    /// alone, each those of its parameters.
    fn extents(&self) -> (Vec<Extent<'_>>, Vec<Extent<'_>>) {
        fn all(places: &[Place]) -> Vec<Extent<'_>> {
            places.iter().map(Extent::of).collect()
        }
        match self.update() {
            Some(range) => {
                let Extent { place, whole } = Extent::of(&self.bound[2]);
                let own = whole.start + range.start..whole.start + range.end;
                (all(&self.bound[..2]), vec![Extent { place, whole: own }])
            }
            None if self.is_signal() => {
                let below = self.bound.get(3).map(Extent::of);
                (all(&self.bound[..2]).into_iter().chain(below).collect(), all(&self.bound[2..3]))
            }
            None => (all(&self.bound[..2]), all(&self.bound[2..])),
        }
    }

    /// Whether neither writes what the other reads or writes.
    fn is_free_of(&self, other: &Product<'_>) -> bool {
        let ((reads, writes), (other_reads, other_writes)) = (self.extents(), other.extents());
        let meet = |some: &[Extent<'_>], others: &[Extent<'_>]| {
            some.iter().any(|one| others.iter().any(|other| one.meets(other)))
        };
        !meet(&writes, &other_writes) && !meet(&writes, &other_reads) && !meet(&reads, &other_writes)
    }
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
