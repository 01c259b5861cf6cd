//! Places in a network.

use super::Model;

/// A place where a signal can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// The network's input.
    Input,
    /// The output of a layer, by its index.
    Layer(usize),
}

impl At {
    /// Shape of a sample there; of a layer that the model has.
    pub(crate) fn shape(self, model: &Model) -> &[usize] {
        match self {
            At::Input => model.input_shape(),
            At::Layer(index) => model.shape(index).expect("known to be there"),
        }
    }
}
