//! The optimiser's kernels: one counts the step, one updates the parameters; two more find a factor of the whole step.

use crate::model::{Optimizer, Rule, Span, Transition};
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, Workgroup, compose, words};
use std::ops::Range;

/// What the host may change between steps, in the order of the shader's struct.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Hyper {
    learning_rate: f32,
    weight_decay: f32,
    /// SGD: momentum; ObGD: γλ, or 0 where an episode begins; UPGD: β.
    beta1: f32,
    beta2: f32,
    ln_beta1: f32,
    ln_beta2: f32,
    /// ε; UPGD: the deviation of its noise.
    eps: f32,
    /// Sophia's γ; ObGD's δ.
    gamma: f32,
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
        let decay = |trace: f32, transition: Transition| if transition.first { 0.0 } else { trace };
        let (beta1, beta2, eps) = match optimizer.rule {
            Rule::ObGd { trace, transition, .. } => (decay(trace, transition), 0.0, 0.0),
            Rule::AdaptiveObGd { trace, beta2, eps, transition, .. } => {
                (decay(trace, transition), beta2, eps)
            }
            Rule::Upgd { trace, noise, .. } => (trace, 0.0, noise),
            Rule::Sgd { momentum, .. } => (momentum, 0.0, 0.0),
            Rule::RmsProp { beta2, eps, momentum } => (momentum, beta2, eps),
            Rule::Lion { beta1, beta2 } => (beta1, beta2, 0.0),
            Rule::Adam { beta1, beta2, eps }
            | Rule::AdaHesScale { beta1, beta2, eps }
            | Rule::AdaHesScaleGn { beta1, beta2, eps }
            | Rule::AdaHesScaleAbs { beta1, beta2, eps, .. }
            | Rule::Sophia { beta1, beta2, eps, .. } => (beta1, beta2, eps),
        };
        // The logarithm is taken here in f64, since 1 − βᵗ depends on its last digits. ln 0 becomes what exp sends to 0.
        let ln = |beta: f32| f64::from(beta).ln().max(-104.0) as f32;
        let Optimizer { learning_rate, weight_decay, .. } = *optimizer;
        let (ln_beta1, ln_beta2) = (ln(beta1), ln(beta2));
        let gamma = match optimizer.rule {
            Rule::Sophia { gamma, .. } => gamma,
            Rule::ObGd { transition, .. } | Rule::AdaptiveObGd { transition, .. } => transition.error,
            _ => 0.0,
        };
        Hyper { learning_rate, weight_decay, beta1, beta2, ln_beta1, ln_beta2, eps, gamma }
    }
}

/// What the host may change of the limits between steps, in the order of `shaders/optimizer/limits.wgsl`. What is not limited
/// has the largest number.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct LimitWords {
    gradient: f32,
    update: f32,
    average: f32,
    /// UPGD's.
    seed: u32,
    /// By [`Factor`]: the square of the largest norm; 2 δ, or the largest sum that ObGD does not bound.
    most: [f32; 2],
    also_unused: [f32; 2],
}

impl LimitWords {
    /// Where they stand in the optimiser's buffer, in elements, how many they are, and where the factors do.
    pub(crate) const AT: usize = 16;
    pub(crate) const LEN: usize = size_of::<LimitWords>() / 4;
    pub(crate) const FACTORS: usize = LimitWords::AT + LimitWords::LEN;

    pub(crate) fn new(optimizer: &Optimizer) -> LimitWords {
        let limits = optimizer.limits;
        let most = |limit: Option<f64>| {
            let most = limit.unwrap_or(f64::from(f32::MAX));
            most.clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX)) as f32
        };
        let norm = limits.gradient_norm.map(|norm| f64::from(norm).powi(2));
        let step = limits.trust.map(|delta| 2.0 * f64::from(delta));
        LimitWords {
            gradient: limits.gradient.unwrap_or(f32::MAX),
            update: limits.update.unwrap_or(f32::MAX),
            average: optimizer.average.unwrap_or(0.0),
            seed: match optimizer.rule {
                Rule::Upgd { seed, .. } => seed,
                _ => 0,
            },
            most: [most(norm), most(optimizer.rule.bound(optimizer.learning_rate).or(step))],
            also_unused: [0.0; 2],
        }
    }
}

