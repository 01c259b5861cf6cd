//! Tiles that were measured on a device, to be used instead of the shipped choice.

use super::sizes::{Sizes, TileUse};
use super::tile::{Family, Tile};
use crate::error::Cause;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The fastest tile of each of some products, as `cargo xtask tune` writes it. A product takes the tile of the nearest entry of
/// its use and its components whose sizes are within a factor of two of its own, else of one for any size; where there is none,
/// or none that the device can make, it takes the shipped choice. Results keep their bits: a tile decides who sums, not in
/// which order; only slices of k change that, and those of [`Family::Cooperative`] round differently. A product of several
/// components is summed in the order in which plain backprop's is, so that the gradient has the same bits in every mode: tiles with
/// another order are passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileTable {
    /// What it was measured on; for the reader.
    pub adapter: String,
    /// In any order.
    pub entries: Vec<TileEntry>,
}

/// One product, and its tile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileEntry {
    /// What the product is for.
    pub usage: TileUse,
    /// Numbers per element: 1 of plain backprop and of every forward pass, 2 of HesScale, one more for each vector of
    /// HesScale-R and -S.
    pub components: u32,
    /// m, n and k, all terms of the sum together. `None`: any.
    pub size: Option<[u32; 3]>,
    /// The fastest.
    pub tile: Tile,
}

/// Accumulators beyond which no compiler copes.
const MOST_SUMS: u32 = 512;

impl TileTable {
    /// Reads a table and checks each entry.
    ///
    /// # Errors
    /// [`Error::TileTable`]: no JSON of a table, or an entry that no shader can be made of.
    pub fn from_json(text: &str) -> Result<TileTable> {
        let table: TileTable = serde_json::from_str(text)
            .map_err(|e| Error::TileTable { problem: e.to_string(), source: Cause::new(e) })?;
        table.check()?;
        Ok(table)
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.entries.iter().enumerate().try_for_each(|(i, entry)| {
            entry
                .check()
                .map_err(|what| Error::TileTable { problem: format!("entry {i}: {what}"), source: None })
        })
    }

    /// As it is read.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a table holds only numbers and text")
    }

    /// The tile of the nearest entry of those that `can` be made.
    pub(super) fn find(&self, sizes: &Sizes, can: impl Fn(Tile) -> bool) -> Option<Tile> {
        let size = [sizes.m, sizes.n, sizes.terms()];
        let near = self.entries.iter().filter_map(|entry| {
            let fits = entry.usage == sizes.kind && entry.components == sizes.components && can(entry.tile);
            let far = match entry.size {
                None => Some(f64::INFINITY),
                Some(own) => distance(own, size),
            };
            far.filter(|_| fits).map(|far| (far, entry.tile))
        });
        near.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, tile)| tile)
    }
}

/// How many doublings two products' sizes are apart; nothing where one of the sizes is more than one.
fn distance(a: [u32; 3], b: [u32; 3]) -> Option<f64> {
    let doublings = a.iter().zip(b).map(|(a, b)| (f64::from(*a) / f64::from(b)).log2().abs());
    let (most, sum) = doublings.fold((0.0, 0.0), |(most, sum), x| (x.max(most), sum + x));
    (most <= 1.0).then_some(sum)
}

