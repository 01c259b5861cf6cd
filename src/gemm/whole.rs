//! A network of dense layers as a whole, one workgroup a chunk of the batch: `shaders/gemm/whole/`. What decides its kernels, where
//! everything lies in workgroup memory, and what it costs.

use crate::model::{Activation, Loss, Mode};
use crate::ops::loss::LossKernel;
use crate::ops::optimizer::{Advance, Update};
use crate::shader::{
    Binding, Binding::*, DeviceClass, Dtypes, Header, Key, LANES, Workgroup, activation, bytes_of,
    components, compose, planes, words,
};

/// Workgroup memory in `f32`: 16 KiB, less what a driver may want for itself.
const HELD: u32 = 4088;

/// Layers and class weights that the uniform has room for.
pub(crate) const MOST_LAYERS: usize = 8;
pub(crate) const MOST_CLASSES: usize = 128;

/// Invocations of a workgroup on a software adapter: one vector of its processor, for which a barrier is nothing.
const NARROWEST: u32 = 8;

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
pub(crate) struct Whole {
    pub class: DeviceClass,
    pub layers: Vec<WholeLayer>,
    /// The one activation of all layers that have one.
    pub activation: Activation,
    pub loss: Loss,
    pub batch: u32,
    /// Elements of all parameters, gaps included.
    pub flat: u32,
}

/// Where a layer's values lie in workgroup memory, counted in values of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct LayerSlots {
    x: u32,
    a: u32,
    z: u32,
    g: u32,
    rest: u32,
}

/// The same of all layers and of the losses, and how many values a sample needs.
#[derive(Debug, Clone, PartialEq)]
struct Slots {
    layers: Vec<LayerSlots>,
    losses: u32,
    len: u32,
}

/// Where the results lie in their buffer, in elements. The loss is the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Results {
    pub logits: u32,
    losses: u32,
    sums: u32,
    pub len: u64,
}

/// A number that is held from one phase to another.
#[derive(Debug, Clone, Copy)]
struct Life {
    len: u32,
    first: u32,
    last: u32,
}

/// Where each finds room beside those that live at the same time, largest first, each as low as can be; and the end.
fn pack(lives: &[Life]) -> (Vec<u32>, u32) {
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(lives[*i].len));
    let (mut places, mut placed): (Vec<u32>, Vec<usize>) = (vec![0; lives.len()], Vec::new());
    for i in order {
        let life = lives[i];
        let mut beside: Vec<(u32, u32)> = placed
            .iter()
            .filter(|j| lives[**j].first <= life.last && life.first <= lives[**j].last)
            .map(|j| (places[*j], places[*j] + lives[*j].len))
            .collect();
        beside.sort_unstable();
        for (start, end) in beside {
            if places[i] + life.len > start {
                places[i] = places[i].max(end);
            }
        }
        placed.push(i);
    }
    let end = lives.iter().zip(&places).map(|(life, place)| place + life.len).max().unwrap_or(0);
    (places, end)
}

impl Whole {
    /// Whether derivatives need the activation's input beside its output.
    fn keeps(&self) -> bool {
        !self.activation.is_told_by_output()
    }

