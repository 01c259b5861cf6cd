//! The shader library's functions, and the activations with both derivatives, against f64 on every available adapter.
//!
//! `cargo test --test shader_math -- --nocapture` prints the errors measured.

use std::sync::LazyLock;

use wgpu::util::DeviceExt;

const MATH: &str = include_str!("../shaders/lib/math.wgsl");

/// Evaluates `value`, a `vec3<f32>` of an `f32`, at every point of `x`.
const MAIN: &str = "
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&x)) {
        y[id.x] = vec4(value(x[id.x]), 0.0);
    }
}
";

/// An exact value, and the size its error is measured against: its own, or that of the terms that cancel in it.
#[derive(Clone, Copy)]
struct Exact {
    value: f64,
    scale: f64,
}

impl Exact {
    fn sum(terms: &[f64]) -> Self {
        Exact { value: terms.iter().sum(), scale: terms.iter().map(|t| t.abs()).sum() }
    }

    fn at_least(self, scale: f64) -> Self {
        Exact { scale: self.scale.max(scale), ..self }
    }
}

impl From<f64> for Exact {
    fn from(value: f64) -> Self {
        Exact { value, scale: value.abs() }
    }
}

/// A test case: up to three functions (f, f', f'') of one argument.
struct Case {
    name: &'static str,
    /// WGSL put after the library: the activation with its constant, and `value`.
    source: String,
    exact: Box<dyn Fn(f64) -> [Exact; 3] + Sync + Send>,
    /// The largest errors allowed, in ulp of the scale; 0 where the number is exact or absent.
    bounds: [f64; 3],
    /// Extra absolute error allowed for flushing subnormal numbers to zero before they are multiplied by a factor.
    flushed: f64,
}

impl Case {
    fn module(&self, math: &str) -> String {
        [math, &self.source, MAIN].join("\n")
    }
}

/// A function `hs_name` of the library.
fn function<T: Into<Exact> + 'static>(name: &'static str, bound: f64, exact: fn(f64) -> T) -> Case {
    call(name, format!("hs_{name}(x)"), bound, exact)
}

fn call<T: Into<Exact> + 'static>(
    name: &'static str,
    expression: String,
    bound: f64,
    exact: fn(f64) -> T,
) -> Case {
    Case {
        name,
        source: format!("fn value(x: f32) -> vec3<f32> {{ return vec3({expression}, 0.0, 0.0); }}"),
        exact: Box::new(move |x| [exact(x).into(), 0.0.into(), 0.0.into()]),
        bounds: [bound, 0.0, 0.0],
        flushed: 1.2e-38,
    }
}

macro_rules! activation {
    ($name:literal, $alpha:expr, $bounds:expr, $exact:expr) => {{
        let alpha: f32 = $alpha;
        Case {
            name: $name,
            source: format!(
                "const ALPHA: f32 = {alpha:?}; const FREQUENCY: f32 = ALPHA;\n{}\nfn value(x: f32) -> vec3<f32> {{ return vec3(act(x), act_d(x)); }}",
                include_str!(concat!("../shaders/act/fn/", $name, ".wgsl"))
            ),
            exact: Box::new(move |a| {
                let exact: fn(f64, f64) -> _ = $exact;
                exact(a, f64::from(alpha)).map(Exact::from)
            }),
            bounds: $bounds,
            flushed: 1e-34,
        }
    }};
}

const NO_ALPHA: f32 = 1.0;
const TINIEST: f64 = f32::MIN_POSITIVE as f64;

/// The library: name, error allowed, exact value.
fn functions() -> Vec<Case> {
    vec![
        function("exp", 3.0, |x| at_most_max(x).exp()),
        function("expm1", 5.0, |x| at_most_max(x).exp_m1()),
        function("log", 3.0, |x| x.max(TINIEST).ln()),
        function("log1p", 4.0, |x| if x > -1.0 { x.ln_1p() } else { TINIEST.ln() }),
        function("tanh", 7.0, f64::tanh),
        function("sigmoid", 5.0, sigmoid),
        function("softplus", 5.0, softplus),
        function("sin", 3.0, |x| trigonometric(x, f64::sin)),
        function("cos", 3.0, |x| trigonometric(x, f64::cos)),
        function("erf", 4.0, erf),
        call("normal density", "hs_normal(x).x".into(), 5.0, density),
        call("normal tail", "hs_normal(x).y".into(), 9.0, |x| below(-x.abs())),
    ]
}

