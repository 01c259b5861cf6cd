//! Places in a network.

/// A place where a signal can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// The network's input.
    Input,
    /// The output of a layer, by its index.
    Layer(usize),
}
