//! Saving and loading a trainer's checkpoints.

use super::Trainer;
use super::checkpoint::{Checkpoint, Settings};
use crate::{Error, Result};
use std::path::Path;

impl Trainer {
    /// Writes a checkpoint: parameters (as safetensors, under [`crate::model::Parameter::name`], in PyTorch's shapes), the
    /// optimiser's moments (`m.` and `v.` before the name) and the mean of the parameters where it keeps one (`a.`), running
    /// statistics, steps, seed, learning rate, limits, schedule, groups, what is drawn next at random, and the notes. The file at `path`
    /// is whole at every moment: the new one takes the place of the old when it is complete and durable, and has its permissions. A
    /// symbolic link is followed; what is no plain file is not replaced. Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a parameter, a moment or a running statistic is NaN or infinite: the file is as it was. [`Error::File`] if
    /// it cannot be written, which says whether the old file is still there; [`Error::Device`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (mut memory, noise) = self.engine.memory()?;
        memory.step = self.steps;
        let (parameters, statistics, notes) = (self.parameters()?, self.statistics()?, self.notes.clone());
        for (what, numbers) in [
            ("a parameter", &parameters),
            ("a moment", &memory.m),
            ("a moment", &memory.v),
            ("a mean of the parameters", &memory.average),
            ("a running statistic", &statistics),
        ] {
            if !numbers.iter().all(|x| x.is_finite()) {
                return Err(Error::Diverged { what, step: None });
            }
        }
        self.model.check_statistics(&statistics)?;
        let (learning_rate, limits) = (self.optimizer.learning_rate, Some(self.optimizer.limits));
        let (schedule, seed) = (Some(self.schedule.clone()), self.seed);
        let checkpoint = Checkpoint {
            parameters,
            memory,
            statistics,
            learning_rate,
            limits,
            schedule,
            seed,
            noise,
            notes,
        };
        checkpoint.write(&self.settings(), path.as_ref())
    }

    /// Whether [`Trainer::save`] could write a file at `path`: to be asked before hours of training. Leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::File`] where the directory is missing or may not be written, or something that is no plain file is there.
    pub fn can_save(path: impl AsRef<Path>) -> Result<()> {
        Checkpoint::can_write(path.as_ref())
    }

    /// Goes on from a checkpoint, bit for bit on the same device: everything that [`Trainer::save`] writes is as it was
    /// then, the learning rate and the seed included. It may come from a GPU or from the CPU. A file of a version without limits,
    /// schedules, groups and means of the parameters says nothing of them: they are as this trainer has them.
    ///
    /// # Errors
    /// [`Error::File`] for a file that is missing, truncated or damaged, and for a checkpoint of another model, update
    /// rule, weight decay, mode, `curvature_every`, groups or mean of the parameters, or of another kind of limits. Nothing has
    /// changed then.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let read = Checkpoint::read(&self.settings(), path.as_ref())?;
        // First what may be refused.
        self.set_parameters(&read.parameters)?;
        self.set_statistics(&read.statistics)?;
        self.set_learning_rate(read.learning_rate)?;
        read.limits.map_or(Ok(()), |limits| self.set_limits(limits))?;
        if let Some(schedule) = read.schedule {
            self.schedule = schedule;
        }
        (self.steps, self.seed, self.notes) = (read.memory.step, read.seed, read.notes);
        self.engine.restore(read.memory, read.noise)
    }

    fn settings(&self) -> Settings<'_> {
        let Trainer { model, optimizer, groups, mode, curvature_every, .. } = self;
        Settings { model, optimizer: *optimizer, groups, mode: *mode, curvature_every: *curvature_every }
    }
}