impl TileEntry {
    fn check(&self) -> std::result::Result<(), String> {
        let TileEntry { usage, components, size, tile } = self;
        let between = |what: &str, value: u32, least: u32, most: u32| match value {
            value if (least..=most).contains(&value) => Ok(()),
            value => Err(format!("{what} is {value}; it must be {least} to {most}")),
        };
        between("components", *components, 1, 4)?;
        for (name, size) in ["m", "n", "k"].into_iter().zip(size.iter().flatten()) {
            between(name, *size, 1, u32::MAX)?;
        }
        between("tile.rows", tile.rows, 1, 16)?;
        between("tile.vectors", tile.vectors, 1, 4)?;
        between("tile.width", tile.width, 1, 1024)?;
        between("tile.height", tile.height, 1, 1024)?;
        between("accumulators of an invocation", 4 * tile.rows * tile.vectors * components, 4, MOST_SUMS)?;
        let mut fours = matches!(usage, TileUse::Parameters | TileUse::ConvolutionParameters);
        if tile.family == Family::Sliced && !tile.is_sliceable() {
            return Err(format!(
                "a tile of {tile} cannot be sliced; tile.height must be a power of two up to 256, and tile.rows times tile.vectors \
                 at most that"
            ));
        }
        if let Family::Workgroup { steps, buffers, slices } = tile.family {
            between("buffers", buffers, 1, 2)?;
            between("slices", slices, 1, 64)?;
            if ![4, 8, 16].contains(&steps) {
                return Err(format!("steps is {steps}; it must be 4, 8 or 16"));
            }
            if !slices.is_power_of_two() {
                return Err(format!("slices is {slices}; it must be a power of two"));
            }
            fours = true;
        }
        if let Family::Cooperative { matrices, steps } = tile.family {
            matrices.check(*tile, steps)?;
        }
        if fours && !tile.rows.is_multiple_of(4) {
            return Err(format!("tile.rows is {}; it must be a multiple of 4 here", tile.rows));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::Tuning;
    use crate::shader::DeviceClass;

    const TEXT: &str = r#"{
        "adapter": "one",
        "entries": [
            { "usage": "forward", "components": 1, "size": [128, 512, 784],
              "tile": { "family": "registers", "rows": 2, "vectors": 1, "width": 64, "height": 1 } },
            { "usage": "forward", "components": 1, "size": [512, 512, 784],
              "tile": { "family": { "workgroup": { "steps": 8, "buffers": 2 } },
                        "rows": 8, "vectors": 2, "width": 8, "height": 8 } }
        ]
    }"#;

    fn sizes(m: u32) -> Sizes {
        let kind = TileUse::Forward;
        Sizes { kind, components: 1, m, n: 512, k: 784, segments: 1, step: 4, vectors: true, long: false }
    }

    #[test]
    fn the_nearest_entry_within_a_factor_of_two_counts() {
        let table = TileTable::from_json(TEXT).expect("a table");
        assert_eq!(TileTable::from_json(&table.to_json()), Ok(table.clone()));
        let shipped = Tuning::from(DeviceClass::Software);
        let tuning = Tuning { table: Some(&table), ..shipped };
        let rows = |m| tuning.choose(&sizes(m)).rows;
        assert_eq!([64, 128, 200, 300, 512, 1024].map(rows), [2, 2, 2, 8, 8, 8]);
        for m in [63, 1025, 1] {
            assert_eq!(tuning.choose(&sizes(m)), shipped.choose(&sizes(m)), "{m}");
        }
        let other = Sizes { kind: TileUse::Signal, ..sizes(128) };
        assert_eq!(tuning.choose(&other), shipped.choose(&other));
        let any = TileEntry { size: None, ..table.entries[0].clone() };
        let table = TileTable { entries: vec![any, table.entries[1].clone()], ..table.clone() };
        let tuning = Tuning { table: Some(&table), ..shipped };
        assert_eq!([1, 512, 2048].map(|m| tuning.choose(&sizes(m)).rows), [2, 8, 2]);
        let two = Sizes { components: 2, ..sizes(128) };
        let in_order = tuning.choose(&two);
        assert!(table.entries.iter().all(|entry| entry.tile != in_order) && in_order.slices() == 1);
    }

    /// So the gradient has the same bits in every mode, whatever a table has for each.
    #[test]
    fn a_signal_is_summed_in_plain_backprops_order() {
        let tile = |family, height| Tile { family, rows: 4, vectors: 1, width: 4, height };
        let (sliced, other, in_order) =
            (tile(Family::Sliced, 16), tile(Family::Sliced, 8), tile(Family::Registers, 16));
        let entry = |components, tile| TileEntry { usage: TileUse::Signal, components, size: None, tile };
        for (class, of_one, of_two) in DeviceClass::ALL.into_iter().flat_map(|class| {
            let tiles = [(sliced, sliced), (sliced, other), (sliced, in_order), (in_order, sliced)];
            tiles.map(|(one, two)| (class, one, two))
        }) {
            let entries = vec![entry(1, of_one), entry(2, of_two)];
            let table = TileTable { adapter: "one".into(), entries };
            let tuning = Tuning { table: Some(&table), ..Tuning::from(class) };
            let chosen = |components| tuning.choose(&Sizes { kind: TileUse::Signal, components, ..sizes(4) });
            assert_eq!(chosen(1), of_one);
            assert_eq!(chosen(2) == of_two, of_one.slices() == of_two.slices());
            assert!(
                (2..=4).all(|components| chosen(components).slices() == of_one.slices()),
                "{class:?} {of_one} {of_two}"
            );
        }
    }

    #[test]
    fn what_the_device_cannot_make_is_passed_over() {
        let table = TileTable::from_json(TEXT).expect("a table");
        let mut tuning = Tuning { table: Some(&table), ..Tuning::from(DeviceClass::Software) };
        let wanted = tuning.choose(&sizes(512));
        assert_eq!(wanted, table.entries[1].tile);
        tuning.allowed.storage = 8191; // it needs 8192
        assert_ne!(tuning.choose(&sizes(512)), wanted);
        tuning.allowed.storage = 8192;
        assert_eq!(tuning.choose(&sizes(512)), wanted);
        tuning.allowed.invocations[0] = 63;
        assert_ne!(tuning.choose(&sizes(512)), wanted);
    }

    #[test]
    fn a_wrong_table_says_what_is_wrong() {
        let error = |from: &str, to: &str| match TileTable::from_json(&TEXT.replacen(from, to, 1)) {
            Err(Error::TileTable { problem, .. }) => problem,
            other => panic!("{other:?}"),
        };
        assert!(error("{", "").contains("column"));
        assert!(error("forward", "sideways").contains("sideways"));
        assert!(error("\"rows\": 2", "\"rows\": 2, \"more\": 1").contains("more"));
        assert!(error("\"steps\": 8", "\"steps\": 8, \"more\": 1").contains("more"));
        assert!(error("\"rows\": 8", "\"rows\": 8, \"rows\": 8").contains("duplicate field `rows`"));
        assert_eq!(
            error("\"components\": 1", "\"components\": 5"),
            "entry 0: components is 5; it must be 1 to 4"
        );
        assert_eq!(error("128", "0"), format!("entry 0: m is 0; it must be 1 to {}", u32::MAX));
        assert_eq!(
            error("\"rows\": 8", "\"rows\": 6"),
            "entry 1: tile.rows is 6; it must be a multiple of 4 here"
        );
        assert_eq!(error("\"steps\": 8", "\"steps\": 6"), "entry 1: steps is 6; it must be 4, 8 or 16");
        let sliced = |slices| error("\"buffers\": 2", &format!("\"buffers\": 2, \"slices\": {slices}"));
        assert_eq!(sliced(6), "entry 1: slices is 6; it must be a power of two");
        assert_eq!(sliced(0), "entry 1: slices is 0; it must be 1 to 64");
        assert_eq!(error("\"buffers\": 2", "\"buffers\": 3"), "entry 1: buffers is 3; it must be 1 to 2");
        assert!(error("\"vectors\": 1", "\"vectors\": 0").contains("tile.vectors is 0"));
        // Two rows of one slice: nobody would finish the second.
        assert!(error("\"registers\"", "\"sliced\"").contains("2x4 of 2x256 by 1 cannot be sliced"));
        let rows = error("\"usage\": \"forward\"", "\"usage\": \"parameters\"");
        assert_eq!(rows, "entry 0: tile.rows is 2; it must be a multiple of 4 here");
    }
}
