//! Builds a model layer by layer.

use super::node::Nodes;
use super::{
    Activation, BatchNorm, Conv1d, Conv2d, Embedding, GroupNorm, Gru, Layer, LayerNorm, Loss, Lstm, Model,
    PRelu, PositionEmbedding, RmsNorm, check_input,
};
use crate::{Error, Result};

/// Builds a [`Model`] layer by layer and derives the shapes. Errors are reported at the end.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    input: Vec<usize>,
    layers: Vec<Layer>,
    /// Path prefix of the following layers: empty, or `3.body.`
    prefix: String,
    /// The shape so far, or the first error.
    shape: Result<Vec<usize>>,
    /// The values that have a name.
    named: Nodes,
}

impl Builder {
    pub(super) fn new(input: Vec<usize>) -> Builder {
        let shape = check_input(&input).map(|()| input.clone());
        Builder { input, layers: Vec::new(), prefix: String::new(), shape, named: Nodes::default() }
    }

    /// A dense layer with bias.
    pub fn dense(self, outputs: usize) -> Builder {
        self.fully_connected(outputs, true)
    }

    /// A dense layer without bias.
    pub fn dense_no_bias(self, outputs: usize) -> Builder {
        self.fully_connected(outputs, false)
    }

    fn fully_connected(mut self, outputs: usize, bias: bool) -> Builder {
        match self.shape.as_deref() {
            Ok([inputs]) => {
                let inputs = *inputs;
                self.layer(Layer::Dense { inputs, outputs, bias })
            }
            Ok(shape) => {
                let layer = format!("dense {}{}", self.prefix, self.layers.len());
                self.shape = Err(Error::shape(layer, shape, "[in]: put a flatten before it"));
                self
            }
            Err(_) => self,
        }
    }