/// The blocks of 64 parameters that a limited update reads, see `limits.wgsl`: those of no span are frozen, or a gap.
pub(crate) fn blocks(spans: &[Span], len: usize) -> Vec<[f32; 4]> {
    let mut blocks = vec![[0.0; 4]; len.div_ceil(BLOCK)];
    for span in spans {
        for start in span.range.clone().step_by(BLOCK) {
            let trained = (span.range.end - start).min(BLOCK);
            if let Some(block) = blocks.get_mut(start / BLOCK) {
                *block = [span.rate, span.weight_decay, trained as f32, 0.0];
            }
        }
    }
    blocks
}

/// Every parameter begins at a multiple of it.
const BLOCK: usize = 64;

/// What an update does beyond its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limited {
    /// It keeps a mean of the parameters.
    averages: bool,
    /// The moments have moved already.
    moved: bool,
}

/// Where the second moment comes from, or UPGD's utility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    /// There is none: SGD.
    None,
    /// g²
    Gradient,
    /// The diagonal, squared or however the rule takes it.
    Diagonal,
    /// It rests, on a step without curvature.
    Rests,
}

/// An update of the whole model or of a run of its parameters: `shaders/optimizer/optimizer.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Update {
    pub rule: Rule,
    second: Second,
    /// `None`: the bare rule.
    limited: Option<Limited>,
    /// All vec4s of the model.
    vectors: u32,
    /// The part to update: its first vec4, and its length.
    first: u32,
    run: u32,
}

impl Update {
    /// `len` parameters, gaps of the flat layout included; `diagonal`: whether this step has a diagonal.
    pub(crate) fn new(rule: &Rule, len: u32, diagonal: bool) -> Update {
        let second = match (rule.mode().has_diagonal(), rule.has_second_moment()) {
            (true, _) if diagonal => Second::Diagonal,
            (true, _) => Second::Rests,
            (false, true) => Second::Gradient,
            (false, false) => Second::None,
        };
        let vectors = len / 4;
        Update { rule: *rule, second, limited: None, vectors, first: 0, run: vectors }
    }

    /// The same within limits, block by block.
    pub(crate) fn limited(self, averages: bool) -> Update {
        Update { limited: Some(Limited { averages, moved: false }), ..self }
    }

    /// The update behind a [`Measure::step`], which has moved the moments.
    fn behind_moments(self) -> Update {
        let limited = self.limited.map(|limited| Limited { moved: true, ..limited });
        let second = if self.second == Second::None { Second::None } else { Second::Rests };
        Update { limited, second, ..self }
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

    fn diagonal(&self) -> &'static str {
        if self.reads_diagonal() { "optimizer/diagonal" } else { "optimizer/no_diagonal" }
    }

    /// Numbers that it keeps for each parameter.
    pub(crate) fn moments(&self) -> u64 {
        let averages = self.limited.is_some_and(|limited| limited.averages);
        1 + u64::from(self.rule.has_second_moment()) + u64::from(averages)
    }

    pub(crate) fn name(&self) -> String {
        let rests = if self.second == Second::Rests { " without curvature" } else { "" };
        format!("{}{rests}", self.rule_name())
    }

    /// The rule, and what is done beyond it.
    pub(crate) fn rule_name(&self) -> String {
        let limited = match self.limited {
            None => "",
            Some(Limited { moved: true, .. }) => " moved",
            Some(Limited { averages: true, .. }) => " limited, averaged",
            Some(_) => " limited",
        };
        format!("{}{limited}", self.rule.name())
    }

