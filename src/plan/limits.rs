//! What a plan will ask of a device, known before there is one.

use super::forward::plane;
use crate::gpu::Context;
use crate::kernel::planes;
use crate::model::{Mode, Model};

impl Context {
    /// The limits that a device needs for `model` at `batch` samples in any mode: wgpu's defaults, with the sizes of buffers
    /// and bindings raised where the model asks for more. For a host that makes its own device.
    #[must_use]
    pub fn required_limits(model: &Model, batch: usize) -> wgpu::Limits {
        let layers = model.nodes().iter().map(|node| node.shape.iter().product::<usize>());
        let widest = layers.chain([model.inputs()]).max().unwrap_or(1);
        let most_planes = Mode::ALL.into_iter().map(planes).max().unwrap_or(1) as usize;
        // Parameters; or the widest signal, which is larger than any activation, input or target.
        let elements = model.flat_len().max(most_planes * plane(batch * widest));
        let bytes = (4 * elements as u64).next_multiple_of(256);
        let defaults = wgpu::Limits::defaults();
        wgpu::Limits {
            max_buffer_size: defaults.max_buffer_size.max(bytes),
            max_storage_buffer_binding_size: defaults.max_storage_buffer_binding_size.max(bytes),
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loss;

    #[test]
    fn limits_are_the_defaults_until_the_model_needs_more() {
        let small = Model::builder([8]).dense(2).loss(Loss::mse()).expect("valid");
        assert_eq!(Context::required_limits(&small, 64), wgpu::Limits::defaults());
        let wide = Model::builder([8]).dense(4096).loss(Loss::mse()).expect("valid");
        let needed = 5 * 65_536 * 4096 * 4;
        assert_eq!(Context::required_limits(&wide, 65_536).max_storage_buffer_binding_size, needed);
        assert_eq!(Context::required_limits(&wide, 65_536).max_buffer_size, needed);
        let large = Model::builder([10_000]).dense_no_bias(5_000).loss(Loss::mse()).expect("valid");
        assert_eq!(Context::required_limits(&large, 1).max_storage_buffer_binding_size, 4 * 50_000_000);
    }
}
