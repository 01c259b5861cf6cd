//! What a plan is asked for.

use crate::Mode;

/// A place where a signal can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// The network's input.
    Input,
    /// The output of a layer, by its index.
    Layer(usize),
}

/// What a plan computes, and on whose buffers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// Mode of the backward pass.
    pub mode: Mode,
    /// `false`: only the forward pass; mode, signals, targets and the rest do not matter then.
    pub training: bool,
    /// Whether a backward pass can also be recorded that adds to the gradient and diagonal instead of replacing them.
    pub accumulation: bool,
    /// Whether steps without curvature can also be recorded (a plain backward pass, the optimiser's second moment resting).
    pub lazy_curvature: bool,
    /// Whether a recorded step may update parameters where their gradient is summed, without storing gradient and diagonal:
    /// those of the [`crate::State`] then hold what the last [`crate::Plan::record_gradient`] left, or nothing of meaning.
    pub fused_update: bool,
    /// Multiplies gradient and diagonal of the parameters: 1/k where k micro-batches of a mean loss are accumulated.
    pub scale: f32,
    /// Signals to keep, to be read or bound after the pass.
    pub signals: Vec<At>,
    /// Whether one kernel takes a small network of dense layers as a whole, instead of one a layer and direction. `None`: where
    /// it applies, and pays on this class of device. `Some(true)`: or else [`Plan::new`](crate::Plan::new) says why not.
    pub whole_network: Option<bool>,
    /// The host's buffer for the input: `batch × inputs` numbers (`f32`), usage STORAGE.
    pub input: Option<wgpu::Buffer>,
    /// The host's buffer for the targets: `batch` class indices (`u32`) or `batch × K` numbers, usage STORAGE. A class
    /// index out of range counts as an ignored sample.
    pub targets: Option<wgpu::Buffer>,
}

impl PlanOptions {
    /// Forward and backward pass in `mode`.
    #[must_use]
    pub fn training(mode: Mode) -> PlanOptions {
        PlanOptions {
            mode,
            training: true,
            accumulation: false,
            lazy_curvature: false,
            fused_update: false,
            scale: 1.0,
            signals: Vec::new(),
            whole_network: None,
            input: None,
            targets: None,
        }
    }

    /// The forward pass only.
    #[must_use]
    pub fn inference() -> PlanOptions {
        PlanOptions { training: false, ..PlanOptions::training(Mode::None) }
    }

    /// Keeps the signal at `at`.
    #[must_use]
    pub fn signal(mut self, at: At) -> PlanOptions {
        self.signals.push(at);
        self
    }

    /// Also plans the pass that accumulates, gradient and diagonal multiplied by `scale`.
    #[must_use]
    pub fn accumulate(mut self, scale: f32) -> PlanOptions {
        self.accumulation = true;
        self.scale = scale;
        self
    }

    /// Also plans steps without curvature.
    #[must_use]
    pub fn lazy(mut self) -> PlanOptions {
        self.lazy_curvature = true;
        self
    }

    /// Lets recorded steps update parameters where their gradient is summed. It saves the memory traffic of storing and
    /// reading both, which is most of a step at small batches; the parameters come out the same.
    #[must_use]
    pub fn fused_update(mut self) -> PlanOptions {
        self.fused_update = true;
        self
    }

    /// Takes the network as a whole, or layer by layer: see [`PlanOptions::whole_network`].
    #[must_use]
    pub fn whole_network(mut self, whole: bool) -> PlanOptions {
        self.whole_network = Some(whole);
        self
    }

    /// Takes the input from the host's buffer.
    #[must_use]
    pub fn input(mut self, buffer: &wgpu::Buffer) -> PlanOptions {
        self.input = Some(buffer.clone());
        self
    }

    /// Takes the targets from the host's buffer.
    #[must_use]
    pub fn targets(mut self, buffer: &wgpu::Buffer) -> PlanOptions {
        self.targets = Some(buffer.clone());
        self
    }
}
