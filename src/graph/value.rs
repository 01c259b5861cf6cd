//! What operations read and write.

use crate::At;

/// How the samples of a value lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// As the model counts: `[C, H, W]`, row-major.
    Rows,
    /// `[H, W, C]`, C padded to a multiple of the graph's alignment.
    Image,
    /// Both at once: a single position, and nothing to pad.
    Either,
}

/// What one operation writes and others read.
#[derive(Debug)]
pub(crate) struct Value {
    pub name: String,
    /// Of a sample, as the model counts.
    pub shape: Vec<usize>,
    pub layout: Layout,
    /// What the channels of an image are padded to a multiple of.
    pub alignment: usize,
    /// The value whose memory it is: its own, or of what it is another view of.
    pub root: usize,
    /// How many operations read the memory; only counted at the root.
    pub readers: usize,
    /// The layers whose output it is.
    pub outputs_of: Vec<At>,
}

impl Value {
    /// Elements of a sample as they lie.
    pub(crate) fn len(&self) -> usize {
        match self.layout {
            Layout::Image => self.positions() * self.channels().next_multiple_of(self.alignment),
            _ => self.shape.iter().product(),
        }
    }

    /// The first dimension.
    pub(crate) fn channels(&self) -> usize {
        self.shape[0]
    }

    /// Height × width, or the length of a sequence.
    pub(crate) fn positions(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Height and width.
    pub(crate) fn size(&self) -> [usize; 2] {
        match self.shape[..] {
            [_, h, w] => [h, w],
            _ => [1, self.positions()],
        }
    }
}

/// Channels as shaders want them: whole vec4s.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(4)
}
