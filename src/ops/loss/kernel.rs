//! The loss at the logits, and its sum over the batch.

use crate::model::{ClassTargets, CustomLoss, Loss, Mode, Variance};
use crate::shader::{
    Binding, Binding::*, DeviceClass, Dtypes, Header, Key, Workgroup, bytes_of, compose, renamed, words,
};

/// Value, g, h and u of one loss: `shaders/loss/`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LossKernel {
    loss: Loss,
    mode: Mode,
    batch: u32,
    outputs: u32,
    positions: u32,
    plane: u32,
    scale: f32,
    /// Samples of the whole that these are a part of.
    samples: usize,
    lanes: u32,
    rows: u32,
    total: bool,
    weights: SampleWeights,
    /// Whether behind the logits stand their derivatives along a direction.
    tangent: bool,
}

/// What a sample's loss is multiplied by, besides the reduction's factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleWeights {
    None,
    /// A weight.
    Given,
    /// Its share of a weighted mean, which stands for that factor too.
    Shares,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct LossUniform {
    rows: u32,
    outputs: u32,
    grid_x: u32,
    plane_stride: u32,
    pub(crate) factor: f32,
    pub(crate) smoothing: f32,
    pub(crate) ignore: u32,
    pub(crate) has_ignore: u32,
    positions: u32,
    spread: f32,
}

impl LossKernel {
    /// For logits `[batch, outputs, positions]`; for all losses but cross-entropy the outputs include the positions.
    pub(crate) fn new(
        class: DeviceClass,
        loss: Loss,
        mode: Mode,
        batch: u32,
        outputs: u32,
        positions: u32,
        plane: u32,
    ) -> LossKernel {
        // One invocation per sample while that keeps the loop short, else a whole workgroup: llvmpipe silently leaves loops after
        // 65,535 iterations in total.
        let invocations = if class.is_software() && outputs <= 4096 { 8 } else { 64 };
        let lanes = if outputs <= 64 { 1 } else { invocations };
        let (scale, samples, rows) = (1.0, batch as usize, invocations / lanes);
        let (total, weights, tangent) = (false, SampleWeights::None, false);
        LossKernel {
            loss,
            mode,
            batch,
            outputs,
            positions,
            plane,
            scale,
            samples,
            lanes,
            rows,
            total,
            weights,
            tangent,
        }
    }

    /// With each sample multiplied by what is bound last.
    pub(crate) fn weighing(self, weights: SampleWeights) -> LossKernel {
        LossKernel { weights, ..self }
    }

    /// With, behind a sample's logits, their derivatives along a direction: see `shaders/loss/rows_tangent.wgsl`.
    pub(crate) fn along(self, tangent: bool) -> LossKernel {
        LossKernel { tangent, ..self }
    }

    /// As a part of so many samples.
    pub(crate) fn part_of(self, samples: usize) -> LossKernel {
        LossKernel { samples, ..self }
    }

    /// With the loss multiplied by `scale`.
    pub(crate) fn scaled(self, scale: f32) -> LossKernel {
        LossKernel { scale, ..self }
    }

    /// The same with `rows` rows a workgroup, each computed by one invocation; `None` if invocations share rows, or if there is more
    /// than rows of logits.
    pub(crate) fn by_rows(self, rows: u32) -> Option<LossKernel> {
        (self.lanes == 1 && !self.tangent).then_some(LossKernel { rows, ..self })
    }

    /// The same with the total instead of each loss, if wanted and if one workgroup has all losses.
    pub(crate) fn adding_up(self, wanted: bool) -> LossKernel {
        LossKernel { total: wanted && self.groups() == 1, ..self }
    }

    pub(crate) fn adds_up(&self) -> bool {
        self.total
    }

    #[cfg(test)]
    pub(crate) fn is_along(&self) -> bool {
        self.tangent
    }

    #[cfg(test)]
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    fn has_output_weights(&self) -> bool {
        self.loss.output_weights(&[self.outputs as usize]).is_some()
    }

    /// The same with the logits read by a given file, in a workgroup of `invocations`.
    pub(crate) fn source_with(&self, logits: &'static str, invocations: u32) -> String {
        let mut header = Header::default();
        header.number("LANES", self.lanes).number("ROWS", self.rows);
        let rows = if self.tangent { "loss/rows_tangent" } else { "loss/rows" };
        let mut files = vec!["loss/kernel", rows, "lib/rows", "lib/row_tops", logits];
        if self.total {
            header.number("SHARES", invocations).flag("ALONE", self.batch * self.positions == 1);
        }
        files.push(if self.total { "loss/total" } else { "loss/values" });
        let rule = self.rule(&mut header);
        if self.weights == SampleWeights::None {
            files.extend(rule);
            return compose(&header, &files);
        }
        header.number("WEIGHTS", 5 + u32::from(self.has_output_weights()));
        let (own, shared): (Vec<_>, Vec<_>) = rule.into_iter().partition(|file| file.starts_with("loss/"));
        files.push("loss/sample_weights");
        files.extend(shared);
        let own = compose(&Header::default(), &own);
        compose(&header, &files) + &renamed(&own, &[("p", "weighted"), ("loss_of_row", "loss_by_itself")])
    }

