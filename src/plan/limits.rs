//! The limits that a plan needs, known before there is a device.

use crate::gpu::Context;
use crate::graph::{Graph, MOST_ELEMENTS, Op, Setup, Value};
use crate::model::{Mode, Model};
use crate::ops::Ops;
use crate::ops::optimizer::most_memory;
use crate::{Error, Result};

impl Context {
    /// The limits that a device needs for `model` at `batch` samples in any mode: wgpu's defaults, with the sizes of buffers
    /// and bindings raised where the model asks for more. For a host that makes its own device. The mean of the parameters
    /// ([`Optimizer::average`](crate::Optimizer::average)) is not counted: `4 * flat_len` bytes more in one buffer.
    pub fn required_limits(model: &Model, batch: usize) -> wgpu::Limits {
        let bytes = largest_buffer(model, batch);
        let defaults = wgpu::Limits::defaults();
        wgpu::Limits {
            max_buffer_size: defaults.max_buffer_size.max(bytes),
            max_storage_buffer_binding_size: defaults.max_storage_buffer_binding_size.max(bytes),
            ..defaults
        }
    }
}

/// Bytes of the largest buffer that any plan binds: two moments and blocks; the widest signal, which is larger than any
/// activation, input or target; or what an operation needs for itself, as a convolution's partial sums, which are larger than its
/// weights.
fn largest_buffer(model: &Model, batch: usize) -> u64 {
    let mut elements = most_memory(model.flat_len().max(64)) as u64;
    // A model that no plan can be made of needs no more than its state.
    if let Ok(graph) = Graph::new::<Ops>(model, true, 4) {
        let most_planes = Mode::ALL.into_iter().map(Mode::planes).max().unwrap_or(1) as u64;
        // More than any device has, and no overflow.
        let most = 1 << 48;
        let count = |value: &Value| (batch as u64).saturating_mul(value.len() as u64).min(most);
        let signal = |value: &Value| most_planes * count(value).next_multiple_of(64);
        elements = graph.values.iter().map(signal).fold(elements, u64::max);
        let sums = |mode| largest_scratch(&graph, batch, mode) as u64;
        elements = Mode::ALL.into_iter().map(sums).fold(elements, u64::max);
    }
    (4 * elements).next_multiple_of(256)
}

/// Whether everything of a plan can be counted as the shaders do.
pub(super) fn check(graph: &Graph, batch: usize) -> Result<()> {
    let count = |place: &str, elements: Option<usize>| match elements {
        Some(elements) if elements <= MOST_ELEMENTS => Ok(()),
        elements => {
            let needed = elements.map_or(u64::MAX, |elements| elements as u64);
            Err(Error::limit(place, Setup::ELEMENTS, needed, MOST_ELEMENTS as u64))
        }
    };
    for value in &graph.values {
        count(&value.name, batch.checked_mul(value.len()))?;
    }
    for op in &graph.ops {
        let name = format!("weight of {}", graph.values[op.output].name);
        count(&name, op.operation.packed_weight())?;
    }
    Ok(())
}

