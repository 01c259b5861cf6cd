//! What backward kernels share: they gather a signal through a linear map, then take it through the activation before it:
//! `shaders/signal/`.

use super::{Binding, Binding::*, Header, activation};
use crate::model::{Activation, Mode};

/// The signal's mode, the activation before the layer, and the distances between planes in elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Flow {
    pub mode: Mode,
    /// The activation that made the layer's input, fused. With the identity its input is not bound.
    pub below: Activation,
    pub plane_in: u32,
    pub plane_out: u32,
}

/// How many elements a shader takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Scalar,
    Vector,
}

impl Width {
    pub(crate) fn elements(self) -> u32 {
        match self {
            Width::Scalar => 1,
            Width::Vector => 4,
        }
    }

    /// The type of what the shader stores at a binding.
    pub(crate) fn kept(self, binding: u32) -> String {
        match self {
            Width::Scalar => format!("N{binding}"),
            Width::Vector => format!("vec4<N{binding}>"),
        }
    }

    pub(crate) fn file(self) -> &'static str {
        match self {
            Width::Scalar => "lib/scalar",
            Width::Vector => "lib/vector",
        }
    }

    /// The file with an activation's derivatives.
    pub(crate) fn derivatives(self) -> &'static str {
        match self {
            Width::Scalar => "act/scalar",
            Width::Vector => "act/vector",
        }
    }
}

/// The constants of a signal.
pub(crate) fn constants(header: &mut Header, mode: Mode) {
    header.number("RANK", mode.rank() as u32).flag("HAS_DIAGONAL", mode.has_diagonal());
}

impl Flow {
    pub(crate) fn label(&self) -> String {
        format!("{}+{}", self.mode.name(), self.below.name())
    }

    fn fused(&self) -> bool {
        self.below != Activation::Identity
    }

    /// The signals above and below, `extras` that the kernel reads too, the activation's input.
    pub(crate) fn bindings(&self, extras: usize) -> Vec<Binding> {
        let mut bindings = vec![Uniform, Read, Write];
        bindings.extend(vec![Read; extras + usize::from(self.fused())]);
        bindings
    }

    /// Adds the constants to the header. Returns the files beside the kernel's own.
    pub(crate) fn files(&self, header: &mut Header, width: Width, extras: u32) -> Vec<&'static str> {
        constants(header, self.mode);
        header.flag("F2_TERM", self.mode.is_curved());
        let mut files = vec![width.file(), "signal/gather", "signal/leave", "signal/activation"];
        if self.fused() {
            let (binding, a) = (3 + extras, width.kept(3 + extras));
            header.number("A_BINDING", binding).alias("A", &a);
            files.extend(["signal/below", width.derivatives()]);
            files.extend(activation(header, self.below));
        } else {
            files.push("signal/no_below");
        }
        files
    }

    /// The distances between planes in units of the width.
    pub(crate) fn planes(&self, width: Width) -> [u32; 2] {
        [self.plane_in / width.elements(), self.plane_out / width.elements()]
    }
}
