//! The kernels of a recurrent layer's steps.

use crate::model::{Activation, Cell, Mode, Recurrence};
use crate::shader::{
    Binding, Binding::*, Dtype, Dtypes, Flow, Header, Key, LANES, Width, compose, constants, padded, words,
};

/// A layer on a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recurrent {
    layer: Recurrence,
    batch: u32,
}

/// What is kept of a unit at a position: r, z, n, q_n and the h before; i, f, g, o and the c before.
const KEPT: usize = 5;

/// What q is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Of the state before.
    State,
    /// Of the bias alone, at the first position.
    Bias,
    /// Of nothing, there.
    Nothing,
}

impl Recurrent {
    pub(crate) fn new(layer: Recurrence, batch: u32) -> Recurrent {
        Recurrent { layer, batch }
    }

    /// Numbers that the backward pass reads of a sample at a position.
    pub(crate) fn kept(&self) -> usize {
        KEPT * self.layer.hidden
    }

    /// Distance between the planes of the state: h, c.
    fn state_plane(&self) -> usize {
        Dtype::F32.plane(self.batch as usize * self.layer.hidden)
    }

    /// Numbers of the state.
    pub(crate) fn state(&self) -> usize {
        self.layer.cell.states() * self.state_plane()
    }

    /// Units that begin at whole vec4s are taken so.
    fn width(&self) -> Width {
        if self.layer.hidden.is_multiple_of(4) { Width::Vector } else { Width::Scalar }
    }

    /// The file with the gates' functions.
    fn functions(&self) -> &'static str {
        match self.width() {
            Width::Scalar => "recurrent/scalar",
            Width::Vector => "recurrent/vector",
        }
    }

    /// Of so many elements, the Values.
    fn values(&self, elements: usize) -> u32 {
        elements as u32 / self.width().elements()
    }

    /// Values of a position of the input and of the output, padding included.
    fn strides(&self) -> [u32; 2] {
        [self.layer.channels(), self.layer.hidden].map(|channels| self.values(padded(channels)))
    }

    pub(crate) fn planes(&self, mode: Mode) -> Planes {
        let (batch, positions) = (self.batch as usize, self.layer.positions);
        let plane = |elements: usize| Dtype::F32.plane(elements) as u32;
        Planes {
            count: mode.planes(),
            row: plane(batch * self.layer.channels()),
            state: plane(batch * self.layer.hidden),
            image: plane(batch * positions * padded(self.layer.channels())),
        }
    }

    fn label(&self) -> String {
        let Recurrence { cell, hidden, positions, .. } = self.layer;
        format!("{} {}x{hidden} of {positions}", cell.name(), self.batch)
    }

    /// The header and files of a kernel.
    fn files(&self, header: &mut Header) -> Vec<&'static str> {
        header.number("GATES", self.layer.cell.gates() as u32);
        header.number("STATES", self.layer.cell.states() as u32);
        header.number("KEPT", KEPT as u32);
        vec!["lib/each", "lib/divide"]
    }

    /// Sizes that both kernels are told: units, `columns` of a sample, positions, this one, and strides.
    fn sizes(&self, columns: u32, position: u32) -> [u32; 6] {
        let [stride_a, stride_z] = self.strides();
        let (hidden, positions) = (self.values(self.layer.hidden), self.layer.positions as u32);
        [hidden, columns, positions, position, stride_a, stride_z]
    }
}

/// How the signals within a layer lie: distances between planes, in elements. All are f32.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planes {
    count: usize,
    /// Of the signal at q of one position, `[batch, gates H]`.
    pub row: u32,
    /// Of the signal at states, `[batch, H]`.
    pub state: u32,
    /// Of the signal at q of all positions, an image.
    pub image: u32,
}

impl Planes {
    /// Elements of the signal at q of one position.
    pub(crate) fn row_signal(&self) -> usize {
        self.count * self.row as usize
    }

    /// The same, and behind it what goes to the unit's own state before.
    pub(crate) fn rows(&self) -> usize {
        self.row_signal() + self.carried()
    }

    pub(crate) fn carried(&self) -> usize {
        self.count * self.state as usize
    }

    pub(crate) fn image(&self) -> usize {
        self.count * self.image as usize
    }
}

/// A step of all units: `shaders/recurrent/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RecurrentForward {
    pub layer: Recurrent,
    pub position: u32,
    pub before: Before,
    /// Whether the backward pass reads what it keeps.
    pub keep: bool,
}

impl RecurrentForward {
    /// Values of a sample, padding included.
    fn columns(&self) -> u32 {
        self.layer.strides()[1]
    }
}

