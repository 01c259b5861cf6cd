//! Parameters as a pass reads them.

use crate::model::Parameter;

/// All parameters in the flat layout. Those of a network beside its derivative (`model/tangent.rs`) lie in two places, the direction's
/// behind the model's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flat<'a> {
    pub parameters: &'a [f32],
    pub direction: &'a [f32],
    /// Whether the direction alone has changed since the last pass.
    pub again: bool,
}

impl<'a> From<&'a [f32]> for Flat<'a> {
    fn from(parameters: &'a [f32]) -> Flat<'a> {
        Flat { parameters, direction: &[], again: false }
    }
}

impl<'a> Flat<'a> {
    pub(super) fn len(self) -> usize {
        self.parameters.len() + self.direction.len()
    }

    /// Whether it has changed since the last pass.
    pub(super) fn is_new(self, parameter: &Parameter) -> bool {
        !self.again || parameter.offset >= self.parameters.len()
    }

    pub(super) fn of(self, parameter: &Parameter) -> &'a [f32] {
        let (range, own) = (parameter.range(), self.parameters.len());
        match range.start < own {
            true => &self.parameters[range],
            false => &self.direction[range.start - own..range.end - own],
        }
    }
}
