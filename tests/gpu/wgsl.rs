//! The network as a function in WGSL, called by a compute shader of the host's: against the plan and the reference. The text does
//! not depend on the class of a device.

use crate::common::{compare, own, to_f64};
use crate::harness::{BOUND, Sample, context, read_buffer, submit};
use hesscale::model::{
    Attention, AvgPool2d, BatchNorm, Builder, Conv1d, Conv2d, ConvTranspose2d, GroupNorm, Gru, HashGrid,
    Interpolation, LayerNorm, MaxPool2d, PRelu, PositionEmbedding, RmsNorm, Upsample2d,
};
use hesscale::reference::predict;
use hesscale::wgsl::Options;
use hesscale::{
    Activation, Context, Layer, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, Tensor, wgpu,
};

/// How a network is written, and the name of the function.
const ALL: [&str; 4] = ["constants", "stored", "halves", "loops"];

/// A shader with some of these functions that calls each for each sample, with the state's own buffer bound for parameters.
struct Caller {
    context: Context,
    pipeline: wgpu::ComputePipeline,
    binds: wgpu::BindGroup,
    outputs: wgpu::Buffer,
    batch: usize,
    names: &'static [&'static str],
}

impl Caller {
    fn new(sample: &Sample, state: &State, inputs: &Tensor, names: &'static [&'static str]) -> Caller {
        let Sample { model, parameters, batch, .. } = sample;
        let function = |name: &&str| {
            let options = match *name {
                "constants" => Options::constants(parameters),
                "stored" => Options::storage(0, 2),
                "halves" => Options::storage_f16(0, 3),
                _ => Options::storage(0, 4).unroll(0),
            };
            model.to_wgsl(&options.name(*name)).unwrap()
        };
        let [n, m] = [model.inputs(), model.outputs()];
        let given: Vec<String> = (0..n).map(|k| format!("inputs[i * {n} + {k}]")).collect();
        let call = |(index, name): (usize, &&str)| {
            let keep = |k| format!("outputs[({index} * {batch} + i) * {m} + {k}] = y_{name}[{k}];\n");
            format!("let y_{name} = {name}(x);\n{}", (0..m).map(keep).collect::<String>())
        };
        let text = format!(
            "@group(0) @binding(0) var<storage, read> inputs: array<f32>;
             @group(0) @binding(1) var<storage, read_write> outputs: array<f32>;
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                 let i = id.x;
                 if i >= {batch} {{ return; }}
                 let x = array<f32, {n}>({});
                 {}
             }}
             {}",
            given.join(", "),
            names.iter().enumerate().map(call).collect::<String>(),
            names.iter().map(function).collect::<String>(),
        );
        let context = state.context().clone();
        let device = context.device();
        let source =
            wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(text.into()) };
        // SAFETY: All loops end, and all indices are within their arrays: sizes stand in the text. With run-time checks llvmpipe takes
        // ten times as long to compile the loops.
        let module =
            unsafe { device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) };
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let storage = |words: usize| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 4 * words as u64,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let outputs = storage(names.len() * batch * m);
        let halves = model.half_parameters(parameters).unwrap();
        let packed = storage(halves.len().max(2));
        let bytes: Vec<u8> = halves.iter().flat_map(|word| word.to_le_bytes()).collect();
        context.queue().write_buffer(&packed, 0, &bytes);
        let resources = [
            inputs.binding(),
            outputs.as_entire_binding(),
            state.parameters().binding(),
            packed.as_entire_binding(),
            state.parameters().binding(),
        ];
        let is_bound = |binding: u32| {
            let name = ["", "", "stored", "halves", "loops"][binding as usize];
            binding < 2 || !halves.is_empty() && names.contains(&name)
        };
        let entries =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource });
        let entries = entries.filter(|entry| is_bound(entry.binding));
        let binds = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries.collect::<Vec<_>>(),
        });
        Caller { context, pipeline, binds, outputs, batch: *batch, names }
    }

    /// What each function says of all samples.
    fn call(&self) -> Vec<Vec<f32>> {
        submit(&self.context, |encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.binds, &[]);
            pass.dispatch_workgroups(self.batch.div_ceil(64) as u32, 1, 1);
        });
        let all: Vec<f32> =
            read_buffer(&self.context, &self.outputs).into_iter().map(f32::from_bits).collect();
        all.chunks(all.len() / self.names.len()).map(<[f32]>::to_vec).collect()
    }
}

