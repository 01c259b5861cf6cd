//! The kernels of concatenation.

use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, padded, words};

/// z = (x, y) at each position: `shaders/concat/forward.wgsl`. In rows a sample is a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Concat {
    /// Of all samples.
    pub positions: u32,
    /// Channels of x and of y.
    pub channels: [u32; 2],
    /// Whether those of a position are padded to whole vec4s.
    pub padded: bool,
}

impl Concat {
    fn all(&self) -> u32 {
        self.channels[0] + self.channels[1]
    }

    /// Vectors, where x ends at the end of one, and without padding y too.
    fn width(&self) -> Width {
        let whole = self.channels[0].is_multiple_of(4) && (self.padded || self.channels[1].is_multiple_of(4));
        if whole { Width::Vector } else { Width::Scalar }
    }

    /// What lies at a position of so many channels, in units of the width.
    fn stride(&self, channels: u32) -> u32 {
        let elements = if self.padded { padded(channels as usize) as u32 } else { channels };
        elements / self.width().elements()
    }

    fn label(&self) -> String {
        format!("concat {}x({} + {})", self.positions, self.channels[0], self.channels[1])
    }

    /// Values at a position, without those that only pad.
    fn count(&self, channels: u32) -> u32 {
        channels.div_ceil(self.width().elements())
    }

    /// Values of all positions.
    fn values(&self, channels: u32) -> u32 {
        self.positions * self.stride(channels)
    }

    /// Of the forward kernel, or of the one that makes the signal at `input`.
    fn uniforms(&self, input: Option<usize>, planes: [u32; 2], grid_x: u32) -> Vec<Vec<u8>> {
        let ([x, y], z) = (self.channels, self.all());
        let of = input.map_or(z, |input| self.channels[input]);
        let first = if input == Some(1) { self.count(x) } else { 0 };
        let mut all = vec![self.values(of), grid_x, planes[0], planes[1]];
        all.extend([x, y, z].map(|channels| self.stride(channels)));
        all.extend([self.count(x), self.count(y), self.stride(of), self.count(of), first]);
        words(&all)
    }
}

impl Key for Concat {
    fn label(&self) -> String {
        Concat::label(self)
    }

    /// x, y, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let files = ["concat/params", "lib/each", "lib/divide", "concat/forward", self.width().file()];
        compose(&Header::lanes(), &files)
    }

    fn groups(&self) -> u32 {
        self.values(self.all()).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        Concat::uniforms(self, None, [0, 0], grid_x)
    }
}

/// The signal at one of the two, through the activation below: `shaders/concat/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ConcatSignal {
    pub concat: Concat,
    /// 0 for x, 1 for y.
    pub input: usize,
    pub flow: Flow,
}

impl Key for ConcatSignal {
    fn label(&self) -> String {
        let of = ["first", "second"][self.input];
        format!("signal {} at the {of} of {}", self.flow.label(), Concat::label(&self.concat))
    }

    /// The signals above and below; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["concat/params", "lib/each", "lib/divide", "concat/signal"];
        files.extend(self.flow.files(&mut header, self.concat.width(), 0));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.concat.values(self.concat.channels[self.input]).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let planes = self.flow.planes(self.concat.width());
        Concat::uniforms(&self.concat, Some(self.input), planes, grid_x)
    }
}
