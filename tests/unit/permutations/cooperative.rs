//! Products by matrix units: every text, for every kind of unit, under the capabilities that it needs.

use super::keeps;
use crate::gemm::{Cooperative, Gemm, Offsets, Product, Tile, Use};
use crate::model::{Activation, Mode};
use crate::shader::{DeviceClass, Dtype, Dtypes, Kernel};
use crate::texts::bindings;
use naga::back::{msl, spv};
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use std::collections::BTreeMap;

/// Units as they are known: Metal's, Vulkan's on GPUs, lavapipe's.
const UNITS: [Cooperative; 4] = [
    Cooperative { half: false, size: 8, subgroup: 32 },
    Cooperative { half: true, size: 16, subgroup: 32 },
    Cooperative { half: true, size: 16, subgroup: 64 },
    Cooperative { half: true, size: 8, subgroup: 8 },
];

/// A tile of theirs that a team owns several blocks of, both ways where the subgroup allows it.
fn tile(units: Cooperative) -> Tile {
    units.tiles().find(|tile| tile.height == 4 && tile.rows == 8).expect("one of those on offer")
}

/// Every way in which the text changes, by text.
pub(crate) fn texts() -> BTreeMap<String, Gemm> {
    let mut texts = BTreeMap::new();
    for (units, n, k) in UNITS
        .into_iter()
        .flat_map(|u| [64, 33].into_iter().flat_map(move |n| [64, 33, 100_000].map(|k| (u, n, k))))
    {
        let mut add = |usage| {
            let gemm = Gemm::new(DeviceClass::Discrete, usage, 32, n, k).with_tile(tile(units));
            let kernel = Kernel::from(Product { gemm, offsets: Offsets::ALONE });
            texts.insert(kernel.source(), gemm);
            // What both read and write may be stored in f16 as well.
            let stored = Dtypes::of([Dtype::F16, Dtype::F32, Dtype::F16].into_iter());
            texts.insert(kernel.storing(stored).source(), gemm);
        };
        for activation in [Activation::Identity, Activation::Tanh, Activation::Relu] {
            for keep in [false, keeps(activation)] {
                for bias in [false, true] {
                    add(Use::Forward { activation, bias, keep });
                }
            }
            for mode in Mode::ALL {
                add(Use::Signal { mode, below: activation });
            }
        }
    }
    texts
}

fn valid(text: &str, capabilities: Capabilities) -> Result<(naga::Module, naga::valid::ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    Ok((module, info))
}

const NEEDED: Capabilities =
    Capabilities::COOPERATIVE_MATRIX.union(Capabilities::SUBGROUP).union(Capabilities::SHADER_FLOAT16);

#[test]
fn every_text_is_valid_and_translates_for_vulkan_and_metal() {
    let texts = texts();
    assert!(texts.len() > 100, "only {}", texts.len());
    for (text, gemm) in &texts {
        let label = gemm.label();
        let (module, info) = valid(text, NEEDED).unwrap_or_else(|e| panic!("{label}: {e}"));
        assert_eq!(bindings(&module), gemm.bindings(), "{label}");
        let options = spv::Options { lang_version: (1, 3), ..Default::default() };
        let spirv = spv::write_vec(&module, &info, &options, None).unwrap_or_else(|e| panic!("{label}: {e}"));
        // OpCooperativeMatrixMulAddKHR stands there.
        assert!(spirv.iter().any(|word| word & 0xffff == 4459), "{label}");
        // Metal has blocks of 8 only.
        if label.contains("8x8 f") && !label.contains("16x16") {
            let options =
                msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
            let (metal, _) = msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
                .unwrap_or_else(|e| panic!("{label}: {e}"));
            assert!(metal.contains("simdgroup_multiply_accumulate"), "{label}");
        }
    }
}

#[test]
fn what_a_text_needs_is_needed() {
    let texts = texts();
    let halves = texts.keys().find(|text| text.contains("enable f16;")).expect("one of those");
    for missing in [Capabilities::COOPERATIVE_MATRIX, Capabilities::SUBGROUP, Capabilities::SHADER_FLOAT16] {
        assert!(valid(halves, NEEDED - missing).is_err(), "{missing:?}");
    }
    let singles = texts.keys().find(|text| !text.contains("enable f16;")).expect("one of those");
    assert!(valid(singles, NEEDED - Capabilities::SHADER_FLOAT16).is_ok());
}

/// Bytes of workgroup memory are at least what the module declares.
#[test]
fn storage_is_what_the_shader_declares() {
    for (text, gemm) in texts() {
        let (module, _) = valid(&text, NEEDED).expect("valid: tested above");
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).expect("sizes are known");
        let shared = module.global_variables.iter().filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup);
        let declared: u32 = shared.map(|(_, v)| layouter[v.ty].size.next_multiple_of(16)).sum();
        assert_eq!(gemm.tile().storage(gemm.sizes().components), declared, "{}", gemm.label());
    }
}
