//! Every permutation is valid under portable capabilities, translates to the four languages of wgpu's backends, and binds
//! what its key says.

use crate::gemm::TileLimits;
use crate::permutations;
use crate::shader::{self, Binding, DeviceClass, ENABLE, Kernel, Workgroup};
use naga::back::{glsl, hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::thread;

/// Every permutation with its text, composed once for all tests.
pub(crate) fn permutations() -> &'static [(Kernel, String)] {
    static ALL: LazyLock<Vec<(Kernel, String)>> = LazyLock::new(|| {
        let of = |class| permutations::all(class).into_iter().map(|kernel| (kernel.clone(), kernel.source()));
        thread::scope(|scope| {
            let classes = DeviceClass::ALL.map(|class| scope.spawn(move || of(class).collect::<Vec<_>>()));
            classes.into_iter().flat_map(|class| class.join().expect("texts are composed")).collect()
        })
    });
    &ALL
}

/// The distinct shader texts with a kernel each.
pub(crate) fn texts() -> BTreeMap<&'static str, &'static Kernel> {
    permutations().iter().map(|(kernel, text)| (text.as_str(), kernel)).collect()
}

/// None, unless a shader says that it stores in f16, or unpacks f16: the latter is WebGPU's own, but not every GL's.
fn capabilities(text: &str) -> Capabilities {
    if text.starts_with(ENABLE) {
        Capabilities::SHADER_FLOAT16
    } else if text.contains("unpack2x16float") {
        Capabilities::SHADER_FLOAT16_IN_FLOAT32
    } else {
        Capabilities::empty()
    }
}

pub(crate) fn valid(text: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let info = Validator::new(ValidationFlags::all(), capabilities(text))
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    Ok((module, info))
}

/// What wgpu's backends get of a shader.
pub(crate) struct Translations {
    pub(crate) spirv: Vec<u32>,
    pub(crate) metal: String,
    pub(crate) direct: String,
    /// Nothing of one that stores in f16: GL has none.
    pub(crate) gl: Option<String>,
}

pub(crate) fn translate(module: &naga::Module, info: &ModuleInfo) -> Result<Translations, String> {
    let spirv = spv::write_vec(module, info, &spv::Options::default(), None).map_err(|e| e.to_string())?;
    let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
    let (metal, _) = msl::write_string(module, info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("msl: {e}"))?;
    let mut direct = String::new();
    let options = hlsl::Options { fake_missing_bindings: true, ..Default::default() };
    hlsl::Writer::new(&mut direct, &options, &hlsl::PipelineOptions::default())
        .write(module, info, None)
        .map_err(|e| format!("hlsl: {e}"))?;
    let mut gl = String::new();
    let options = glsl::Options {
        version: glsl::Version::Embedded { version: 310, is_webgl: false },
        ..Default::default()
    };
    let pipeline = glsl::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: "main".into(),
        multiview: None,
    };
    let written = glsl::Writer::new(
        &mut gl,
        module,
        info,
        &options,
        &pipeline,
        naga::proc::BoundsCheckPolicies::default(),
    )
    .and_then(|mut writer| writer.write());
    let gl = match written {
        Ok(_) => Some(gl),
        Err(glsl::Error::UnsupportedScalar(naga::Scalar::F16)) => None,
        Err(e) => return Err(format!("glsl: {e}")),
    };
    Ok(Translations { spirv, metal, direct, gl })
}

/// Bindings as the module declares them.
pub(crate) fn bindings(module: &naga::Module) -> Vec<Binding> {
    let mut found: Vec<(u32, Binding)> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let kind = match variable.space {
                naga::AddressSpace::Uniform => Binding::Uniform,
                naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
                    Binding::Write
                }
                _ => Binding::Read,
            };
            variable.binding.map(|b| (b.binding, kind))
        })
        .collect();
    found.sort_by_key(|(index, _)| *index);
    assert!(
        found.iter().map(|(index, _)| *index).eq(0..found.len() as u32),
        "bindings are numbered without gaps"
    );
    found.into_iter().map(|(_, kind)| kind).collect()
}

/// What Direct3D's text declares twice. naga 30 writes the zeros of an array as a function, once for each name that the type has,
/// and names the function by what is in the array.
fn declared_twice(direct: &str) -> Option<&str> {
    let mut known = BTreeSet::new();
    let is_head = |line: &&str| line.starts_with(|c: char| c.is_alphabetic()) && line.contains('(');
    direct.lines().filter(is_head).find(|line| !known.insert(*line))
}

#[test]
fn what_direct3d_declares_twice_is_noticed() {
    let text = |other: &str| {
        format!(
            "alias A = array<u32, 2>; alias B = array<u32, {other}>;
            @group(0) @binding(0) var<storage, read_write> out: array<u32>;
            fn a() -> u32 {{ var zeros = A(); return zeros[out[0]]; }}
            fn b() -> u32 {{ var zeros = B(); return zeros[out[0]]; }}
            @compute @workgroup_size(1) fn main() {{ out[0] = a() + b(); }}"
        )
    };
    let twice = |other| {
        let (module, info) = valid(&text(other)).expect("valid");
        declared_twice(&translate(&module, &info).expect("translates").direct).is_some()
    };
    assert!(twice("2") && !twice("3"));
}

/// They are read once for all that is checked of them, by two threads: it takes most of the unit tests' time.
#[test]
fn every_permutation_is_valid_translates_and_is_what_its_key_says() {
    let texts = texts();
    assert!(texts.len() > 500, "only {} permutations", texts.len());
    thread::scope(|scope| {
        for half in 0..2 {
            let texts = texts.iter().skip(half).step_by(2);
            scope.spawn(move || texts.for_each(|(text, kernel)| is_sound(text, kernel)));
        }
    });
    let mut workgroups = BTreeSet::new();
    for kernel in texts.values() {
        let said = kernel.workgroup();
        assert!(TileLimits::default().has(said), "any device has it: {}: {said:?}", kernel.label());
        workgroups.insert((said.size, said.bytes));
    }
    assert!(workgroups.len() > 30, "{workgroups:?}");
}

