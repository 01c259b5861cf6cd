//! How the numbers of a kernel lie in a file.

use super::entries::Entry;
use super::numbers;
use crate::model::Layer;
use safetensors::tensor::TensorView;

/// The order in which a file has a tensor's axes. Two programs' kernels may have the same shape in another order, so a layout is
/// said and never guessed: [`Naming::layout`](super::Naming::layout).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Layout {
    /// PyTorch's, which is also this crate's: [`Parameter::shape`](crate::model::Parameter::shape).
    #[default]
    Torch,
    /// TensorFlow's, Keras's and Flax's: a dense layer's `[in, out]`, a convolution's `[k, in/groups, out]` or
    /// `[kh, kw, in/groups, out]` (HWIO), a transposed one's `[kh, kw, out/groups, in]`. (Flax turns the taps of a transposed
    /// convolution around unless it has `transpose_kernel`; those are not read.)
    InOut,
    /// `[H·W·C, out]`: the dense layer behind an image `[C, H, W]` that the other program flattens as `[H, W, C]`.
    ImageInOut([usize; 3]),
    /// TensorFlow's and Keras's depthwise kernel, `[kh, kw, in, out/in]`.
    Depthwise,
}

/// A tensor of the file, seen with `view` as its shape: axis i of ours is axis `axes[i]` of it.
struct Order {
    /// As the file has it.
    shape: Vec<usize>,
    view: Vec<usize>,
    axes: Vec<usize>,
}

impl Layout {
    /// The numbers of a tensor of the file in PyTorch's order, or what is wrong with it.
    pub(super) fn import(self, entry: &Entry<'_>, tensor: &TensorView<'_>) -> Result<Vec<f32>, String> {
        let order = self.order(entry);
        let one = tensor.shape().is_empty() && order.shape.iter().all(|size| *size == 1);
        if tensor.shape() != order.shape && !one {
            let other = match (self, Layout::InOut.fits(entry)) {
                (Layout::Torch, true) if tensor.shape() == Layout::InOut.order(entry).shape => {
                    "; Layout::InOut has that shape"
                }
                _ => "",
            };
            return Err(format!("is {:?}, expected {:?}{other}", tensor.shape(), order.shape));
        }
        let theirs = numbers::read(tensor)?;
        Ok(order.places().map(|place| theirs[place]).collect())
    }

    /// Shape and numbers as the file has them.
    pub(super) fn export(self, entry: &Entry<'_>, ours: &[f32]) -> (Vec<usize>, Vec<f32>) {
        let order = self.order(entry);
        let mut theirs = vec![0.0; ours.len()];
        order.places().zip(ours).for_each(|(place, number)| theirs[place] = *number);
        (order.shape, theirs)
    }

    /// Whether a tensor can lie so.
    pub(super) fn fits(self, entry: &Entry<'_>) -> bool {
        match (self, &entry.shape[..]) {
            (Layout::Torch, _) => true,
            // Tables are `[rows, numbers]` everywhere.
            (Layout::InOut, _) if matches!(entry.layer, Layer::Embedding(_) | Layer::HashGrid(_)) => false,
            (Layout::InOut, shape) => shape.len() >= 2,
            (Layout::ImageInOut([c, h, w]), [_, inputs]) => {
                c.checked_mul(h).and_then(|n| n.checked_mul(w)) == Some(*inputs)
            }
            (Layout::Depthwise, [_, 1, _, _]) => {
                matches!(entry.layer, Layer::Conv2d(c) if c.inputs == c.groups)
            }
            _ => false,
        }
    }

    /// Of a tensor that can lie so.
    fn order(self, entry: &Entry<'_>) -> Order {
        let ours = &entry.shape;
        let spatial = || ours.iter().skip(2).copied();
        let same = |shape: Vec<usize>, axes| Order { view: shape.clone(), shape, axes };
        match self {
            Layout::Torch => same(ours.clone(), (0..ours.len()).collect()),
            Layout::InOut => {
                let rank = ours.len();
                let axes = [rank - 1, rank - 2].into_iter().chain(0..rank - 2).collect();
                same(spatial().chain([ours[1], ours[0]]).collect(), axes)
            }
            Layout::ImageInOut([c, h, w]) => {
                Order { shape: vec![ours[1], ours[0]], view: vec![h, w, c, ours[0]], axes: vec![3, 2, 0, 1] }
            }
            Layout::Depthwise => {
                let inputs = if let Layer::Conv2d(c) = entry.layer { c.inputs } else { 1 };
                same(spatial().chain([inputs, ours[0] / inputs]).collect(), vec![2, 3, 0, 1])
            }
        }
    }
}

impl Order {
    /// For each of our numbers, its place in the file's.
    fn places(&self) -> impl Iterator<Item = usize> {
        let mut strides = vec![1; self.view.len()];
        for axis in (1..self.view.len()).rev() {
            strides[axis - 1] = strides[axis] * self.view[axis];
        }
        let ours: Vec<(usize, usize)> =
            self.axes.iter().map(|axis| (self.view[*axis], strides[*axis])).collect();
        (0..self.view.iter().product()).map(move |index| {
            let digits = ours.iter().rev().scan(index, |rest, (size, stride)| {
                let digit = *rest % size;
                *rest /= size;
                Some(digit * stride)
            });
            digits.sum()
        })
    }
}
