//! Checkpoints: safetensors files with the parameters under their names, the moments as `m.` and `v.` plus the name, a mean of
//! the parameters as `a.` plus the name, running statistics under theirs, and settings and counts in the metadata. A CRC-32 covers
//! everything.

use super::{atomic, plain};
use crate::error::Cause;
use crate::model::{Groups, Limits, Mode, Model, Noise, Optimizer, OptimizerState, Schedule};
use crate::{Error, Result};
use flate2::Crc;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

/// Format 1 had a checksum that did not cover the boundaries between texts.
const FORMAT: &str = "hesscale checkpoint 2";
/// The metadata of a file beside the settings.
const COUNTS: [&str; 7] =
    ["learning_rate", "seed", "steps", "curvature_steps", "noise_seed", "noise_step", "notes"];
/// Entries that older files do not have: of what these say a trainer goes on as it is.
const NEWER: [&str; 4] = [LIMITS, AVERAGE, GROUPS, SCHEDULE];
const LIMITS: &str = "limits";
const AVERAGE: &str = "average";
const GROUPS: &str = "groups";
const SCHEDULE: &str = "schedule";
/// The largest header that safetensors reads.
const LARGEST_HEADER: u64 = 100_000_000;

#[derive(Debug)]
pub(super) struct Checkpoint {
    /// In the flat layout, like the moments.
    pub parameters: Vec<f32>,
    /// Moments, and steps taken. `v` is zero where the rule keeps none.
    pub memory: OptimizerState<f32>,
    /// Running statistics of batch normalisations, flat.
    pub statistics: Vec<f32>,
    pub learning_rate: f32,
    /// `None` of an older file, which says nothing of it.
    pub limits: Option<Limits>,
    /// As of limits; there may be no schedule.
    pub schedule: Option<Option<Schedule>>,
    pub seed: u64,
    pub noise: Noise,
    pub notes: BTreeMap<String, String>,
}

/// Settings that must match when training resumes.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub model: &'a Model,
    /// Its learning rate may differ, and its limits' numbers.
    pub optimizer: Optimizer,
    pub groups: &'a Groups,
    pub mode: Mode,
    pub curvature_every: usize,
}

type Entries = BTreeMap<String, String>;
type Outcome<T> = std::result::Result<T, Problem>;

/// A problem description without the file's name.
#[derive(Debug)]
struct Problem {
    text: String,
    source: Option<Cause>,
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem { text, source: None }
    }
}

impl Problem {
    /// `what: error`
    fn by(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Problem {
        Problem { text: format!("{what}: {error}"), source: Cause::new(error) }
    }
}

/// Says which file is at `path` now.
pub(super) fn not_written(path: &Path, failed: atomic::Failed) -> Error {
    let (what, help) = match failed.replaced {
        false => ("cannot be written", AS_IT_WAS),
        true => ("was written, but may not outlast a power cut", "the new file is in its place"),
    };
    error(path, Problem::by(what, failed.error), help)
}

const AS_IT_WAS: &str = "what was there before, if anything, is as it was";

impl Checkpoint {
    pub(super) fn write(&self, settings: &Settings<'_>, path: &Path) -> Result<()> {
        let bytes = self.bytes(settings).map_err(|problem| error(path, problem, AS_IT_WAS))?;
        atomic::write(path, &bytes).map_err(|failed| not_written(path, failed))
    }

    pub(super) fn can_write(path: &Path) -> Result<()> {
        atomic::check(path).map_err(|error| not_written(path, error.into()))
    }

    /// Reads and checks all of a file.
    pub(super) fn read(settings: &Settings<'_>, path: &Path) -> Result<Checkpoint> {
        read(settings, path)
            .and_then(|bytes| Checkpoint::parse(settings, &bytes))
            .map_err(|problem| error(path, problem, "nothing was loaded; `Trainer::save` writes checkpoints"))
    }