/// The activations: name, ALPHA, errors allowed in f, f' and f'', exact values.
fn activations() -> Vec<Case> {
    const L: f64 = 1.050_700_987_355_480_5;
    const LA: f64 = 1.758_099_340_847_376_9;
    vec![
        activation!("identity", NO_ALPHA, [0.0; 3], |a, _| [a, 1.0, 0.0]),
        activation!("relu", NO_ALPHA, [0.0; 3], |a, _| if a > 0.0 { [a, 1.0, 0.0] } else { [0.0; 3] }),
        activation!("leaky_relu", 0.01, [1.0, 0.0, 0.0], |a, alpha| {
            if a > 0.0 { [a, 1.0, 0.0] } else { [alpha * a, alpha, 0.0] }
        }),
        activation!("elu", 1.3, [5.0, 4.0, 4.0], |a, alpha| {
            if a > 0.0 { [a, 1.0, 0.0] } else { [a.exp_m1(), a.exp(), curvature(a)].map(|v| alpha * v) }
        }),
        activation!("selu", NO_ALPHA, [5.0, 4.0, 4.0], |a, _| {
            if a > 0.0 { [L * a, L, 0.0] } else { [a.exp_m1(), a.exp(), curvature(a)].map(|v| LA * v) }
        }),
        activation!("sigmoid", NO_ALPHA, [5.0, 8.0, 11.0], |a, _| {
            let slope = sigmoid(a) * sigmoid(-a);
            [sigmoid(a), slope, -slope * (a / 2.0).tanh()]
        }),
        activation!("tanh", NO_ALPHA, [7.0, 8.0, 11.0], |a, _| {
            let slope = 4.0 * sigmoid(2.0 * a) * sigmoid(-2.0 * a);
            [a.tanh(), slope, -2.0 * slope * a.tanh()]
        }),
        activation!("log_sigmoid", NO_ALPHA, [5.0, 5.0, 8.0], |a, _| {
            [-softplus(-a), sigmoid(-a), -sigmoid(a) * sigmoid(-a)]
        }),
        activation!("softplus", NO_ALPHA, [5.0, 5.0, 8.0], |a, _| {
            [softplus(a), sigmoid(a), sigmoid(a) * sigmoid(-a)]
        }),
        activation!("gelu", NO_ALPHA, [9.0, 9.0, 6.0], |a, _| {
            let (p, d) = (below(a), density(a));
            [(a * p).into(), Exact::sum(&[p, a * d]), Exact::sum(&[2.0 * d, -a * a * d])]
        }),
        activation!("gelu_tanh", NO_ALPHA, [5.0, 5.0, 8.0], gelu_tanh),
        activation!("silu", NO_ALPHA, [5.0, 7.0, 8.0], |a, _| {
            let (p, q) = (sigmoid(a), sigmoid(-a));
            [(a * p).into(), Exact::sum(&[p, a * p * q]), Exact::sum(&[2.0 * p * q, a * p * q * (q - p)])]
        }),
        activation!("mish", NO_ALPHA, [8.0, 9.0, 12.0], |a, _| {
            let [t, t1, t2] = tanh_of_softplus(a.clamp(-200.0, 200.0));
            [(a * t).into(), Exact::sum(&[t, a * t1]), Exact::sum(&[2.0 * t1, a * t2])]
        }),
        activation!("relu6", NO_ALPHA, [0.0; 3], |a, _| {
            [a.clamp(0.0, 6.0), if a > 0.0 && a < 6.0 { 1.0 } else { 0.0 }, 0.0]
        }),
        activation!("hard_sigmoid", NO_ALPHA, [2.0, 1.0, 0.0], |a, _| {
            let slope = if a.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 };
            [Exact::from(ramp(a)).at_least(if a > -3.0 { 0.1 } else { 0.0 }), slope.into(), 0.0.into()]
        }),
        activation!("hard_swish", NO_ALPHA, [3.0, 2.0, 1.0], |a, _| {
            let slope = if a.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 };
            let f = Exact::from(a * ramp(a)).at_least(if a > -3.0 { 0.1 * a.abs() } else { 0.0 });
            let beside = a.clamp(-3.0, 3.0) * slope;
            [f, Exact::sum(&[ramp(a), beside]).at_least(0.1 * slope), (2.0 * slope).into()]
        }),
        activation!("softsign", NO_ALPHA, [3.0, 5.0, 7.0], |a, _| {
            let r = 1.0 / (1.0 + a.abs());
            [a * r, r * r, if a == 0.0 { 0.0 } else { -2.0 * a.signum() * r * r * r }]
        }),
        activation!("square", NO_ALPHA, [1.0, 0.0, 0.0], |a, _| {
            [a.abs().min(1.842_057_7e19_f32.into()).powi(2), 2.0 * a, 2.0]
        }),
        activation!("sin", 1.0, [3.0; 3], |a, _| {
            [trigonometric(a, f64::sin), trigonometric(a, f64::cos), trigonometric(a, |a| -a.sin())]
        }),
        activation!("exp", NO_ALPHA, [3.0; 3], |a, _| [at_most_max(a).exp(); 3]),
    ]
}

