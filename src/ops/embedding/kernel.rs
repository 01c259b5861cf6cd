//! The kernels of embeddings.

use crate::model::Mode;
use crate::shader::{
    Binding, Binding::*, Dtypes, Flow, Header, Key, LANES, Width, compose, constants, vectors, words,
};

/// A table, and the numbers that select its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Selection {
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
    pub batch: u32,
    /// Numbers of a sample.
    pub positions: u32,
}

/// Neighbours that are sorted at once.
const BLOCK: u32 = 64;

impl Selection {
    /// The most positions that are sorted together and summed in one dispatch. For each an invocation may loop ten times, vectors u
    /// counted, where no compiler unrolls that; it must not loop more than 65,535 times in all.
    pub(crate) const PART: u32 = 4096;

    /// Numbers of the batch.
    pub(crate) fn selections(&self) -> u32 {
        self.batch * self.positions
    }

    /// Positions of a part of the batch: whole samples.
    fn part(&self) -> u32 {
        (Selection::PART / self.positions).max(1).min(self.batch) * self.positions
    }

    pub(crate) fn parts(&self) -> u32 {
        self.selections().div_ceil(self.part())
    }

    /// Lengths of sorted runs that are still to be merged.
    pub(crate) fn runs(&self) -> impl Iterator<Item = u32> + use<> {
        let part = self.part();
        std::iter::successors(Some(BLOCK), |run| Some(2 * run)).take_while(move |run| *run < part)
    }

    fn label(&self) -> String {
        format!("{}x{} from {} of {}", self.batch, self.positions, self.rows, self.width)
    }

    /// `n` invocations; `more` are a part's first position, the length of a run, the signal's plane, the scale.
    fn uniforms(&self, n: u32, grid_x: u32, [first, run, plane, scale]: [u32; 4]) -> Vec<Vec<u8>> {
        let sizes = [self.rows, self.width, vectors(self.width), self.positions];
        let end = (first + self.part()).min(self.selections());
        let sort = [self.selections(), self.part(), run, first, end];
        words(&[&[n, grid_x][..], &sizes, &sort, &[plane, scale, 0, 0, 0]].concat())
    }
}

/// `z[c, q] = W[x[q], c]`: `shaders/embedding/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EmbeddingForward(pub Selection);

impl EmbeddingForward {
    fn values(&self) -> u32 {
        self.0.selections() * vectors(self.0.width)
    }
}

impl Key for EmbeddingForward {
    fn label(&self) -> String {
        format!("embed {}", self.0.label())
    }

    /// x, z, W.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write, Read]
    }

    fn source(&self, _: Dtypes) -> String {
        let files =
            ["embedding/params", "embedding/row", "embedding/forward", "lib/each", "lib/divide", "lib/math"];
        compose(&Header::lanes(), &files)
    }

    fn groups(&self) -> u32 {
        self.values().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.values(), grid_x, [0; 4])
    }
}

/// Sorts blocks of positions by row: `shaders/embedding/sort.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SortBlocks(pub Selection);

impl Key for SortBlocks {
    fn label(&self) -> String {
        format!("sort rows {}", self.0.label())
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// x, the sorted pairs of row and position.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("BLOCK", BLOCK);
        compose(&header, &["embedding/params", "embedding/row", "embedding/sort", "lib/each"])
    }

    fn groups(&self) -> u32 {
        self.0.selections().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.0.selections(), grid_x, [0; 4])
    }
}

/// Merges each two neighbouring runs: `shaders/embedding/merge.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Merge {
    pub selection: Selection,
    /// Positions of a run.
    pub run: u32,
}

impl Key for Merge {
    fn label(&self) -> String {
        format!("merge runs of {} {}", self.run, self.selection.label())
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Pairs of row and position, the same in runs twice as long.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["embedding/params", "embedding/merge", "lib/each"])
    }

    fn groups(&self) -> u32 {
        self.selection.selections().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.selection.uniforms(self.selection.selections(), grid_x, [0, self.run, 0, 0])
    }
}

/// Gradient and diagonal of the table over a part of the batch: `shaders/embedding/sums.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EmbeddingSums {
    pub selection: Selection,
    pub part: u32,
    pub mode: Mode,
    /// Elements of a plane of the signal.
    pub plane: u32,
    pub accumulate: bool,
    pub scale: f32,
}

impl EmbeddingSums {
    fn sums(&self) -> u32 {
        self.selection.rows * vectors(self.selection.width)
    }
}

impl Key for EmbeddingSums {
    fn label(&self) -> String {
        format!("parameters {} embedding {}", self.mode.name(), self.selection.label())
    }

    /// The signal, the gradient; the diagonal; the sorted pairs.
    fn bindings(&self) -> Vec<Binding> {
        let diagonal = self.mode.has_diagonal().then_some(Write);
        [Uniform, Read, Write].into_iter().chain(diagonal).chain([Read]).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let curved = self.mode.has_diagonal();
        let mut header = Header::lanes();
        constants(&mut header, self.mode);
        header.flag("ACCUMULATE", self.accumulate).number("SORTED_BINDING", 3 + u32::from(curved));
        let diagonal = if curved { "conv/diagonal" } else { "conv/no_diagonal" };
        let files = ["embedding/params", "embedding/sums", diagonal, "signal/gather", Width::Vector.file()];
        compose(&header, &[&files[..], &["lib/each", "lib/divide"]].concat())
    }

    fn groups(&self) -> u32 {
        self.sums().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let first = self.part * self.selection.part();
        self.selection.uniforms(self.sums(), grid_x, [first, 0, self.plane / 4, self.scale.to_bits()])
    }
}

/// The signal at the inputs, where somebody asks for it: zeros. `shaders/embedding/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EmbeddingSignal {
    pub elements: u32,
    pub flow: Flow,
}

impl Key for EmbeddingSignal {
    fn label(&self) -> String {
        format!("signal {} below an embedding of {}", self.flow.label(), self.elements)
    }

    /// The signals above and below.
    fn bindings(&self) -> Vec<Binding> {
        self.flow.bindings(0)
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = vec!["lib/elementwise", "lib/each", "embedding/signal"];
        files.extend(self.flow.files(&mut header, Width::Scalar, 0));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let [plane_in, plane_out] = self.flow.planes(Width::Scalar);
        words(&[self.elements, grid_x, plane_in, plane_out])
    }
}