    fn bytes(&self, settings: &Settings<'_>) -> Outcome<Vec<u8>> {
        let counts = [
            self.learning_rate.to_string(),
            self.seed.to_string(),
            self.memory.step.to_string(),
            self.memory.curvature_steps.to_string(),
            self.noise.seed.to_string(),
            self.noise.step.to_string(),
            serde_json::json!(self.notes).to_string(),
        ];
        let mut entries: Entries = settings
            .entries()
            .into_iter()
            .chain(COUNTS.into_iter().zip(counts))
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let [limits, schedule] = [serde_json::json!(self.limits), serde_json::json!(self.schedule)];
        let newer = [(LIMITS, limits), (SCHEDULE, schedule)].into_iter().chain(settings.newer());
        entries.extend(newer.map(|(key, value)| (key.to_owned(), value.to_string())));
        let flat = |kind| match kind {
            TensorKind::Parameter => &self.parameters,
            TensorKind::First => &self.memory.m,
            TensorKind::Second => &self.memory.v,
            TensorKind::Average => &self.memory.average,
            TensorKind::Statistics => &self.statistics,
        };
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = settings
            .tensors(settings.optimizer.average.is_some())
            .map(|Stored { name, kind, range, shape }| {
                (name, shape, flat(kind)[range].iter().flat_map(|x| x.to_le_bytes()).collect())
            })
            .collect();

        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.expect("a parameter has as many numbers as its shape"))
        });
        let views: Vec<_> = views.collect();
        entries.insert("crc32".into(), checksum(&entries, views.clone()));
        safetensors::serialize(views, Some(entries.into_iter().collect()))
            .map_err(|error| Problem::by("cannot be made", error))
    }

    fn parse(settings: &Settings<'_>, bytes: &[u8]) -> Outcome<Checkpoint> {
        let damaged = |error| Problem::by("is damaged or no safetensors file", error);
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let mut entries: Entries = header.metadata().clone().unwrap_or_default().into_iter().collect();
        let format = entry(&entries, "format")?;
        if format != FORMAT {
            return Err(
                format!("is a `{format}`, which this version does not read: expected `{FORMAT}`").into()
            );
        }
        // Before anything else in the file is trusted.
        let sum = entries.remove("crc32").unwrap_or_default();
        let found = checksum(&entries, tensors.tensors());
        if sum != found {
            return Err(format!("is damaged: its checksum is {found}, expected {sum}").into());
        }
        settings.check(&entries)?;

        let flat = || vec![0.0; settings.model.flat_len()];
        let averages = entries.get(AVERAGE).is_some_and(|average| average != "null");
        let [mut parameters, mut m, mut v] = [flat(), flat(), flat()];
        let mut average = if averages { flat() } else { Vec::new() };
        let mut statistics = settings.model.statistics();
        let mut count = 0;
        for Stored { name, kind, range, shape } in settings.tensors(averages) {
            let view = tensors.tensor(&name).map_err(|_| format!("has no tensor `{name}`"))?;
            if (view.dtype(), view.shape()) != (Dtype::F32, &shape) {
                let (dtype, found) = (view.dtype(), view.shape());
                return Err(format!("`{name}` is {dtype:?} {found:?}, expected F32 {shape:?}").into());
            }
            let flat = match kind {
                TensorKind::Parameter => &mut parameters,
                TensorKind::First => &mut m,
                TensorKind::Second => &mut v,
                TensorKind::Average => &mut average,
                TensorKind::Statistics => &mut statistics,
            };
            let numbers = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            flat[range].iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
            count += 1;
        }
        if tensors.len() != count {
            return Err(format!("has {} tensors, expected {count}", tensors.len()).into());
        }
        let memory = OptimizerState {
            m,
            v,
            // An older file has none: it begins here.
            average: match settings.optimizer.average {
                Some(_) if !averages => parameters.clone(),
                _ => average,
            },
            step: number(&entries, "steps")?,
            curvature_steps: number(&entries, "curvature_steps")?,
        };
        let known = settings.entries().map(|(key, _)| key);
        let known = |key: &str| known.contains(&key) || COUNTS.contains(&key) || NEWER.contains(&key);
        if let Some(key) = entries.keys().find(|key| !known(key)) {
            return Err(format!("has an entry `{key}`, which this version does not know").into());
        }
        let (learning_rate, seed) = (number(&entries, "learning_rate")?, number(&entries, "seed")?);
        let noise = Noise { seed: number(&entries, "noise_seed")?, step: number(&entries, "noise_step")? };
        let notes = serde_json::from_str(entry(&entries, "notes")?)
            .map_err(|error| Problem::by("has notes that cannot be read", error))?;
        let limits: Option<Limits> = optional(&entries, LIMITS)?;
        let schedule: Option<Option<Schedule>> = optional(&entries, SCHEDULE)?;
        let refused = |error: Error| error.to_string();
        schedule.iter().flatten().try_for_each(Schedule::validate).map_err(refused)?;
        let own = settings.optimizer.limits;
        limits.map_or(Ok(()), |limits| own.check_kinds(&limits)).map_err(refused)?;
        let optimizer = settings.optimizer.learning_rate(learning_rate).limits(limits.unwrap_or(own));
        optimizer.validate().map_err(refused)?;
        let found = settings.model.check_statistics(&statistics);
        found.map_err(|error| format!("has statistics that are none: {error}"))?;
        Ok(Checkpoint { parameters, memory, statistics, learning_rate, limits, schedule, seed, noise, notes })
    }
}