    /// Adds the rule's constants to the header. Returns its files.
    pub(crate) fn rule(&self, header: &mut Header) -> Vec<&'static str> {
        if let Rule::Sgd { nesterov, .. } = self.rule {
            header.flag("NESTEROV", nesterov);
        }
        let mut files = vec!["optimizer/state", "optimizer/fours"];
        match self.limited {
            None => files.push("optimizer/rule"),
            Some(Limited { averages, moved }) => {
                limits(&self.rule, averages, header).flag("MOVED", moved);
                files.extend(["optimizer/limited", "optimizer/limits"]);
            }
        }
        files.push("optimizer/tell");
        files.extend::<&[_]>(match self.rule {
            Rule::Sgd { .. } => &["optimizer/sgd"],
            Rule::Lion { .. } => &["optimizer/lion"],
            Rule::ObGd { .. } => &["optimizer/obgd"],
            Rule::AdaptiveObGd { .. } => &["optimizer/obgd_adaptive", "optimizer/second"],
            Rule::Upgd { .. } => &["optimizer/upgd", "lib/pcg4d", "lib/math"],
            Rule::RmsProp { .. } => &["optimizer/rmsprop", "optimizer/second"],
            Rule::AdaHesScaleAbs { root: false, .. } => &["optimizer/direct", "optimizer/second"],
            Rule::Sophia { .. } => &["optimizer/sophia", "optimizer/second"],
            _ => &["optimizer/adaptive", "optimizer/second"],
        });
        files.extend::<&[_]>(match (self.second, self.rule) {
            (Second::None, _) | (_, Rule::RmsProp { .. } | Rule::AdaptiveObGd { .. } | Rule::Upgd { .. }) => {
                &[]
            }
            (Second::Gradient, _) => &["optimizer/squared_gradient"],
            (Second::Rests, _) => &["optimizer/no_update"],
            (Second::Diagonal, Rule::AdaHesScaleAbs { .. }) => {
                &["optimizer/absolute_diagonal", "optimizer/mean"]
            }
            (Second::Diagonal, Rule::Sophia { .. }) => &["optimizer/signed_diagonal", "optimizer/mean"],
            (Second::Diagonal, _) => &["optimizer/squared_diagonal"],
        });
        files
    }

    /// Whether steps are counted: the moments' bias is corrected.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self.rule, Rule::Sgd { .. })
    }
}

/// The constants of what is limited.
fn limits<'a>(rule: &Rule, averages: bool, header: &'a mut Header) -> &'a mut Header {
    header.number("MOMENTS", 1 + u32::from(rule.has_second_moment())).flag("AVERAGED", averages)
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
        let mut files = vec!["optimizer/optimizer", "lib/each", self.diagonal()];
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

/// A factor of the whole step, by its place in the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Factor {
    Gradient,
    Step,
    /// No factor, but the largest utility.
    Utility,
}

impl Factor {
    /// The files that join the terms of many parameters.
    fn joined(self) -> &'static [&'static str] {
        match self {
            Factor::Gradient | Factor::Step => &["optimizer/sum", "lib/rows"],
            Factor::Utility => &["optimizer/largest", "lib/rows", "lib/row_tops", "lib/largest"],
        }
    }

    /// What `row_sum` takes, and `row_top`.
    fn workgroup(self) -> Workgroup {
        Workgroup::row(LANES).each(if self == Factor::Utility { 32 } else { 16 })
    }
}

/// The most sums that a [`Measure`] leaves.
const MOST_SUMS: u32 = 256;

/// Sums over all that an update is about to move, shared out among workgroups: `shaders/optimizer/measure.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measure {
    update: Update,
    factor: Factor,
}

impl Measure {
    /// The squares of the gradient.
    pub(crate) fn gradient(update: Update) -> Measure {
        Measure { update, factor: Factor::Gradient }
    }

    /// The squares of the step, weighted by what it is divided by; the size of ObGD's, or UPGD's utilities. It moves the moments. The
    /// update that is left is behind it.
    pub(crate) fn step(update: Update) -> (Measure, Update) {
        let factor = match update.rule {
            Rule::Upgd { .. } => Factor::Utility,
            _ => Factor::Step,
        };
        (Measure { update, factor }, update.behind_moments())
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.update.range()
    }

