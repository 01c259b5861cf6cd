//! The layout of workgroup memory for a whole network, allocated by liveness.

use super::{HELD, WholeNetwork};
use crate::lifetime::{Life, offsets};
use crate::model::Mode;

/// Where a layer's values lie in workgroup memory, counted in values of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct LayerSlots {
    pub x: u32,
    pub a: u32,
    pub z: u32,
    pub g: u32,
    pub rest: u32,
}

/// The same of all layers and of the losses, and how many values a sample needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slots {
    pub layers: Vec<LayerSlots>,
    pub losses: u32,
    pub len: u32,
}

impl WholeNetwork {
    /// The offsets of all values during a pass; `None`: forward only. Phases: 0 is the input, l a layer, then the loss, then
    /// parameters and signal of each layer, from the last one.
    pub(super) fn slots(&self, mode: Option<Mode>) -> Slots {
        let count = self.layers.len() as u32;
        let loss = count + 1;
        let (parameters, signal) =
            (|l: u32| loss + 1 + 2 * (count - 1 - l), |l: u32| loss + 2 + 2 * (count - 1 - l));
        let (mut lives, mut layers) = (Vec::new(), Vec::new());
        let mut add = |len: u32, first: u32, last: u32| {
            lives.push(Life { size: len as usize, first: first as usize, last: last as usize });
            lives.len() - 1
        };
        let training = mode.is_some();
        let mut x = add(self.layers[0].inputs, 0, if training { parameters(0) } else { 1 });
        for (l, layer) in (0..).zip(&self.layers) {
            let (phase, len) = (l + 1, layer.outputs);
            let last = l + 1 == count;
            let keeps = training && layer.activated && self.keeps();
            // The signal lies where the activation's input does; at the end, where the logits do, unless derivatives are still to
            // be read there.
            let apart = keeps && !last;
            let of_its_own = training && last && layer.activated && !self.keeps();
            let z_last = match (training, last, apart) {
                (false, ..) => phase + 1,
                (true, false, true) => parameters(l + 1),
                _ if of_its_own => loss + 1,
                _ => signal(l),
            };
            let z = add(len, phase, z_last);
            let a = if keeps { add(len, phase, if last { loss + 1 } else { signal(l) }) } else { z };
            let g = match (apart, of_its_own) {
                (true, _) => a,
                (_, true) => add(len, loss, signal(l)),
                _ => z,
            };
            let rest = match mode.map(Mode::planes) {
                Some(planes) if planes > 1 => {
                    let from = if last { loss } else { signal(l + 1) };
                    add(len * (planes as u32 - 1), from, signal(l))
                }
                _ => z,
            };
            layers.push([x, a, z, g, rest]);
            x = z;
        }
        let losses = add(1, loss, parameters(count - 1));
        let (offsets, len) = offsets(&lives);
        let layers = layers.into_iter().map(|ids| {
            let [x, a, z, g, rest] = ids.map(|id: usize| offsets[id] as u32);
            LayerSlots { x, a, z, g, rest }
        });
        Slots { layers: layers.collect(), losses: offsets[losses] as u32, len: len as u32 }
    }

    /// Samples at a time, a multiple of four; 0 where not even four find room.
    pub(super) fn tile(&self, slots: &Slots) -> u32 {
        let (fours, most) = (self.chunk().min(self.batch).div_ceil(4), HELD / 4 / slots.len);
        if most == 0 { 0 } else { 4 * fours.div_ceil(fours.div_ceil(most)) }
    }

    /// Bytes of workgroup memory that the least tile of a pass needs, and those there are.
    pub(crate) fn memory(&self, mode: Option<Mode>) -> (u64, u64) {
        (16 * u64::from(self.slots(mode).len), 4 * u64::from(HELD))
    }
}