/// Those with a text of the user's own in them.
#[test]
fn so_is_every_kernel_with_a_text_of_the_users() {
    let kernels = permutations::own::all();
    assert!(kernels.len() > 50, "only {}", kernels.len());
    for kernel in kernels {
        is_sound(&kernel.source(), &kernel);
    }
}

fn is_sound(text: &str, kernel: &Kernel) {
    let label = kernel.label();
    let (module, info) = valid(text).unwrap_or_else(|e| panic!("{label}: {e}"));
    assert_eq!(bindings(&module), kernel.bindings(), "{label}");
    let storage = kernel.bindings().iter().filter(|b| **b != Binding::Uniform).count();
    assert!(storage <= 7, "{label}: {storage} storage buffers; Metal needs the eighth");
    let given: Vec<_> = kernel.uniforms(1).iter().map(|bytes| bytes.len().next_multiple_of(16)).collect();
    assert_eq!(uniforms(&module), given, "{label}");
    assert_eq!(workgroup(&module), kernel.workgroup(), "{label}");
    let Translations { spirv, metal, direct, gl } =
        translate(&module, &info).unwrap_or_else(|e| panic!("{label}: {e}"));
    assert_eq!(declared_twice(&direct), None, "{label}");
    assert!(!spirv.is_empty() && [&metal, &direct].iter().all(|text| !text.is_empty()));
    assert_eq!(gl.is_some_and(|gl| !gl.is_empty()), !text.starts_with(ENABLE), "{label}");
}

/// Bytes of each uniform, as the module declares them.
fn uniforms(module: &naga::Module) -> Vec<usize> {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("sizes are known");
    let uniforms = module.global_variables.iter().map(|(_, variable)| variable);
    let mut uniforms: Vec<_> = uniforms.filter(|v| v.space == naga::AddressSpace::Uniform).collect();
    uniforms.sort_by_key(|variable| variable.binding.map(|at| at.binding));
    uniforms.into_iter().map(|v| layouter[v.ty].size.next_multiple_of(16) as usize).collect()
}

/// Invocations of a workgroup and bytes of its memory, as the module declares them.
fn workgroup(module: &naga::Module) -> Workgroup {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("sizes are known");
    let shared = module.global_variables.iter().filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup);
    let bytes = shared.map(|(_, v)| layouter[v.ty].size).sum();
    let [x, y, _] = module.entry_points[0].workgroup_size;
    Workgroup::new([x, y], bytes)
}

#[test]
fn validation_notices_what_is_wrong() {
    let kernels = permutations::all(DeviceClass::Software);
    let text = kernels[0].source();
    assert!(valid(&text).is_ok());
    assert!(valid(&text.replacen("vec4<f32>(0.0)", "vec3<f32>(0.0)", 1)).is_err());
    assert!(valid(&text.replace("fn load_b(", "fn load_c(")).is_err());
    let (module, _) = valid(&text.replacen("storage, read>", "storage, read_write>", 1)).expect("still WGSL");
    assert_ne!(bindings(&module), kernels[0].bindings());
    let (module, _) =
        valid(&text.replacen("@workgroup_size(", "@workgroup_size(2 * ", 1)).expect("still WGSL");
    assert_ne!(workgroup(&module), kernels[0].workgroup());
    let (module, _) =
        valid(&(text + "\n@group(0) @binding(9) var<uniform> more: vec4<f32>;")).expect("still WGSL");
    assert_ne!(uniforms(&module).len(), kernels[0].uniforms(1).len());
}

#[test]
fn every_shader_file_opens_with_what_it_computes_and_is_used() {
    let others: Vec<String> = permutations::own::all().iter().map(Kernel::source).collect();
    let others: Vec<String> =
        others.into_iter().chain(permutations::cooperative::texts().into_keys()).collect();
    let lines = texts().into_keys().chain(others.iter().map(String::as_str)).flat_map(str::lines);
    let heads: BTreeSet<&str> =
        lines.filter(|line| line.starts_with("// ") && line.ends_with(".wgsl")).collect();
    for (name, text) in shader::FILES {
        assert!(text.starts_with("// "), "{name} opens without a comment");
        // Those measure an adapter, and belong to no network.
        if name.starts_with("roofline/") {
            continue;
        }
        assert!(heads.contains(format!("// {name}.wgsl").as_str()), "{name} is in no permutation");
    }
}

/// Variables that are declared in a loop without a value. They should be zeros each time round, and are not in every compiler
/// of WGSL: Tint once sets them to zero, and so did naga (wgpu #9489).
fn stale(text: &str) -> Vec<&str> {
    let (mut blocks, mut found) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        if code.starts_with("var ") && !code.contains('=') && blocks.contains(&true) {
            found.push(code);
        }
        for brace in code.chars().filter(|c| "{}".contains(*c)) {
            if brace == '}' {
                blocks.pop();
            } else {
                blocks.push(["for ", "while ", "loop "].iter().any(|word| code.starts_with(word)));
            }
        }
    }
    found
}

#[test]
fn variables_in_loops_are_given_a_value() {
    for (name, text) in shader::FILES {
        assert!(stale(text).is_empty(), "{name}: {:?}", stale(text));
    }
    let text =
        "fn f() {\n var a: f32;\n for (;;) {\n if x {\n var b: f32; // stays\n var c = 0.0;\n }\n }\n}";
    assert_eq!(stale(text), ["var b: f32;"]);
}
