//! The kernels of layer, RMS and group normalisation.

use crate::shader::{
    BatchShape, Binding, Binding::*, DeviceClass, Dtypes, Flow, Header, Key, Width, Workgroup, compose, words,
};

/// The groups that are normalised, how, and by how many invocations each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormGroups {
    shape: BatchShape,
    /// Of a sample.
    groups: u32,
    eps: f32,
    centred: bool,
    weight: bool,
    bias: bool,
    lanes: u32,
    rows: u32,
}

/// Numbers of a group that an invocation takes at most. For each it may loop 16 times, counted over all loops, where no compiler
/// unrolls those over vectors u; it must not loop more than 65,535 times in all.
const MOST_OF_ONE: u32 = 2048;

/// Invocations that may share a group, and the numbers from which on they do on a GPU.
const SHARED: [(u32, u32); 3] = [(16, 5), (64, 257), (256, 2049)];

impl NormGroups {
    /// The most numbers of a group.
    pub(crate) const MOST: u32 = 256 * MOST_OF_ONE;

    pub(crate) fn new(class: DeviceClass, shape: BatchShape, groups: u32, eps: f32) -> NormGroups {
        let one = NormGroups {
            shape,
            groups,
            eps,
            centred: true,
            weight: false,
            bias: false,
            lanes: 1,
            rows: if class.is_software() { 8 } else { 64 },
        };
        let enough = |lanes: &u32| one.numbers() <= lanes * MOST_OF_ONE;
        let least = [1, 8, 64].into_iter().find(enough).unwrap_or(256);
        let worth = SHARED.into_iter().rev().find(|(_, from)| one.numbers() >= *from && !class.is_software());
        let lanes = worth.map_or(least, |(lanes, _)| least.max(lanes));
        NormGroups { lanes, rows: (one.rows / lanes).max(1), ..one }
    }

    /// RMS normalisation: no mean is subtracted.
    pub(crate) fn centred(self, centred: bool) -> NormGroups {
        NormGroups { centred, ..self }
    }

    /// With γ, and with β.
    pub(crate) fn affine(self, weight: bool, bias: bool) -> NormGroups {
        NormGroups { weight, bias, ..self }
    }

    /// Channels of a group.
    fn width(&self) -> u32 {
        self.shape.channels() / self.groups
    }

    /// Numbers of a group.
    fn numbers(&self) -> u32 {
        self.width() * self.shape.positions()
    }

    fn count(&self) -> u32 {
        self.shape.batch() * self.groups
    }

    /// Elements of the statistics.
    pub(crate) fn statistics_len(&self) -> u32 {
        4 * self.count()
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.lanes * self.rows).each(16)
    }

    fn dispatched(&self) -> u32 {
        self.count().div_ceil(self.rows)
    }

    fn label(&self) -> String {
        format!("{} groups of {}", self.shape.label(), self.numbers())
    }

    /// The constants and the files of both kernels, γ at a binding.
    fn parts(&self, weight_binding: u32) -> (Header, Vec<&'static str>) {
        let mut header = Header::default();
        header.number("LANES", self.lanes).number("ROWS", self.rows);
        header.float("CENTRED", f32::from(self.centred));
        let weight = if self.weight { "norm/weight" } else { "norm/no_weight" };
        if self.weight {
            header.number("WEIGHT_BINDING", weight_binding);
        }
        let library = ["norm/params", "norm/standardized", "lib/divide", "lib/walk", "lib/rows"];
        (header, [&library[..], &[weight]].concat())
    }

    fn uniforms_of(&self, grid_x: u32, [plane_in, plane_out]: [u32; 2]) -> Vec<Vec<u8>> {
        let stride = self.shape.vectors() * self.shape.width().elements();
        let sizes = [self.shape.positions(), stride, self.width(), self.groups];
        let first = [self.count(), grid_x, plane_in, plane_out];
        words(&[&first[..], &sizes, &[self.eps.to_bits(), 0, 0, 0]].concat())
    }
}

/// Forward: `shaders/norm/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroupNormForward(pub NormGroups);

impl Key for GroupNormForward {
    fn label(&self) -> String {
        format!("normalise {}", self.0.label())
    }

    /// x, z, statistics; γ, β.
    fn bindings(&self) -> Vec<Binding> {
        let parameters = usize::from(self.0.weight) + usize::from(self.0.bias);
        [&[Uniform, Read, Write, Write][..], &vec![Read; parameters]].concat()
    }

    fn source(&self, _: Dtypes) -> String {
        let (header, mut files) = self.0.parts(4);
        files.extend(["norm/forward", if self.0.bias { "norm/bias" } else { "norm/no_bias" }]);
        files.extend([Width::Scalar.file(), "lib/math"]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.0.dispatched()
    }

    fn workgroup(&self) -> Workgroup {
        self.0.workgroup()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms_of(grid_x, [0, 0])
    }
}

/// The signal to the input: `shaders/norm/signal.wgsl`. No activation is fused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroupNormSignal {
    pub norm: NormGroups,
    pub flow: Flow,
}

impl Key for GroupNormSignal {
    fn label(&self) -> String {
        format!("signal {} through {}", self.flow.label(), self.norm.label())
    }

    /// The signals above and below, x, statistics; γ.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(2 + usize::from(self.norm.weight))
    }

    fn source(&self, _: Dtypes) -> String {
        let (mut header, mut files) = self.norm.parts(5);
        files.push("norm/signal");
        files.extend(self.flow.files(&mut header, Width::Scalar, 3));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.norm.dispatched()
    }

    fn workgroup(&self) -> Workgroup {
        self.norm.workgroup()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.norm.uniforms_of(grid_x, self.flow.planes(Width::Scalar))
    }
}

/// The signal that goes to a behind `y = J(a) u`: `shaders/norm/bend.wgsl`. No activation is fused, and there is neither γ nor β.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroupNormBend {
    pub norm: NormGroups,
    pub flow: Flow,
}

impl Key for GroupNormBend {
    fn label(&self) -> String {
        format!("signal {} at the point of {}", self.flow.label(), self.norm.label())
    }

    /// The signals above and below, a, statistics, u.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(3)
    }

    fn source(&self, _: Dtypes) -> String {
        let (mut header, files) = self.norm.parts(6);
        header.alias("Along", &Width::Scalar.kept(5));
        let mut files: Vec<&str> = files.into_iter().filter(|file| *file != "norm/no_weight").collect();
        files.push("norm/bend");
        files.extend(self.flow.files(&mut header, Width::Scalar, 3));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.norm.dispatched()
    }

    fn workgroup(&self) -> Workgroup {
        self.norm.workgroup()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.norm.uniforms_of(grid_x, self.flow.planes(Width::Scalar))
    }
}
