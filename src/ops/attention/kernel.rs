//! The kernels of attention.

use crate::model::{Heads, Mode};
use crate::shader::{
    Binding, Binding::*, DeviceClass, Dtypes, Flow, Header, Key, LANES, Width, Workgroup, compose, constants,
    words,
};
use crate::{Error, Result};

/// Attention of a batch, and by how many invocations each query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attention {
    heads: Heads,
    batch: u32,
    lanes: u32,
    rows: u32,
}

/// Invocations that may share a query, and the positions from which on they do on a GPU.
const SHARED: [(u32, usize); 3] = [(16, 5), (64, 257), (256, 2049)];

/// An invocation must not loop more than 65,535 times in all: for each number of a head, and for each position, it may loop five
/// times, where no compiler unrolls what reads and adds two vectors u.
const MOST_LOOPS: usize = 60_000;

impl Attention {
    pub(crate) fn new(class: DeviceClass, heads: Heads, batch: u32) -> Attention {
        let one = Attention { heads, batch, lanes: 1, rows: if class.is_software() { 8 } else { 64 } };
        let enough = |lanes: &u32| one.loops(*lanes) <= MOST_LOOPS;
        let least = [1, 8, 64].into_iter().find(enough).unwrap_or(256);
        let worth = SHARED.into_iter().rev().find(|(_, from)| heads.positions >= *from);
        let worth = worth.filter(|_| !class.is_software());
        let lanes = worth.map_or(least, |(lanes, _)| least.max(lanes));
        Attention { lanes, rows: (one.rows / lanes).max(1), ..one }
    }

    /// How often an invocation loops at most.
    fn loops(&self, lanes: u32) -> usize {
        let of_query = self.heads.positions.div_ceil(lanes as usize) * (5 * self.width() as usize + 10);
        of_query.max(5 * self.heads.positions + self.heads.positions / 8)
    }

    /// That the device's loops are long enough.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let (loops, most) = (self.loops(256) as u64, MOST_LOOPS as u64);
        if loops > most {
            let what = "loops of an invocation, over positions and the width of a head";
            return Err(Error::limit(name, what, loops, most));
        }
        Ok(())
    }

    /// Heads that begin at whole vec4s are taken so.
    fn width_of(&self) -> Width {
        if self.heads.width.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
    }

    /// Values of a head.
    fn width(&self) -> u32 {
        self.heads.width as u32 / self.width_of().elements()
    }

    /// Values of a position, of the input and of the output, padding included.
    fn strides(&self) -> [u32; 2] {
        let of = |channels: usize| channels.next_multiple_of(4) as u32 / self.width_of().elements();
        [of(3 * self.heads.channels()), of(self.heads.channels())]
    }

    fn positions(&self) -> u32 {
        self.heads.positions as u32
    }

    /// Rows of p.
    fn queries(&self) -> u32 {
        self.batch * self.heads.count as u32 * self.positions()
    }

    /// Numbers p.
    pub(crate) fn weights(&self) -> usize {
        self.batch as usize * self.heads.weights()
    }

    /// Numbers of the signal at the scores.
    pub(crate) fn scores(&self, mode: Mode) -> usize {
        mode.components() * self.weights()
    }

    fn label(&self) -> String {
        let Heads { count, width, positions, causal } = self.heads;
        let causal = if causal { " causal" } else { "" };
        format!("{}x{count} heads of {width} at {positions}{causal}", self.batch)
    }

    fn invocations(&self) -> u32 {
        self.lanes * self.rows
    }

    /// The header and files of a kernel that takes queries.
    fn of_queries(&self) -> (Header, Vec<&'static str>) {
        let mut header = Header::default();
        header.number("LANES", self.lanes).number("ROWS", self.rows);
        (header, vec!["lib/rows"])
    }

    fn files(&self, header: &mut Header) -> Vec<&'static str> {
        header.flag("CAUSAL", self.heads.causal);
        let across = match self.width_of() {
            Width::Scalar => "attention/scalar",
            Width::Vector => "attention/vector",
        };
        vec!["attention/params", across, "lib/divide"]
    }

    fn uniforms(&self, n: u32, grid_x: u32, [plane_in, plane_out]: [u32; 2]) -> Vec<Vec<u8>> {
        let [stride_in, stride_out] = self.strides();
        let sizes = [self.positions(), self.heads.count as u32, self.width(), stride_in, stride_out];
        let scale = (self.heads.scale() as f32).to_bits();
        words(&[&[n, grid_x, plane_in, plane_out][..], &sizes, &[self.weights() as u32, scale, 0]].concat())
    }
}

