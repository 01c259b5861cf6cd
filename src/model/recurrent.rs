//! Recurrent layers: a state that goes from each position of a sequence to the next.

use super::convolution::Convolution;
use super::window::Window;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Gated recurrent units (Cho et al., 2014, arXiv 1406.1078), as PyTorch has them, over the whole length of a sequence. Each position's
/// output is the state h there, which begins with 0:
///
/// ```text
/// q = W h + b      r = σ(a_r + q_r)      z = σ(a_z + q_z)      n = tanh(a_n + r q_n)      h ← (1 − z) n + z h
/// ```
///
/// `[3 H, T]` becomes `[H, T]`. The input a is what the gates have of the sequence itself: it is made by a [`Conv1d`](super::Conv1d) of
/// kernel 1, which [`Builder::gru`](super::Builder::gru) puts before it, so that a sequence's projection is one product. That
/// convolution's weight `[3 H, in, 1]` and bias are PyTorch's `weight_ih` and `bias_ih`, this layer's weight `[3 H, H]` and bias are
/// `weight_hh` and `bias_hh`; gates are in the order r, z, n.
///
/// The diagonals take a unit's step as an elementwise function f of each of its inputs, those of a, q and the state before, one at a
/// time: `g_x = f_x g`, `h_x = f_x² h + f_xx g`, Gauss-Newton without the second term, `u_x = f_x u`. What two inputs have in common is
/// dropped; so it is where the signal from behind, the one through f and the one through W meet. HesScale-R's u go through the whole exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Gru {
    /// H.
    pub hidden: usize,
    /// Whether there is a b.
    #[serde(default = "super::layer::yes")]
    pub bias: bool,
}

/// Long short-term memory (Hochreiter & Schmidhuber, 1997), as PyTorch has it, over the whole length of a sequence. Each position's output
/// is the state h there, which begins with 0, as c does:
///
/// ```text
/// s = a + W h + b      i = σ(s_i)      f = σ(s_f)      g = tanh(s_g)      o = σ(s_o)      c ← f c + i g      h ← o tanh(c)
/// ```
///
/// `[4 H, T]` becomes `[H, T]`. As for [`Gru`], the input a is made by a [`Conv1d`](super::Conv1d) of kernel 1, which
/// [`Builder::lstm`](super::Builder::lstm) puts before it, with PyTorch's `weight_ih` and `bias_ih`; this layer's weight `[4 H, H]` and
/// bias are `weight_hh` and `bias_hh`; gates are in the order i, f, g, o. The diagonals follow the rule of [`Gru`], with a signal at h and one
/// at c.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Lstm {
    /// H.
    pub hidden: usize,
    /// Whether there is a b.
    #[serde(default = "super::layer::yes")]
    pub bias: bool,
}

impl Gru {
    /// Of `hidden` units, with a bias.
    pub fn new(hidden: usize) -> Gru {
        Gru { hidden, bias: true }
    }

    setters! {
        /// Whether there is a bias.
        bias(bias: bool) => bias;
    }
}

impl Lstm {
    /// Of `hidden` units, with a bias.
    pub fn new(hidden: usize) -> Lstm {
        Lstm { hidden, bias: true }
    }

    setters! {
        /// Whether there is a bias.
        bias(bias: bool) => bias;
    }
}

/// What a unit does at each position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Gru,
    Lstm,
}

impl Cell {
    /// Gates of a unit, each with an input.
    pub(crate) fn gates(self) -> usize {
        match self {
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    /// Numbers that a unit keeps from a position to the next: h, and c.
    pub(crate) fn states(self) -> usize {
        match self {
            Cell::Gru => 1,
            Cell::Lstm => 2,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Cell::Gru => "gru",
            Cell::Lstm => "lstm",
        }
    }
}

/// A recurrent layer on an input of a known length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recurrence {
    pub cell: Cell,
    /// H
    pub hidden: usize,
    /// T
    pub positions: usize,
    pub bias: bool,
}

impl Recurrence {
    pub(super) fn new(
        (cell, hidden, bias): (Cell, usize, bool),
        name: &str,
        input: &[usize],
    ) -> Result<Recurrence> {
        if hidden == 0 {
            return Err(Error::zero_size(name, "hidden"));
        }
        match input {
            [channels, positions] if hidden.checked_mul(cell.gates()) == Some(*channels) => {
                Ok(Recurrence { cell, hidden, positions: *positions, bias })
            }
            _ => {
                let needed =
                    format!("[{} · {hidden}, length]: a convolution makes the gates' inputs", cell.gates());
                Err(Error::shape(name, input, needed))
            }
        }
    }

    /// Channels of the input.
    pub(crate) fn channels(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// `q = W h + b` at all positions, as a convolution of the output: its window is one position wide and stands on the one before.
    pub(crate) fn product(&self) -> Convolution {
        let (line, one) = ([1, self.positions], [1, 1]);
        let window = Window {
            image: line,
            kernel: one,
            stride: one,
            dilation: one,
            before: [0, 1],
            after: [0, 0],
            positions: line,
        };
        let (inputs, outputs, bias) = (self.hidden, self.channels(), self.bias);
        Convolution { window, inputs, outputs, groups: 1, bias, transposed: false }
    }
}
