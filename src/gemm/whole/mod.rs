//! Small networks of dense layers in one kernel, with one workgroup for each chunk of the batch: `shaders/gemm/whole/`.

mod gather;
mod kernel;
mod slots;

pub(crate) use gather::Gather;
pub(crate) use kernel::{Back, WholeKernel, WholePass};

use crate::model::{Activation, Loss, Mode};
use crate::shader::{DeviceClass, Workgroup};

/// Workgroup memory in `f32`: 16 KiB, less what a driver may want for itself.
const HELD: u32 = 4088;

/// Layers and class weights that the uniform has room for.
pub(crate) const MOST_LAYERS: usize = 8;
pub(crate) const MOST_CLASSES: usize = 128;

/// Invocations of a workgroup on a software adapter: one vector of its CPU, for which a barrier is nothing.
const NARROWEST: u32 = 8;

/// Parts of a batch, each with sums of its own.
const MOST_CHUNKS: u32 = 512;

/// llvmpipe leaves an invocation's loops after 65,535 trips in all, silently.
const MOST_TRIPS: u64 = 50_000;

/// A dense layer, and whether the network's activation follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WholeLayer {
    pub inputs: u32,
    pub outputs: u32,
    /// Where its parameters start in the flat layout.
    pub weight: u32,
    pub bias: Option<u32>,
    pub activated: bool,
}

/// A network that a workgroup can take as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WholeNetwork {
    pub class: DeviceClass,
    pub layers: Vec<WholeLayer>,
    /// The one activation of all layers that have one.
    pub activation: Activation,
    pub loss: Loss,
    pub batch: u32,
    /// Elements of all parameters, gaps included.
    pub flat: u32,
}

/// Where the results lie in their buffer, in elements. The loss is the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Results {
    pub logits: u32,
    losses: u32,
    sums: u32,
    pub len: u64,
}

impl WholeNetwork {
    /// Whether derivatives need the activation's input beside its output.
    fn keeps(&self) -> bool {
        !self.activation.is_told_by_output()
    }

    fn outputs(&self) -> u32 {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    fn invocations(&self) -> u32 {
        let widest = self.layers.iter().map(|layer| layer.inputs.max(layer.outputs)).max().unwrap_or(0);
        match widest {
            _ if self.class.is_software() => NARROWEST,
            0..=16 => 64,
            17..=32 => 128,
            _ => 256,
        }
    }

    pub(crate) fn workgroup(&self) -> Workgroup {
        Workgroup { bytes: 4 * HELD, ..Workgroup::row(self.invocations()) }
    }

    /// Samples of one workgroup: few, so that many workgroups share a batch, but enough to keep the number of partial sums small.
    /// Independent of the mode, because the order of sums depends on it.
    pub(crate) fn chunk(&self) -> u32 {
        let least = if self.class.is_software() { 32 } else { 16 };
        self.batch.div_ceil(MOST_CHUNKS).next_multiple_of(4).max(least)
    }

    pub(crate) fn chunks(&self) -> u32 {
        self.batch.div_ceil(self.chunk())
    }

    /// Whether an invocation loops no more often than every driver lets it.
    pub(crate) fn loops_end(&self) -> bool {
        let wide = u64::from(self.invocations());
        let fours = u64::from(self.chunk().min(self.batch).div_ceil(4));
        let of = |layer: &WholeLayer| {
            let [i, o] = [layer.inputs, layer.outputs].map(u64::from);
            let forward = o.div_ceil(wide) * (4 + if i % 4 == 0 { i / 4 } else { i });
            let down = i.div_ceil(wide) * (4 + o / 4);
            // A tile may be as small as four samples.
            let blocks = o.div_ceil(4) * i.div_ceil(4 * wide) * 8 + o.div_ceil(wide) * 4;
            fours * (forward + down + blocks)
        };
        let loss = 4 * fours.div_ceil(wide) * u64::from(self.outputs()) * 6;
        let trips = self.layers.iter().map(of).sum::<u64>() + loss + u64::from(self.flat) / 4 / wide;
        !self.class.is_software() || trips <= MOST_TRIPS
    }

    /// Where results lie for this mode's planes of sums.
    pub(crate) fn results(&self, diagonal: bool) -> Results {
        let aligned = |elements: u32| elements.next_multiple_of(64);
        let logits = 64;
        let losses = logits + aligned(self.batch * self.outputs());
        let sums = losses + aligned(self.chunks());
        let planes = 1 + u64::from(diagonal);
        let len = u64::from(sums) + u64::from(self.chunks()) * planes * u64::from(self.flat);
        Results { logits, losses, sums, len }
    }

    fn flops(&self, mode: Option<Mode>) -> u64 {
        let of = |(l, layer): (usize, &WholeLayer)| {
            let size = u64::from(layer.inputs) * u64::from(layer.outputs);
            let back = mode.map_or(0, |mode| {
                let signal = if l > 0 { mode.components() as u32 } else { 0 };
                u64::from(signal) + 1 + u64::from(mode.has_diagonal())
            });
            size * (1 + back)
        };
        2 * u64::from(self.batch) * self.layers.iter().enumerate().map(of).sum::<u64>()
    }

    fn widths(&self) -> String {
        let outputs = self.layers.iter().map(|layer| layer.outputs.to_string());
        let first = self.layers.first().map(|layer| layer.inputs.to_string());
        first.into_iter().chain(outputs).collect::<Vec<_>>().join("-")
    }
}
