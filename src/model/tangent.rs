//! The model whose gradient is the product of a curvature matrix and a vector.
//!
//! Beside each value a stands its derivative ȧ along a direction v of the parameters: of `z = F(a; w)` it is `ż = F_a ȧ + F_w v`
//! (Pearlmutter, *Fast exact multiplication by the Hessian*, 1994). With `q = ∂L/∂z` and `p = H_L ż` at the outputs,
//! held constant, the gradient of `p·z + q·ż` by w is the Hessian's product with v; that of `p·z` alone is the Gauss-Newton matrix's.
//! Both are plain backprop through one larger network:
//!
//! | node | beside it |
//! |---|---|
//! | `W a + b` | `W ȧ + (V a + v_b)` |
//! | `f(a)` | `f'(a) ȧ` |
//! | `γ x̂(a) + β` | `γ J(a) ȧ + (v_γ x̂(a) + v_β)`, J the derivative of x̂ |
//! | any map without parameters that is linear | the same map of ȧ |
//! | `a b` | `a ḃ + b ȧ` |
//!
//! Its parameters are `[w | v]`, each in the model's own flat layout, its outputs `[z | ż]`.

use super::node::{Node, NodeKind, Part, Source};
use super::{CustomLoss, Layer, Loss, Model, parameters};
use crate::{Activation, Error, Result};

/// A matrix of second derivatives of a loss by all parameters of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Matrix {
    /// The Hessian: all second derivatives. Indefinite.
    Hessian,
    /// `Jᵀ H_L J`, J the outputs' derivatives, `H_L` the Hessian of the loss by the outputs (Schraudolph, 2002): the Hessian without
    /// the second derivatives of the network. Positive semi-definite where the loss is convex in the outputs.
    GaussNewton,
}

/// Of what model one is the network beside its derivative.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tangent {
    /// Shape of that model's outputs.
    pub outputs: Vec<usize>,
    /// Its nodes, which come first.
    pub nodes: usize,
}

impl Model {
    /// The network beside its derivative along a direction: see the module.
    ///
    /// # Errors
    /// [`Error::Unsupported`] naming a layer that has no rule here, or a loss.
    pub(crate) fn tangent(&self, matrix: Matrix) -> Result<Model> {
        check_loss(self.loss())?;
        let (along, directions) = (vec![None; self.nodes.len()], vec![None; self.nodes.len()]);
        let mut built = Builder { model: self, nodes: self.nodes.clone(), along, directions, matrix };
        for index in 0..self.nodes.len() {
            built.along[index] = built.beside(index)?;
        }
        let last = Source::Node(self.nodes.len() - 1);
        let Some(along) = built.along_of(last) else {
            return Err(Error::unsupported("model", "products with the Hessian of no parameters"));
        };
        let mut shape = self.output_shape().to_vec();
        shape[0] *= 2;
        let both = Node { shape, inputs: vec![last, along], ..built.nodes[self.nodes.len() - 1].clone() };
        let both =
            Node { kind: NodeKind::Layer(Layer::Concat { with: String::new() }), shares: None, ..both };
        built.nodes.push(both);
        // On a GPU all add to what begins as zeros.
        built.nodes.iter_mut().for_each(|node| node.used_again = true);
        let parameters = parameters::layout(&built.nodes)?;
        let tangent = Some(Tangent { outputs: self.output_shape().to_vec(), nodes: self.nodes.len() });
        Ok(Model { nodes: built.nodes, parameters, tangent, ..self.clone() })
    }
}

/// That the loss's Hessian at the outputs is known: a diagonal, a softmax's, or that of a Gaussian's mean and variance.
fn check_loss(loss: &Loss) -> Result<()> {
    let what = match loss {
        Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. } => "PPO",
        Loss::Custom(CustomLoss::ByRow(_)) => "a loss by row of the user's own",
        Loss::External => "a signal from the host",
        _ => return Ok(()),
    };
    Err(Error::unsupported("loss", format!("products with the Hessian of {what}")))
}

struct Builder<'a> {
    model: &'a Model,
    nodes: Vec<Node>,
    /// Beside each of the model's nodes, its derivative along the direction; `None` where that is 0.
    along: Vec<Option<Source>>,
    /// Of each of the model's nodes with parameters of its own, the node with the direction in their place.
    directions: Vec<Option<usize>>,
    matrix: Matrix,
}

