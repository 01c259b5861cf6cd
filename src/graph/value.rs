//! Values: what operations read and write.

use crate::At;

/// How the samples of a value lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// `[C, H, W]`, row-major, as in the model.
    Rows,
    /// `[H, W, C]`, C padded to a multiple of the graph's alignment.
    Image,
    /// Both at once: a single position and no padding.
    Either,
}

/// What one operation writes and others read.
#[derive(Debug)]
pub(crate) struct Value {
    pub name: String,
    /// Of a sample, as in the model.
    pub shape: Vec<usize>,
    pub layout: Layout,
    /// The channels of an image are padded to a multiple of this.
    pub alignment: usize,
    /// The value whose memory it uses: itself, or the one that it is a view of.
    pub root: usize,
    /// The number of operations that read the memory; counted at the root only.
    pub readers: usize,
    /// The layers whose output it is.
    pub outputs_of: Vec<At>,
}

impl Value {
    /// Elements of a sample, padding included.
    pub(crate) fn len(&self) -> usize {
        match self.layout {
            Layout::Image => self.positions() * self.channels().next_multiple_of(self.alignment),
            _ => self.shape.iter().product(),
        }
    }

    pub(crate) fn channels(&self) -> usize {
        self.shape[0]
    }

    /// Height × width, or the length of a sequence.
    pub(crate) fn positions(&self) -> usize {
        self.shape[1..].iter().product()
    }

    pub(crate) fn size(&self) -> [usize; 2] {
        match self.shape[..] {
            [_, h, w] => [h, w],
            _ => [1, self.positions()],
        }
    }
}