    /// A table of `count` vectors of `width` numbers, of which each input selects one: [`Embedding`].
    ///
    /// ```
    /// use hesscale::model::Conv1d;
    /// use hesscale::{Activation::Relu, Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// // Twelve words of 5,000 each; three neighbours at a time; a class.
    /// let model = Model::builder([12]).embedding(5000, 16).layer(Conv1d::new(32, 3)).act(Relu);
    /// let model = model.flatten().dense(4).loss(Loss::cross_entropy())?;
    /// assert_eq!(model.shape(0)?, [16, 12]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn embedding(self, count: usize, width: usize) -> Builder {
        self.layer(Embedding::new(count, width))
    }

    /// An activation, one of the crate's or a [`CustomActivation`](super::CustomActivation).
    pub fn act(self, activation: impl Into<Activation>) -> Builder {
        self.layer(Layer::Act(activation.into()))
    }

    /// A convolution with `outputs` channels, stride 1, no padding, with bias; for all else see [`Conv2d`] and
    /// [`Builder::layer`].
    pub fn conv2d(self, outputs: usize, kernel: impl Into<super::Pair>) -> Builder {
        self.layer(Conv2d::new(outputs, kernel))
    }

    /// Layer normalisation of a whole sample, with γ and β; for all else see [`LayerNorm`] and [`Builder::layer`].
    pub fn layer_norm(self) -> Builder {
        self.layer(LayerNorm::new())
    }

    /// RMS normalisation of a whole sample, with γ; for all else see [`RmsNorm`] and [`Builder::layer`].
    pub fn rms_norm(self) -> Builder {
        self.layer(RmsNorm::new())
    }

    /// Group normalisation, with γ and β; for all else see [`GroupNorm`] and [`Builder::layer`].
    pub fn group_norm(self, groups: usize) -> Builder {
        self.layer(GroupNorm::new(groups))
    }

    /// Gated recurrent units over a sequence `[C, T]`, which becomes `[hidden, T]`: two layers, a [`Conv1d`] of kernel 1 with PyTorch's
    /// `weight_ih` and `bias_ih`, and the [`Gru`] itself with `weight_hh` and `bias_hh`.
    ///
    /// ```
    /// use hesscale::{Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// // A class of 20 measurements of 6 sensors, by what two layers have come to in the end.
    /// let model = Model::builder([6, 20]).gru(32).gru(32).last().dense(4).loss(Loss::cross_entropy())?;
    /// assert_eq!(model.shape(1)?, [32, 20]);
    /// assert_eq!(model.shape(4)?, [32]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn gru(self, hidden: usize) -> Builder {
        self.layer(Conv1d::new(hidden.saturating_mul(3), 1)).layer(Gru::new(hidden))
    }

    /// The same of long short-term memory: a [`Conv1d`] and an [`Lstm`].
    pub fn lstm(self, hidden: usize) -> Builder {
        self.layer(Conv1d::new(hidden.saturating_mul(4), 1)).layer(Lstm::new(hidden))
    }

    /// The last position of a sequence: `[C, T]` becomes `[C]`.
    pub fn last(self) -> Builder {
        self.layer(Layer::Last)
    }

    /// `[C, H, W]` becomes `[C·H·W]`.
    pub fn flatten(self) -> Builder {
        self.layer(Layer::Flatten)
    }

    /// In training each element is dropped with probability `p`.
    pub fn dropout(self, p: f64) -> Builder {
        self.layer(Layer::Dropout { p })
    }

    /// Names the value so far, for later layers to read: [`Builder::from`], [`Builder::plus`], [`Builder::multiply`],
    /// [`Builder::concat`].
    ///
    /// ```
    /// use hesscale::model::{MaxPool2d, Upsample2d};
    /// use hesscale::{Activation::Relu, Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// // Down and up again, beside what was there before: a U-Net of one step.
    /// let model = Model::builder([1, 8, 8]).conv2d(4, 1).act(Relu).name("skip");
    /// let model = model.layer(MaxPool2d::new(2)).conv2d(6, 1).act(Relu).layer(Upsample2d::bilinear(2));
    /// let model = model.concat("skip").conv2d(2, 1).loss(Loss::cross_entropy())?;
    /// assert_eq!(model.shape(7)?, [6 + 4, 8, 8]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(self, name: impl Into<String>) -> Builder {
        self.layer(Layer::Name { name: name.into() })
    }

    /// Goes on from a named value.
    pub fn from(self, name: impl Into<String>) -> Builder {
        self.layer(Layer::From { name: name.into() })
    }

    /// Adds a named value of the same shape.
    pub fn plus(self, with: impl Into<String>) -> Builder {
        self.layer(Layer::Add { with: with.into() })
    }

    /// Multiplies elementwise by a named value of the same shape: a gate.
    ///
    /// ```
    /// use hesscale::model::Upsample2d;
    /// use hesscale::{Activation, Layer, Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// // Squeeze and excitation: each channel by a number that comes of all channels' means.
    /// let model = Model::builder([3, 8, 6]).conv2d(8, 1).act(Activation::Relu).name("image");
    /// let model = model.layer(Layer::global_avg_pool()).conv2d(2, 1).act(Activation::Relu).conv2d(8, 1);
    /// let model = model.act(Activation::Sigmoid).layer(Upsample2d::nearest([8, 6])).multiply("image");
    /// let model = model.flatten().dense(10).loss(Loss::cross_entropy())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn multiply(self, with: impl Into<String>) -> Builder {
        self.layer(Layer::Multiply { with: with.into() })
    }

    /// Puts a named value's channels behind those of the value so far.
    pub fn concat(self, with: impl Into<String>) -> Builder {
        self.layer(Layer::Concat { with: with.into() })
    }

    /// The layer at this path once more, with the same parameters: [`Layer::Shared`].
    ///
    /// ```
    /// use hesscale::{Activation, Loss, Model};
    ///
    /// # fn main() -> hesscale::Result<()> {
    /// // Three steps of one recurrence.
    /// let model = Model::builder([7]).dense(7).act(Activation::Tanh);
    /// let model = model.shared("0").act(Activation::Tanh).shared("0").act(Activation::Tanh);
    /// let model = model.dense(2).loss(Loss::mse())?;
    /// assert_eq!(model.parameter_count(), 7 * 7 + 7 + 2 * 7 + 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared(self, layer: impl Into<String>) -> Builder {
        self.layer(Layer::Shared { layer: layer.into() })
    }

    /// A residual block: the input is added to the output of `body`.
    pub fn residual(self, body: impl FnOnce(Builder) -> Builder) -> Builder {
        self.residual_projected(body, |projection| projection)
    }

    /// The same with the output of `projection` in place of the input, where the body changes the shape.
    pub fn residual_projected(
        mut self,
        body: impl FnOnce(Builder) -> Builder,
        projection: impl FnOnce(Builder) -> Builder,
    ) -> Builder {
        let Ok(input) = &self.shape else { return self };
        let part = |name: &str| Builder {
            input: input.clone(),
            layers: Vec::new(),
            prefix: format!("{}{}.{name}.", self.prefix, self.layers.len()),
            shape: Ok(input.clone()),
            named: self.named.clone(),
        };
        let body = body(part("body"));
        let projection = projection(Builder { named: body.named.clone(), ..part("projection") });
        match body.shape.and(projection.shape) {
            Ok(_) => self.layer(Layer::Residual { body: body.layers, projection: projection.layers }),
            Err(error) => {
                self.shape = Err(error);
                self
            }
        }
    }

    /// Any layer. Filled in are a convolution's number of input channels, a group normalisation's channels and a PReLU's slopes if
    /// they are 0, the shape of a layer or RMS normalisation, or its channels, the shape of learned positions, and the running
    /// statistics of a batch normalisation if they are empty.
    pub fn layer(mut self, layer: impl Into<Layer>) -> Builder {
        let Ok(shape) = &self.shape else { return self };
        let mut layer = layer.into();
        match &mut layer {
            Layer::Conv2d(Conv2d { inputs, .. })
            | Layer::Conv1d(Conv1d { inputs, .. })
            | Layer::ConvTranspose2d(super::ConvTranspose2d { inputs, .. })
                if *inputs == 0 =>
            {
                *inputs = shape[0];
            }
            Layer::GroupNorm(GroupNorm { channels, .. }) if *channels == 0 => *channels = shape[0],
            Layer::BatchNorm(BatchNorm { mean, var, momentum: Some(_), .. })
                if mean.is_empty() && var.is_empty() && shape[0] <= BatchNorm::MOST_FILLED_IN =>
            {
                (*mean, *var) = (vec![0.0; shape[0]], vec![1.0; shape[0]]);
            }
            Layer::PositionEmbedding(PositionEmbedding { shape: own }) if own.is_empty() => {
                own.clone_from(shape)
            }
            Layer::PRelu(PRelu { slopes }) if *slopes == 0 => *slopes = shape[0],
            Layer::LayerNorm(LayerNorm { shape: own, .. }) | Layer::RmsNorm(RmsNorm { shape: own, .. }) => {
                match own[..] {
                    [] => own.clone_from(shape),
                    [0] => *own = vec![shape[0]],
                    _ => {}
                }
            }
            _ => {}
        }
        let path = format!("{}{}", self.prefix, self.layers.len());
        self.shape = self.named.shape_of(&path, &layer, shape);
        self.layers.push(layer);
        self
    }

    /// Adds the loss and validates the model.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn loss(self, loss: impl Into<Loss>) -> Result<Model> {
        self.shape?;
        Model::new(self.input, self.layers, loss)
    }
}
