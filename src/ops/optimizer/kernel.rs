//! The optimiser's kernels: one counts the step, one updates the parameters.

use crate::model::{Optimizer, Rule};
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, Workgroup, compose, words};
use std::ops::Range;

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

    /// Where the first moment starts in the optimiser's buffer.
    pub(crate) const FIRST: usize = 64;

    /// Where the word stands that says whether something was not finite.
    pub(crate) const DIVERGED: usize = 12;

    /// What that word counts from, as the shader has it.
    const FIRST_STEP: u32 = 0x3fff_ffff;

    /// The first step that left something non-finite, from a non-zero word; `None` if steps are not counted.
    pub(crate) fn diverged_at(word: u32) -> Option<u64> {
        match Hyper::FIRST_STEP.saturating_sub(word) {
            0 => None,
            step => Some(step.into()),
        }
    }

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

/// An update of the whole model or of a run of its parameters: `shaders/optimizer/optimizer.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Update {
    pub rule: Rule,
    second: Second,
    /// All vec4s of the model.
    vectors: u32,
    /// The part to update: its first vec4, and its length.
    first: u32,
    run: u32,
}

impl Update {
    /// `len` parameters, gaps of the flat layout included; `diagonal`: whether this step has a diagonal.
    pub(crate) fn new(rule: &Rule, len: u32, diagonal: bool) -> Update {
        let second = match rule {
            Rule::Sgd { .. } => Second::None,
            Rule::Adam { .. } => Second::Gradient,
            Rule::AdaHesScale { .. } | Rule::AdaHesScaleGn { .. } if diagonal => Second::Diagonal,
            Rule::AdaHesScale { .. } | Rule::AdaHesScaleGn { .. } => Second::Rests,
        };
        let vectors = len / 4;
        Update { rule: *rule, second, vectors, first: 0, run: vectors }
    }

    /// The same for a part of the flat layout.
    pub(crate) fn of(self, part: &Range<usize>) -> Update {
        Update { first: part.start as u32 / 4, run: part.len() as u32 / 4, ..self }
    }

    pub(crate) fn range(&self) -> Range<usize> {
        4 * self.first as usize..4 * (self.first + self.run) as usize
    }

    pub(crate) fn reads_diagonal(&self) -> bool {
        self.second == Second::Diagonal
    }

    /// Numbers that it keeps for each parameter.
    pub(crate) fn moments(&self) -> u64 {
        if self.second == Second::None { 1 } else { 2 }
    }

    pub(crate) fn name(&self) -> String {
        let rests = if self.second == Second::Rests { " without curvature" } else { "" };
        format!("{}{rests}", self.rule.name())
    }

    /// Adds the rule's constants to the header. Returns its files.
    pub(crate) fn rule(&self, header: &mut Header) -> Vec<&'static str> {
        if let Rule::Sgd { nesterov, .. } = self.rule {
            header.flag("NESTEROV", nesterov);
        }
        let plugs: &[&str] = match self.second {
            Second::None => &["optimizer/sgd"],
            Second::Gradient => &["optimizer/adaptive", "optimizer/second", "optimizer/squared_gradient"],
            Second::Diagonal => &["optimizer/adaptive", "optimizer/second", "optimizer/squared_diagonal"],
            Second::Rests => &["optimizer/adaptive", "optimizer/second", "optimizer/no_update"],
        };
        [&["optimizer/state", "optimizer/rule"], plugs].concat()
    }

    /// Whether steps are counted: the moments' bias is corrected.
    pub(crate) fn counts(&self) -> bool {
        self.second != Second::None
    }
}

impl Key for Update {
    fn label(&self) -> String {
        format!("optimizer {} {}", self.name(), 4 * self.run)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Sizes; hyper-parameters, counters and moments; θ; g; then the diagonal.
    fn bindings(&self) -> Vec<Binding> {
        [Uniform, Write, Write, Read].into_iter().chain(self.reads_diagonal().then_some(Read)).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("MEMORY", 1);
        let diagonal = if self.reads_diagonal() { "optimizer/diagonal" } else { "optimizer/no_diagonal" };
        let mut files = vec!["optimizer/optimizer", "lib/each", diagonal];
        files.extend(self.rule(&mut header));
        compose(&header, &files)
    }

    /// Each invocation updates four parameters.
    fn groups(&self) -> u32 {
        self.run.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.vectors, grid_x, self.first, self.run])
    }
}

/// Counts a step and computes the bias corrections on the GPU, so that recorded steps may be submitted together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Advance {
    second_moves: bool,
}

impl Advance {
    /// The step counter to dispatch before `update`.
    pub(crate) fn of(update: &Update) -> Advance {
        Advance { second_moves: matches!(update.second, Second::Gradient | Second::Diagonal) }
    }

    /// The files that count a step; adds their constants to the header.
    pub(crate) fn files(&self, header: &mut Header) -> [&'static str; 2] {
        header.flag("UPDATE_V", self.second_moves);
        ["lib/math", "optimizer/count"]
    }
}

impl Key for Advance {
    fn label(&self) -> String {
        "optimizer advance".into()
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Hyper-parameters and counters.
    fn bindings(&self) -> Vec<Binding> {
        vec![Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        header.number("MEMORY", 0);
        let files = self.files(&mut header);
        compose(&header, &[&["optimizer/state", "optimizer/advance"], &files[..]].concat())
    }

    fn groups(&self) -> u32 {
        1
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(1)
    }

    fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
        Vec::new()
    }
}