    pub(crate) fn reads_diagonal(&self) -> bool {
        self.factor != Factor::Gradient && self.update.reads_diagonal()
    }

    pub(crate) fn reads_parameters(&self) -> bool {
        self.factor == Factor::Utility && self.update.reads_diagonal()
    }

    /// The kernel that makes a factor of its sums.
    pub(crate) fn scale(&self) -> Scale {
        let bounds = matches!(self.update.rule, Rule::ObGd { .. } | Rule::AdaptiveObGd { .. });
        let squares = self.factor == Factor::Gradient || !bounds;
        Scale { factor: self.factor, squares, sums: self.groups() }
    }
}

impl Key for Measure {
    fn label(&self) -> String {
        let of = match self.factor {
            Factor::Gradient => "gradient".into(),
            Factor::Step | Factor::Utility => format!("step of {}", self.update.name()),
        };
        format!("optimizer measure {of} {}", 4 * self.update.run)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Sizes; hyper-parameters, counters and moments; sums; g; then the diagonal; then θ.
    fn bindings(&self) -> Vec<Binding> {
        let also = [self.reads_diagonal(), self.reads_parameters()].into_iter().filter(|reads| *reads);
        [Uniform, Write, Write, Read].into_iter().chain(also.map(|_| Read)).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("MEMORY", 1).number("ROWS", 1);
        let mut files = vec!["optimizer/measure"];
        files.extend(self.factor.joined());
        match self.factor {
            Factor::Gradient => {
                let averages = self.update.limited.is_some_and(|limited| limited.averages);
                limits(&self.update.rule, averages, &mut header);
                files.extend(["optimizer/gradient_square", "optimizer/state", "optimizer/limits"]);
            }
            Factor::Utility => {
                files.extend(match self.reads_parameters() {
                    true => &["optimizer/utility", "optimizer/diagonal"][..],
                    false => &["optimizer/utility_rests"],
                });
                files.extend(self.update.rule(&mut header));
            }
            Factor::Step => {
                files.push(self.update.diagonal());
                files.extend::<&[_]>(match self.update.rule {
                    Rule::ObGd { .. } | Rule::AdaptiveObGd { .. } => &["optimizer/step_size"],
                    Rule::Sophia { .. } => &["optimizer/step_square", "optimizer/divisor_sophia"],
                    Rule::AdaHesScaleAbs { root: false, .. } => {
                        &["optimizer/step_square", "optimizer/divisor"]
                    }
                    _ => &["optimizer/step_square", "optimizer/divisor_root"],
                });
                files.extend(self.update.rule(&mut header));
            }
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.update.run.div_ceil(LANES).min(MOST_SUMS)
    }

    fn workgroup(&self) -> Workgroup {
        self.factor.workgroup()
    }

    fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
        words(&[self.update.vectors, self.groups(), self.update.first, self.update.run])
    }
}

/// Makes a factor of a [`Measure`]'s sums: `shaders/optimizer/factor.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    factor: Factor,
    /// Whether the sums are of squares.
    squares: bool,
    pub sums: u32,
}

impl Key for Scale {
    fn label(&self) -> String {
        let of = match self.factor {
            Factor::Gradient => "gradient",
            Factor::Step if self.squares => "step",
            Factor::Step => "step's size",
            Factor::Utility => return "optimizer largest utility".into(),
        };
        format!("optimizer factor of the {of}")
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// How many; hyper-parameters, counters and moments; sums.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("MEMORY", 1).number("ROWS", 1).number("FACTOR", self.factor as u32);
        let mut files = vec!["optimizer/factor", "optimizer/state"];
        files.extend(self.factor.joined());
        match self.factor {
            Factor::Utility => files.push("optimizer/itself"),
            Factor::Gradient | Factor::Step => {
                header.flag("SQUARES", self.squares);
                files.push("optimizer/bound");
            }
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        1
    }

    fn workgroup(&self) -> Workgroup {
        self.factor.workgroup()
    }

    fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
        words(&[self.sums, 0, 0, 0])
    }
}
