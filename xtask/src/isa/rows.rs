//! Tiles that plans choose, on each device: a row for all texts of one use, one number of components and one tile, with the worst
//! that is found among them; and what is wrong with a row.

use std::collections::{BTreeMap, BTreeSet};

use super::devices::Device;
use super::figures::Figures;
use super::index::{Kind, Text};

/// What a row is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// A pair stands behind the tiles.
    pub(crate) pair: bool,
    pub(crate) usage: String,
    pub(crate) components: u32,
    pub(crate) tile: String,
    pub(crate) device: &'static str,
}

/// Why a tile is not what it was meant to be on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The compiler makes no program of it.
    Crash,
    /// Registers are kept in memory.
    Spills,
    /// The multiply-adds of a stage are no straight run.
    Rolled,
    /// What is fetched for the next stage must arrive before this one's products.
    Waits,
}

impl Fault {
    pub(crate) const ALL: [Fault; 4] = [Fault::Crash, Fault::Spills, Fault::Rolled, Fault::Waits];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Fault::Crash => "crash",
            Fault::Spills => "spills",
            Fault::Rolled => "rolled",
            Fault::Waits => "waits",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) registers: u32,
    pub(crate) spills: u32,
    pub(crate) waves: u32,
    /// Of multiply-adds in the hot loop, in percent of what vector units are given there.
    pub(crate) share: Option<u32>,
    /// Loads of storage in the hot loop, and those waited for.
    pub(crate) loads: u32,
    pub(crate) waited: u32,
    /// Bits that a load from workgroup memory has on average.
    pub(crate) bits: u32,
    pub(crate) bytes: u32,
    pub(crate) faults: BTreeSet<Fault>,
}

type Said = Result<Figures, String>;

/// What is wrong with a text on a device of its class.
pub(crate) fn faults(text: &Text, said: &Said) -> BTreeSet<Fault> {
    let Ok(figures) = said else { return BTreeSet::from([Fault::Crash]) };
    let mut found = BTreeSet::new();
    if figures.spills > 0 {
        found.insert(Fault::Spills);
    }
    if let Some(hot) = &figures.hot {
        let has = |wanted: &u32| figures.loops.iter().any(|loop_| loop_ >= wanted);
        if !text.unrolled.iter().all(has) {
            found.insert(Fault::Rolled);
        }
        if text.kind == Kind::Tile && text.steps > 0 && hot.waited > 0 {
            found.insert(Fault::Waits);
        }
    }
    found
}

impl Row {
    fn of(text: &Text, said: &Said) -> Row {
        let faults = faults(text, said);
        let bytes = text.bytes;
        let Ok(figures) = said else {
            let none = Row {
                registers: 0,
                spills: 0,
                waves: u32::MAX,
                share: None,
                loads: 0,
                waited: 0,
                bits: 0,
                bytes,
                faults,
            };
            return none;
        };
        let hot = figures.hot.as_ref();
        Row {
            registers: figures.registers,
            spills: figures.spills,
            waves: figures.waves,
            share: hot.map(|hot| (100.0 * hot.share()).round() as u32),
            loads: hot.map_or(0, |hot| hot.loads),
            waited: hot.map_or(0, |hot| hot.waited),
            bits: hot.map_or(0, |hot| hot.shared_bits / hot.shared.max(1)),
            bytes,
            faults,
        }
    }

    /// The worst of both.
    fn take(&mut self, other: Row) {
        self.registers = self.registers.max(other.registers);
        self.spills = self.spills.max(other.spills);
        self.waves = self.waves.min(other.waves);
        self.share = match (self.share, other.share) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if other.waited > self.waited {
            (self.loads, self.waited) = (other.loads, other.waited);
        }
        self.bits = self.bits.min(other.bits);
        self.bytes = self.bytes.max(other.bytes);
        self.faults.extend(other.faults);
    }
}

pub(crate) type Rows = BTreeMap<Key, Row>;

/// All rows, of what was said of each text on each device.
pub(crate) fn rows<'a>(said: impl Iterator<Item = (&'static Device, &'a Text, &'a Said)>) -> Rows {
    let mut rows = Rows::new();
    for (device, text, said) in said {
        if !text.is_product() || !device.is_of(&text.chosen) {
            continue;
        }
        let key = Key {
            pair: text.kind == Kind::Pair,
            usage: text.usage.clone(),
            components: text.components,
            tile: text.tile.clone(),
            device: device.name,
        };
        let row = Row::of(text, said);
        match rows.get_mut(&key) {
            Some(known) => known.take(row),
            None => drop(rows.insert(key, row)),
        }
    }
    rows
}