/// The parameters as f16 has them.
fn rounded(model: &Model, parameters: &[f32]) -> Vec<f64> {
    let value = |bits: u32| {
        let (exponent, fraction) = (bits >> 10 & 31, f64::from(bits & 1023) / 1024.0);
        let size = if exponent == 0 {
            fraction / 16_384.0
        } else {
            (1.0 + fraction) * 2f64.powi(exponent as i32 - 15)
        };
        if bits >> 15 == 1 { -size } else { size }
    };
    let words = model.half_parameters(parameters).unwrap();
    words.into_iter().flat_map(|word| [value(word & 0xffff), value(word >> 16)]).collect()
}

/// State, plan and caller of a model.
fn prepared(
    sample: &Sample,
    optimizer: Option<Optimizer>,
    options: PlanOptions,
    names: &'static [&'static str],
) -> (State, Plan, Caller) {
    let context = context();
    let state = State::new(&context, &sample.model, optimizer).unwrap();
    state.write_parameters(&sample.parameters).unwrap();
    let plan = Plan::new(&context, &sample.model, &state, sample.batch, options).unwrap();
    plan.write_input(&sample.x).unwrap();
    let caller = Caller::new(sample, &state, plan.input(), names);
    (state, plan, caller)
}

/// The functions of a model follow the reference, and those with f32 the plan.
fn follows(model: Builder, seed: u64, names: &'static [&'static str]) {
    let sample = Sample::new(model.loss(Loss::mse()).unwrap(), 67, seed);
    let (_state, plan, caller) = prepared(&sample, None, PlanOptions::inference(), names);
    submit(&context(), |encoder| plan.record_forward(encoder));
    let planned = to_f64(&context().read_blocking(&[plan.logits()]).unwrap()[0]);
    let x = to_f64(&sample.x);
    let exact = predict(&sample.model, &to_f64(&sample.parameters), &x).unwrap();
    let halved = predict(&sample.model, &rounded(&sample.model, &sample.parameters), &x).unwrap();
    let model = sample.model.to_json();
    for (name, got) in names.iter().zip(caller.call()) {
        let want = if *name == "halves" { &halved } else { &exact };
        let near = |name: String, want| {
            let error =
                compare(&name, &to_f64(&got), want, BOUND).unwrap_or_else(|fault| panic!("{model}: {fault}"));
            println!("{name}: {error:.1e}");
        };
        near(format!("{name} and the reference"), want);
        if *name != "halves" {
            near(format!("{name} and the plan"), &planned);
        }
    }
}

#[test]
fn dense_layers_and_blocks() {
    let body = |block: Builder| block.dense(6).act(Activation::Tanh).residual(|inner| inner.dense(6));
    let model =
        Model::builder([5]).dense(9).act(Activation::Gelu).dense_no_bias(6).residual(body).dropout(0.5);
    let model = model.layer(Layer::Identity).name("kept").act(Activation::Sigmoid).plus("kept");
    let model = model.residual_projected(|b| b.dense(4), |b| b.dense_no_bias(4));
    follows(model.act(Activation::Relu).dense(1), 1, &["constants", "stored", "loops"]);
}

#[test]
fn activations() {
    let parametric = [Activation::LeakyRelu { alpha: -0.3 }, Activation::Elu { alpha: 0.7 }];
    let parametric = parametric.into_iter().chain([Activation::Sin { frequency: 3.0 }, own::softplus()]);
    let all = Activation::ALL.into_iter().chain(parametric);
    follows(all.fold(Model::builder([3]), |model, f| model.dense(3).act(f)), 2, &["constants", "loops"]);
}

#[test]
fn encodings_positions_and_gates() {
    let frequencies = |octaves| Layer::FrequencyEncoding { octaves };
    let nerf = Model::builder([3]).layer(frequencies(4)).dense(6).act(Activation::Sigmoid);
    follows(nerf.layer(frequencies(1)).dense(2), 14, &ALL);
    let blobs =
        Model::builder([2]).layer(Layer::OneBlob { bins: 5 }).dense(4).name("a").dense(4).multiply("a");
    follows(blobs, 15, &ALL);
    let rows = Model::builder([2, 3]).layer(PositionEmbedding::new()).layer(frequencies(2));
    follows(rows.layer(Layer::OneBlob { bins: 2 }).flatten().dense(3), 16, &ALL);
}