#[derive(Debug, Clone, Copy)]
enum TensorKind {
    Parameter,
    First,
    Second,
    Average,
    Statistics,
}

/// A tensor of a file: what it holds, and where that is in the flat layout of its kind.
struct Stored {
    name: String,
    kind: TensorKind,
    range: Range<usize>,
    shape: Vec<usize>,
}

impl Settings<'_> {
    fn entries(&self) -> [(&'static str, String); 5] {
        let Optimizer { rule, weight_decay, .. } = self.optimizer;
        [
            ("format", FORMAT.into()),
            ("model", self.model.to_json()),
            ("optimizer", serde_json::json!({"rule": rule, "weight_decay": weight_decay}).to_string()),
            ("mode", serde_json::json!(self.mode).to_string()),
            ("curvature_every", self.curvature_every.to_string()),
        ]
    }

    /// What must match where a file has it.
    fn newer(&self) -> [(&'static str, serde_json::Value); 2] {
        [(AVERAGE, serde_json::json!(self.optimizer.average)), (GROUPS, serde_json::json!(self.groups))]
    }

    fn check(&self, entries: &Entries) -> Outcome<()> {
        for (key, expected) in self.newer() {
            let expected = expected.to_string();
            if let Some(found) = entries.get(key).filter(|found| **found != expected) {
                return Err(format!("has {key} {found}, expected {expected}").into());
            }
        }
        for (key, expected) in self.entries() {
            match entry(entries, key)? {
                found if *found == expected => {}
                found if key == "model" => compare(found, &expected)?,
                found => return Err(format!("has {key} {found}, expected {expected}").into()),
            }
        }
        Ok(())
    }

    fn tensors(&self, averages: bool) -> impl Iterator<Item = Stored> {
        let second = self.optimizer.rule.has_second_moment();
        let kinds = [
            Some(("", TensorKind::Parameter)),
            Some(("m.", TensorKind::First)),
            second.then_some(("v.", TensorKind::Second)),
            averages.then_some(("a.", TensorKind::Average)),
        ];
        let of_parameters = kinds.into_iter().flatten().flat_map(|(prefix, kind)| {
            self.model.parameters().iter().map(move |p| {
                let (name, shape) = (format!("{prefix}{}", p.name()), p.shape.clone());
                Stored { name, kind, range: p.range(), shape }
            })
        });
        let running = self.model.running_statistics().iter().flat_map(|running| {
            running.names().into_iter().zip([running.mean(), running.var()]).map(|(name, range)| Stored {
                name,
                kind: TensorKind::Statistics,
                shape: vec![running.channels],
                range,
            })
        });
        of_parameters.chain(running)
    }
}

/// Compares the model in a file with the trainer's, both as JSON.
fn compare(found: &str, expected: &str) -> Outcome<()> {
    let read = |text| Model::from_json(text).map_err(|error| Problem::by("its model cannot be read", error));
    let (found, expected) = (read(found)?, read(expected)?);
    // Running statistics are the file's own.
    let found = if found.statistics_len() == expected.statistics_len() {
        found
            .with_statistics(&expected.statistics())
            .map_err(|error| Problem::by("its model cannot be read", error))?
    } else {
        found
    };
    if found == expected {
        return Ok(());
    }
    let layers = found.layers().iter().zip(expected.layers());
    let difference = match layers.enumerate().find(|(_, (found, expected))| found != expected) {
        Some((index, (found, expected))) => {
            let (found, expected) = (serde_json::json!(found), serde_json::json!(expected));
            format!("layer {index} is {found}, expected {expected}")
        }
        None if found.layers().len() != expected.layers().len() => {
            format!("{} layers, expected {}", found.layers().len(), expected.layers().len())
        }
        None if found.input_shape() != expected.input_shape() => {
            format!("input {:?}, expected {:?}", found.input_shape(), expected.input_shape())
        }
        None => {
            let (found, expected) = (serde_json::json!(found.loss()), serde_json::json!(expected.loss()));
            format!("loss {found}, expected {expected}")
        }
    };
    Err(format!("is of another model: {difference}").into())
}

/// All of a file, if it is not larger than it can be.
fn read(settings: &Settings<'_>, path: &Path) -> Outcome<Vec<u8>> {
    let most =
        settings.tensors(true).map(|stored| 4 * stored.range.len() as u64).sum::<u64>() + LARGEST_HEADER;
    let mut bytes = Vec::new();
    plain::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| Problem::by("cannot be read", error))?;
    if bytes.len() as u64 > most {
        return Err(format!("has more than {most} bytes, which no checkpoint of this model has").into());
    }
    Ok(bytes)
}