/// tanh(softplus(a)) and its derivatives: with n = e^a (e^a + 2), tanh is n / (n + 2).
fn tanh_of_softplus(a: f64) -> [f64; 3] {
    let e = a.exp();
    let (n, n1, n2) = (e * (e + 2.0), 2.0 * e * (e + 1.0), 2.0 * e * (2.0 * e + 1.0));
    let (d, second) = (n + 2.0, n2 * (n + 2.0) - 2.0 * n1 * n1);
    [n / d, 2.0 * n1 / (d * d), 2.0 * second / (d * d * d)]
}

fn ramp(a: f64) -> f64 {
    (a + 3.0).clamp(0.0, 6.0) / 6.0
}

/// f'' of e^a − 1 below 0; at 0 none.
fn curvature(a: f64) -> f64 {
    if a < 0.0 { a.exp() } else { 0.0 }
}

fn at_most_max(x: f64) -> f64 {
    x.min(88.72_f32.into())
}

/// A few ulp; but 5e-15 of x near a zero, and the spacing of x beyond 12,000.
fn trigonometric(x: f64, f: fn(f64) -> f64) -> Exact {
    let x = x.clamp(-1e6, 1e6);
    Exact::from(f(x)).at_least(if x.abs() < 12e3 { 4e-8 * x.abs() } else { 0.5 * x.abs() })
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn gelu_tanh(a: f64, _: f64) -> [Exact; 3] {
    // The sigmoid's slope is 0 well before 20.
    let b = a.clamp(-20.0, 20.0);
    let c = (8.0 / std::f64::consts::PI).sqrt();
    let (w, w1, w2) = (c * (b + 0.044715 * b.powi(3)), c * (1.0 + 0.134145 * b * b), c * 0.26829 * b);
    let (p, q) = (sigmoid(w), sigmoid(-w));
    let slope = p * q;
    // w is rounded before it is an exponent: w ulp of e^-|w|.
    let spread = w.abs() * slope;
    [
        Exact::sum(&[a * p]).at_least(a.abs() * (p + spread)),
        Exact::sum(&[p, b * w1 * slope]).at_least((1.0 + b.abs() * w1) * (p + spread)),
        Exact::sum(&[2.0 * w1 * slope, b * w2 * slope, b * w1 * w1 * slope * (q - p)])
            .at_least((2.0 * w1 + b * w2 + b.abs() * w1 * w1) * spread),
    ]
}

/// The normal distribution's density at x, and its probability below x.
fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn below(x: f64) -> f64 {
    0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        return 1.0 - erf(x);
    }
    // e^(-x^2) / sqrt(pi) / (x + (1/2) / (x + (2/2) / (x + (3/2) / ...)))
    let fraction = (1..=80).rev().fold(x, |tail, k| x + 0.5 * f64::from(k) / tail);
    0.5 * std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() / fraction
}

