//! A device that is lost before any call: each call gives an error without panicking or hanging, and training can resume elsewhere.

use crate::common::{BATCH, Owner, bits, directory, model, step, train, trainer, within_time};
use hesscale::model::{Noise, Targets};
use hesscale::train::{Dataset, Labels, Trainer};
use hesscale::{Context, Error, Mode, Optimizer, Pass, Plan, PlanOptions, Result, State};
use std::path::PathBuf;

const INPUTS: [f32; 5 * BATCH] = [0.5; 5 * BATCH];
const CLASSES: [u32; BATCH] = [1; BATCH];

/// Everything that lives on a device, in use.
struct World {
    context: Context,
    state: State,
    plan: Plan,
    trainer: Trainer,
    /// A checkpoint.
    path: PathBuf,
}

impl World {
    fn new(owner: Owner, test: &str) -> World {
        let (context, path) = (owner.context(), directory(test).join("training.safetensors"));
        let state = State::new(&context, &model(), Some(Optimizer::adam(0.1))).unwrap();
        let plan =
            Plan::new(&context, &model(), &state, BATCH, PlanOptions::training(Mode::HesScale)).unwrap();
        let mut trainer = trainer(&context, &model(), 1);
        train(&mut trainer, 1);
        trainer.save(&path).unwrap();
        World { context, state, plan, trainer, path }
    }

    fn submit(&self) -> Result<()> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        self.plan.record_step(&mut encoder, Pass::FULL)?;
        self.context.queue().submit([encoder.finish()]);
        Ok(())
    }
}

type Call = fn(&mut World) -> Result<()>;

/// Every call that reaches a device.
const CALLS: [(&str, Call); 22] = [
    ("State::new", |w| State::new(&w.context, &model(), None).map(drop)),
    ("State::new, optimiser", |w| State::new(&w.context, &model(), Some(Optimizer::sgd(0.1))).map(drop)),
    ("Plan::new, same kernels", |w| plan(w, PlanOptions::training(Mode::HesScale))),
    ("Plan::new, new kernels", |w| plan(w, PlanOptions::training(Mode::HesScaleR2))),
    ("Plan::new, inference", |w| plan(w, PlanOptions::inference())),
    ("write_parameters", |w| w.state.write_parameters(&vec![0.1; model().flat_len()])),
    ("set_noise", |w| w.state.set_noise(Noise { seed: 1, step: 2 })),
    ("State::set_learning_rate", |w| w.state.set_learning_rate(0.2)),
    ("write_input", |w| w.plan.write_input(&INPUTS)),
    ("write_targets", |w| w.plan.write_targets(Targets::Classes(&CLASSES))),
    ("submit, read_blocking", |w| {
        w.submit()?;
        w.context.read_blocking(&[w.plan.loss()?, w.state.gradient()]).map(drop)
    }),
    ("submit, read", |w| {
        w.submit()?;
        pollster::block_on(w.context.read(w.plan.loss()?)).map(drop)
    }),
    ("submit, wait", |w| w.submit().and_then(|()| w.context.wait())),
    ("Trainer::new", |w| {
        Trainer::new(&w.context, &model(), Optimizer::sgd(0.1), Default::default()).map(drop)
    }),
    ("step", |w| step(&mut w.trainer)),
    ("step, another batch", |w| w.trainer.step(&INPUTS[..5], Targets::Classes(&CLASSES[..1]))),
    ("gradient", |w| w.trainer.gradient(&INPUTS, Targets::Classes(&CLASSES)).map(drop)),
    ("loss", |w| w.trainer.loss().map(drop)),
    ("predict", |w| w.trainer.predict(&INPUTS).map(drop)),
    ("evaluate", |w| {
        let data = Dataset::new(INPUTS.to_vec(), 5, Labels::Classes(CLASSES.to_vec()))?;
        w.trainer.evaluate(&data, 4).map(drop)
    }),
    ("save", |w| w.trainer.save(&w.path)),
    ("load", |w| w.trainer.load(&w.path)),
];

fn plan(world: &World, options: PlanOptions) -> Result<()> {
    let state = State::new(&world.context, &model(), None);
    // If no new state can be created, use the existing one.
    let state = state.as_ref().unwrap_or(&world.state);
    Plan::new(&world.context, &model(), state, BATCH, options).map(drop)
}