/// p: `shaders/attention/weights.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionWeights(pub Attention);

impl Key for AttentionWeights {
    fn label(&self) -> String {
        format!("attention weights {}", self.0.label())
    }

    /// x, p.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let (mut header, mut files) = self.0.of_queries();
        files.extend(self.0.files(&mut header));
        files.extend([
            "attention/weights",
            "lib/largest",
            "lib/row_tops",
            "lib/math",
            self.0.width_of().file(),
        ]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.0.queries().div_ceil(self.0.rows)
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.0.invocations()).each(32)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.0.queries(), grid_x, [0, 0])
    }

    fn flops(&self) -> u64 {
        2 * (self.0.weights() * self.0.heads.width) as u64
    }
}

/// z: `shaders/attention/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionForward(pub Attention);

impl AttentionForward {
    fn values(&self) -> u32 {
        self.0.batch * self.0.positions() * self.0.strides()[1]
    }
}

impl Key for AttentionForward {
    fn label(&self) -> String {
        format!("attention {}", self.0.label())
    }

    /// x, z, p.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let files = self.0.files(&mut header);
        let own = ["attention/forward", "lib/each", self.0.width_of().file()];
        compose(&header, &[&files[..], &own].concat())
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.values(), grid_x, [0, 0])
    }

    fn flops(&self) -> u64 {
        2 * (self.0.weights() * self.0.heads.width) as u64
    }
}

/// The signal at the scores: `shaders/attention/scores.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionScores {
    pub attention: Attention,
    pub mode: Mode,
    /// Elements of a plane of the signal above.
    pub plane: u32,
}

impl Key for AttentionScores {
    fn label(&self) -> String {
        format!("signal {} at scores of attention {}", self.mode.name(), self.attention.label())
    }

    /// The signal above, the one at the scores, x, p.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let (mut header, mut files) = self.attention.of_queries();
        constants(&mut header, self.mode);
        header.flag("F2_TERM", self.mode.is_curved());
        files.extend(self.attention.files(&mut header));
        files.extend(["attention/scores", "signal/gather", self.attention.width_of().file()]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.attention.queries().div_ceil(self.attention.rows)
    }

    fn workgroup(&self) -> Workgroup {
        Workgroup::row(self.attention.invocations()).each(16)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let plane = self.plane / self.attention.width_of().elements();
        self.attention.uniforms(self.attention.queries(), grid_x, [plane, 0])
    }

    fn flops(&self) -> u64 {
        2 * (self.attention.scores(self.mode) * self.attention.heads.width) as u64
    }
}

/// The signal at queries, keys and values, through the activation below: `shaders/attention/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AttentionSignal {
    pub attention: Attention,
    pub flow: Flow,
}

impl AttentionSignal {
    fn values(&self) -> u32 {
        self.attention.batch * self.attention.positions() * self.attention.strides()[0]
    }
}

impl Key for AttentionSignal {
    fn label(&self) -> String {
        format!("signal {} through attention {}", self.flow.label(), self.attention.label())
    }

    /// The signals above and below, x, p, the signal at the scores; the activation's input.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(3)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = self.attention.files(&mut header);
        files.extend(["attention/signal", "lib/each"]);
        files.extend(self.flow.files(&mut header, self.attention.width_of(), 3));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let planes = self.flow.planes(self.attention.width_of());
        self.attention.uniforms(self.values(), grid_x, planes)
    }

    fn flops(&self) -> u64 {
        6 * (self.attention.scores(self.flow.mode) * self.attention.heads.width) as u64
    }
}
