//! A convolution as products over images: forward, the signal, and the parameters' sums.

use crate::gemm::{Gemm, ImageGeometry, Split, Tuning, Use};
use crate::model::{Convolution, Mode};
use crate::shader::padded;

fn area(size: [usize; 2]) -> u32 {
    (size[0] * size[1]) as u32
}

impl Convolution {
    fn geometry(&self, batch: u32, back: bool, group: [usize; 3]) -> ImageGeometry {
        let group = group.map(|size| size as u32);
        let weights = self.window.taps() * self.inputs * self.outputs / self.groups;
        let products = u64::from(batch) * u64::from(area(self.window.positions)) * weights as u64;
        ImageGeometry {
            window: self.window,
            back,
            samples: batch,
            groups: self.groups as u32,
            products,
            group,
            split: Split::WHOLE,
        }
    }

    pub(crate) fn output_size(&self) -> [usize; 2] {
        if self.transposed { self.window.image } else { self.window.positions }
    }

    pub(crate) fn input_size(&self) -> [usize; 2] {
        if self.transposed { self.window.positions } else { self.window.image }
    }

    /// Channels as they lie in images, then those of a group: in and out.
    pub(super) fn channels(&self) -> (u32, u32, usize, usize) {
        let (inputs, outputs) = (padded(self.inputs) as u32, padded(self.outputs) as u32);
        (inputs, outputs, self.inputs / self.groups, self.outputs / self.groups)
    }

    /// `z = act(x * W + b)`; see [`Use::Forward`].
    pub(crate) fn forward<'a>(&self, tuning: impl Into<Tuning<'a>>, batch: u32, usage: Use) -> Gemm {
        let (inputs, outputs, group_in, group_out) = self.channels();
        let geometry = self.geometry(batch, self.transposed, [1, group_out, group_in]);
        Gemm::over(tuning.into(), usage, [batch * area(self.output_size()), outputs, inputs], geometry)
    }

    /// The signal at the input; see [`Use::Signal`].
    pub(crate) fn signal<'a>(&self, tuning: impl Into<Tuning<'a>>, batch: u32, usage: Use) -> Gemm {
        let (inputs, outputs, group_in, group_out) = self.channels();
        let geometry = self.geometry(batch, !self.transposed, [1, group_in, group_out]);
        Gemm::over(tuning.into(), usage, [batch * area(self.input_size()), inputs, outputs], geometry)
    }

    /// Partial sums for the parameters; see [`Use::Partial`].
    pub(crate) fn partial<'a>(&self, tuning: impl Into<Tuning<'a>>, batch: u32, mode: Mode) -> Gemm {
        let tuning = tuning.into();
        let (inputs, outputs, group_in, group_out) = self.channels();
        let mut geometry = self.geometry(batch, self.transposed, [group_out, group_in, 1]);
        let positions = area(self.output_size());
        let sizes = [outputs, geometry.taps() * inputs, positions];
        // Split as in plain backprop and without a measured table, so that the gradient has the same bits in every mode.
        let usage = |mode| Use::Partial { mode, bias: self.bias };
        let plain = Gemm::over(tuning.shipped(), usage(Mode::None), sizes, geometry);
        geometry.split = Split::new(tuning, plain.tiles(), batch, positions);
        Gemm::over(tuning, usage(mode), sizes, geometry)
    }
}
