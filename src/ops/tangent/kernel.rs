//! The kernels of derivatives along a direction.

use crate::model::Activation;
use crate::ops::pool::{Pooling, shape};
use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, Workgroup, activation, compose, words,
};

/// `ż = f'(a) ȧ`: `shaders/tangent/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlopeForward {
    pub activation: Activation,
    /// Padding channels included.
    pub elements: u32,
}

impl SlopeForward {
    fn width(&self) -> Width {
        if self.elements.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
    }

    fn values(&self) -> u32 {
        self.elements / self.width().elements()
    }

    /// The files with the activation's derivatives.
    fn derivatives(&self, header: &mut Header) -> Vec<&'static str> {
        let [function, math] = activation(header, self.activation);
        vec![self.width().derivatives(), function, math]
    }
}

impl Key for SlopeForward {
    fn label(&self) -> String {
        format!("slope of {} {}", self.activation.name(), self.elements)
    }

    /// ȧ, a, ż.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.flag("F2_TERM", false);
        let mut files = vec!["lib/elementwise", "lib/each", "tangent/forward", "signal/activation"];
        files.push(self.width().file());
        files.extend(self.derivatives(&mut header));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.values(), grid_x, 0, 0])
    }
}

/// Which of the two a signal goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Factor {
    /// To ȧ, by `f'(a)`.
    Slope,
    /// To a, by `f''(a) ȧ`.
    Bend,
}

/// The signal at ȧ or at a: `shaders/signal/affine.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlopeSignal {
    pub forward: SlopeForward,
    pub factor: Factor,
    pub flow: Flow,
}

impl SlopeSignal {
    fn extras(&self) -> u32 {
        1 + u32::from(self.factor == Factor::Bend)
    }
}

impl Key for SlopeSignal {
    fn label(&self) -> String {
        let to = if self.factor == Factor::Bend { "point" } else { "direction" };
        format!("signal {} at the {to} of {}", self.flow.label(), self.forward.label())
    }

    /// The signals above and below, a, and for [`Factor::Bend`] ȧ. No activation stands before either: both have more readers.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(self.extras() as usize)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let factor = if self.factor == Factor::Bend {
            header.alias("Along", &self.forward.width().kept(4));
            "tangent/bend"
        } else {
            "tangent/slope"
        };
        let mut files = vec!["lib/elementwise", "lib/each", "signal/affine", factor];
        files.extend(self.flow.files(&mut header, self.forward.width(), self.extras()));
        files.extend(self.forward.derivatives(&mut header));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.forward.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(self.forward.width());
        words(&[self.forward.values(), grid_x, plane_in, plane_out])
    }
}

/// What stands where the maxima were: `shaders/pool/take.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Take {
    pub pooling: Pooling,
    pub batch: u32,
    pub channels: u32,
}

impl Take {
    fn elements(&self) -> u32 {
        self.pooling.outputs(self.batch, self.channels)
    }
}

impl Key for Take {
    fn label(&self) -> String {
        format!("take of {}", self.pooling.label(self.batch, self.channels))
    }

    /// ȧ, ż, the taps.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::default();
        let mut files = vec!["pool/take", self.pooling.taps_file()];
        files.extend(self.pooling.files(&mut header, self.channels, 1));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements().div_ceil(shape(1).1)
    }

    fn workgroup(&self) -> Workgroup {
        let (lanes, rows) = shape(1);
        Workgroup::row(lanes * rows).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.elements(), grid_x, 0, 0])
    }
}
