//! Checks that a schedule reads only what it has written before. Debug builds check every schedule of every plan.

use crate::graph::{Region, Slice, Step};
use crate::shader::{Binding, Kernel};
use std::collections::BTreeMap;
use std::ops::Range;

/// Walks a list whose transient memories lie in `slots`, behind the list `before`, whose transient memories are gone. What a step
/// reads of those, the memory's own steps must have written, with nothing else in between; of another slice, all that `needed`
/// says.
pub(super) fn reads(
    before: &[Step],
    steps: &[Step],
    slots: &[usize],
    needed: impl Fn(&Kernel, &Slice) -> Vec<Range<u64>>,
) -> Result<(), String> {
    // Of each slot, the memory that was written there last.
    let mut tenants: BTreeMap<usize, usize> = BTreeMap::new();
    let mut written: BTreeMap<Region, Vec<(u64, u64)>> = BTreeMap::new();
    for (kernel, slices) in before {
        let kinds = kernel.bindings().into_iter().filter(|kind| *kind != Binding::Uniform);
        for (slice, _) in slices.iter().zip(kinds).filter(|(_, kind)| *kind == Binding::Write) {
            written.entry(slice.region).or_default().push((slice.offset, slice.offset + slice.size));
        }
    }
    for (index, (kernel, slices)) in steps.iter().enumerate() {
        let kinds: Vec<Binding> =
            kernel.bindings().into_iter().filter(|kind| *kind != Binding::Uniform).collect();
        let fault = |what: String| Err(format!("step {index}, {}: {what}", kernel.label()));
        if kinds.len() != slices.len() {
            return fault(format!("{} slices for {} bindings", slices.len(), kinds.len()));
        }
        let bound = || slices.iter().zip(&kinds);
        for (at, (slice, _)) in bound().enumerate().filter(|(_, (_, kind))| **kind == Binding::Read) {
            if let Region::Transient(id) = slice.region {
                if tenants.get(&slots[id]) != Some(&id) {
                    return fault(format!("binding {at} reads memory {id}, which is not there"));
                }
                continue;
            }
            let parts = written.get(&slice.region).map_or(&[][..], Vec::as_slice);
            if let Some(range) = uncovered(parts, needed(kernel, slice)) {
                return fault(format!("binding {at} reads bytes {range:?}, which nothing has written"));
            }
        }
        for (slice, _) in bound().filter(|(_, kind)| **kind == Binding::Write) {
            if let Region::Transient(id) = slice.region {
                tenants.insert(slots[id], id);
            } else {
                let bytes = (slice.offset, slice.offset + slice.size);
                written.entry(slice.region).or_default().push(bytes);
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
    use crate::model::Activation;
    use crate::ops::act::ActForward;
    use crate::ops::loss::Reduce;
    use crate::shader::DeviceClass;
    use crate::shader::Dtype;

    /// From the first slice to the second.
    fn step(from: Slice, to: Slice) -> Step {
        (ActForward { activation: Activation::Tanh, elements: 64 }.into(), vec![from, to])
    }

    fn memory(id: usize) -> Slice {
        Slice::new(Region::Transient(id), 0, 64)
    }

    fn own(id: usize, bytes: Range<u64>) -> Slice {
        let size = bytes.end - bytes.start;
        Slice { region: Region::Own(id), offset: bytes.start, size, dtype: Dtype::F32 }
    }

    fn all(_: &Kernel, slice: &Slice) -> Vec<Range<u64>> {
        std::iter::once(slice.offset..slice.offset + slice.size).collect()
    }

    /// A list that begins in the middle of another, and two memories in one slot that are needed at once.
    #[test]
    fn what_lies_in_another_buffer_is_noticed() {
        let outside = || own(0, 0..256);
        let chain = [step(outside(), memory(0)), step(memory(0), memory(1)), step(memory(1), memory(2))];
        let none = |_: &Kernel, _: &Slice| Vec::new();
        assert_eq!(reads(&[], &chain, &[0, 1, 0], none), Ok(()));
        let fault = reads(&[], &chain[1..], &[0, 1, 0], none).expect_err("its beginning is missing");
        assert_eq!(fault, "step 0, forward tanh 64: binding 0 reads memory 0, which is not there");
        // Two that are needed at once in one buffer.
        let crossed = [
            step(outside(), memory(0)),
            step(outside(), memory(1)),
            step(memory(0), memory(2)),
            step(memory(1), memory(3)),
        ];
        assert_eq!(reads(&[], &crossed, &[0, 1, 2, 0], none), Ok(()));
        let fault = reads(&[], &crossed, &[0, 0, 2, 1], none).expect_err("memory 1 took the place of 0");
        assert!(fault.starts_with("step 2"), "{fault}");
    }

    #[test]
    fn what_nothing_has_written_is_noticed() {
        let halves = [
            step(memory(0), own(0, 0..256)),
            step(memory(0), own(0, 256..512)),
            step(own(0, 128..512), own(1, 0..256)),
        ];
        let begun = [&[step(own(1, 0..0), memory(0))], &halves[..]].concat();
        assert_eq!(reads(&[], &begun, &[0], all), Ok(()));
        let missing = [&begun[..2], &begun[3..]].concat();
        let fault = reads(&[], &missing, &[0], all).expect_err("half of it is missing");
        assert_eq!(
            fault,
            "step 2, forward tanh 64: binding 0 reads bytes 128..512, which nothing has written"
        );
        let other = [&begun[..3], &[step(own(1, 0..256), own(0, 0..256))]].concat();
        assert!(reads(&[], &other, &[0], all).is_err());
    }

    /// A list behind another reads what that has left in the plan's own memory, and nothing else of it.
    #[test]
    fn a_list_behind_another_reads_what_it_has_left() {
        let forward = [step(own(0, 0..0), memory(0)), step(memory(0), own(1, 0..256))];
        let behind = [step(own(1, 0..256), memory(0)), step(memory(0), own(2, 0..256))];
        assert_eq!(reads(&forward, &behind, &[0], all), Ok(()));
        let fault = reads(&[], &behind, &[0], all).expect_err("it has no beginning");
        assert_eq!(fault, "step 0, forward tanh 64: binding 0 reads bytes 0..256, which nothing has written");
        let more = [step(own(1, 0..512), memory(0))];
        assert!(reads(&forward, &more, &[0], all).is_err());
        let transient = [step(memory(0), own(2, 0..256))];
        let fault = reads(&forward, &transient, &[0], all).expect_err("that memory is another's by now");
        assert_eq!(fault, "step 0, forward tanh 64: binding 0 reads memory 0, which is not there");
    }

    #[test]
    fn bindings_without_a_place_are_noticed() {
        let reduce = Reduce::new(DeviceClass::Software, 4, 1.0);
        let fault = reads(&[], &[(reduce.into(), vec![memory(0)])], &[0], all).expect_err("one of two");
        assert_eq!(fault, "step 0, reduce loss: 1 slices for 2 bindings");
    }
}
