//! Sums for parameters that each channel has of its own.

use super::{BATCH, CHANNELS, Operation, SHOWN, depthwise, is};
use crate::model::Mode;
use crate::ops::batchnorm::NormBy;
use crate::ops::channel_sums::{ChannelParameters, ChannelSums};
use crate::shader::{BatchShape, Dtype::F16, Dtype::F32, Kernel};

pub(super) const OPERATION: Operation = Operation {
    all: |_| all(),
    stored: |kernel| {
        let shown = kernel.get().filter(|sums: &&ChannelSums| sums.mode == SHOWN);
        let input =
            |sums: &ChannelSums| if sums.reads_input() { vec![F16, F32, F16] } else { vec![F16, F32] };
        shown.map(input).into_iter().collect()
    },
    family: |kernel| {
        is::<ChannelSums>(kernel).then_some("parameters of normalisation, PReLU, positions, depthwise")
    },
};

fn all() -> Vec<Kernel> {
    let shape = |positions| BatchShape::Image { batch: BATCH, channels: CHANNELS, positions };
    let mut kernels = Vec::new();
    let mut add = |parameters, mode| kernels.push(ChannelSums { parameters, mode, plane: 4096 }.into());
    for mode in Mode::ALL {
        for positions in [30, 10_000] {
            add(ChannelParameters::Norm(shape(positions), NormBy::Given), mode);
            add(ChannelParameters::Norm(shape(positions), NormBy::Batch), mode);
            add(ChannelParameters::Slopes(shape(positions)), mode);
            add(ChannelParameters::Slopes(shape(positions).as_line()), mode);
            for (groups, apart) in [(CHANNELS, false), (1, true)] {
                add(ChannelParameters::Groups { shape: shape(positions), groups, apart, bias: true }, mode);
            }
        }
        let rows = BatchShape::Rows { batch: BATCH, features: 33 };
        add(ChannelParameters::Offsets(rows), mode);
        add(ChannelParameters::Offsets(shape(1)), mode);
        for bias in [false, true] {
            add(ChannelParameters::Groups { shape: rows, groups: 1, apart: false, bias }, mode);
        }
        for (sizes, bias) in depthwise::sizes().into_iter().flat_map(|s| [false, true].map(|b| (s, b))) {
            add(ChannelParameters::Depthwise { sizes, bias }, mode);
        }
    }
    kernels
}
