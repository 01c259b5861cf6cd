//! The kernels of encodings.

use crate::model::Encoding;
use crate::shader::{Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, words};

/// Numbers that each become several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Encode {
    pub encoding: Encoding,
    /// Of the batch.
    pub numbers: u32,
    /// Of a channel.
    pub positions: u32,
}

impl Encode {
    fn each(&self) -> u32 {
        self.encoding.numbers() as u32
    }

    fn label(&self) -> String {
        let name = match self.encoding {
            Encoding::Frequency { .. } => "frequencies",
            Encoding::OneBlob { .. } => "one-blob",
        };
        format!("{name} {} of each of {}", self.each(), self.numbers)
    }

    fn files(&self) -> [&'static str; 5] {
        let functions = match self.encoding {
            Encoding::Frequency { .. } => "encode/frequency",
            Encoding::OneBlob { .. } => "encode/oneblob",
        };
        ["encode/params", functions, "lib/each", "lib/divide", "lib/math"]
    }

    fn uniforms(&self, n: u32, grid_x: u32, [plane_in, plane_out]: [u32; 2]) -> Vec<Vec<u8>> {
        words(&[n, grid_x, self.each(), self.positions, plane_in, plane_out, 0, 0])
    }
}

/// `z_k = f_k(a)`: `shaders/encode/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EncodeForward(pub Encode);

impl EncodeForward {
    fn values(&self) -> u32 {
        self.0.numbers * self.0.each()
    }
}

impl Key for EncodeForward {
    fn label(&self) -> String {
        self.0.label()
    }

    /// a, z.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let own = ["encode/forward", Width::Scalar.file()];
        compose(&Header::lanes(), &[&own[..], &self.0.files()].concat())
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.values(), grid_x, [0, 0])
    }
}

/// The signal to a, through the activation below: `shaders/encode/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EncodeSignal {
    pub encode: Encode,
    pub flow: Flow,
}

impl Key for EncodeSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.encode.label())
    }

    /// The signals above and below, a; the input of the activation below.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(1)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["encode/signal"];
        files.extend(self.flow.files(&mut header, Width::Scalar, 1));
        let own = self.encode.files();
        // An activation below may have brought the library already.
        files.extend(own.iter().filter(|file| !files.contains(file)).copied().collect::<Vec<_>>());
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.encode.numbers.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.encode.uniforms(self.encode.numbers, grid_x, self.flow.planes(Width::Scalar))
    }
}
