//! Parameters as a pass reads them.

use crate::model::Parameter;

/// All parameters in the flat layout. Those of a network beside its derivative (`model/tangent.rs`) lie in two places, the direction's
/// behind the model's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flat<'a> {
    pub parameters: &'a [f32],
    pub direction: &'a [f32],
}

impl<'a> From<&'a [f32]> for Flat<'a> {
    fn from(parameters: &'a [f32]) -> Flat<'a> {
        Flat { parameters, direction: &[] }
    }
}

impl<'a> Flat<'a> {
    pub(super) fn len(self) -> usize {
        self.parameters.len() + self.direction.len()
    }

    pub(super) fn of(self, parameter: &Parameter) -> &'a [f32] {
        let (range, own) = (parameter.range(), self.parameters.len());
        match range.start < own {
            true => &self.parameters[range],
            false => &self.direction[range.start - own..range.end - own],
        }
    }
}
