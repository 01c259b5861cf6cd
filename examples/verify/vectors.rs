//! Checks against vectors of an independent program.

use crate::Job;
use crate::check::{Check, Failure, Gathered};
use crate::common::golden::{Case, OwnedTargets, load};
use crate::gpu::{run, ways};
use crate::problem::Problem;
use hesscale::{At, Context, Mode};
use std::path::Path;

/// A row for each case of a directory.
///
/// # Errors
/// A message for the user that names each invalid file.
pub(crate) fn jobs(directory: &Path) -> Result<Vec<Job>, String> {
    let mut jobs = Vec::new();
    let mut damaged = Vec::new();
    for case in load(directory)? {
        match case {
            Ok(case) => {
                jobs.push(Job::new(case.name.clone(), move |context, check| {
                    every_mode(context, check, &case)
                }));
            }
            Err(message) => damaged.push(message),
        }
    }
    match (damaged.is_empty(), jobs.is_empty()) {
        (false, _) => Err(damaged.join("\n")),
        (_, true) => Err(format!("{}: no cases", directory.join("cases.json").display())),
        _ => Ok(jobs),
    }
}

fn every_mode(context: &Context, check: &mut Check, case: &Case) -> Gathered {
    let model = case.model.clone().map_err(|error| Failure::Unsupported(error.to_string()))?;
    let targets = match &case.targets {
        OwnedTargets::Classes(classes) => OwnedTargets::Classes(classes.clone()),
        OwnedTargets::Values(values) => OwnedTargets::Values(values.clone()),
    };
    let problem = Problem { model, parameters: case.parameters.clone(), x: case.x.clone(), targets };
    for mode in Mode::ALL {
        for options in ways(&problem, mode) {
            let outcome = run(context, &problem, options)?;
            let way = if outcome.signals.is_empty() { "" } else { ", signals kept" };
            let tag = format!(" ({}{way})", mode.name());
            let mut compare = |name: String, got: &[f32]| match case.tensors.get(&name) {
                Some(want) => {
                    check.compare(name + &tag, got, want);
                    Ok(())
                }
                None => Err(Failure::Broken(format!("the file has no tensor {name}"))),
            };
            compare("loss".into(), &[outcome.loss])?;
            compare("logits".into(), &outcome.logits)?;
            for p in problem.model.parameters() {
                compare(format!("grad.{}", p.name()), &outcome.gradient[p.range()])?;
                if mode.has_diagonal() {
                    compare(format!("{}.{}", mode.name(), p.name()), &outcome.diagonal[p.range()])?;
                }
            }
            // Few files have these.
            for (at, g, h) in &outcome.signals {
                let At::Layer(layer) = at else { continue };
                let of_mode = match mode {
                    Mode::HesScale => Some("s"),
                    Mode::HesScaleGn => Some("s_gn"),
                    _ => None,
                };
                let kinds = std::iter::once(("delta", g)).chain(of_mode.map(|kind| (kind, h)));
                for (name, got) in kinds.map(|(kind, got)| (format!("{kind}.{layer}"), got)) {
                    if case.tensors.contains_key(&name) {
                        compare(name, got)?;
                    }
                }
            }
        }
    }
    Ok(())
}
