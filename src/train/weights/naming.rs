//! Which tensor of a file is which of a model.

use super::Layout;
use super::entries::Entry;
use super::pattern::renamed;
use crate::model::{Model, Parameter, matches};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The names that another program gives to a model's tensors, and how it lays them out.
///
/// A name is a layer's and, behind a dot, what it is: `weight`, `bias`, and of a batch normalisation also `running_mean` and
/// `running_var`. Layers are named first: by default as in PyTorch's `Sequential`, by their place (`0`, or `3.body.0` within a
/// block); then [`Naming::rename`] changes whole names. In patterns each `*` stands for any text, as
/// little as possible, and each `?` for one character, as in [`Groups`](crate::model::Groups).
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use]
pub struct Naming {
    /// Names of the layers that have tensors, first to last.
    in_order: Option<Vec<String>>,
    /// Names by path.
    layers: BTreeMap<String, String>,
    renames: Vec<(String, String)>,
    layouts: Vec<(String, Layout)>,
    skipped: Vec<String>,
}

/// A tensor of the model as the file has it.
#[derive(Debug)]
pub(super) struct Named<'a> {
    pub entry: Entry<'a>,
    pub name: String,
    pub layout: Layout,
}

impl Named<'_> {
    /// For errors: `` `fc.weight` (7.weight) ``.
    pub(super) fn told(entry: &Entry<'_>, name: &str) -> String {
        match entry.name() {
            own if own == name => format!("`{name}`"),
            own => format!("`{name}` ({own})"),
        }
    }
}

impl Naming {
    /// Names by place: those of PyTorch's `Sequential` with the same layers, and of this crate's checkpoints.
    pub fn sequential() -> Naming {
        Naming::default()
    }

    /// Names of all layers that have parameters, first to last, those within blocks included (a body before its projection).
    pub fn in_order<Name: Into<String>>(names: impl IntoIterator<Item = Name>) -> Naming {
        Naming { in_order: Some(names.into_iter().map(Into::into).collect()), ..Naming::default() }
    }

    /// The layer at `path` (`2`, `3.body.0`) has this name.
    pub fn layer(mut self, path: impl Into<String>, name: impl Into<String>) -> Naming {
        self.layers.insert(path.into(), name.into());
        self
    }

    /// Names that match `pattern` become `by`, whose stars are the pattern's in their order: `rename("*.weight", "*.kernel")`,
    /// `rename("*", "module.*")`. One rename follows the other, in the order in which they are given.
    pub fn rename(mut self, pattern: impl Into<String>, by: impl Into<String>) -> Naming {
        self.renames.push((pattern.into(), by.into()));
        self
    }

    /// Tensors of the file whose names match have this layout; the last pattern that matches counts.
    pub fn layout(mut self, pattern: impl Into<String>, layout: Layout) -> Naming {
        self.layouts.push((pattern.into(), layout));
        self
    }

    /// Tensors whose names in the file match are neither read nor written, whether model, file or both have them:
    /// `*.num_batches_tracked`, or a head that is to be learnt anew. [`import`](super::import) refuses a pattern that nothing of either
    /// matches, but for one of `num_batches_tracked`, which files of this crate have not.
    pub fn skip(mut self, pattern: impl Into<String>) -> Naming {
        self.skipped.push(pattern.into());
        self
    }

    /// The names of a model's tensors in the file, in the model's order: of each layer weight, bias, mean and variance.
    ///
    /// # Errors
    /// [`Error::Length`] for more or fewer names in order than layers with parameters; [`Error::Unknown`] for a path of no such
    /// layer, or a pattern of [`Naming::rename`] or [`Naming::layout`] that nothing matches, for it is most likely mistyped;
    /// [`Error::Value`] for a replacement with more stars than its pattern; [`Error::SameName`]; [`Error::Shape`] for a layout
    /// that a tensor cannot have.
    pub fn tensors(&self, model: &Model) -> Result<Vec<String>> {
        Ok(self.resolve(model)?.into_iter().map(|named| named.name).collect())
    }

