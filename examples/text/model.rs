//! A Transformer that predicts the next character.

use hesscale::model::{Attention, Conv1d, LayerNorm, PositionEmbedding};
use hesscale::{Activation, Loss, Model, Result};

/// The sizes of a Transformer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub characters: usize,
    /// Characters that it sees at most.
    pub length: usize,
    pub width: usize,
    pub heads: usize,
    pub blocks: usize,
}

/// Attention to what stands before, then two layers on each position, each behind a normalisation and added to what there was (Radford
/// et al., 2019, *Language Models are Unsupervised Multitask Learners*).
pub(crate) fn transformer(sizes: Sizes) -> Result<Model> {
    let Sizes { characters, length, width, heads, blocks } = sizes;
    let line = |channels| Conv1d::new(channels, 1);
    let mut model = Model::builder([length]).embedding(characters, width).layer(PositionEmbedding::new());
    for _ in 0..blocks {
        model = model.residual(|b| {
            let b = b.layer(LayerNorm::of_channels()).layer(line(3 * width));
            b.layer(Attention::new(heads).causal(true)).layer(line(width))
        });
        model = model.residual(|b| {
            let b = b.layer(LayerNorm::of_channels()).layer(line(4 * width));
            b.act(Activation::Gelu).layer(line(width))
        });
    }
    model.layer(LayerNorm::of_channels()).layer(line(characters)).loss(Loss::cross_entropy())
}