/// Elements of the largest memory that an operation binds beside values, on any class of device.
fn largest_scratch(graph: &Graph, batch: usize, mode: Mode) -> usize {
    if batch == 0 || check(graph, batch).is_err() {
        return 0;
    }
    let sums = |op: &Op| op.operation.scratch(&graph.values[op.output], batch, mode);
    graph.ops.iter().map(sums).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Attention, AvgPool2d, BatchNorm, Conv2d, Gru, HashGrid, MaxPool2d, PositionEmbedding,
    };
    use crate::shader::DeviceClass;
    use crate::{Activation, At, ContextOptions, Error, Layer, Loss, Optimizer, Plan, PlanOptions, State};

    #[test]
    fn limits_are_the_defaults_until_the_model_needs_more() {
        let small = Model::builder([8]).dense(2).loss(Loss::mse()).expect("valid");
        assert_eq!(Context::required_limits(&small, 64), wgpu::Limits::defaults());
        let wide = Model::builder([8]).dense(4096).loss(Loss::mse()).expect("valid");
        let needed = 5 * 65_536 * 4096 * 4;
        assert_eq!(Context::required_limits(&wide, 65_536).max_storage_buffer_binding_size, needed);
        assert_eq!(Context::required_limits(&wide, 65_536).max_buffer_size, needed);
        let large = Model::builder([10_000]).dense_no_bias(5_000).loss(Loss::mse()).expect("valid");
        // Two moments, the numbers before them, and four for each block of 64.
        let needed = (4 * (64 + 2 * 50_000_000 + 50_000_000 / 16_u64)).next_multiple_of(256);
        assert_eq!(Context::required_limits(&large, 1).max_storage_buffer_binding_size, needed);
        // One channel lies as four.
        let image = Model::builder([1, 1000, 1000]).conv2d(1, 1).loss(Loss::mse()).expect("valid");
        assert_eq!(
            Context::required_limits(&image, 2).max_storage_buffer_binding_size,
            5 * 4 * 4 * 2_000_000
        );
    }

    /// Its weight has channels × taps numbers, not channels² of them.
    #[test]
    fn a_depthwise_convolution_may_have_many_channels() {
        let layer = Conv2d::new(12_000, 3).groups(12_000);
        let model = Model::builder([12_000, 3, 3]).layer(layer).loss(Loss::mse()).expect("valid");
        let graph = Graph::new::<Ops>(&model, true, 4).expect("it can be lowered");
        assert_eq!(check(&graph, 1), Ok(()));
        // Beyond what a shader counts with it is refused, and asking for limits does not overflow.
        let layer = Conv2d::new(1_100_000, 45).padding(22).groups(1_100_000);
        let model = Model::builder([1_100_000, 1, 1]).layer(layer).loss(Loss::mse()).expect("valid");
        let graph = Graph::new::<Ops>(&model, true, 4).expect("it can be lowered");
        assert!(matches!(check(&graph, 1), Err(Error::Limit { .. })));
        assert!(Context::required_limits(&model, 1).max_buffer_size > 1 << 33);
    }

    #[test]
    fn batches_that_no_plan_can_have_are_no_overflow() {
        let model = Model::builder([1, 100, 100]).conv2d(8, 3).loss(Loss::mse()).expect("valid");
        assert!(Context::required_limits(&model, 1 << 32).max_buffer_size > 1 << 40);
    }

    /// A device with no larger bindings than that, of any class.
    fn context(bytes: u64, class: DeviceClass) -> Context {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: bytes,
            max_buffer_size: bytes,
            ..wgpu::Limits::defaults()
        };
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
            let adapter = instance.request_adapter(&Default::default()).await.expect("an adapter");
            let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
            let (device, queue) = adapter.request_device(&descriptor).await.expect("a device");
            Context::from_device(&device, &queue, ContextOptions { class: Some(class), ..Default::default() })
        })
    }

    /// A plan with everything that can be asked for.
    fn plan(context: &Context, model: &Model, batch: usize, mode: Mode) -> crate::Result<()> {
        let state = State::new(context, model, Some(Optimizer::ada_hesscale(0.1)))?;
        let places = (0..model.layers().len()).map(At::Layer).chain([At::Input]);
        let options = places.fold(PlanOptions::training(mode).accumulate(1.0).lazy(), PlanOptions::signal);
        Plan::new(context, model, &state, batch, options).map(|_| ())
    }

    #[test]
    fn what_is_required_is_enough_and_needed() {
        // The largest: a convolution's sums, a signal, the sums of single channels, a signal beside statistics of each channel, the
        // corners of cells, the scores of queries, the gates of units.
        let sums = Model::builder([5, 5, 5]).conv2d(7, 3).layer(MaxPool2d::new(3));
        let signal = Model::builder([1, 9, 9]).layer(Conv2d::new(5, 3).same()).act(Activation::Tanh);
        let signal = signal.layer(AvgPool2d::new(3)).layer(BatchNorm::new(vec![0.0; 5], vec![1.0; 5]));
        let channels = Model::builder([9, 16, 16]).layer(Conv2d::new(9, 16).groups(9));
        let groups = Model::builder([6, 9, 9]).group_norm(6).rms_norm();
        let grid = HashGrid::new().levels(4).features(1).log2_table(3).base(1);
        let corners = Model::builder([3]).layer(grid);
        let scores = Model::builder([3, 50]).layer(PositionEmbedding::new()).layer(Attention::new(1));
        let gates = Model::builder([15, 40]).layer(Gru::new(5));
        for (builder, batch) in
            [(sums, 64), (signal, 6), (channels, 1), (groups, 3), (corners, 64), (scores, 5), (gates, 3)]
        {
            let model = builder.layer(Layer::Flatten).dense(3).loss(Loss::mse()).expect("valid");
            let bytes = largest_buffer(&model, batch);
            let mut refused = 0;
            for class in DeviceClass::ALL {
                let (enough, less) = (context(bytes, class), context(bytes - 256, class));
                // Signals are largest in the second; the first once, for it takes other kernels.
                let modes = [Mode::HesScaleR2, Mode::HesScale].into_iter();
                for mode in modes.take(if class == DeviceClass::Software { 2 } else { 1 }) {
                    assert_eq!(plan(&enough, &model, batch, mode), Ok(()), "{class:?} {mode:?}");
                    refused +=
                        usize::from(matches!(plan(&less, &model, batch, mode), Err(Error::Limit { .. })));
                }
            }
            assert!(refused > 0, "{bytes} bytes are more than any plan of {} asks for", model.to_json());
        }
    }
}
