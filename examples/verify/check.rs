//! One check: tensors from the GPU against their expected values, and the verdict.

use crate::BOUND;
use crate::common::{compare, relative_max_norm, to_f64};
use hesscale::Model;

/// Tensors to compare, collected first and judged at the end.
#[derive(Default)]
pub(crate) struct Check {
    tensors: Vec<Compared>,
}

struct Compared {
    name: String,
    got: Vec<f64>,
    want: Vec<f64>,
}

/// The result of collecting a check's tensors.
pub(crate) type Gathered = Result<(), Failure>;

/// Why a check could not run.
pub(crate) enum Failure {
    Unsupported(String),
    Broken(String),
}

impl From<hesscale::Error> for Failure {
    fn from(error: hesscale::Error) -> Failure {
        Failure::Broken(error.to_string())
    }
}

pub(crate) enum Verdict {
    Compared(Comparison),
    Failed(Failure),
}

pub(crate) struct Comparison {
    /// The tensor with the largest error, and the error.
    pub(crate) worst: (String, f64),
    /// How many tensors there were.
    pub(crate) tensors: usize,
    /// A report of each that is over the bound.
    pub(crate) faults: Vec<String>,
}

impl Check {
    /// Adds a tensor.
    pub(crate) fn compare(&mut self, name: impl Into<String>, got: &[f32], want: &[f64]) {
        self.tensors.push(Compared { name: name.into(), got: to_f64(got), want: want.to_vec() });
    }

    /// Adds `kind.*` of every parameter from vectors in the flat layout.
    pub(crate) fn compare_flat(&mut self, model: &Model, kind: &str, tag: &str, got: &[f32], want: &[f64]) {
        for p in model.parameters() {
            self.compare(format!("{kind}.{}{tag}", p.name()), &got[p.range()], &want[p.range()]);
        }
    }

    /// The verdict. `plant` first changes one value, selected by its number.
    pub(crate) fn settle(mut self, outcome: Gathered, plant: Option<usize>) -> Verdict {
        if let Err(failure) = outcome {
            return Verdict::Failed(failure);
        }
        if let Some(number) = plant {
            self.plant(number);
        }
        let errors = self.tensors.iter().map(|t| (t.name.clone(), relative_max_norm(&t.got, &t.want)));
        let Some(worst) = errors.reduce(|a, b| if b.1 > a.1 { b } else { a }) else {
            return Verdict::Failed(Failure::Broken("nothing was compared".into()));
        };
        let fault = |t: &Compared| compare(&t.name, &t.got, &t.want, BOUND).err();
        let faults = self.tensors.iter().filter_map(fault).collect();
        Verdict::Compared(Comparison { worst, tensors: self.tensors.len(), faults })
    }

    fn plant(&mut self, number: usize) {
        let count = self.tensors.len().max(1);
        if let Some(tensor) = self.tensors.get_mut(number % count) {
            let largest = tensor.want.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
            let element = 7 * number % tensor.got.len();
            tensor.got[element] += 1e-3 * if largest == 0.0 { 1.0 } else { largest };
        }
    }
}
