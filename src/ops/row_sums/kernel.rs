//! The kernels of sums for rows: `shaders/row_sums/`.

use crate::model::Mode;
use crate::ops::hashgrid::Grid;
use crate::shader::{Binding, Binding::*, Dtypes, Header, Key, LANES, Width, compose, constants, words};

/// A table, and the entries of a batch that select its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Selection {
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
    pub batch: u32,
    /// Entries of a sample.
    pub each: u32,
    pub entries: Entries,
}

/// What selects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Entries {
    /// Each of the inputs, for all channels of an image.
    Embedding,
    /// Each corner of the cells that a point lies in, level by level.
    HashGrid(Grid),
}

/// Neighbours that are sorted at once.
const BLOCK: u32 = 64;

/// Pairs that an invocation sums, and what is left of the last sample.
const CHUNK: u32 = 128;

impl Selection {
    /// The most entries of a sample: an invocation may have that many and a chunk. For each it may loop ten times, vectors u
    /// counted, where no compiler unrolls that; it must not loop more than 65,535 times in all.
    pub(crate) const MOST_OF_SAMPLE: u32 = 4096;

    /// The most entries of a batch: an invocation may add up as many chunks as there are.
    pub(crate) const MOST: u32 = 1 << 22;

    pub(crate) fn entries(&self) -> u32 {
        self.batch.saturating_mul(self.each)
    }

    pub(crate) fn chunks(&self) -> u32 {
        self.entries().div_ceil(CHUNK)
    }

    /// Lengths of sorted runs that are still to be merged.
    pub(crate) fn runs(&self) -> impl Iterator<Item = u32> + use<> {
        let all = self.entries();
        std::iter::successors(Some(BLOCK), |run| Some(2 * run)).take_while(move |run| *run < all)
    }

    /// Whether the sums need the inputs too.
    pub(crate) fn reads_input(&self) -> bool {
        matches!(self.entries, Entries::HashGrid(_))
    }

    fn signal_width(&self) -> Width {
        match self.entries {
            Entries::Embedding => Width::Vector,
            Entries::HashGrid(_) => Width::Scalar,
        }
    }

    /// Values of a row as the signal has them.
    fn values(&self) -> u32 {
        self.width.div_ceil(self.signal_width().elements())
    }

    fn label(&self) -> String {
        format!("{}x{} from {} of {}", self.batch, self.each, self.rows, self.width)
    }

    /// `n` invocations; `more` are the length of a run, the planes of the signals, and the scale.
    pub(crate) fn uniforms(&self, n: u32, grid_x: u32, more: [u32; 4]) -> Vec<Vec<u8>> {
        let [run, plane_in, plane_out, scale] = more;
        let sizes = [self.rows, self.width, self.values(), self.entries(), self.each];
        let all = [&[n, grid_x][..], &sizes, &[run, plane_in, scale]].concat();
        let grid = match self.entries {
            Entries::Embedding => [0; Grid::WORDS],
            Entries::HashGrid(grid) => grid.words(),
        };
        words(&[&all[..], &[plane_out], &grid].concat())
    }

    /// The sizes, and the row of an entry; the input at a binding.
    pub(crate) fn files(&self, header: &mut Header, x_binding: u32) -> Vec<&'static str> {
        header.number("X_BINDING", x_binding);
        let own: &[&str] = match self.entries {
            Entries::Embedding => &["embedding/row"],
            Entries::HashGrid(grid) => {
                header.number("AXES", grid.axes);
                &["hashgrid/grid", "lib/math"]
            }
        };
        [&["row_sums/params", "row_sums/input"], own].concat()
    }
}

/// Sorts blocks of entries by row: `shaders/row_sums/sort.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SortBlocks(pub Selection);

impl Key for SortBlocks {
    fn label(&self) -> String {
        format!("sort rows {}", self.0.label())
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// The input, the sorted pairs of row and entry.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.number("BLOCK", BLOCK);
        let mut files = self.0.files(&mut header, 1);
        files.push(match self.0.entries {
            Entries::Embedding => "embedding/entries",
            Entries::HashGrid(_) => "hashgrid/entries",
        });
        files.extend(["row_sums/sort", "lib/each", "lib/divide"]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.0.entries().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms(self.0.entries(), grid_x, [0; 4])
    }
}

/// Merges each two neighbouring runs: `shaders/row_sums/merge.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Merge {
    pub selection: Selection,
    /// Pairs of a run.
    pub run: u32,
}