fn erf(x: f64) -> f64 {
    if x.abs() >= 2.0 {
        return (1.0 - erfc(x.abs())).copysign(x);
    }
    // 2 / sqrt(pi) e^(-x^2) sum_k 2^k x^(2k+1) / (2k+1)!!: every term has the sign of x.
    let (mut term, mut sum) = (x, x);
    for k in 1..60 {
        term *= 2.0 * x * x / f64::from(2 * k + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[test]
fn the_f64_reference_knows_erf() {
    for (got, want) in [
        (erf(1e-9), 1.128_379_167_095_512_6e-9),
        (erf(0.5), 0.520_499_877_813_046_5),
        (erf(-1.0), -0.842_700_792_949_714_9),
        (erfc(1.999), 0.00469844334862949),
        (erfc(2.0), 4.677_734_981_047_266e-3),
        (erfc(3.0), 2.209_049_699_858_544e-5),
        (erfc(6.0), 2.151_973_671_249_891_3e-17),
        (erfc(9.0), 4.137_031_746_513_81e-37),
    ] {
        assert!((got / want - 1.0).abs() < 1e-12, "{got:e} is not {want:e}");
    }
}

struct Gpu {
    name: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// Every adapter that computes, one per backend and device.
static GPUS: LazyLock<Vec<Gpu>> = LazyLock::new(|| {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let gpus: Vec<Gpu> = adapters
        .iter()
        .filter(|a| a.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS))
        .map(|adapter| {
            let info = adapter.get_info();
            let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
                required_limits: wgpu::Limits::downlevel_defaults(),
                ..Default::default()
            }))
            .unwrap_or_else(|e| panic!("no device on {}: {e}", info.name));
            Gpu { name: format!("{} ({})", info.name, info.backend), device, queue }
        })
        .collect();
    assert!(
        !gpus.is_empty(),
        "no adapter: these tests need a GPU or a software driver (Debian: mesa-vulkan-drivers)"
    );
    gpus
});

impl Gpu {
    fn eval(&self, module: &str, x: &[f32]) -> Vec<[f32; 4]> {
        let Gpu { device, queue, .. } = self;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(module.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let input = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(x),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let size = 16 * x.len() as u64;
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let output = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let read = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: input.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: output.as_entire_binding() },
            ],
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(x.len().div_ceil(64) as u32, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&output, 0, &read, 0, size);
        queue.submit([encoder.finish()]);
        read.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("the result maps"));
        device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
        bytemuck::cast_slice(&read.get_mapped_range(..).expect("the result is mapped")).to_vec()
    }
}

/// Random points at several scales, and all floats around the places where a formula changes.
fn points() -> Vec<f32> {
    use std::f32::consts::*;
    const PLACES: [f32; 20] = [
        0.0,
        1e-20,
        1e-4,
        LN_2 / 4.0,
        1.0 - FRAC_1_SQRT_2,
        LN_2 / 2.0,
        SQRT_2 - 1.0,
        FRAC_1_SQRT_2,
        FRAC_PI_4,
        0.9,
        1.0,
        SQRT_2,
        FRAC_PI_2,
        PI,
        12.0,
        14.0,
        20.0,
        87.33,
        88.72,
        100.0,
    ];
    let mut rng = fastrand::Rng::with_seed(1);
    let near =
        PLACES.iter().flat_map(|p| (0..401).map(|i| f32::from_bits((p.to_bits() + i).saturating_sub(200))));
    let mut points: Vec<f32> = near.flat_map(|p| [p, -p]).collect();
    for scale in [1.0, 10.0, 100.0, 12e3] {
        points.extend((0..60_000).map(|_| scale * (2.0 * rng.f32() - 1.0)));
    }
    let any = std::iter::repeat_with(|| f32::from_bits(rng.u32(..)));
    points.extend(any.filter(|x| x.abs() < 1e38).take(60_000));
    points
}

