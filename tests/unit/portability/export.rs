//! Jobs and permutations as files.
//!
//! | file | holds |
//! |---|---|
//! | `permutations.tsv` | id, family, label, extensions of each |
//! | `texts/<id>.<key>.wgsl` | its texts, with `.spv`, `.metal`, `.hlsl` and `.comp` (GLSL) beside |
//! | `texts.tsv` | key, file, extensions, permutation of each |
//! | `jobs/<key>.json`, `jobs/<key>.bin` | buffers, dispatches, results; their numbers |
//! | `jobs.tsv` | key, name, extensions, permutations of each |
//!
//! A key is of all that the work is made of: a text; a job's texts, grids, numbers, expectations and bounds.

use super::job::Job;
use super::permutation::{Permutation, Permutations, extensions, file};
use super::record::key;
use super::rig::Rig;
use crate::gpu::Buffer;
use crate::shader::Binding;
use crate::texts::{translate, valid};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

pub(super) struct Export {
    directory: PathBuf,
    /// What is listed, and what the jobs lead to.
    permutations: Permutations,
    /// The list of the jobs, by name.
    jobs: BTreeMap<String, String>,
}

/// The numbers of a job, one behind the other.
#[derive(Default)]
struct Blob(Vec<u8>);

impl Blob {
    /// Where they lie: offset and length in bytes; nothing where all are zero.
    fn add(&mut self, bytes: &[u8]) -> Value {
        if bytes.iter().all(|byte| *byte == 0) {
            return Value::Null;
        }
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len();
        self.0.extend_from_slice(bytes);
        json!([at, bytes.len()])
    }
}

impl Export {
    pub(super) fn new(directory: &Path) -> Result<Export> {
        empty(&directory.join("jobs"))?;
        Ok(Export {
            directory: directory.into(),
            permutations: Permutations::listed(),
            jobs: BTreeMap::new(),
        })
    }

    /// A job that has not run yet.
    pub(super) fn job(&mut self, job: &Job, rig: &Rig) -> Result<()> {
        let mut buffers: Vec<Buffer> = Vec::new();
        let mut index = |buffer: &Buffer| {
            buffers.iter().position(|known| known == buffer).unwrap_or_else(|| {
                buffers.push(buffer.clone());
                buffers.len() - 1
            })
        };
        let mut blob = Blob::default();
        let mut dispatches = Vec::new();
        let mut needs = BTreeSet::new();
        for step in &rig.steps {
            let (kernel, resources) = &step.made_of;
            let source = kernel.source();
            needs.extend(extensions(&source).split_whitespace().map(str::to_owned));
            let (id, shader) = self.permutations.add(source, kernel);
            let resources: Vec<Value> =
                resources.iter().map(|r| json!([index(&r.buffer), r.offset, r.size])).collect();
            let mut uniforms = kernel.uniforms(step.grid.0);
            uniforms.iter_mut().for_each(|bytes| bytes.resize(bytes.len().next_multiple_of(16), 0));
            dispatches.push(json!({
                "permutation": id,
                "label": step.label,
                "shader": shader,
                "bindings": kernel.bindings().into_iter().map(name).collect::<Vec<_>>(),
                "uniforms": uniforms,
                "resources": resources,
                "grid": step.grid,
            }));
        }
        let expected: Vec<Value> = rig
            .expected
            .iter()
            .map(|(name, tensor, values)| {
                let range = tensor.bytes();
                json!({
                    "name": name,
                    "buffer": index(tensor.owned()),
                    "offset": range.start,
                    "size": range.end - range.start,
                    "bound": job.bound,
                    "values": blob.add(bytemuck::cast_slice(values)),
                })
            })
            .collect();
        let contents = rig.read(&buffers).map_err(std::io::Error::other)?;
        let buffers: Vec<Value> = buffers
            .iter()
            .zip(&contents)
            .map(
                |(buffer, data)| json!({"size": buffer.size(), "data": blob.add(bytemuck::cast_slice(data))}),
            )
            .collect();
        let text =
            json!({"name": job.name, "buffers": buffers, "dispatches": dispatches, "expected": expected});
        let text = text.to_string();
        let key = key([text.as_bytes(), &blob.0]);
        let list = |of: BTreeSet<String>| of.into_iter().collect::<Vec<_>>().join(" ");
        let line = format!("{key}\t{}\t{}\t{}\n", job.name, list(needs), list(rig.permutations()));
        if self.jobs.insert(job.name.clone(), line).is_some() {
            return Err(std::io::Error::other(format!("two jobs are called `{}`", job.name)));
        }
        let file = self.directory.join("jobs").join(key);
        fs::write(file.with_extension("json"), text)?;
        fs::write(file.with_extension("bin"), blob.0)
    }

    /// The lists; all texts and their translations.
    pub(super) fn finish(self) -> Result<()> {
        let directory = self.directory.join("texts");
        empty(&directory)?;
        let (mut list, mut texts_list) = (String::new(), String::new());
        for Permutation { id, family, label, needs, texts } in self.permutations.0.values() {
            list += &format!("{id}\t{family}\t{label}\t{needs}\n");
            for text in texts {
                let name = file(id, text);
                let path = directory.join(&name);
                let write = |ending: &str, bytes: &[u8]| fs::write(path.with_extension(ending), bytes);
                texts_list += &format!("{}\t{name}\t{needs}\t{id}\n", key([text.as_bytes()]));
                write("wgsl", text.as_bytes())?;
                let (module, info) = valid(text).map_err(std::io::Error::other)?;
                let translations = translate(&module, &info).map_err(std::io::Error::other)?;
                write("spv", bytemuck::cast_slice(&translations.spirv))?;
                write("metal", translations.metal.as_bytes())?;
                write("hlsl", translations.direct.as_bytes())?;
                if let Some(gl) = translations.gl {
                    write("comp", gl.as_bytes())?;
                }
            }
        }
        fs::write(self.directory.join("permutations.tsv"), list)?;
        fs::write(self.directory.join("texts.tsv"), texts_list)?;
        fs::write(self.directory.join("jobs.tsv"), self.jobs.into_values().collect::<String>())
    }
}

/// A directory with nothing in it.
fn empty(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)
}

fn name(binding: Binding) -> &'static str {
    match binding {
        Binding::Uniform => "uniform",
        Binding::Read => "read-only-storage",
        Binding::Write => "storage",
    }
}
