//! The optimiser: one small kernel that counts the step, one that updates what the step's own kernels have not.

use super::source::{self, Header};
use super::{Binding, Binding::*};
use crate::model::{Optimizer, Rule};

/// Invocations of a workgroup; each updates four parameters.
const LANES: u32 = 64;

/// What the host may change between steps, in the order of the shader's struct.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Hyper {
    learning_rate: f32,
    weight_decay: f32,
    /// SGD: momentum.
    beta1: f32,
    beta2: f32,
    ln_beta1: f32,
    ln_beta2: f32,
    eps: f32,
    unused: f32,
}

impl Hyper {
    /// In elements.
    pub(crate) const LEN: usize = size_of::<Hyper>() / 4;

    pub(crate) fn new(optimizer: &Optimizer) -> Hyper {
        let (beta1, beta2, eps) = match optimizer.rule {
            Rule::Sgd { momentum, .. } => (momentum, 0.0, 0.0),
            Rule::Adam { beta1, beta2, eps }
            | Rule::AdaHesScale { beta1, beta2, eps }
            | Rule::AdaHesScaleGn { beta1, beta2, eps } => (beta1, beta2, eps),
        };
        // The logarithm is taken here in f64, since 1 − βᵗ depends on its last digits. ln 0 becomes what exp sends to 0.
        let ln = |beta: f32| f64::from(beta).ln().max(-104.0) as f32;
        let Optimizer { learning_rate, weight_decay, .. } = *optimizer;
        let (ln_beta1, ln_beta2) = (ln(beta1), ln(beta2));
        Hyper { learning_rate, weight_decay, beta1, beta2, ln_beta1, ln_beta2, eps, unused: 0.0 }
    }
}

/// Where the second moment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    /// There is none: SGD.
    None,
    /// g²
    Gradient,
    /// The diagonal, squared.
    Diagonal,
    /// It rests, on a step without curvature.
    Rests,
}

/// The step of a rule, as a plug of the kernels that take it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    rule: Rule,
    second: Second,
}

impl Step {
    /// `diagonal`: whether there is one this time.
    pub(crate) fn new(rule: &Rule, diagonal: bool) -> Step {
        let second = match rule {
            Rule::Sgd { .. } => Second::None,
            Rule::Adam { .. } => Second::Gradient,
            _ if diagonal => Second::Diagonal,
            _ => Second::Rests,
        };
        Step { rule: *rule, second }
    }

    pub(crate) fn reads_diagonal(&self) -> bool {
        self.second == Second::Diagonal
    }

    pub(super) fn label(&self) -> String {
        let rests = if self.second == Second::Rests { " without curvature" } else { "" };
        format!("{}{rests}", self.rule.name())
    }

    /// From binding 3 on: θ, m, hyper-parameters; then v and the step's corrections. What all invocations read is uniform:
    /// a compiler may load that once, whatever is stored between.
    pub(super) fn bindings(&self) -> &'static [Binding] {
        match self.second {
            Second::None => &[Write, Write, Uniform],
            _ => &[Write, Write, Uniform, Write, Uniform],
        }
    }

    /// The files that define `update`.
    pub(super) fn files(&self, header: &mut Header) -> Vec<&'static str> {
        if let Rule::Sgd { nesterov, .. } = self.rule {
            header.flag("NESTEROV", nesterov);
        }
        let plugs: &[&str] = match self.second {
            Second::None => &["optimizer/sgd"],
            Second::Gradient => &["optimizer/adaptive", "optimizer/squared_gradient"],
            Second::Diagonal => &["optimizer/adaptive", "optimizer/squared_diagonal"],
            Second::Rests => &["optimizer/adaptive", "optimizer/no_update"],
        };
        [&["optimizer/state", "optimizer/update"], plugs].concat()
    }
}

/// One update of a run of parameters: `shaders/optimizer/optimizer.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Update {
    step: Step,
    vectors: u32,
}

impl Update {
    /// `len` parameters, gaps of the flat layout included.
    pub(crate) fn new(step: Step, len: u32) -> Update {
        Update { step, vectors: len / 4 }
    }

    pub(crate) fn label(&self) -> String {
        format!("optimizer {} {}", self.step.label(), 4 * self.vectors)
    }

    /// Sizes, g and d, and what the step needs.
    pub(crate) fn bindings(&self) -> Vec<Binding> {
        [&[Uniform, Read, Read], self.step.bindings()].concat()
    }

    pub(crate) fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        let mut files = self.step.files(&mut header);
        files.push("optimizer/optimizer");
        source::compose(&header, &files)
    }

    pub(crate) fn groups(&self) -> u32 {
        self.vectors.div_ceil(LANES)
    }

    pub(crate) fn uniform(&self, grid_x: u32) -> [u32; 4] {
        [self.vectors, grid_x, 0, 0]
    }
}

/// Counts a step and computes the bias corrections, on the GPU, so that any number of recorded steps may be submitted
/// together: `shaders/optimizer/advance.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Advance {
    second_moves: bool,
}

impl Advance {
    /// The one that goes before updates by `step`.
    pub(crate) fn of(step: &Step) -> Advance {
        Advance { second_moves: matches!(step.second, Second::Gradient | Second::Diagonal) }
    }

    /// Hyper-parameters and counters.
    pub(crate) fn bindings(&self) -> Vec<Binding> {
        vec![Read, Write]
    }

    pub(crate) fn source(&self) -> String {
        let mut header = Header::default();
        header.flag("UPDATE_V", self.second_moves);
        source::compose(&header, &["lib/math", "optimizer/state", "optimizer/advance"])
    }
}
