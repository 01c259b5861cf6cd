//! Memory allocation by liveness: what is never in use at the same time shares memory.

use std::collections::BTreeMap;

/// The size of something, in any unit, and the first and last step at which it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub size: usize,
    pub first: usize,
    pub last: usize,
}

impl Life {
    fn meets(&self, other: &Life) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The largest first: what is small finds room in what is large.
fn largest_first(lives: &[Life]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|id| std::cmp::Reverse(lives[*id].size));
    order
}

/// As few buffers as first fit finds: the buffer of each life, and the size of each buffer.
pub(crate) fn slots(lives: &[Life]) -> (Vec<usize>, Vec<usize>) {
    let (mut slots, mut sizes): (Vec<usize>, Vec<usize>) = (vec![0; lives.len()], Vec::new());
    // For each slot, the first and last steps of the lives in it; they do not overlap.
    let mut tenants: Vec<BTreeMap<usize, usize>> = Vec::new();
    for id in largest_first(lives) {
        let life = lives[id];
        let free = |tenants: &BTreeMap<usize, usize>| {
            tenants.range(..=life.last).next_back().is_none_or(|(_, last)| *last < life.first)
        };
        let slot = tenants.iter().position(free).unwrap_or_else(|| {
            tenants.push(BTreeMap::new());
            sizes.push(life.size);
            tenants.len() - 1
        });
        tenants[slot].insert(life.first, life.last);
        slots[id] = slot;
    }
    (slots, sizes)
}

/// An offset within one buffer for each life, as low as possible, and the size of the buffer.
pub(crate) fn offsets(lives: &[Life]) -> (Vec<usize>, usize) {
    let (mut offsets, mut placed): (Vec<usize>, Vec<usize>) = (vec![0; lives.len()], Vec::new());
    for id in largest_first(lives) {
        let life = lives[id];
        let mut beside: Vec<(usize, usize)> = placed
            .iter()
            .filter(|other| lives[**other].meets(&life))
            .map(|other| (offsets[*other], offsets[*other] + lives[*other].size))
            .collect();
        beside.sort_unstable();
        for (start, end) in beside {
            if offsets[id] + life.size > start {
                offsets[id] = offsets[id].max(end);
            }
        }
        placed.push(id);
    }
    let size = lives.iter().zip(&offsets).map(|(life, offset)| offset + life.size).max().unwrap_or(0);
    (offsets, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(size: usize, first: usize, last: usize) -> Life {
        Life { size, first, last }
    }

    #[test]
    fn what_is_never_in_use_together_shares() {
        // A chain: each is written by one step and read by the next.
        let chain = [life(10, 0, 1), life(20, 1, 2), life(40, 2, 3), life(30, 3, 4)];
        let (shared, sizes) = slots(&chain);
        assert_eq!(sizes, [40, 30]);
        assert_eq!((shared[2], shared[3]), (0, 1));
        for (a, b) in [(0, 1), (1, 2), (2, 3)] {
            assert_ne!(shared[a], shared[b]);
        }
        assert_eq!(offsets(&chain), (vec![0, 40, 0, 40], 70));
    }

    #[test]
    fn what_is_in_use_together_does_not() {
        let lives = [life(5, 0, 9), life(7, 1, 2), life(6, 2, 3), life(1, 4, 4)];
        let (apart, sizes) = slots(&lives);
        assert_eq!(sizes, [7, 6, 5]);
        assert_eq!(apart[..3], [2, 0, 1]);
        assert_ne!(apart[3], 2);
        let (places, size) = offsets(&lives);
        assert_eq!(size, 18);
        for (a, b) in [(0, 1), (1, 2), (0, 2), (0, 3)] {
            let range = |id: usize| places[id]..places[id] + lives[id].size;
            assert!(range(a).end <= range(b).start || range(b).end <= range(a).start, "{places:?}");
        }
    }

    #[test]
    fn one_buffer_is_no_larger_than_what_is_in_use_together() {
        let lives = [life(4, 0, 2), life(8, 1, 3), life(4, 3, 5), life(2, 2, 2), life(6, 4, 6)];
        let (places, size) = offsets(&lives);
        for (i, a) in lives.iter().enumerate() {
            for (j, b) in lives.iter().enumerate().skip(i + 1) {
                let apart = places[i] + a.size <= places[j] || places[j] + b.size <= places[i];
                assert!(!a.meets(b) || apart, "{i} at {}, {j} at {}", places[i], places[j]);
            }
        }
        // At 2 there are 4 + 8 + 2.
        assert_eq!(size, 14);
    }
}