/// The rows of these devices side by side.
pub(crate) fn by_tile<'a>(
    rows: &'a Rows,
    devices: &[&Device],
) -> BTreeMap<(bool, &'a str, u32, &'a str), Vec<Option<&'a Row>>> {
    let mut tiles: BTreeMap<_, Vec<Option<&Row>>> = BTreeMap::new();
    for (key, row) in rows {
        let of = (key.pair, key.usage.as_str(), key.components, key.tile.as_str());
        let cells = tiles.entry(of).or_insert_with(|| vec![None; devices.len()]);
        let at = devices.iter().position(|device| device.name == key.device);
        at.into_iter().for_each(|at| cells[at] = Some(row));
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::super::index;
    use super::super::program::Loop;
    use super::*;

    fn text() -> Text {
        index::read(&format!("\n{}", index::tests::LINE)).unwrap().remove(0)
    }

    fn figures() -> Figures {
        let hot = Loop { multiply_adds: 256, vector: 300, loads: 8, ..Loop::default() };
        Figures { registers: 96, spills: 0, waves: 8, code: 4000, hot: Some(hot), loops: vec![0, 256] }
    }

    #[test]
    fn every_fault_is_noticed() {
        let (text, good) = (text(), figures());
        let found = |figures: Figures| faults(&text, &Ok(figures)).into_iter().collect::<Vec<_>>();
        assert_eq!(found(good.clone()), []);
        assert_eq!(found(Figures { spills: 1, ..good.clone() }), [Fault::Spills]);
        assert_eq!(found(Figures { loops: vec![128, 255], ..good.clone() }), [Fault::Rolled]);
        let waits = Loop { waited: 1, ..good.hot.clone().unwrap() };
        let waits = Figures { hot: Some(waits), ..good.clone() };
        assert_eq!(found(waits.clone()), [Fault::Waits]);
        assert_eq!(faults(&text, &Err("not possible".into())), BTreeSet::from([Fault::Crash]));
        // Only what is staged is fetched ahead.
        let plain = Text { steps: 0, unrolled: vec![], ..text.clone() };
        assert_eq!(faults(&plain, &Ok(waits)), BTreeSet::new());
        // A device that shows no program is held to its numbers.
        let numbers = Figures { hot: None, loops: vec![], ..good };
        assert_eq!(found(numbers.clone()), []);
        assert_eq!(found(Figures { spills: 2, ..numbers }), [Fault::Spills]);
    }

    #[test]
    fn both_loops_of_a_pair_are_to_be_unrolled() {
        let pair = Text { kind: Kind::Pair, unrolled: vec![256, 512], ..text() };
        let of = |loops: &[u32]| faults(&pair, &Ok(Figures { loops: loops.into(), ..figures() }));
        assert_eq!(of(&[256, 512]), BTreeSet::new());
        assert_eq!(of(&[256, 256]), BTreeSet::from([Fault::Rolled]));
    }

    #[test]
    fn a_row_has_the_worst_of_its_texts_on_devices_of_its_class() {
        let (one, other) = (text(), Text { bytes: 1024, ..text() });
        let fast = Ok(figures());
        let slow = Ok(Figures { registers: 128, spills: 3, waves: 4, ..figures() });
        let software = Text { chosen: vec!["software".into()], ..text() };
        let navi = Device::of("navi31").unwrap();
        let said = [(navi, &one, &fast), (navi, &other, &slow), (navi, &software, &slow)];
        let rows = rows(said.into_iter());
        let [(key, row)] = &rows.iter().collect::<Vec<_>>()[..] else { panic!("{rows:?}") };
        assert_eq!((key.usage.as_str(), key.components, key.device), ("signal", 2, "navi31"));
        assert_eq!((row.registers, row.spills, row.waves, row.bytes), (128, 3, 4, 1024));
        assert_eq!(row.faults, BTreeSet::from([Fault::Spills]));
        let tiles = by_tile(&rows, &[Device::of("m1").unwrap(), navi]);
        assert_eq!(tiles.into_values().collect::<Vec<_>>(), [vec![None, Some(*row)]]);
    }
}