    fn outputs(&self) -> u32 {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    fn invocations(&self) -> u32 {
        let widest = self.layers.iter().map(|layer| layer.inputs.max(layer.outputs)).max().unwrap_or(0);
        match (self.class, widest) {
            (DeviceClass::Software, _) => NARROWEST,
            (_, 0..=16) => 64,
            (_, 17..=32) => 128,
            _ => 256,
        }
    }

    pub(crate) fn workgroup(&self) -> Workgroup {
        Workgroup { bytes: 4 * HELD, ..Workgroup::row(self.invocations()) }
    }

    /// Samples of one workgroup: few, so that many workgroups share a batch, but not so few that their sums are too many to add
    /// up. The same in every mode, since a sum's order depends on it.
    pub(crate) fn chunk(&self) -> u32 {
        let (least, most_chunks) = match self.class {
            DeviceClass::Software => (32, 512),
            _ => (16, 512),
        };
        self.batch.div_ceil(most_chunks).next_multiple_of(4).max(least)
    }

    pub(crate) fn chunks(&self) -> u32 {
        self.batch.div_ceil(self.chunk())
    }

    /// Where everything lies while a pass runs; `None`: forward only. Phases: 0 the input, l a layer, then the loss, then of
    /// each layer, from the last, parameters and signal.
    fn slots(&self, mode: Option<Mode>) -> Slots {
        let count = self.layers.len() as u32;
        let loss = count + 1;
        let (parameters, signal) =
            (|l: u32| loss + 1 + 2 * (count - 1 - l), |l: u32| loss + 2 + 2 * (count - 1 - l));
        let (mut lives, mut layers) = (Vec::new(), Vec::new());
        let mut add = |len, first, last| {
            lives.push(Life { len, first, last });
            lives.len() - 1
        };
        let training = mode.is_some();
        let mut x = add(self.layers[0].inputs, 0, if training { parameters(0) } else { 1 });
        for (l, layer) in (0..).zip(&self.layers) {
            let (phase, len) = (l + 1, layer.outputs);
            let last = l + 1 == count;
            let keeps = training && layer.activated && self.keeps();
            // The signal lies where the activation's input does; at the end, where the logits do.
            let apart = keeps && !last;
            let z_last = match (training, last, apart) {
                (false, ..) => phase + 1,
                (true, false, true) => parameters(l + 1),
                _ => signal(l),
            };
            let z = add(len, phase, z_last);
            let a = if keeps { add(len, phase, if last { loss + 1 } else { signal(l) }) } else { z };
            let rest = match mode.map(planes) {
                Some(planes) if planes > 1 => {
                    let from = if last { loss } else { signal(l + 1) };
                    add(len * (planes - 1), from, signal(l))
                }
                _ => z,
            };
            layers.push([x, a, z, if apart { a } else { z }, rest]);
            x = z;
        }
        let losses = add(1, loss, parameters(count - 1));
        let (places, len) = pack(&lives);
        let layers = layers.into_iter().map(|ids| {
            let [x, a, z, g, rest] = ids.map(|id: usize| places[id]);
            LayerSlots { x, a, z, g, rest }
        });
        Slots { layers: layers.collect(), losses: places[losses], len }
    }

    /// Samples at a time, a multiple of four; 0 where not even four find room.
    fn tile(&self, slots: &Slots) -> u32 {
        let (fours, most) = (self.chunk().min(self.batch).div_ceil(4), HELD / 4 / slots.len);
        if most == 0 { 0 } else { 4 * fours.div_ceil(fours.div_ceil(most)) }
    }

    /// Bytes of workgroup memory that the least tile of a pass needs, and those there are.
    pub(crate) fn memory(&self, mode: Option<Mode>) -> (u64, u64) {
        (16 * u64::from(self.slots(mode).len), 4 * u64::from(HELD))
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
        self.class != DeviceClass::Software || trips <= MOST_TRIPS
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

    /// Multiply-adds of the products, counted twice.
    fn flops(&self, mode: Option<Mode>) -> u64 {
        let of = |(l, layer): (usize, &WholeLayer)| {
            let size = u64::from(layer.inputs) * u64::from(layer.outputs);
            let back = mode.map_or(0, |mode| {
                let signal = if l > 0 { components(mode) } else { 0 };
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

/// What is done with a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum WholePass {
    /// Input to logits.
    Forward,
    /// Forward and backward, and with an update the optimiser's step.
    Back(Back),
}

/// A backward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Back {
    pub mode: Mode,
    /// Of what is stored.
    pub scale: f32,
    /// Whether results are added to what is there.
    pub accumulate: bool,
    pub update: Option<Update>,
}

impl Back {
    fn label(&self) -> String {
        let update = self.update.map_or(String::new(), |update| format!(" {}", update.rule_name()));
        format!("{}{update}", self.mode.name())
    }

    pub(crate) fn counts(&self) -> bool {
        self.update.is_some_and(|update| update.counts())
    }
}

/// The kernel that walks the network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WholeKernel {
    pub net: Whole,
    pub pass: WholePass,
}

impl WholeKernel {
    fn mode(&self) -> Option<Mode> {
        match self.pass {
            WholePass::Forward => None,
            WholePass::Back(back) => Some(back.mode),
        }
    }

    fn uniform(&self, grid_x: u32) -> WholeUniform {
        let net = &self.net;
        let slots = net.slots(self.mode());
        let tile = net.tile(&slots);
        let (fours, invocations) = (tile / 4, net.invocations());
        let lanes = |units: u32| units.next_power_of_two().clamp(NARROWEST, invocations).trailing_zeros();
        let mut layers = [LayerUniform::default(); MOST_LAYERS];
        for ((out, layer), places) in layers.iter_mut().zip(&net.layers).zip(&slots.layers) {
            *out = LayerUniform {
                inputs: layer.inputs,
                outputs: layer.outputs,
                weight: layer.weight,
                bias: layer.bias.unwrap_or(u32::MAX),
                activated: u32::from(layer.activated),
                x: fours * places.x,
                a: fours * places.a,
                z: fours * places.z,
                g: fours * places.g,
                rest: fours * places.rest,
                input_lanes: lanes(layer.inputs),
                output_lanes: lanes(layer.outputs),
                block_lanes: lanes(layer.inputs.div_ceil(4)),
                unused: [0; 3],
            };
        }
        let mut class_weights = [0.0; MOST_CLASSES];
        for (to, from) in class_weights.iter_mut().zip(net.loss.class_weights().unwrap_or_default()) {
            *to = *from;
        }
        let back = if let WholePass::Back(back) = self.pass { Some(back) } else { None };
        let diagonal = back.is_some_and(|back| back.mode.has_diagonal());
        let results = net.results(diagonal);
        let loss = LossKernel::new(net.class, net.loss.clone(), Mode::None, net.batch, net.outputs(), 1, 0);
        let loss = loss.uniform(grid_x);
        WholeUniform {
            count: net.layers.len() as u32,
            batch: net.batch,
            chunk: net.chunk(),
            tile,
            grid_x,
            flat: net.flat,
            logits: results.logits,
            losses: results.losses,
            sums: results.sums,
            held_losses: fours * slots.losses,
            target_len: net.loss.target_len(&[net.outputs() as usize]) as u32,
            scale: back.map_or(1.0, |back| back.scale),
            factor: loss.factor,
            smoothing: loss.smoothing,
            ignore: loss.ignore,
            has_ignore: loss.has_ignore,
            layers,
            class_weights,
        }
    }
}

impl Key for WholeKernel {
    fn label(&self) -> String {
        let what = match &self.pass {
            WholePass::Forward => "forward".into(),
            WholePass::Back(back) => back.label(),
        };
        let act = self.net.activation.name();
        format!("whole {what}+{act} {} batch {}", self.net.widths(), self.net.batch)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Sizes, parameters, input, results; then targets; then, where one workgroup has the whole batch, the gradient; the
    /// optimiser's memory; the diagonal.
    fn bindings(&self) -> Vec<Binding> {
        let WholePass::Back(back) = self.pass else { return vec![Uniform, Read, Read, Write] };
        if self.net.chunks() > 1 {
            let mut bindings = vec![Uniform, Read, Read, Write, Read];
            bindings.extend(back.counts().then_some(Write));
            return bindings;
        }
        let parameters = if back.update.is_some() { Write } else { Read };
        let mut bindings = vec![Uniform, parameters, Read, Write, Read, Write];
        bindings.extend(back.update.map(|_| Write));
        bindings.extend(back.mode.has_diagonal().then_some(Write));
        bindings
    }

    fn source(&self, _: Dtypes) -> String {
        let net = &self.net;
        let mut header = Header::default();
        header.number("INVOCATIONS", net.invocations()).number("NARROWEST", NARROWEST).number("HELD", HELD);
        header.number("MOST_LAYERS", MOST_LAYERS as u32).number("MOST_CLASSES", MOST_CLASSES as u32);
        let mut files = vec!["gemm/whole/network"];
        let WholePass::Back(back) = self.pass else {
            header.flag("KEEP", false);
            files.extend(["gemm/whole/forward_only", "gemm/whole/read"]);
            files.extend(activation(&mut header, net.activation));
            return compose(&header, &files);
        };
        header.flag("KEEP", net.keeps()).flag("F2_TERM", back.mode != Mode::HesScaleGn);
        header.number("P", components(back.mode)).number("PLANES", planes(back.mode));
        header.number("LANES", 1).flag("ACCUMULATE", back.accumulate);
        files.extend(["gemm/whole/backward", "lib/alone"]);
        let [act, math] = activation(&mut header, net.activation);
        files.push(act);
        let loss = LossKernel::new(net.class, net.loss.clone(), back.mode, net.batch, net.outputs(), 1, 0);
        files.extend(loss.rule(&mut header));
        if net.loss.class_weights().is_some() {
            files.retain(|file| *file != "loss/weights");
            files.push("gemm/whole/weights");
        }
        if net.chunks() > 1 {
            files.extend(["gemm/whole/chunked", "gemm/whole/read"]);
            match back.update.filter(|_| back.counts()) {
                Some(update) => {
                    header.number("MEMORY", 5);
                    files.extend(["gemm/whole/count", "optimizer/state"]);
                    files.extend(Advance::of(&update).files(&mut header));
                }
                None => files.push("gemm/whole/no_count"),
            }
        } else {
            let diagonal = back.mode.has_diagonal();
            files.extend([
                "gemm/whole/alone",
                if diagonal { "gemm/whole/diagonal" } else { "gemm/whole/no_diagonal" },
            ]);
            header.number("DIAGONAL", 6 + u32::from(back.update.is_some()));
            match back.update {
                Some(update) => {
                    header.number("MEMORY", 6);
                    files.extend(["gemm/whole/write", "gemm/whole/update"]);
                    files.extend(update.rule(&mut header));
                    files.push(if update.counts() { "gemm/whole/count" } else { "gemm/whole/no_count" });
                    if update.counts() {
                        files.extend(Advance::of(&update).files(&mut header));
                    }
                }
                None => files.extend(["gemm/whole/read", "gemm/whole/no_update"]),
            }
        }
        // Activation, loss and optimiser each ask for it.
        files.retain(|file| *file != math);
        files.push(math);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.net.chunks()
    }

    fn flops(&self) -> u64 {
        self.net.flops(self.mode())
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        vec![bytes_of(&self.uniform(grid_x))]
    }

    fn workgroup(&self) -> Workgroup {
        self.net.workgroup()
    }
}

/// The uniform of `gemm/whole/network.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct WholeUniform {
    count: u32,
    batch: u32,
    chunk: u32,
    tile: u32,
    grid_x: u32,
    flat: u32,
    logits: u32,
    losses: u32,
    sums: u32,
    held_losses: u32,
    target_len: u32,
    scale: f32,
    factor: f32,
    smoothing: f32,
    ignore: u32,
    has_ignore: u32,
    layers: [LayerUniform; MOST_LAYERS],
    class_weights: [f32; MOST_CLASSES],
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct LayerUniform {
    inputs: u32,
    outputs: u32,
    weight: u32,
    bias: u32,
    activated: u32,
    x: u32,
    a: u32,
    z: u32,
    g: u32,
    rest: u32,
    input_lanes: u32,
    output_lanes: u32,
    block_lanes: u32,
    unused: [u32; 3],
}

/// What the chunks left, added up, and the optimiser behind it: `shaders/gemm/whole/gather.wgsl`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gather {
    pub net: Whole,
    pub back: Back,
}

impl Key for Gather {
    fn label(&self) -> String {
        format!("whole gather {} {}x{}", self.back.label(), self.net.chunks(), self.net.flat)
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Sizes, results, gradient; parameters and the optimiser's memory; the diagonal.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Write, Write];
        bindings.extend(self.back.update.into_iter().flat_map(|_| [Write, Write]));
        bindings.extend(self.back.mode.has_diagonal().then_some(Write));
        bindings
    }

    fn source(&self, _: Dtypes) -> String {
        let Back { mode, accumulate, update, .. } = self.back;
        let mut header = Header::default();
        header.number("LANES", LANES).number("PLANES", 1 + u32::from(mode.has_diagonal()));
        header.flag("ACCUMULATE", accumulate).number("DIAGONAL", if update.is_some() { 5 } else { 3 });
        let diagonal = mode.has_diagonal();
        let mut files = vec!["gemm/whole/gather"];
        files.push(if diagonal { "gemm/whole/gather_diagonal" } else { "gemm/whole/gather_no_diagonal" });
        match update {
            Some(update) => {
                header.number("MEMORY", 4);
                files.push("gemm/whole/gather_update");
                files.extend(update.rule(&mut header));
            }
            None => files.push("gemm/whole/gather_no_update"),
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        (self.net.flat / 4).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let results = self.net.results(self.back.mode.has_diagonal());
        let (chunks, scale) = (self.net.chunks(), self.back.scale.to_bits());
        words(&[self.net.flat / 4, grid_x, chunks, results.losses, results.sums / 4, scale, 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_at_the_same_time_does_not_overlap() {
        let life = |len, first, last| Life { len, first, last };
        let lives = [life(4, 0, 2), life(8, 1, 3), life(4, 3, 5), life(2, 2, 2), life(6, 4, 6)];
        let (places, end) = pack(&lives);
        for (i, a) in lives.iter().enumerate() {
            for (j, b) in lives.iter().enumerate().skip(i + 1) {
                let together = a.first <= b.last && b.first <= a.last;
                let apart = places[i] + a.len <= places[j] || places[j] + b.len <= places[i];
                assert!(!together || apart, "{i} at {}, {j} at {}", places[i], places[j]);
            }
        }
        // At 2 there are 4 + 8 + 2.
        assert_eq!(end, 14);
    }
}
