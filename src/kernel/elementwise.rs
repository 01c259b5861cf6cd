//! An activation by itself: behind another activation, first in the network, or next to the loss.

use super::source::{self, Header};
use crate::model::{Activation, Mode};

/// Invocations of a workgroup.
const LANES: u32 = 64;

/// `z = f(a)`: `shaders/elementwise/forward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forward {
    pub activation: Activation,
    pub elements: u32,
}

impl Forward {
    pub(crate) fn label(&self) -> String {
        format!("forward {} {}", self.activation.name(), self.elements)
    }

    pub(crate) fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES);
        let [activation, math] = source::activation(&mut header, self.activation);
        source::compose(&header, &["elementwise/forward", activation, math])
    }

    pub(crate) fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    pub(crate) fn uniform(&self, grid_x: u32) -> [u32; 4] {
        [self.elements, grid_x, 0, 0]
    }
}

/// The signal through an activation: `shaders/elementwise/backward.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Backward {
    pub activation: Activation,
    pub mode: Mode,
    pub elements: u32,
    pub plane_in: u32,
    pub plane_out: u32,
}

impl Backward {
    pub(crate) fn label(&self) -> String {
        format!("signal {} through {} {}", self.mode.name(), self.activation.name(), self.elements)
    }

    pub(crate) fn source(&self) -> String {
        let mut header = Header::default();
        header.number("LANES", LANES).number("RANK", self.mode.rank() as u32);
        header.flag("HAS_DIAGONAL", self.mode.has_diagonal()).flag("F2_TERM", self.mode != Mode::HesScaleGn);
        let [activation, math] = source::activation(&mut header, self.activation);
        source::compose(&header, &["elementwise/backward", activation, math])
    }

    pub(crate) fn groups(&self) -> u32 {
        self.elements.div_ceil(LANES)
    }

    pub(crate) fn uniform(&self, grid_x: u32) -> [u32; 4] {
        [self.elements, grid_x, self.plane_in, self.plane_out]
    }
}