impl Key for Merge {
    fn label(&self) -> String {
        format!("merge runs of {} {}", self.run, self.selection.label())
    }

    fn is_generic(&self) -> bool {
        false
    }

    /// Pairs of row and entry, the same in runs twice as long.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Read, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["row_sums/params", "row_sums/merge", "lib/each"])
    }

    fn groups(&self) -> u32 {
        self.selection.entries().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.selection.uniforms(self.selection.entries(), grid_x, [self.run, 0, 0, 0])
    }
}

/// Zeros for a table, or for a signal that there is none of: `shaders/row_sums/clear.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clear {
    pub elements: u32,
}

impl Key for Clear {
    fn label(&self) -> String {
        format!("clear {}", self.elements)
    }

    /// What becomes 0.
    fn bindings(&self) -> Vec<Binding> {
        vec![Uniform, Write]
    }

    fn source(&self, _: Dtypes) -> String {
        compose(&Header::lanes(), &["lib/elementwise", "row_sums/clear", "lib/each"])
    }

    fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        words(&[self.elements, grid_x, 0, 0])
    }
}

/// Adds what each chunk of pairs comes to: `shaders/row_sums/sums.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sums {
    pub selection: Selection,
    pub mode: Mode,
    /// Elements of a plane of the signal.
    pub plane: u32,
    pub scale: f32,
}

impl Sums {
    fn invocations(&self) -> u32 {
        self.selection.chunks() * self.selection.values()
    }

    /// Elements of the sums that are carried from chunk to chunk.
    pub(crate) fn carried(&self) -> usize {
        let numbers = self.selection.signal_width().elements() * (1 + self.curved());
        (self.invocations() * numbers) as usize
    }

    fn curved(&self) -> u32 {
        u32::from(self.mode.has_diagonal())
    }

    /// The files of this kernel and of [`Carry`], with the sorted pairs at a binding.
    fn pairs(&self, header: &mut Header, sorted_binding: u32) -> [&'static str; 5] {
        header.flag("ACCUMULATE", true).number("CHUNK", CHUNK).number("SORTED_BINDING", sorted_binding);
        let diagonal = if self.curved() > 0 { "conv/diagonal" } else { "conv/no_diagonal" };
        ["row_sums/pairs", diagonal, "lib/each", "lib/divide", self.selection.signal_width().file()]
    }

    fn uniforms_of(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let plane = self.plane / self.selection.signal_width().elements();
        self.selection.uniforms(self.invocations(), grid_x, [0, plane, 0, self.scale.to_bits()])
    }
}

impl Key for Sums {
    fn label(&self) -> String {
        format!("parameters {} rows {}", self.mode.name(), self.selection.label())
    }

    /// The signal, the gradient; the diagonal; the carried sums, the sorted pairs; the input.
    fn bindings(&self) -> Vec<Binding> {
        let diagonal = (self.curved() > 0).then_some(Write);
        let input = self.selection.reads_input().then_some(Read);
        [Uniform, Read, Write].into_iter().chain(diagonal).chain([Write, Read]).chain(input).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        constants(&mut header, self.mode);
        let carried = 3 + self.curved();
        header.number("CARRIED_BINDING", carried);
        let mut files = match self.selection.entries {
            Entries::Embedding => vec!["row_sums/params", "embedding/outputs"],
            Entries::HashGrid(_) => {
                let mut files = self.selection.files(&mut header, carried + 2);
                files.push("hashgrid/outputs");
                files
            }
        };
        files.extend(self.pairs(&mut header, carried + 1));
        files.extend(["row_sums/sums", "signal/gather"]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.invocations().div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.uniforms_of(grid_x)
    }
}

/// Adds what rows have left to be carried past the end of a chunk: `shaders/row_sums/carry.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Carry(pub Sums);

impl Key for Carry {
    fn label(&self) -> String {
        format!("carry {} rows {}", self.0.mode.name(), self.0.selection.label())
    }

    /// The carried sums, the gradient; the diagonal; the sorted pairs.
    fn bindings(&self) -> Vec<Binding> {
        let diagonal = (self.0.curved() > 0).then_some(Write);
        [Uniform, Read, Write].into_iter().chain(diagonal).chain([Read]).collect()
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        header.flag("HAS_DIAGONAL", self.0.mode.has_diagonal());
        let mut files = vec!["row_sums/params", "row_sums/carry"];
        files.extend(self.0.pairs(&mut header, 3 + self.0.curved()));
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        self.0.groups()
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        self.0.uniforms_of(grid_x)
    }
}
