//! The model as data: the builder, the JSON form, and invalid models that both refuse.

mod images;
mod init;
mod inputs;
mod json;
mod network;
mod own;
mod rules;

use hesscale::model::{ClassTargets, Reduction, Variance};
use hesscale::{Activation, Error, Layer, Loss, Model};

fn dense(inputs: usize, outputs: usize, bias: bool) -> Layer {
    Layer::Dense { inputs, outputs, bias }
}

/// Every loss, every option at a value that is not its default.
fn losses() -> Vec<Loss> {
    let mut losses = vec![Loss::cross_entropy().into(), Loss::mse(), Loss::external()];
    for reduction in [Reduction::Mean, Reduction::Sum] {
        losses.extend([
            Loss::Mse { reduction },
            Loss::BceWithLogits { reduction, pos_weight: None },
            Loss::GaussianNll { reduction, var: Variance::Log },
            Loss::GaussianNll { reduction, var: Variance::Softplus },
            Loss::Huber { reduction, delta: 0.7 },
            Loss::L1 { reduction },
            Loss::RelativeMse { reduction, eps: 0.01 },
            Loss::BceWithLogits { reduction, pos_weight: Some(vec![0.5, 0.0, 3.0, 7.5]) },
            Loss::PpoDiscrete { reduction, clip: 0.2, entropy: 0.01 },
            Loss::PpoGaussian { reduction, clip: 0.2, entropy: 0.0 },
        ]);
        for targets in [ClassTargets::ClassIndex, ClassTargets::Soft] {
            losses.push(Loss::SoftmaxCrossEntropy {
                targets,
                reduction,
                class_weights: Some(vec![0.5, 0.1, 3.0, 0.0]),
                label_smoothing: 0.1,
                ignore_index: Some(7),
            });
        }
    }
    losses.extend(own::texts::losses());
    losses
}

/// Every activation, those with a parameter twice.
fn activations() -> Vec<Activation> {
    let given = [
        Activation::LeakyRelu { alpha: 0.3 },
        Activation::Elu { alpha: 1.7 },
        Activation::Sin { frequency: 30.0 },
    ];
    Activation::ALL.into_iter().chain(given).chain([own::texts::softplus()]).collect()
}

fn with(layers: Vec<Layer>) -> Result<Model, Error> {
    Model::new([4], layers, Loss::mse())
}
