//! The kernel that runs a whole network: its text and its uniform.

use super::{HELD, MOST_CLASSES, MOST_LAYERS, NARROWEST, WholeNetwork};
use crate::model::Mode;
use crate::ops::loss::LossKernel;
use crate::ops::optimizer::{Advance, Update};
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, Workgroup, activation, bytes_of, compose};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum WholePass {
    /// Input to logits.
    Forward,
    /// Forward and backward, and with an update the optimiser's step.
    Back(Back),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Back {
    pub mode: Mode,
    /// Of what is stored.
    pub scale: f32,
    pub accumulate: bool,
    pub update: Option<Update>,
}

impl Back {
    pub(super) fn label(&self) -> String {
        let update = self.update.map_or(String::new(), |update| format!(" {}", update.rule_name()));
        format!("{}{update}", self.mode.name())
    }

    pub(crate) fn counts(&self) -> bool {
        self.update.is_some_and(|update| update.counts())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WholeKernel {
    pub net: WholeNetwork,
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
        let weights = net.loss.output_weights(&[net.outputs() as usize]).unwrap_or_default();
        class_weights.iter_mut().zip(weights).for_each(|(to, from)| *to = from);
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

    /// Sizes, parameters, input, results; targets; if one workgroup has the whole batch, gradient, moments, diagonal.
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
        header.flag("KEEP", net.keeps()).flag("F2_TERM", back.mode.is_curved());
        header.number("P", back.mode.components() as u32).number("PLANES", back.mode.planes() as u32);
        header.number("LANES", 1).flag("ACCUMULATE", back.accumulate);
        files.extend(["gemm/whole/backward", "signal/activation", "act/vector", "lib/alone"]);
        let [act, math] = activation(&mut header, net.activation);
        files.push(act);
        let loss = LossKernel::new(net.class, net.loss.clone(), back.mode, net.batch, net.outputs(), 1, 0);
        files.extend(loss.rule(&mut header));
        if files.contains(&"loss/weights") {
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
