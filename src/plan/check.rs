//! That a list reads nothing that was not left for it: in debug builds every list of every plan is walked before it gets buffers.

use super::schedule::{Place, Step};
use crate::gpu::{Buffer, Resource};
use crate::kernel::{Binding, Kernel};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Walks a list whose memories lie in the buffers of `colors`. What a step reads of those, the memory's own steps must have
/// written, with nothing else in between; of a resource, all that `needed` says.
///
/// # Errors
/// Which step reads what.
#[allow(clippy::mutable_key_type)] // a buffer is known by its id
pub(super) fn reads(
    steps: &[Step],
    colors: &[usize],
    needed: impl Fn(&Kernel, &Resource) -> Vec<Range<u64>>,
) -> Result<(), String> {
    // Of each colour, the memory that was written there last.
    let mut tenants: BTreeMap<usize, usize> = BTreeMap::new();
    let mut written: HashMap<&Buffer, Vec<(u64, u64)>> = HashMap::new();
    for (index, (kernel, places)) in steps.iter().enumerate() {
        let kinds: Vec<Binding> =
            kernel.bindings().into_iter().filter(|kind| *kind != Binding::Uniform).collect();
        let fault = |what: String| Err(format!("step {index}, {}: {what}", kernel.label()));
        if kinds.len() != places.len() {
            return fault(format!("{} places for {} bindings", places.len(), kinds.len()));
        }
        let bound = || places.iter().zip(&kinds);
        for (at, (place, _)) in bound().enumerate().filter(|(_, (_, kind))| **kind == Binding::Read) {
            match place {
                Place::Passing(id, _) if tenants.get(&colors[*id]) != Some(id) => {
                    return fault(format!("binding {at} reads memory {id}, which is not there"));
                }
                Place::Passing(..) => {}
                Place::Fixed(resource) => {
                    let parts = written.get(&resource.buffer).map_or(&[][..], Vec::as_slice);
                    let missing = uncovered(parts, needed(kernel, resource));
                    if let Some(range) = missing {
                        return fault(format!(
                            "binding {at} reads bytes {range:?}, which nothing has written"
                        ));
                    }
                }
            }
        }
        for (place, _) in bound().filter(|(_, kind)| **kind == Binding::Write) {
            match place {
                Place::Passing(id, _) => drop(tenants.insert(colors[*id], *id)),
                Place::Fixed(resource) => {
                    let bytes = (resource.offset, resource.offset + resource.size);
                    written.entry(&resource.buffer).or_default().push(bytes);
                }
            }
        }
    }
    Ok(())
}

/// The first range that is not made up of parts that were written.
fn uncovered(parts: &[(u64, u64)], ranges: Vec<Range<u64>>) -> Option<Range<u64>> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let mut whole: Vec<(u64, u64)> = Vec::new();
    for (from, to) in parts {
        match whole.last_mut().filter(|(_, end)| from <= *end) {
            Some((_, end)) => *end = to.max(*end),
            None => whole.push((from, to)),
        }
    }
    let covers = |range: &Range<u64>| {
        let behind = whole.partition_point(|(from, _)| *from <= range.start);
        range.is_empty() || (behind > 0 && range.end <= whole[behind - 1].1)
    };
    ranges.into_iter().find(|range| !covers(range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContextOptions;
    use crate::gpu::Context;
    use crate::kernel::DeviceClass;
    use crate::kernel::{Forward, Number, Reduce};
    use crate::model::Activation;

    /// From the first place to the second.
    fn step(from: Place, to: Place) -> Step {
        (Kernel::Forward(Forward { activation: Activation::Tanh, elements: 64 }), vec![from, to])
    }

    fn memory(id: usize) -> Place {
        Place::Passing(id, 0)
    }

    fn context() -> Context {
        let context = pollster::block_on(Context::request()).expect("an adapter");
        Context::from_device(context.device(), context.queue(), ContextOptions::default())
    }

    fn part(buffer: &Buffer, bytes: Range<u64>) -> Resource {
        let size = bytes.end - bytes.start;
        Resource { buffer: buffer.clone(), offset: bytes.start, size, number: Number::F32 }
    }

    fn all(_: &Kernel, resource: &Resource) -> Vec<Range<u64>> {
        std::iter::once(resource.offset..resource.offset + resource.size).collect()
    }

    /// The lists of a pass, one of which has a lifetime more than the other, spliced: as plans once were.
    #[test]
    fn what_lies_in_another_buffer_is_noticed() {
        let outside = || Place::Fixed(part(&context().storage("x", 64).expect("a buffer"), 0..256));
        let chain = [step(outside(), memory(0)), step(memory(0), memory(1)), step(memory(1), memory(2))];
        let none = |_: &Kernel, _: &Resource| Vec::new();
        assert_eq!(reads(&chain, &[0, 1, 0], none), Ok(()));
        let fault = reads(&chain[1..], &[0, 1, 0], none).expect_err("its beginning is missing");
        assert_eq!(fault, "step 0, forward tanh 64: binding 0 reads memory 0, which is not there");
        // Two that are needed at once in one buffer.
        let crossed = [
            step(outside(), memory(0)),
            step(outside(), memory(1)),
            step(memory(0), memory(2)),
            step(memory(1), memory(3)),
        ];
        assert_eq!(reads(&crossed, &[0, 1, 2, 0], none), Ok(()));
        let fault = reads(&crossed, &[0, 0, 2, 1], none).expect_err("memory 1 took the place of 0");
        assert!(fault.starts_with("step 2"), "{fault}");
    }

    #[test]
    fn what_nothing_has_written_is_noticed() {
        let context = context();
        let [x, y] = ["x", "y"].map(|name| context.storage(name, 128).expect("a buffer"));
        let place = |buffer, bytes| Place::Fixed(part(buffer, bytes));
        let halves = [
            step(memory(0), place(&x, 0..256)),
            step(memory(0), place(&x, 256..512)),
            step(place(&x, 128..512), place(&y, 0..256)),
        ];
        let begun = [&[step(place(&y, 0..0), memory(0))], &halves[..]].concat();
        assert_eq!(reads(&begun, &[0], all), Ok(()));
        let missing = [&begun[..2], &begun[3..]].concat();
        let fault = reads(&missing, &[0], all).expect_err("half of it is missing");
        assert_eq!(
            fault,
            "step 2, forward tanh 64: binding 0 reads bytes 128..512, which nothing has written"
        );
        let other = [&begun[..3], &[step(place(&y, 0..256), place(&x, 0..256))]].concat();
        assert!(reads(&other, &[0], all).is_err());
    }

    #[test]
    fn bindings_without_a_place_are_noticed() {
        let reduce = Kernel::Reduce(Reduce::new(DeviceClass::Software, 4, 1.0));
        let fault = reads(&[(reduce, vec![memory(0)])], &[0], all).expect_err("one of two");
        assert_eq!(fault, "step 0, reduce loss: 1 places for 2 bindings");
    }
}