/// Makes one call after another on a lost device.
fn all_fail(world: &mut World, calls: impl Iterator<Item = (&'static str, Call)>, order: &str) {
    for (name, call) in calls {
        let outcome = call(world);
        assert!(matches!(outcome, Err(Error::Device { .. })), "{name}, {order}: {outcome:?}");
    }
}

#[test]
fn calls_on_a_device_that_lives() {
    for owner in Owner::ALL {
        let mut world = World::new(owner, "alive");
        for (name, call) in CALLS {
            assert_eq!(call(&mut world), Ok(()), "{name}");
        }
    }
}

/// Each call as the first after the loss, before wgpu has noticed; then all the others.
fn every_call_fails(owner: Owner) {
    for (first, (name, _)) in CALLS.into_iter().enumerate() {
        within_time(name, move || {
            let mut world = World::new(owner, &format!("destroyed {owner:?}"));
            let before = std::fs::read(&world.path).unwrap();
            world.context.device().destroy();
            let calls = CALLS.into_iter().cycle().skip(first).take(CALLS.len());
            all_fail(&mut world, calls, &format!("after {name}"));
            assert_eq!(std::fs::read(&world.path).unwrap(), before, "the checkpoint is as it was");
            // A failed `step` does not count as a step.
            assert_eq!(world.trainer.steps(), 1);
        });
    }
}

#[test]
fn every_call_fails_on_a_device_of_the_crate() {
    every_call_fails(Owner::Crate);
}

#[test]
fn every_call_fails_on_a_device_of_the_host() {
    every_call_fails(Owner::Host);
}

/// Lost while commands are being recorded, and while they run.
#[test]
fn lost_between_recording_and_reading() {
    for owner in Owner::ALL {
        within_time("a read of what was lost", move || {
            let world = World::new(owner, "recording");
            let mut encoder = world.context.device().create_command_encoder(&Default::default());
            world.context.device().destroy();
            world.plan.record_step(&mut encoder, Pass::FULL).unwrap();
            world.context.queue().submit([encoder.finish()]);
            let read = world.context.read_blocking(&[world.plan.loss().unwrap()]);
            assert!(matches!(read, Err(Error::Device { .. })), "{owner:?}: {read:?}");

            let world = World::new(owner, "running");
            world.submit().unwrap();
            world.context.device().destroy();
            let read = pollster::block_on(world.context.read(world.plan.loss().unwrap()));
            assert!(matches!(read, Err(Error::Device { .. })), "{owner:?}: {read:?}");
        });
    }
}

/// Another thread destroys the device at any moment of training.
#[test]
fn lost_at_a_random_moment_of_training() {
    let mut random = fastrand::Rng::with_seed(7);
    for owner in Owner::ALL {
        for _ in 0..8 {
            let pause = std::time::Duration::from_micros(random.u64(..20_000));
            let error = within_time("training", move || {
                let context = owner.context();
                let mut trainer = trainer(&context, &model(), 3);
                train(&mut trainer, 1);
                let device = context.device().clone();
                let destroyer = std::thread::spawn(move || {
                    std::thread::sleep(pause);
                    device.destroy();
                });
                let error = loop {
                    if let Err(error) = step(&mut trainer).and_then(|()| trainer.loss()) {
                        break error;
                    }
                };
                destroyer.join().unwrap();
                error
            });
            assert!(matches!(error, Error::Device { .. }), "{error}");
        }
    }
}

#[test]
fn training_goes_on_bit_for_bit_on_another_device() {
    for owner in Owner::ALL {
        let path = directory(&format!("resume {owner:?}")).join("training.safetensors");
        let mut whole = trainer(&owner.context(), &model(), 5);
        train(&mut whole, 20);

        let context = owner.context();
        let mut lost = trainer(&context, &model(), 5);
        train(&mut lost, 12);
        lost.save(&path).unwrap();
        train(&mut lost, 3);
        context.device().destroy();
        let outcome = step(&mut lost).and_then(|()| lost.loss());
        assert!(matches!(outcome, Err(Error::Device { .. })), "{outcome:?}");

        let mut resumed = trainer(&owner.context(), &model(), 9);
        resumed.load(&path).unwrap();
        assert_eq!(resumed.steps(), 12);
        train(&mut resumed, 8);
        assert_eq!(bits(&resumed), bits(&whole));
    }
}

#[test]
#[should_panic(expected = "went wrong")]
fn a_panic_comes_through() {
    within_time("a panic", || panic!("went wrong"));
}