/// What reads others' values, moves pixels, and makes images of another size.
#[test]
fn numbers_in_other_places() {
    let rows = Model::builder([5]).dense(3).name("a").act(Activation::Tanh).dense(7).concat("a").dense(2);
    follows(rows, 17, &ALL);
    let up = Upsample2d::bilinear([3, 2]);
    let aligned = Upsample2d::nearest([1, 3]).mode(Interpolation::BilinearAligned);
    let images = Model::builder([2, 2, 3]).layer(up).name("large").layer(MaxPool2d::new(2)).layer(aligned);
    let images = images.layer(Layer::ReflectionPad2d { padding: [2, 1, 0, 1] }).conv2d(2, 2);
    follows(
        images.layer(Layer::ReplicationPad2d { padding: [0, 3, 1, 0] }).layer(AvgPool2d::new(2)),
        18,
        &ALL,
    );
    let shuffled = Model::builder([2, 4, 6]).layer(Layer::PixelUnshuffle { factor: 2 }).name("small");
    let shuffled =
        shuffled.conv2d(4, 1).concat("small").conv2d(9, 1).layer(Layer::PixelShuffle { factor: 3 });
    follows(shuffled.layer(Upsample2d::nearest([2, 1])).layer(AvgPool2d::new(3)), 19, &ALL);
}

/// Levels whose corners have rows of their own, and such as share them.
#[test]
fn grids_of_points() {
    let grid = |log2_table| HashGrid::new().levels(3).features(3).log2_table(log2_table).base(3).growth(1.7);
    let in_buffers = &["stored", "halves", "loops"];
    follows(Model::builder([2]).layer(grid(5)).dense(4).act(Activation::Relu).dense(1), 23, in_buffers);
    follows(Model::builder([3]).layer(grid(7)).dense(2), 24, in_buffers);
}

#[test]
fn words_that_meet() {
    let line = |channels| Conv1d::new(channels, 1);
    let words = Model::builder([5]).embedding(6, 4).layer(PositionEmbedding::new()).layer(line(12));
    follows(words.layer(Attention::new(2).causal(true)).layer(line(3)), 20, &["stored", "halves", "loops"]);
    let meeting = Model::builder([9, 4]).layer(Attention::new(3)).act(Activation::Tanh).layer(line(6));
    follows(meeting.layer(Attention::new(1)).layer(line(2)), 21, &ALL);
}

#[test]
fn states_that_go_on() {
    let sequence = |length| Model::builder([3, length]).layer(Conv1d::new(4, 1)).act(Activation::Tanh);
    follows(sequence(4).gru(5).last().dense(2), 25, &ALL);
    let both = sequence(3).lstm(4).layer(Conv1d::new(6, 1)).layer(Gru::new(2).bias(false));
    follows(both.flatten(), 26, &ALL);
}

#[test]
fn shared_layers() {
    let steps = Model::builder([5]).dense(5).act(Activation::Tanh).shared("0").act(Activation::Tanh);
    follows(steps.shared("0").dense(2), 22, &ALL);
}

#[test]
fn learned_slopes() {
    let rows = Model::builder([5]).layer(PRelu::per_channel()).dense(4).layer(PRelu::new()).dense(3);
    follows(rows, 12, &ALL);
    let images = Model::builder([3, 2, 3]).layer(PRelu::per_channel()).layer(PRelu::new()).flatten();
    follows(images, 13, &["constants", "loops"]);
}

#[test]
fn normalisations() {
    let of = |n: usize, f: fn(f32) -> f32| (0..n).map(|i| f(i as f32)).collect::<Vec<f32>>();
    let batch_norm = |n| BatchNorm::new(of(n, |i| i / 7.0 - 0.5), of(n, |i| (i - 2.0).abs() / 3.0)).eps(1e-3);
    let rows = Model::builder([7]).layer_norm().dense(4).layer(batch_norm(4)).rms_norm().dense(5);
    follows(rows.layer(LayerNorm::new().affine(false)).dense(2), 4, &["constants", "loops"]);
    let images = Model::builder([4, 1, 3])
        .layer(batch_norm(4).momentum(0.1))
        .group_norm(2)
        .layer(GroupNorm::new(1).affine(false));
    let images = images.layer(LayerNorm::of_channels()).layer(RmsNorm::of_channels());
    follows(images.flatten().dense(2), 5, &["constants", "stored", "loops"]);
}

#[test]
fn convolutions() {
    let strided = Conv2d::new(2, [3, 2]).stride([1, 2]).padding([1, 0]).dilation([1, 2]).bias(false);
    let grouped = Conv2d::new(4, 2).same().groups(2);
    let model = Model::builder([3, 2, 5]).layer(strided).layer(grouped);
    let up = ConvTranspose2d::new(2, [2, 1]).stride(2).padding([1, 0]).output_padding([1, 0]).groups(2);
    follows(model.layer(up), 6, &ALL);
    let depthwise = Conv1d::new(4, 3).groups(2).padding(2).dilation(2);
    follows(
        Model::builder([2, 5]).layer(depthwise).layer(Conv1d::new(2, 2).stride(3)).flatten(),
        7,
        &["constants", "loops"],
    );
}