/// Finite by the bits: a comparison with infinity is what a compiler may remove.
fn finite(x: f32) -> bool {
    x.to_bits() & 0x7f80_0000 != 0x7f80_0000
}

#[derive(Clone, Copy, Default)]
struct Worst {
    ulp: f64,
    x: f32,
    got: f32,
    want: f64,
}

/// The largest error of each of a case's three numbers. A driver may take a subnormal argument for 0.
fn measure(case: &Case, x: &[f32], y: &[[f32; 4]]) -> [Worst; 3] {
    let mut worst = [Worst::default(); 3];
    for (&x, y) in x.iter().zip(y) {
        let exact = (case.exact)(x.into());
        let flushed = if x.is_subnormal() { (case.exact)(0.0) } else { exact };
        for (i, worst) in worst.iter_mut().enumerate() {
            let error = |want: Exact| {
                let unit = (want.scale.max(TINIEST).log2().floor() - 23.0).exp2();
                ((f64::from(y[i]) - want.value).abs() - case.flushed).max(0.0) / unit
            };
            let ulp = if finite(y[i]) { error(exact[i]).min(error(flushed[i])) } else { f64::INFINITY };
            if ulp > worst.ulp {
                *worst = Worst { ulp, x, got: y[i], want: exact[i].value };
            }
        }
    }
    worst
}

