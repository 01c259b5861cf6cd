//! The networks: `64-w-...-w-100`, tanh, without biases, under the mean squared error.

use hesscale::{Activation, Loss, Model, Result};

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Depth,
    Width,
}

pub(crate) const AXES: [Axis; 2] = [Axis::Depth, Axis::Width];

impl Axis {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Axis::Depth => "depth",
            Axis::Width => "width",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) axis: Axis,
    /// L: products between hidden layers, of which there are L + 1.
    pub(crate) depth: usize,
    pub(crate) width: usize,
    pub(crate) model: Model,
}

const DEPTHS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
const WIDTHS: [usize; 6] = [256, 512, 1024, 2048, 4096, 8192];

/// The networks along an axis, smallest first, of at most `most` parameters.
pub(crate) fn along(axis: Axis, most: usize) -> Result<Vec<Network>> {
    let sizes = match axis {
        Axis::Depth => DEPTHS.map(|depth| (depth, 512)).to_vec(),
        Axis::Width => WIDTHS.map(|width| (1, width)).to_vec(),
    };
    let networks = sizes.into_iter().map(|(depth, width)| {
        let hidden =
            |builder: hesscale::model::Builder, _| builder.dense_no_bias(width).act(Activation::Tanh);
        let model = (0..=depth).fold(Model::builder([64]), hidden).dense_no_bias(100).loss(Loss::mse())?;
        Ok(Network { axis, depth, width, model })
    });
    let fits =
        |network: &Result<Network>| network.as_ref().map_or(true, |n| n.model.parameter_count() <= most);
    networks.filter(fits).collect()
}

impl Network {
    pub(crate) fn name(&self) -> String {
        format!("64-{}x{}-100", self.width, self.depth + 1)
    }

    /// The size that grows.
    pub(crate) fn size(&self) -> usize {
        match self.axis {
            Axis::Depth => self.depth,
            Axis::Width => self.width,
        }
    }
}
