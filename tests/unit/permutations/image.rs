//! The shipped permutations of kernels around products.

use super::permutations::keeps;
use super::{
    AdvanceNoise, Depthwise, DepthwiseSignal, DepthwiseSizes, Direction, Dropout, DropoutSignal, Flow,
    Kernel, Layout, Norm, NormSignal, Pad, PadSignal, Parameters, Partial, Pool, PoolSignal, Pooling,
    Storage, Sum, SumSignal,
};
use crate::model::{Activation, Mode, Window};

/// A window of `kernel` at stride 2 over an image with one row and column of padding.
fn window(kernel: [usize; 2]) -> Window {
    let image = [512, 512];
    let positions = kernel.map(|k| (512 + 2 - k) / 2 + 1);
    Window { image, kernel, stride: [2, 2], dilation: [1, 1], before: [1, 1], positions }
}

/// Small windows, windows whose elements need more than a byte, and windows that a workgroup shares; each kind.
fn poolings() -> Vec<Pooling> {
    let windows = [[3, 3], [20, 20], [80, 80]].map(window);
    let mut poolings: Vec<Pooling> = windows.into_iter().map(Pooling::Max).collect();
    for count_padding in [false, true] {
        poolings.extend(windows.into_iter().map(|window| Pooling::Mean { window, count_padding }));
    }
    for (image, positions) in [([7, 7], [3, 3]), ([300, 300], [1, 1]), ([1, 1], [300, 300])] {
        poolings.push(Pooling::Adaptive { image, positions });
    }
    poolings
}

/// All of them.
pub(super) fn all() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = vec![AdvanceNoise.into()];
    let (batch, channels, planes) = (2, 5, 4);
    for direction in [Direction::ToImage, Direction::ToRows] {
        let (positions, plane_rows, plane_image) = (6, 64, 128);
        kernels
            .push(Layout { direction, batch, channels, positions, planes, plane_rows, plane_image }.into());
    }
    let pad = Pad { batch, channels, image: [4, 5], padding: [1, 2, 3, 4] };
    let storages = [Storage::Rows { batch, features: 5 }, Storage::Image { batch, channels, positions: 30 }];
    let large = Storage::Image { batch, channels, positions: 10_000 };
    let sums = [Sum { elements: 64 }, Sum { elements: 33 }];
    let sizes = [window([3, 3]), Window { stride: [1, 1], ..window([3, 3]) }].map(|window| DepthwiseSizes {
        window,
        batch,
        channels,
    });

    kernels.push(pad.into());
    kernels.extend(sums.map(Kernel::from));
    for storage in storages {
        kernels.push(Dropout { storage, node: 3, p: 0.2 }.into());
    }
    // Plans normalise images only.
    let norm = Norm { storage: storages[1] };
    kernels.push(norm.into());
    for pooling in poolings() {
        kernels.extend([false, true].map(|keep| Pool { pooling, batch, channels, keep }.into()));
    }
    for activation in Activation::ALL {
        let all = [(false, false), (true, false), (false, true), (true, true)];
        for (bias, keep) in all.into_iter().filter(|(_, keep)| !keep || keeps(activation)) {
            let plane = 4096;
            kernels.push(Depthwise { sizes: sizes[0], bias, activation, keep, plane }.into());
        }
    }
    for mode in Mode::ALL {
        for below in Activation::ALL {
            let flow = Flow { mode, below, plane_in: 4096, plane_out: 4096 };
            kernels.push(PadSignal { pad, flow }.into());
        }
        // Where branches meet nothing is fused.
        let flow = Flow { mode, below: Activation::Identity, plane_in: 4096, plane_out: 4096 };
        kernels.extend(sums.map(|sum| SumSignal { sum, flow }.into()));
        for below in [Activation::Identity, Activation::Tanh] {
            let flow = Flow { mode, below, plane_in: 4096, plane_out: 4096 };
            for pooling in poolings() {
                kernels.push(PoolSignal { pooling, batch, channels, flow }.into());
            }
            for storage in storages {
                kernels.push(DropoutSignal { dropout: Dropout { storage, node: 3, p: 0.2 }, flow }.into());
            }
            kernels.push(NormSignal { norm, flow }.into());
            kernels.extend(sizes.map(|sizes| DepthwiseSignal { sizes, flow }.into()));
        }
        for storage in [storages[1], large] {
            kernels.push(Partial { parameters: Parameters::Norm(storage), mode, plane: 4096 }.into());
        }
        for (sizes, bias) in sizes.into_iter().flat_map(|sizes| [(sizes, false), (sizes, true)]) {
            kernels.push(
                Partial { parameters: Parameters::Depthwise { sizes, bias }, mode, plane: 4096 }.into(),
            );
        }
    }
    kernels
}