#[test]
fn errors_stay_within_a_few_ulp() {
    let x = points();
    let mut failures = Vec::new();
    for gpu in GPUS.iter() {
        println!("{}: largest error in ulp (where)", gpu.name);
        for case in functions().iter().chain(&activations()) {
            let worst = measure(case, &x, &gpu.eval(&case.module(MATH), &x));
            let shown = worst.map(|w| format!("{:6.2} ({:11.4e})", w.ulp, w.x));
            println!("{:>16} {}", case.name, shown.join(" "));
            for (i, (worst, bound)) in worst.iter().zip(case.bounds).enumerate() {
                if worst.ulp > bound {
                    let Worst { ulp, x, got, want } = worst;
                    failures.push(format!(
                        "{}, {}{}: {ulp:.2} ulp, not {bound}, at {x:e}: {got:e}, not {want:e}",
                        gpu.name,
                        case.name,
                        "'".repeat(i)
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn activations_are_finite_to_100() {
    let x: Vec<f32> = (-51_200..=51_200).map(|i| i as f32 / 512.0).collect();
    for gpu in GPUS.iter() {
        for case in activations() {
            let y = gpu.eval(&case.module(MATH), &x);
            let bad = x.iter().zip(&y).find(|(_, y)| !y.iter().all(|&y| finite(y)));
            assert!(bad.is_none(), "{} on {}: {bad:?}", case.name, gpu.name);
        }
    }
}

#[test]
fn branches_at_kinks_follow_the_conventions() {
    for gpu in GPUS.iter() {
        for (name, kinks, want) in [
            ("relu", [0.0, -0.0], [0.0, 0.0, 0.0]),
            ("leaky_relu", [0.0, -0.0], [0.0, 0.01, 0.0]),
            ("elu", [0.0, -0.0], [0.0, 1.3, 0.0]),
            ("selu", [0.0, -0.0], [0.0, 1.758_099_3, 0.0]),
            ("relu6", [0.0, -0.0], [0.0, 0.0, 0.0]),
            ("relu6", [6.0; 2], [6.0, 0.0, 0.0]),
            ("hard_sigmoid", [3.0; 2], [1.0, 0.0, 0.0]),
            ("hard_sigmoid", [-3.0; 2], [0.0; 3]),
            ("hard_swish", [3.0; 2], [3.0, 1.0, 0.0]),
            ("hard_swish", [-3.0; 2], [0.0; 3]),
            ("softsign", [0.0, -0.0], [0.0, 1.0, 0.0]),
        ] {
            let case = activations().into_iter().find(|c| c.name == name).expect("a known activation");
            for y in gpu.eval(&case.module(MATH), &kinks) {
                assert_eq!(y[..3], want, "{name} at {kinks:?} on {}", gpu.name);
            }
        }
    }
}

/// Non-finite arguments: f of NaN is NaN, and at ±∞ f, f' and f'' equal the reference's.
#[test]
fn what_is_not_finite_follows_the_conventions() {
    let x = [
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0xff80_0001),
        f32::from_bits(0x7fff_ffff),
    ];
    for gpu in GPUS.iter() {
        for (case, function) in activations().into_iter().zip(hesscale::Activation::ALL) {
            assert_eq!(case.name, function.name());
            let function = match function {
                hesscale::Activation::LeakyRelu { .. } => hesscale::Activation::LeakyRelu { alpha: 0.01 },
                hesscale::Activation::Elu { .. } => hesscale::Activation::Elu { alpha: 1.3 },
                other => other,
            };
            for (x, y) in x.iter().zip(gpu.eval(&case.module(MATH), &x)) {
                let want = hesscale::reference::activation(function, *x);
                let same = |(got, want): (&f32, &f32)| {
                    (got.is_nan() && want.is_nan()) || (got - want).abs() <= 1e-6 || got == want
                };
                let orders = if x.is_nan() { 1 } else { 3 };
                let ok = y.iter().zip(&want).take(orders).all(same);
                assert!(ok, "{} on {} at {x}: {y:?}, not {want:?}", case.name, gpu.name);
                assert!(!x.is_nan() || y[0].is_nan());
            }
        }
    }
}

/// Where the sine's domain ends: past 12,000 it is that of a number within the spacing of x; a million is the last.
#[test]
fn the_sine_of_large_numbers_is_as_stated() {
    let x: Vec<f32> = (0..4000).map(|i| 10.0_f32.powf(4.0 + i as f32 / 2000.0)).collect();
    for gpu in GPUS.iter() {
        let case = activations().into_iter().find(|case| case.name == "sin").expect("a known activation");
        for (x, y) in x.iter().zip(gpu.eval(&case.module(MATH), &x)) {
            let exact = f64::from(*x).sin();
            let spacing = f64::from(x.next_up() - x);
            assert!((f64::from(y[0]) - exact).abs() <= spacing + 1e-6, "{}: sin {x} is {}", gpu.name, y[0]);
        }
        let beyond = [1e6_f32, 1.5e6, 1e20, f32::MAX, -1e6, -1e38];
        for (x, y) in beyond.iter().zip(gpu.eval(&case.module(MATH), &beyond)) {
            assert!(
                (f64::from(y[0]) - 1e6_f64.copysign((*x).into()).sin()).abs() < 0.07,
                "{}: {x}",
                gpu.name
            );
        }
    }
}

#[test]
fn a_wrong_constant_is_caught() {
    let x = points();
    for (constant, planted, caught) in [
        ("0.166665465", "0.16667", "exp"),
        ("0.333333313", "0.33334", "log1p"),
        ("1.77132559", "1.77133", "normal tail"),
    ] {
        assert_eq!(MATH.matches(constant).count(), 1);
        let case = functions().into_iter().find(|c| c.name == caught).expect("a known function");
        let y = GPUS[0].eval(&case.module(&MATH.replace(constant, planted)), &x);
        let worst = measure(&case, &x, &y)[0];
        assert!(worst.ulp > case.bounds[0], "{caught} with {planted} for {constant}: {:.2} ulp", worst.ulp);
    }
}

#[test]
fn naga_accepts_every_module_without_extensions() {
    for case in functions().iter().chain(&activations()) {
        let module = naga::front::wgsl::parse_str(&case.module(MATH))
            .unwrap_or_else(|e| panic!("{}: {}", case.name, e.emit_to_string(case.name)));
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
        let ours = |name: &str| {
            name.starts_with("hs_") || name == "act" || name.starts_with("act_") || name == "value"
        };
        for (_, f) in module.functions.iter() {
            let name = f.name.as_deref().unwrap_or_default();
            assert!(ours(name), "{}: {name} may clash with another file's", case.name);
        }
    }
}
