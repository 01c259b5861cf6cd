//! The texts that GPUs' own compilers are asked about: `cargo xtask isa`, `docs/isa.md`.
//!
//! `texts/<id>.wgsl` and `.spv` are written to the directory that `HESSCALE_ISA_DIRECTORY` names, and `index.tsv`, in which each
//! has a line.

mod plans;
mod products;
mod spirv;

use crate::gemm::{Family, Gemm, Join};
use crate::permutations;
use crate::portability::{permutation::Permutation, record::key};
use crate::shader::{Binding, DeviceClass, Kernel};
use crate::texts::{bindings, valid};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The first line of the index.
const COLUMNS: &str = "id\tbindings\tkind\tlabel\tuse\tcomponents\ttile\trows\tcolumns\tsteps\tbuffers\tbytes\tunrolled\tchosen\tclasses\tchosen for";

/// What is said of a text.
struct Entry {
    /// One character a binding: `u` for a uniform, `s` for storage.
    bindings: String,
    /// `tile`: a product in a dispatch of its own. `pair`: two in one. `reference`: no kernel of the crate's. `other`: all else.
    kind: &'static str,
    label: String,
    /// Use, components, tile, and the tile's numbers, where there are products.
    tile: String,
    /// Multiply-adds of each loop that must be unrolled.
    unrolled: String,
    /// The classes of devices that a plan chooses it for, and those that list it as a permutation.
    chosen: BTreeSet<String>,
    classes: BTreeSet<String>,
    /// Plans and products that it is chosen for.
    whom: BTreeSet<String>,
}

#[derive(Default)]
struct Export(BTreeMap<String, Entry>);

fn class_name(class: DeviceClass) -> String {
    format!("{class:?}").to_lowercase()
}

/// Multiply-adds of a stage, all unrolled, where there are stages.
fn stage(gemm: &Gemm) -> Option<u32> {
    let (tile, components) = (gemm.tile(), gemm.sizes().components);
    match tile.family {
        Family::Workgroup { steps, .. } => Some(4 * tile.rows * tile.vectors * components * steps),
        _ => None,
    }
}

fn described(gemm: &Gemm) -> String {
    let (tile, sizes) = (gemm.tile(), gemm.sizes());
    let (steps, buffers) = match tile.family {
        Family::Workgroup { steps, buffers, .. } => (steps, buffers),
        _ => (0, 0),
    };
    let [rows, columns] = [tile.rows, 4 * tile.vectors];
    let (usage, p, bytes) = (sizes.kind.name(), sizes.components, tile.storage(sizes.components));
    format!("{usage}\t{p}\t{tile}\t{rows}\t{columns}\t{steps}\t{buffers}\t{bytes}")
}

const NO_TILE: &str = "-\t0\t-\t0\t0\t0\t0\t0";

impl Entry {
    fn of(kernel: &Kernel) -> Entry {
        let (kind, products) = match (kernel.product(), kernel.get::<Join>()) {
            (Some(product), _) => ("tile", vec![&product.gemm]),
            (_, Some(join)) => ("pair", join.products().map(|product| &product.gemm).into()),
            _ => ("other", vec![]),
        };
        let tile = match &products[..] {
            [] => NO_TILE.into(),
            [one] => described(one),
            both => {
                let list = |name: fn(&Gemm) -> String| {
                    both.iter().map(|gemm| name(gemm)).collect::<Vec<_>>().join(" beside ")
                };
                let (uses, tiles) =
                    (list(|gemm| gemm.sizes().kind.name().into()), list(|gemm| gemm.tile().to_string()));
                let components = both.iter().map(|gemm| gemm.sizes().components).max().unwrap_or(0);
                format!("{uses}\t{components}\t{tiles}\t0\t0\t0\t0\t{}", kernel.workgroup().bytes)
            }
        };
        let unrolled = products.into_iter().filter_map(stage).map(|stage| stage.to_string());
        Entry {
            bindings: letters(kernel.bindings()),
            kind,
            label: kernel.label(),
            tile,
            unrolled: unrolled.collect::<Vec<_>>().join(" "),
            chosen: BTreeSet::new(),
            classes: BTreeSet::new(),
            whom: BTreeSet::new(),
        }
    }

    fn line(&self, id: &str) -> String {
        let Entry { bindings, kind, label, tile, unrolled, .. } = self;
        let list =
            |names: &BTreeSet<String>, with: &str| names.iter().cloned().collect::<Vec<_>>().join(with);
        let (chosen, classes) = (list(&self.chosen, " "), list(&self.classes, " "));
        let whom = list(&self.whom, "; ");
        format!("{id}\t{bindings}\t{kind}\t{label}\t{tile}\t{unrolled}\t{chosen}\t{classes}\t{whom}")
    }
}

fn letters(bindings: Vec<Binding>) -> String {
    bindings.into_iter().map(|binding| if binding == Binding::Uniform { 'u' } else { 's' }).collect()
}

