//! Where the text has a tensor's numbers from: they stand in it, or in a buffer.

use super::index::Index;
use crate::{Error, Result};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write;

/// Elements of an array that a constructor may list, by WGSL's table of limits.
const LISTED: usize = 2047;

/// One tensor's.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// Known ones, which are literals; where their place is computed, a table called `name` has them.
    Known { name: String, values: Cow<'a, [f32]>, looked_up: Cell<bool> },
    /// In an array of vec4s from element `first` on, a multiple of 4: `read` is what stands before and behind a vector's index.
    Stored { read: [String; 2], first: usize },
}

/// Exactly this number. Rust writes the fewest digits that lead back to it.
pub(super) fn literal(value: f32) -> String {
    format!("{value:?}f")
}

impl<'a> Numbers<'a> {
    pub(super) fn known(name: String, values: impl Into<Cow<'a, [f32]>>) -> Numbers<'a> {
        Numbers::Known { name, values: values.into(), looked_up: Cell::new(false) }
    }

    /// Element i.
    pub(super) fn at(&self, i: Index) -> String {
        match i {
            Index::At(i) => self.run(i as usize, 1),
            i => format!("{}[{}]", self.vector(i.clone() / 4), i % 4),
        }
    }

    /// Elements 4i to 4i + 3.
    pub(super) fn vector(&self, i: Index) -> String {
        match self {
            Numbers::Known { name, looked_up, .. } => {
                looked_up.set(true);
                format!("{name}[{i}]")
            }
            Numbers::Stored { read: [before, behind], first } => {
                format!("{before}{}{behind}", i + first / 4)
            }
        }
    }

    /// One to four neighbours, as a number or a vector.
    pub(super) fn run(&self, first: usize, count: usize) -> String {
        let places = first..first + count;
        if let Numbers::Known { values, .. } = self {
            return packed(places.map(|i| literal(values[i])));
        }
        let (vector, lane) = (first / 4, first % 4);
        if lane + count > 4 {
            return packed(places.map(|i| self.run(i, 1)));
        }
        let whole = self.vector(vector.into());
        if count == 4 { whole } else { format!("{whole}.{}", &"xyzw"[lane..lane + count]) }
    }

    /// The table, where the text looks something up in it.
    pub(super) fn table(&self, place: &str) -> Result<Option<String>> {
        let Numbers::Known { name, values, looked_up } = self else { return Ok(None) };
        if !looked_up.get() {
            return Ok(None);
        }
        let len = values.len().div_ceil(4);
        if len > LISTED {
            let (got, most) = (values.len() as u64, 4 * LISTED as u64);
            return Err(Error::Function { place: place.into(), what: "constants to look up", got, most });
        }
        let mut text = format!("const {name} = array<vec4<f32>, {len}>(\n");
        for four in values.chunks(4) {
            let padded = (0..4).map(|i| literal(four.get(i).copied().unwrap_or(0.0)));
            writeln!(text, "    {},", packed(padded)).expect("a String takes every write");
        }
        Ok(Some(text + ");\n"))
    }
}

/// A number, or a vector of several.
pub(super) fn packed(numbers: impl ExactSizeIterator<Item = String>) -> String {
    let (count, list) = (numbers.len(), numbers.collect::<Vec<_>>().join(", "));
    if count == 1 { list } else { format!("vec{count}({list})") }
}