    /// The parameter that has this name in the file.
    ///
    /// # Errors
    /// Those of [`Naming::tensors`]; [`Error::Unknown`] where none has it.
    pub fn parameter<'a>(&self, model: &'a Model, name: &str) -> Result<&'a Parameter> {
        let named = self.resolve(model)?;
        let own = named.iter().find(|named| named.name == name).map(|named| named.entry.name());
        let found = own.and_then(|own| model.parameters().iter().find(|parameter| parameter.name() == own));
        found.ok_or_else(|| Error::unknown("parameter", name, list(&named)))
    }

    pub(super) fn skips(&self, name: &str) -> bool {
        self.skipped.iter().any(|pattern| matches(pattern, name))
    }

    /// All that are not skipped.
    pub(super) fn resolve<'a>(&self, model: &'a Model) -> Result<Vec<Named<'a>>> {
        let mut all = self.named(model)?;
        all.retain(|named| !self.skips(&named.name));
        distinct(&all)?;
        Ok(all)
    }

    /// That each pattern of [`Naming::skip`] matches something of the model or of a file with these names: else it is most likely
    /// mistyped.
    pub(super) fn check_skips(&self, model: &Model, of_file: &[&str]) -> Result<()> {
        let mut names: Vec<String> = of_file.iter().map(|name| (*name).to_owned()).collect();
        names.extend(self.named(model)?.into_iter().map(|named| named.name));
        names.sort_unstable();
        names.dedup();
        // PyTorch has such counts beside running statistics, and files of this crate have none.
        let unmatched = |pattern: &&String| {
            !pattern.ends_with("num_batches_tracked") && !names.iter().any(|name| matches(pattern, name))
        };
        match self.skipped.iter().find(unmatched) {
            Some(pattern) => Err(Error::unknown(BY_PATTERN, pattern, names.join(", "))),
            None => Ok(()),
        }
    }

    /// All, those that are skipped too.
    fn named<'a>(&self, model: &'a Model) -> Result<Vec<Named<'a>>> {
        let entries = Entry::all(model);
        let layers = self.layer_names(&entries)?;
        let named = |(entry, layer): (Entry<'a>, String)| {
            let name = format!("{layer}.{}", entry.part());
            Named { entry, name, layout: Layout::Torch }
        };
        let mut all: Vec<Named<'_>> = entries.into_iter().zip(layers).map(named).collect();
        for (pattern, by) in &self.renames {
            let stars = |text: &str| text.matches('*').count();
            if stars(by) > stars(pattern) {
                let value = stars(by) as f64;
                return Err(Error::value(
                    "naming",
                    "the stars of a new name",
                    value,
                    "at most its pattern's",
                ));
            }
            of_pattern(&mut all, pattern, |named| {
                if let Some(name) = renamed(pattern, by, &named.name) {
                    named.name = name;
                }
                Ok(())
            })?;
        }
        for (pattern, layout) in &self.layouts {
            of_pattern(&mut all, pattern, |named| {
                named.layout = *layout;
                match layout.fits(&named.entry) {
                    true => Ok(()),
                    false => Err(Error::shape(
                        Named::told(&named.entry, &named.name),
                        &named.entry.shape,
                        format!("what Layout::{layout:?} applies to"),
                    )),
                }
            })?;
        }
        Ok(all)
    }

    /// Of each tensor, its layer's name.
    fn layer_names(&self, entries: &[Entry<'_>]) -> Result<Vec<String>> {
        let mut paths: Vec<&str> = entries.iter().map(|entry| entry.path).collect();
        paths.dedup();
        if let Some(names) = &self.in_order {
            Error::check_length("names of layers with parameters", names.len(), paths.len())?;
        }
        if let Some(path) = self.layers.keys().find(|path| !paths.contains(&path.as_str())) {
            return Err(Error::unknown("layer with parameters", path, paths.join(", ")));
        }
        let by_path: BTreeMap<&str, &str> = match &self.in_order {
            Some(names) => paths.into_iter().zip(names.iter().map(String::as_str)).collect(),
            None => paths.into_iter().map(|path| (path, path)).collect(),
        };
        let name = |entry: &Entry<'_>| {
            self.layers.get(entry.path).map_or(by_path[entry.path], String::as_str).to_owned()
        };
        Ok(entries.iter().map(name).collect())
    }
}

const BY_PATTERN: &str = "tensor by the pattern";

/// Does `change` to each that the pattern matches.
fn of_pattern<'a>(
    all: &mut [Named<'a>],
    pattern: &str,
    mut change: impl FnMut(&mut Named<'a>) -> Result<()>,
) -> Result<()> {
    let mut found = false;
    for named in all.iter_mut().filter(|named| matches(pattern, &named.name)) {
        found = true;
        change(named)?;
    }
    if found { Ok(()) } else { Err(Error::unknown(BY_PATTERN, pattern, list(all))) }
}

fn distinct(all: &[Named<'_>]) -> Result<()> {
    let mut known = BTreeMap::new();
    for named in all {
        if let Some(one) = known.insert(&named.name, &named.entry) {
            let (one, other) = (one.name(), named.entry.name());
            return Err(Error::SameName { name: named.name.clone(), one, other });
        }
    }
    Ok(())
}

fn list(all: &[Named<'_>]) -> String {
    all.iter().map(|named| named.name.as_str()).collect::<Vec<_>>().join(", ")
}
