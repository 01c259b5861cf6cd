//! Networks that predict the next character.

use hesscale::model::{Attention, Conv1d, LayerNorm, PositionEmbedding};
use hesscale::{Activation, Loss, Model, Result};

/// What a network sees the characters before by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Transformer,
    Gru,
    Lstm,
}

impl Kind {
    pub(crate) fn named(name: &str) -> Option<Kind> {
        match name {
            "transformer" => Some(Kind::Transformer),
            "gru" => Some(Kind::Gru),
            "lstm" => Some(Kind::Lstm),
            _ => None,
        }
    }
}

/// The sizes of a network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub characters: usize,
    /// Characters that it sees at most.
    pub length: usize,
    /// Of a position; recurrent layers have twice as many units.
    pub width: usize,
    pub heads: usize,
    /// Blocks, or recurrent layers.
    pub blocks: usize,
}

pub(crate) fn network(kind: Kind, sizes: Sizes) -> Result<Model> {
    let Sizes { characters, length, width, blocks, .. } = sizes;
    let model = Model::builder([length]).embedding(characters, width);
    let model = match kind {
        Kind::Transformer => return transformer(sizes),
        Kind::Gru => (0..blocks).fold(model, |model, _| model.gru(2 * width)),
        Kind::Lstm => (0..blocks).fold(model, |model, _| model.lstm(2 * width)),
    };
    model.layer(Conv1d::new(characters, 1)).loss(Loss::cross_entropy())
}

/// Attention to what stands before, then two layers on each position, each behind a normalisation and added to what there was (Radford
/// et al., 2019, *Language Models are Unsupervised Multitask Learners*).
fn transformer(sizes: Sizes) -> Result<Model> {
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