impl Export {
    fn chosen(&mut self, class: DeviceClass, kernel: &Kernel, whom: &str) {
        let entry = self.0.entry(kernel.source()).or_insert_with(|| Entry::of(kernel));
        entry.chosen.insert(class_name(class));
        entry.whom.insert(whom.into());
    }

    fn listed(&mut self, class: DeviceClass, kernel: &Kernel) {
        let entry = self.0.entry(kernel.source()).or_insert_with(|| Entry::of(kernel));
        entry.classes.insert(class_name(class));
    }

    /// Kernels by hand, to stand beside ours.
    fn references(&mut self) {
        let files = fs::read_dir(references()).expect("they are in the repository");
        let paths = files.map(|file| file.expect("a file").path());
        for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "wgsl")) {
            let text = fs::read_to_string(&path).expect("a text");
            let (module, _) = valid(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            self.0.insert(
                text,
                Entry {
                    bindings: letters(bindings(&module)),
                    kind: "reference",
                    label: path.file_stem().expect("a name").to_string_lossy().into_owned(),
                    tile: NO_TILE.into(),
                    unrolled: String::new(),
                    chosen: BTreeSet::new(),
                    classes: BTreeSet::new(),
                    whom: BTreeSet::new(),
                },
            );
        }
    }

    /// Writes what is not there yet, for translating takes a minute, and removes what is no more.
    fn write(&self, directory: &Path) -> std::io::Result<()> {
        let texts = directory.join("texts");
        fs::create_dir_all(&texts)?;
        let mut index = format!("{COLUMNS}\n");
        for (text, entry) in &self.0 {
            let id = id(text);
            let path = texts.join(&id);
            if !path.with_extension("spv").exists() {
                let words = spirv::spirv(text).unwrap_or_else(|e| panic!("{}: {e}", entry.label));
                fs::write(path.with_extension("wgsl"), text)?;
                fs::write(path.with_extension("spv"), bytemuck::cast_slice(&words))?;
            }
            let _ = writeln!(index, "{}", entry.line(&id));
        }
        let ids: BTreeSet<String> = self.0.keys().map(|text| id(text)).collect();
        for file in fs::read_dir(&texts)? {
            let path = file?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if !ids.contains(&stem) {
                fs::remove_file(path)?;
            }
        }
        fs::write(directory.join("index.tsv"), index)
    }
}

/// A text by all that its SPIR-V follows from.
fn id(text: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let naga = lock.split_once("name = \"naga\"\n").map_or("", |(_, rest)| rest.lines().next().unwrap_or(""));
    key([text, naga, include_str!("spirv.rs")].map(str::as_bytes))
}

fn references() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isa")
}

#[test]
#[ignore = "writes files: `cargo xtask isa` runs it"]
fn export() {
    let mut export = Export::default();
    for class in DeviceClass::ALL {
        plans::all(class, |kernel, whom| export.chosen(class, kernel, whom));
        products::all(class, |kernel, whom| export.chosen(class, kernel, whom));
    }
    // Of texts that differ in sizes only the last class's: GPUs' own.
    let mut known = BTreeSet::new();
    for class in DeviceClass::ALL.into_iter().rev() {
        for kernel in permutations::all(class) {
            if known.insert(Permutation::id(&kernel.source())) {
                export.listed(class, &kernel);
            }
        }
    }
    export.references();
    let directory: PathBuf =
        std::env::var_os("HESSCALE_ISA_DIRECTORY").expect("HESSCALE_ISA_DIRECTORY names a directory").into();
    export.write(&directory).expect("files can be written");
}

#[test]
fn a_line_has_a_field_for_each_column() {
    let kernels = permutations::all(DeviceClass::Discrete);
    let entries: Vec<Entry> = kernels.iter().map(Entry::of).collect();
    for kind in ["tile", "pair", "other"] {
        let entry = entries.iter().find(|entry| entry.kind == kind).expect("there is one of each");
        assert_eq!(entry.line("id").split('\t').count(), COLUMNS.split('\t').count(), "{}", entry.label);
    }
}

#[test]
fn products_through_workgroup_memory_must_be_unrolled() {
    let mut found = BTreeSet::new();
    for class in DeviceClass::ALL {
        products::all(class, |kernel, _| {
            let gemm = &kernel.product().expect("a product").gemm;
            let staged = matches!(gemm.tile().family, Family::Workgroup { .. });
            assert_eq!(stage(gemm).is_some(), staged, "{}", kernel.label());
            found.insert(staged);
        });
    }
    assert_eq!(found.len(), 2, "products of both families");
}

#[test]
fn pipelines_are_made_with_these_options() {
    let asked = include_str!("../../../src/gpu/pipeline.rs");
    for option in [
        "bounds_checks: self.is_checked() || source.contains(INDEXES),",
        "force_loop_bounding: false,",
        "..wgpu::ShaderRuntimeChecks::unchecked()",
        "zero_initialize_workgroup_memory: false,",
    ] {
        assert!(asked.contains(option), "{option}");
    }
}