    /// Adds the loss's constants to the header. Returns its files, without those that locate rows and share them out.
    pub(crate) fn rule(&self, header: &mut Header) -> Vec<&str> {
        header.flag("HAS_DIAGONAL", self.mode.has_diagonal()).number("RANK", self.mode.rank() as u32);
        header.number("LEADING", self.mode.leading() as u32).flag("FISHER", self.mode == Mode::Fisher);
        header.flag("SAMPLED", self.mode.is_sampled());
        let mut files: Vec<&str> = vec!["loss/params", "lib/math", "lib/largest"];
        files.extend((!self.tangent).then_some("loss/fisher"));
        if self.mode.is_sampled() {
            header.number("NOISE", self.bindings().len() as u32 - 1);
            files.extend(["loss/signs", "lib/pcg4d"]);
        }
        match &self.loss {
            Loss::SoftmaxCrossEntropy { targets, .. } => {
                header
                    .flag("BL89", self.mode == Mode::Bl89)
                    .flag("SOFT_TARGETS", *targets == ClassTargets::Soft);
                let weights = if self.has_output_weights() { "loss/weights" } else { "loss/no_weights" };
                let row: &[&str] = match (self.tangent, self.mode.is_sampled()) {
                    (true, _) => &["loss/cross_entropy_tangent"],
                    (false, true) => &["loss/cross_entropy", "loss/drawn"],
                    (false, false) => &["loss/cross_entropy", "loss/not_drawn"],
                };
                files.extend(row);
                files.extend(["loss/softmax", weights]);
            }
            Loss::BceWithLogits { pos_weight: Some(_), .. } => {
                files.extend(self.parts());
                files.extend(["loss/bce_pos_weight", "loss/weights"]);
            }
            Loss::PpoDiscrete { clip, entropy, .. } | Loss::PpoGaussian { clip, entropy, .. } => {
                header.float("CLIP", *clip as f32).float("ENTROPY", *entropy as f32);
                let discrete = matches!(self.loss, Loss::PpoDiscrete { .. });
                let plug = if discrete { "loss/ppo_discrete" } else { "loss/ppo_gaussian" };
                files.extend(self.parts());
                files.extend(["loss/ppo", plug]);
            }
            Loss::Custom(custom) => {
                let form: &[&str] = match custom {
                    CustomLoss::Elementwise(_) => &["loss/elementwise", "loss/own_term"],
                    CustomLoss::ByRow(row) => {
                        header.number("TARGETS", row.given_targets().unwrap_or(0) as u32);
                        &["loss/own_row"]
                    }
                };
                files.extend(self.parts());
                files.extend(["loss/own_terms", custom.shader()]);
                files.extend(form);
            }
            elementwise => {
                let plug = match elementwise {
                    Loss::Mse { .. } => "loss/mse",
                    Loss::L1 { .. } => "loss/l1",
                    Loss::BceWithLogits { .. } => "loss/bce_logits",
                    Loss::Huber { delta, .. } => {
                        header.float("DELTA", *delta as f32);
                        "loss/huber"
                    }
                    Loss::RelativeMse { eps, .. } => {
                        header.float("ROOT", eps.sqrt() as f32);
                        "loss/relative_mse"
                    }
                    Loss::GaussianNll { var: Variance::Log, .. } => "loss/gaussian_log",
                    Loss::GaussianNll { var: Variance::Softplus, .. } => "loss/gaussian_softplus",
                    _ => unreachable!("it has no terms of its own, or no kernel"),
                };
                files.extend(self.parts());
                files.extend(["loss/elementwise", plug]);
            }
        }
        files
    }

