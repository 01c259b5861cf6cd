//! Comparisons over several cases: the worst errors, and those over the bound.

use super::compare;
use super::golden::Case;
use hesscale::Model;
use std::collections::BTreeMap;

/// Worst error of each kind of tensor so far; every comparison over its bound is kept as text.
pub(crate) struct Ledger {
    bound: f64,
    pub(crate) worst: BTreeMap<String, f64>,
    pub(crate) faults: Vec<String>,
}

impl Ledger {
    pub(crate) fn new(bound: f64) -> Ledger {
        Ledger { bound, worst: BTreeMap::new(), faults: Vec::new() }
    }

    /// Compares tensor `name` (`grad.0.weight`); it must be in the file.
    pub(crate) fn check(&mut self, case: &Case, name: &str, got: &[f64]) {
        let Some(want) = case.tensors.get(name) else {
            self.faults.push(format!("{}: no tensor {name}", case.name));
            return;
        };
        match compare(&format!("{} {name}", case.name), got, want, self.bound) {
            Ok(error) => {
                let kind = name.split('.').next().unwrap_or(name);
                let worst = self.worst.entry(kind.to_owned()).or_default();
                *worst = worst.max(error);
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    /// Compares all tensors `kind.*` of the parameters with a vector in the flat layout.
    pub(crate) fn check_flat(&mut self, case: &Case, model: &Model, kind: &str, flat: &[f64]) {
        for p in model.parameters() {
            self.check(case, &format!("{kind}.{}", p.name()), &flat[p.range()]);
        }
    }

    pub(crate) fn settle(self) {
        println!("worst per kind: {:#?}", self.worst);
        let first: Vec<&str> = self.faults.iter().take(5).map(String::as_str).collect();
        assert!(self.faults.is_empty(), "{} faults; first:\n{}", self.faults.len(), first.join("\n"));
    }
}
