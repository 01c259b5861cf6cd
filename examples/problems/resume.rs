//! Resuming from a checkpoint, only if all settings match.

use crate::options::Options;
use hesscale::train::Trainer;
use std::error::Error;
use std::path::Path;

/// Settings stored in a checkpoint that the model does not contain.
fn notes(options: &Options) -> [(&'static str, String); 3] {
    let data = if options.data.is_some() { "files" } else { "made-up" };
    [
        ("problem", options.problem.name.into()),
        ("data", data.into()),
        ("batch", options.schedule.batch.to_string()),
    ]
}

/// Stores the settings, so that checkpoints contain them.
pub(crate) fn note(trainer: &mut Trainer, options: &Options) {
    notes(options).into_iter().for_each(|(name, note)| trainer.set_note(name, note));
}

/// Loads the checkpoint, if it was written with the current settings.
pub(crate) fn go_on(trainer: &mut Trainer, path: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    let limits = trainer.optimizer().limits;
    trainer.load(path)?;
    for (name, now) in notes(options) {
        let then = trainer.notes().get(name).map_or("unknown", String::as_str);
        if then != now {
            let path = path.display();
            return Err(format!("{path} was written with {name} {then}, not {now}: ask for that").into());
        }
    }
    if options.rate_is_given {
        trainer.set_learning_rate(options.learning_rate)?;
    }
    if options.clip.is_some() {
        trainer.set_limits(limits)?;
    }
    Ok(())
}
