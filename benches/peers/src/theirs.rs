//! The same networks in burn, with its forward and backward pass.

use crate::workload::Workload;
use burn::module::Param;
use burn::nn::Linear;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::wgpu::wgpu::{self, AdapterInfo};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData, activation};
use hesscale::model::{Init, Parameter};
use std::error::Error;

/// burn on the same adapter, with all of the adapter's features, as burn requests by default.
pub(crate) fn gpu(info: &AdapterInfo) -> Result<Device, Box<dyn Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info() == *info);
    let adapter = adapter.ok_or("burn does not see this adapter")?;
    let descriptor = wgpu::DeviceDescriptor {
        required_features: (adapter.features() - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
            & !wgpu::Features::all_experimental_mask(),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    let setup = WgpuSetup { instance, adapter, device, queue, backend: info.backend };
    let device = Device::wgpu_options().setup(setup).init().map_err(|error| format!("burn: {error:?}"))?;
    Ok(device.autodiff())
}

/// burn on the CPU.
pub(crate) fn flex() -> Device {
    Device::flex().autodiff()
}

/// Convolutions, each with an activation and a pooling, then dense layers with activations between.
pub(crate) struct Theirs {
    device: Device,
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
    dense: Vec<Linear>,
    loss: CrossEntropyLoss,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
}

impl Theirs {
    /// A workload of `ROWS`, with the weights and batch of this crate's steps.
    pub(crate) fn new(device: &Device, workload: &Workload) -> Theirs {
        let flat = workload.model.init(Init::Glorot, 1).expect("memory for it");
        let values = |parameter: &Parameter| flat[parameter.range()].to_vec();
        let (mut convolutions, mut dense) = (Vec::new(), Vec::new());
        // Every layer has a bias.
        for layer in workload.model.parameters().chunks_exact(2) {
            let (weight, shape) = (values(&layer[0]), &layer[0].shape[..]);
            let bias = Some(Param::from_data(TensorData::new(values(&layer[1]), [shape[0]]), device));
            if let &[outputs, inputs, height, width] = shape {
                let weight = Param::from_data(TensorData::new(weight, shape.to_vec()), device);
                let empty = Conv2dConfig::new([inputs, outputs], [height, width]).init(device);
                convolutions.push(Conv2d { weight, bias, ..empty });
            } else if let &[outputs, inputs] = shape {
                let weight = TensorData::new(transposed(&weight, inputs), [inputs, outputs]);
                dense.push(Linear { weight: Param::from_data(weight, device), bias });
            }
        }
        let batch = workload.batch;
        let image = match *workload.model.input_shape() {
            [channels, height, width] => [batch, channels, height, width],
            _ => [batch, workload.model.inputs(), 1, 1],
        };
        let classes: Vec<i32> = (0..batch as i32).map(|sample| sample % 10).collect();
        Theirs {
            device: device.clone(),
            convolutions,
            pool: MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init(),
            dense,
            loss: CrossEntropyLossConfig::new().init(device),
            images: Tensor::from_data(TensorData::new(workload.data().inputs, image), device),
            classes: Tensor::from_data(TensorData::new(classes, [batch]), device),
        }
    }

    /// Forward pass, loss and backward pass, waiting for the result.
    pub(crate) fn step(&self) -> Result<(), Box<dyn Error>> {
        let _gradients = self.pass();
        Ok(self.device.sync().map_err(|error| format!("burn: {error:?}"))?)
    }

    /// The gradient of each parameter, in this crate's order and layout.
    pub(crate) fn gradient(&self) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let gradients = self.pass();
        let mut all = Vec::new();
        for Conv2d { weight, bias, .. } in &self.convolutions {
            all.push(found(weight, &gradients)?);
            all.extend(bias.as_ref().map(|bias| found(bias, &gradients)).transpose()?);
        }
        for Linear { weight, bias } in &self.dense {
            let outputs = weight.val().dims()[1];
            all.push(transposed(&found(weight, &gradients)?, outputs));
            all.extend(bias.as_ref().map(|bias| found(bias, &gradients)).transpose()?);
        }
        Ok(all)
    }

    fn pass(&self) -> Gradients {
        let convolve =
            |x, convolution: &Conv2d| self.pool.forward(activation::elu(convolution.forward(x), 1.0));
        let mut x: Tensor<2> = self.convolutions.iter().fold(self.images.clone(), convolve).flatten(1, 3);
        for (index, dense) in self.dense.iter().enumerate() {
            x = dense.forward(x);
            if index + 1 < self.dense.len() {
                x = if self.convolutions.is_empty() { x.tanh() } else { activation::elu(x, 1.0) };
            }
        }
        self.loss.forward(x, self.classes.clone()).backward()
    }
}

/// Transposes a matrix of `columns` columns: burn's dense weights are `[in, out]`.
fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns)).copied().collect()
}

fn found<const D: usize>(
    parameter: &Param<Tensor<D>>,
    gradients: &Gradients,
) -> Result<Vec<f32>, Box<dyn Error>> {
    let gradient = parameter.val().grad(gradients).ok_or("burn left out a gradient")?;
    Ok(gradient.into_data().try_into_vec().map_err(|error| format!("burn: {error:?}"))?)
}