impl Key for RecurrentForward {
    fn label(&self) -> String {
        format!("{} at {}", self.layer.label(), self.position)
    }

    /// a, z, q, the state; what is kept.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Read, Write, Read, Write];
        bindings.extend(self.keep.then_some(Write));
        bindings
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = self.layer.files(&mut header);
        let (width, keep) =
            (self.layer.width(), if self.keep { "recurrent/keep" } else { "recurrent/no_keep" });
        let step = match self.layer.layer.cell {
            Cell::Gru => "recurrent/gru",
            Cell::Lstm => "recurrent/lstm",
        };
        files.extend([
            "recurrent/forward_params",
            "recurrent/forward",
            step,
            keep,
            self.layer.functions(),
            width.file(),
            "lib/math",
        ]);
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        (self.layer.batch * self.columns()).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let (layer, columns) = (self.layer, self.columns());
        let gates = layer.values(layer.layer.channels());
        let stride = if self.before == Before::State { gates } else { 0 };
        let (adds, begun) = (u32::from(self.before != Before::Nothing), u32::from(self.position > 0));
        let rest = [layer.values(layer.state_plane()), stride, adds, begun];
        let sizes = layer.sizes(columns, self.position);
        words(&[&[layer.batch * columns, grid_x][..], &sizes, &rest].concat())
    }
}

/// The signal back through a step of all units, and the activation below: `shaders/recurrent/signal.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RecurrentSignal {
    pub layer: Recurrent,
    pub flow: Flow,
    pub position: u32,
    /// Whether nothing comes from behind.
    pub last: bool,
    /// Whether the signal goes to the input.
    pub continues: bool,
}

impl RecurrentSignal {
    /// Values of a sample, the input's padding included.
    fn columns(&self) -> u32 {
        let [stride, _] = self.layer.strides();
        let Recurrence { cell, hidden, .. } = self.layer.layer;
        stride - self.layer.values((cell.gates() - 1) * hidden)
    }
}

impl Key for RecurrentSignal {
    fn label(&self) -> String {
        format!("signal {} through {} at {}", self.flow.label(), self.layer.label(), self.position)
    }

    /// The signals above and, if it continues, below; what is kept, the signal from behind, the rows, the image; the activation's
    /// input.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Read];
        bindings.extend(self.continues.then_some(Write));
        bindings.extend([Read, Read, Write, Write]);
        bindings.extend((self.flow.below != Activation::Identity).then_some(Read));
        bindings
    }

    fn source(&self, _: Dtypes) -> String {
        let mut header = Header::lanes();
        let mut files = self.layer.files(&mut header);
        let first = 2 + u32::from(self.continues);
        header.number("KEPT_BINDING", first).number("CARRIED_BINDING", first + 1);
        header.number("ROWS_BINDING", first + 2).number("IMAGE_BINDING", first + 3);
        if self.continues {
            files.extend(self.flow.files(&mut header, self.layer.width(), 4));
            files.push("recurrent/below");
        } else {
            constants(&mut header, self.flow.mode);
            header.flag("F2_TERM", self.flow.mode.is_curved());
            files.extend([self.layer.width().file(), "signal/gather", "recurrent/no_below"]);
        }
        files.extend(["recurrent/signal_params", "recurrent/signal"]);
        match self.layer.layer.cell {
            Cell::Gru => files.push("recurrent/gru_signal"),
            Cell::Lstm => files.extend(["recurrent/lstm_signal", self.layer.functions()]),
        }
        // A fused activation brings it.
        if self.layer.layer.cell == Cell::Lstm && self.flow.below == Activation::Identity {
            files.push("lib/math");
        }
        compose(&header, &files)
    }

    fn groups(&self) -> u32 {
        (self.layer.batch * self.columns()).div_ceil(LANES)
    }

    fn uniforms(&self, grid_x: u32) -> Vec<Vec<u8>> {
        let (layer, columns) = (self.layer, self.columns());
        let planes = layer.planes(self.flow.mode);
        let [plane_in, plane_out] = self.flow.planes(layer.width());
        let [row, state, image] = [planes.row, planes.state, planes.image];
        let within = [row as usize, planes.row_signal(), state as usize, image as usize];
        let within = within.map(|elements| layer.values(elements));
        let first = [layer.batch * columns, grid_x, plane_in, plane_out];
        let carries = u32::from(!self.last);
        let sizes = layer.sizes(columns, self.position);
        words(&[&first[..], &sizes, &within, &[carries, 0]].concat())
    }
}