impl Builder<'_> {
    fn along_of(&self, source: Source) -> Option<Source> {
        match source {
            Source::Input => None,
            Source::Node(node) => self.along[node],
        }
    }

    /// Appends a node that stands beside the model's node `of`.
    fn push(
        &mut self,
        of: usize,
        kind: NodeKind,
        inputs: Vec<Source>,
        shares: Option<usize>,
        part: Part,
    ) -> Source {
        // Gauss-Newton's signal does not go back along the direction.
        let part = if self.matrix == Matrix::GaussNewton { Part::Detached } else { part };
        let node = Node { kind, inputs, shares, part, ..self.model.nodes[of].clone() };
        self.nodes.push(node);
        Source::Node(self.nodes.len() - 1)
    }

    /// The same with the weight of `owner` and no bias.
    fn push_weight(&mut self, of: usize, kind: NodeKind, input: Source, owner: usize) -> Source {
        let source = self.push(of, kind, vec![input], Some(owner), Part::Whole);
        self.nodes.iter_mut().last().into_iter().for_each(|node| node.weight_only = true);
        source
    }

    fn sum(&mut self, of: usize, one: Option<Source>, other: Option<Source>) -> Option<Source> {
        match (one, other) {
            (Some(one), Some(other)) => {
                Some(self.push(of, NodeKind::Add, vec![one, other], None, Part::Whole))
            }
            (one, other) => one.or(other),
        }
    }

    /// Appends what computes the derivative of a node's output along the direction.
    fn beside(&mut self, index: usize) -> Result<Option<Source>> {
        let node = &self.model.nodes[index];
        let inputs = node.inputs.clone();
        let first = self.along_of(inputs[0]);
        let refused =
            |what: &str| Err(Error::unsupported(node.name(), format!("products with the Hessian{what}")));
        let NodeKind::Layer(layer) = &node.kind else {
            let other = self.along_of(inputs[1]);
            return Ok(self.sum(index, first, other));
        };
        match layer {
            Layer::Add { .. } => {
                let other = self.along_of(inputs[1]);
                Ok(self.sum(index, first, other))
            }
            Layer::Multiply { .. } => {
                let other = self.along_of(inputs[1]);
                let mut product = |along: Option<Source>, with: Source| {
                    along.map(|along| {
                        self.push(index, node.kind.clone(), vec![along, with], None, Part::Whole)
                    })
                };
                let [one, other] = [product(first, inputs[1]), product(other, inputs[0])];
                Ok(self.sum(index, one, other))
            }
            Layer::Concat { .. } => match (first, self.along_of(inputs[1])) {
                (None, None) => Ok(None),
                (Some(one), Some(other)) => {
                    Ok(Some(self.push(index, node.kind.clone(), vec![one, other], None, Part::Whole)))
                }
                _ => refused(" where only one of the two depends on parameters"),
            },
            Layer::Dense { .. } | Layer::Conv2d(_) | Layer::Conv1d(_) | Layer::ConvTranspose2d(_) => {
                let owner = self.model.owner(index);
                let map = NodeKind::Layer(layer.without_bias());
                let through = first.map(|along| self.push_weight(index, map, along, owner));
                let by = self.by_direction(index, inputs);
                Ok(self.sum(index, through, Some(by)))
            }
            // Of the selected rows; the inputs select, and do not vary.
            Layer::Embedding(_) | Layer::HashGrid(_) => Ok(Some(self.by_direction(index, inputs))),
            Layer::PositionEmbedding(_) => match first {
                Some(along) => Ok(Some(self.by_direction(index, vec![along]))),
                None => refused(" where it comes before all other parameters"),
            },
            // Nothing is drawn, as at inference.
            Layer::Dropout { .. } => {
                self.nodes[index].kind = NodeKind::Layer(Layer::Identity);
                Ok(first)
            }
            Layer::Identity | Layer::Name { .. } | Layer::Act(Activation::Identity) => Ok(first),
            Layer::Act(_) | Layer::MaxPool2d(_) => Ok(first.map(|along| {
                let slope = NodeKind::Tangent(layer.clone());
                self.push(index, slope, vec![along, inputs[0]], None, Part::Whole)
            })),
            Layer::LayerNorm(_) | Layer::RmsNorm(_) | Layer::GroupNorm(_) => {
                let shape = self.model.shape_at(inputs[0]);
                let channels = layer.normalization(&node.name(), shape)?.map(|norm| norm.channels);
                if layer.has_parameters() && channels != Some(shape[0]) {
                    return refused(" with a γ for each number of an image");
                }
                let through = first.map(|along| {
                    let slope = NodeKind::Tangent(layer.without_affine());
                    let normal = self.push(index, slope, vec![along, inputs[0]], None, Part::Whole);
                    if !layer.has_parameters() {
                        return normal;
                    }
                    let owner = self.model.owner(index);
                    self.push_weight(index, NodeKind::Scale, normal, owner)
                });
                let by = layer.has_parameters().then(|| self.by_direction(index, inputs));
                Ok(self.sum(index, through, by))
            }
            Layer::Flatten
            | Layer::AvgPool2d(_)
            | Layer::AdaptiveAvgPool2d { .. }
            | Layer::ZeroPad2d { .. }
            | Layer::ReflectionPad2d { .. }
            | Layer::ReplicationPad2d { .. }
            | Layer::Upsample2d(_)
            | Layer::PixelShuffle { .. }
            | Layer::PixelUnshuffle { .. }
            | Layer::Last => {
                Ok(first.map(|along| self.push(index, node.kind.clone(), vec![along], None, Part::Whole)))
            }
            _ if first.is_none() && !layer.has_parameters() => Ok(None),
            _ => refused(""),
        }
    }

    /// The layer of a node once more, with the direction in place of its parameters.
    fn by_direction(&mut self, index: usize, inputs: Vec<Source>) -> Source {
        let shares = self.model.nodes[index].shares.and_then(|owner| self.directions[owner]);
        let by = self.push(index, self.model.nodes[index].kind.clone(), inputs, shares, Part::Constant);
        if let (Source::Node(node), None) = (by, shares) {
            self.directions[index] = Some(node);
        }
        by
    }
}