    /// The files of a sum over parts.
    fn parts(&self) -> Vec<&'static str> {
        let mixed = match &self.loss {
            Loss::GaussianNll { var: Variance::Log, .. } => "loss/mixed_log",
            Loss::GaussianNll { var: Variance::Softplus, .. } => "loss/mixed_softplus",
            _ => "loss/mixed_none",
        };
        match self.tangent {
            true => vec!["loss/part", "loss/parts_tangent", mixed],
            false if self.mode.is_sampled() => vec!["loss/part", "loss/parts"],
            false => vec!["loss/part", "loss/parts", "loss/no_signs"],
        }
    }

    /// The workgroup with `invocations`: a sum and a pair for each that shares a row; one float for each if losses are totalled.
    pub(crate) fn workgroup_of(&self, invocations: u32) -> Workgroup {
        let shares = if self.total { 4 * invocations } else { 0 };
        let rows = Workgroup::row(self.lanes * self.rows).each(16 + 16);
        Workgroup { bytes: rows.bytes + shares, ..Workgroup::row(invocations) }
    }

    pub(crate) fn uniform(&self, grid_x: u32) -> LossUniform {
        let (smoothing, ignore) = match &self.loss {
            Loss::SoftmaxCrossEntropy { label_smoothing, ignore_index, .. } => {
                (*label_smoothing, *ignore_index)
            }
            _ => (0.0, None),
        };
        let output = [self.outputs, self.positions].map(|size| size as usize);
        let factor = match self.weights {
            SampleWeights::Shares => 1.0,
            _ => self.loss.factor(self.batch as usize, &output),
        };
        LossUniform {
            rows: self.batch * self.positions,
            outputs: self.outputs,
            grid_x,
            plane_stride: self.plane,
            factor: self.scale * factor as f32,
            smoothing,
            ignore: ignore.unwrap_or(0),
            has_ignore: u32::from(ignore.is_some()),
            positions: self.positions,
            // What is scaled in f16 is scaled once more in its square.
            spread: (self.loss.spread(self.samples) / f64::from(self.scale)).sqrt() as f32,
        }
    }
}

impl Key for LossKernel {
    fn label(&self) -> String {
        let name = match &self.loss {
            Loss::SoftmaxCrossEntropy { .. } => "cross-entropy",
            Loss::Mse { .. } => "mse",
            Loss::BceWithLogits { pos_weight: None, .. } => "bce with logits",
            Loss::BceWithLogits { .. } => "bce with positive weights",
            Loss::GaussianNll { .. } => "gaussian nll",
            Loss::Huber { .. } => "huber",
            Loss::L1 { .. } => "l1",
            Loss::RelativeMse { .. } => "relative mse",
            Loss::PpoDiscrete { .. } => "ppo discrete",
            Loss::PpoGaussian { .. } => "ppo gaussian",
            Loss::Custom(custom) => custom.name(),
            Loss::External => "external",
        };
        let weighted = if self.weights == SampleWeights::None { "" } else { ", samples weighted" };
        let each =
            if self.positions > 1 { format!(" at {} positions", self.positions) } else { String::new() };
        let what = if self.total { "total loss" } else { "loss" };
        let what = if self.tangent { format!("{what} along") } else { what.into() };
        format!("{what} {name} {} {}x{}{each}{weighted}", self.mode.name(), self.batch, self.outputs)
    }

    /// Logits, targets, losses or their sum, the signal; weights of the outputs, of the samples; seed and step.
    fn bindings(&self) -> Vec<Binding> {
        let weighted = self.weights != SampleWeights::None;
        let given = [self.has_output_weights(), weighted, self.mode.is_sampled()];
        let given = given.into_iter().filter(|there| *there).map(|_| Read);
        [Uniform, Read, Read, Write, Write].into_iter().chain(given).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        self.source_with("loss/logits", self.lanes * self.rows)
    }

    fn workgroup(&self) -> Workgroup {
        self.workgroup_of(self.lanes * self.rows)
    }

    fn groups(&self) -> u32 {
        (self.batch * self.positions).div_ceil(self.rows)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        vec![bytes_of(&self.uniform(grid_x))]
    }
}

/// The sum of `n` losses, times `scale`: `shaders/loss/reduce.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reduce {
    n: u32,
    scale: f32,
    lanes: u32,
}

impl Reduce {
    pub(crate) fn new(class: DeviceClass, n: u32, scale: f32) -> Reduce {
        // As many on llvmpipe too where 8 would loop too often.
        let few = class.is_software() && n <= 262_144;
        Reduce { n, scale, lanes: if few { 8 } else { 256 } }
    }

    /// The same with at most `invocations`.
    pub(crate) fn within(self, invocations: u32) -> Reduce {
        Reduce { lanes: narrowed(self.lanes, invocations), ..self }
    }
}

/// A power of two of lanes, halved until there are no more than that.
pub(super) fn narrowed(mut lanes: u32, most: u32) -> u32 {
    while lanes > most.max(1) {
        lanes /= 2;
    }
    lanes
}

impl Key for Reduce {
    fn label(&self) -> String {
        "reduce loss".into()
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// The losses, their sum.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        header.number("LANES", self.lanes).number("ROWS", 1);
        compose(&header, &["lib/rows", "loss/reduce"])
    }

    fn groups(&self) -> u32 {
        1
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.lanes).each(16)
    }

    fn uniforms(&self, _: u32) -> Vec<Vec<u8>> {
        words(&[self.n, self.scale.to_bits(), 0, 0])
    }
}