/// The checksum of all entries by key, then of all tensors by name: name, type, shape, values. Each list and each text is prefixed
/// with its length, so that different contents never give the same bytes.
fn checksum(entries: &Entries, mut tensors: Vec<(impl AsRef<str>, TensorView<'_>)>) -> String {
    let mut crc = Crc::new();
    let count = |crc: &mut Crc, count: usize| crc.update(&(count as u64).to_le_bytes());
    let text = |crc: &mut Crc, bytes: &[u8]| {
        count(crc, bytes.len());
        crc.update(bytes);
    };
    count(&mut crc, entries.len());
    for (key, value) in entries {
        text(&mut crc, key.as_bytes());
        text(&mut crc, value.as_bytes());
    }
    tensors.sort_unstable_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
    count(&mut crc, tensors.len());
    for (name, view) in &tensors {
        text(&mut crc, name.as_ref().as_bytes());
        text(&mut crc, format!("{:?} {:?}", view.dtype(), view.shape()).as_bytes());
        text(&mut crc, view.data());
    }
    format!("{:08x}", crc.sum())
}

fn entry<'a>(entries: &'a Entries, key: &str) -> Outcome<&'a String> {
    entries.get(key).ok_or_else(|| format!("is no checkpoint: its metadata have no `{key}`").into())
}

/// What an entry holds, if it is there.
fn optional<T: serde::de::DeserializeOwned>(entries: &Entries, key: &str) -> Outcome<Option<T>> {
    let read = |text: &String| serde_json::from_str(text);
    entries
        .get(key)
        .map(read)
        .transpose()
        .map_err(|error| Problem::by(&format!("has {key} that cannot be read"), error))
}

fn number<T: std::str::FromStr>(entries: &Entries, key: &str) -> Outcome<T> {
    let text = entry(entries, key)?;
    text.parse().map_err(|_| format!("has {key} `{text}`, which is no such number").into())
}

fn error(path: &Path, problem: Problem, help: &str) -> Error {
    Error::File { path: path.into(), problem: problem.text, help: help.into(), source: problem.source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_file_is_there() {
        let told = |replaced| {
            let failed = atomic::Failed { error: std::io::Error::other("no"), replaced };
            not_written(Path::new("file"), failed).to_string()
        };
        assert_eq!(told(false), format!("file: cannot be written: no; {AS_IT_WAS}"));
        let new = "file: was written, but may not outlast a power cut: no; the new file is in its place";
        assert_eq!(told(true), new);
    }
}
