//! A disassembled program in terms that all devices share, and what is counted in it.

pub(crate) mod adreno;
pub(crate) mod apple;
pub(crate) mod nvidia;
pub(crate) mod rdna;

use std::collections::BTreeMap;
use std::ops::Range;

/// What an instruction does, as far as that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a vector register's lanes, so many to each.
    MultiplyAdds(u32),
    /// Anything else that the vector units do.
    Vector,
    /// From workgroup memory, so many bits a lane.
    Shared(u32),
    /// From storage; the scoreboard's slot, where there are some.
    Load(Option<u32>),
    Other,
}

/// Which loads must have arrived before an instruction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Nothing,
    /// All but so many, the latest.
    Until(usize),
    /// Those in these slots.
    Slots(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) kind: Kind,
    /// How often it is issued.
    pub(crate) times: u32,
    pub(crate) wait: Wait,
}

#[derive(Debug, Default)]
pub(crate) struct Program {
    instructions: Vec<Instruction>,
    labels: BTreeMap<String, usize>,
    /// Places of jumps, with their labels.
    jumps: Vec<(usize, String)>,
}

/// What is counted of a loop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) multiply_adds: u32,
    /// Instructions of the vector units, multiply-adds among them.
    pub(crate) vector: u32,
    /// Loads from workgroup memory, and their bits.
    pub(crate) shared: u32,
    pub(crate) shared_bits: u32,
    /// Loads from storage.
    pub(crate) loads: u32,
    /// Those that stand before the first multiply-add, and have to arrive before it.
    pub(crate) waited: u32,
    /// Issues of multiply-adds: two may share one.
    pub(crate) issued: u32,
}

impl Loop {
    /// Issues that are multiply-adds, of all that the vector units get.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.issued) / f64::from(self.vector.max(1))
    }
}

impl Program {
    fn label(&mut self, name: &str) {
        self.labels.insert(name.to_owned(), self.instructions.len());
    }

    fn push(&mut self, kind: Kind, times: u32, wait: Wait) {
        self.instructions.push(Instruction { kind, times, wait });
    }

    /// A jump that is an instruction too.
    fn jump(&mut self, label: &str, wait: Wait) {
        self.jumps.push((self.instructions.len(), label.to_owned()));
        self.push(Kind::Other, 1, wait);
    }

    /// From each label that is jumped back to, to the last jump.
    fn ranges(&self) -> Vec<Range<usize>> {
        let mut ranges: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, label) in &self.jumps {
            if let Some(start) = self.labels.get(label).filter(|start| *start <= at) {
                let end = ranges.entry(*start).or_default();
                *end = (*end).max(at + 1);
            }
        }
        ranges.into_iter().map(|(start, end)| start..end).collect()
    }

    /// All loops, each with those within it.
    pub(crate) fn loops(&self) -> Vec<Loop> {
        self.ranges().into_iter().map(|range| self.count(range)).collect()
    }

    /// The innermost of those loops that have the most multiply-adds; without loops, the whole.
    pub(crate) fn hot(&self) -> Loop {
        let mut ranges = self.ranges();
        ranges.sort_by_key(ExactSizeIterator::len);
        let loops = ranges.into_iter().map(|range| self.count(range)).rev();
        let hot = loops.max_by_key(|counted| counted.multiply_adds).filter(|hot| hot.multiply_adds > 0);
        hot.unwrap_or_else(|| self.count(0..self.instructions.len()))
    }

    fn count(&self, range: Range<usize>) -> Loop {
        let mut counted = Loop::default();
        // Slots of the loads that are on their way, in order.
        let mut under_way: Vec<Option<u32>> = Vec::new();
        for Instruction { kind, times, wait } in &self.instructions[range] {
            if counted.multiply_adds == 0 {
                let before = under_way.len();
                match wait {
                    Wait::Nothing => (),
                    Wait::Until(left) => drop(under_way.drain(..before.saturating_sub(*left))),
                    Wait::Slots(mask) => {
                        under_way.retain(|slot| slot.is_none_or(|slot| mask >> slot & 1 == 0));
                    }
                }
                counted.waited += (before - under_way.len()) as u32;
            }
            match kind {
                Kind::MultiplyAdds(each) => {
                    counted.multiply_adds += times * each;
                    counted.issued += times;
                    counted.vector += times;
                }
                Kind::Vector => counted.vector += times,
                Kind::Shared(bits) => {
                    counted.shared += times;
                    counted.shared_bits += times * bits;
                }
                Kind::Load(slot) => {
                    counted.loads += times;
                    under_way.push(*slot);
                }
                Kind::Other => (),
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FMA: Kind = Kind::MultiplyAdds(1);

    /// `head: load; wait; inner: fma …; jump inner; jump head`.
    fn nested(wait: Wait, within: u32, behind: u32) -> Program {
        let mut program = Program::default();
        program.label("head");
        program.push(Kind::Load(Some(2)), 1, Wait::Nothing);
        program.push(Kind::Load(Some(3)), 1, Wait::Nothing);
        program.push(Kind::Vector, 1, wait);
        program.label("inner");
        program.push(FMA, within, Wait::Nothing);
        program.jump("inner", Wait::Nothing);
        if behind > 0 {
            program.push(FMA, behind, Wait::Nothing);
        }
        program.jump("head", Wait::Until(0));
        program.jump("end", Wait::Nothing);
        program.label("end");
        program
    }

    #[test]
    fn the_hot_loop_is_the_innermost_that_has_all_multiply_adds() {
        let program = nested(Wait::Nothing, 8, 0);
        assert_eq!(program.loops().len(), 2);
        let hot = program.hot();
        assert_eq!((hot.multiply_adds, hot.vector, hot.loads), (8, 8, 0));
        let hot = nested(Wait::Nothing, 8, 4).hot();
        assert_eq!((hot.multiply_adds, hot.vector, hot.loads), (12, 13, 2));
        assert!((hot.share() - 12.0 / 13.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_loop_all_is_counted() {
        let mut program = Program::default();
        program.push(FMA, 3, Wait::Nothing);
        program.push(Kind::Shared(128), 2, Wait::Nothing);
        let hot = program.hot();
        assert_eq!((hot.multiply_adds, hot.shared, hot.shared_bits), (3, 2, 256));
    }

    #[test]
    fn loads_are_waited_for_by_number_or_by_slot() {
        let waited = |wait| nested(wait, 8, 4).hot().waited;
        assert_eq!(waited(Wait::Nothing), 0);
        assert_eq!(waited(Wait::Until(2)), 0);
        assert_eq!(waited(Wait::Until(1)), 1);
        assert_eq!(waited(Wait::Until(0)), 2);
        assert_eq!(waited(Wait::Slots(1 << 1)), 0);
        assert_eq!(waited(Wait::Slots(1 << 3)), 1);
        assert_eq!(waited(Wait::Slots(0b1100)), 2);
    }
}