#[test]
fn pooling() {
    let overlapping = MaxPool2d::new([3, 2]).stride([2, 1]).padding([1, 1]).ceil_mode(true);
    let uncounted = AvgPool2d::new(2).stride([2, 1]).padding(1).count_include_pad(false).ceil_mode(true);
    let counted = AvgPool2d::new([2, 3]).padding([1, 0]);
    let model =
        Model::builder([2, 4, 2]).layer(overlapping).layer(Layer::ZeroPad2d { padding: [1, 0, 0, 1] });
    let model = model.layer(uncounted).layer(Layer::AdaptiveAvgPool2d { output: [3, 3] }).layer(counted);
    follows(model.layer(Layer::global_avg_pool()).flatten(), 8, &ALL);
}

/// The function that reads the state's buffer is that of the parameters after each step, without a new text.
#[test]
fn follows_training() {
    let model = Model::builder([3]).dense(9).act(Activation::Softplus).dense(2).loss(Loss::mse()).unwrap();
    let sample = Sample::new(model, 130, 9);
    let optimizer = Optimizer::ada_hesscale(0.01);
    let options = PlanOptions::training(Mode::HesScale);
    let (state, plan, caller) = prepared(&sample, Some(optimizer), options, &ALL);
    plan.write_targets(sample.targets.view()).unwrap();
    let before = caller.call();
    for _ in 0..3 {
        submit(&context(), |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
        let now = caller.call();
        let parameters = context().read_blocking(&[state.parameters()]).unwrap().remove(0);
        let parameters = &to_f64(&parameters)[..sample.model.flat_len()];
        let want = predict(&sample.model, parameters, &to_f64(&sample.x)).unwrap();
        for (index, follows) in [(0, false), (1, true), (2, false), (3, true)] {
            assert_eq!(now[index] == before[index], !follows, "{}", ALL[index]);
            if follows {
                compare(ALL[index], &to_f64(&now[index]), &want, BOUND).unwrap();
            }
        }
    }
}

/// As in a plan: NaN of a sample is not hidden by any layer, and does not leave its sample.
#[test]
fn nan_stays_and_stays_in_its_sample() {
    let model =
        Model::builder([1, 2, 6]).layer(MaxPool2d::new([2, 1])).act(Activation::Relu).flatten().rms_norm();
    let model = model.act(Activation::Exp).loss(Loss::mse()).unwrap();
    let mut sample = Sample::new(model, 70, 10);
    for (row, value) in [(3, f32::NAN), (64, f32::INFINITY)] {
        sample.x[row * 12 + 5] = value;
    }
    let (_state, plan, caller) = prepared(&sample, None, PlanOptions::inference(), &ALL);
    submit(&context(), |encoder| plan.record_forward(encoder));
    let planned = context().read_blocking(&[plan.logits()]).unwrap().remove(0);
    for got in caller.call() {
        assert!(got[3 * 6..4 * 6].iter().all(|z| z.is_nan()));
        let nan = |z: &[f32]| z.iter().map(|z| z.is_nan()).collect::<Vec<bool>>();
        assert_eq!(nan(&got), nan(&planned));
    }
}

/// Queries that see a score without an order are NaN whole, as in a plan; the others are not.
#[test]
fn scores_that_are_none_spoil_their_query() {
    let attention = Attention::new(1).causal(true);
    let model = Model::builder([6, 3]).layer(attention).loss(Loss::mse()).unwrap();
    let mut sample = Sample::new(model, 70, 11);
    // Keys of position 1: channels 2 and 3 of 6.
    for (row, value) in [(3, f32::NAN), (7, f32::INFINITY), (64, f32::NEG_INFINITY)] {
        sample.x[row * 18 + 2 * 3 + 1] = value;
    }
    let (_state, plan, caller) = prepared(&sample, None, PlanOptions::inference(), &ALL);
    submit(&context(), |encoder| plan.record_forward(encoder));
    let planned = context().read_blocking(&[plan.logits()]).unwrap().remove(0);
    let nan = |z: &[f32]| z.iter().map(|z| z.is_nan()).collect::<Vec<bool>>();
    let spoilt = nan(&planned);
    assert!(spoilt[3 * 6..4 * 6] == [false, true, true, false, true, true], "{:?}", &planned[18..24]);
    for got in caller.call() {
        assert_eq!(nan(&got), spoilt);
    }
}
