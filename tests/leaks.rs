//! Over a long run neither host nor device memory grows, and no handle leaks. It is a separate, sequential process, because it
//! measures the process's memory. `HESSCALE_STEPS=10000` for a longer run.

#[allow(dead_code)] // what only the other reliability tests use
#[path = "reliability/common.rs"]
mod common;

use common::{BATCH, host_context, instance, statm, train, trainer};
use hesscale::wgpu;
use hesscale::{Activation, Context, Loss, Mode, Model, Plan, PlanOptions, State};

/// Resources held by the process and the device.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    /// Bytes of the process in memory.
    resident: u64,
    /// Bytes that the device has given.
    device: u64,
    /// Handles of wgpu's, by kind.
    handles: Vec<(&'static str, usize)>,
}

impl Held {
    fn now(instance: &wgpu::Instance, context: Option<&Context>) -> Held {
        let report = instance.generate_report().expect("a native instance");
        let hub = report.hub_report();
        let registries = [
            ("devices", &hub.devices),
            ("queues", &hub.queues),
            ("buffers", &hub.buffers),
            ("bind groups", &hub.bind_groups),
            ("bind group layouts", &hub.bind_group_layouts),
            ("pipeline layouts", &hub.pipeline_layouts),
            ("pipelines", &hub.compute_pipelines),
            ("shader modules", &hub.shader_modules),
            ("command encoders", &hub.command_encoders),
            ("command buffers", &hub.command_buffers),
            ("passes", &hub.compute_passes),
        ];
        let memory = context.and_then(|context| context.device().generate_allocator_report());
        Held {
            resident: statm().1,
            device: memory.map_or(0, |memory| memory.total_allocated_bytes),
            handles: registries.map(|(name, registry)| (name, registry.num_kept_from_user)).into(),
        }
    }

    /// Asserts that nothing has come since `before`, but for so many bytes of the process, which libraries cache.
    fn is_no_more_than(&self, before: &Held, slack: u64) {
        println!("{before:?}\n{self:?}");
        assert_eq!(self.handles, before.handles);
        assert_eq!(self.device, before.device);
        assert!(self.resident <= before.resident + slack, "{} bytes more", self.resident - before.resident);
    }
}

const MIB: u64 = 1 << 20;

fn model() -> Model {
    Model::builder([64]).dense(64).act(Activation::Tanh).dense(64).loss(Loss::cross_entropy()).unwrap()
}

fn long_run() -> usize {
    std::env::var("HESSCALE_STEPS").map_or(1000, |steps| steps.parse().expect("a number"))
}

fn steps(instance: &wgpu::Instance) {
    let context = host_context(instance);
    let mut trainer = trainer(&context, &model(), 1);
    let mut run = |steps: usize| {
        for _ in 0..steps / 10 {
            train(&mut trainer, 10);
            trainer.loss().unwrap();
        }
        trainer.predict(&[0.5; 64]).unwrap();
        trainer.wait().unwrap();
        Held::now(instance, Some(&context))
    };
    let before = run(300);
    let mut after = run(long_run());
    // Readings fluctuate by 32 bytes; leaks do not shrink.
    for _ in 0..50 {
        if after.device == before.device {
            break;
        }
        after = run(10);
    }
    after.is_no_more_than(&before, 4 * MIB);
}

fn plans(instance: &wgpu::Instance) {
    let context = host_context(instance);
    let state = State::new(&context, &model(), None).unwrap();
    let run = |count: usize| {
        for _ in 0..count {
            Plan::new(&context, &model(), &state, BATCH, PlanOptions::training(Mode::HesScale)).unwrap();
            State::new(&context, &model(), None).unwrap();
            // What was written on the way is on the device's way until something is submitted.
            context.queue().submit([]);
            context.wait().unwrap();
        }
        // Staging memory of the last submission is let go by the next.
        context.queue().submit([]);
        context.wait().unwrap();
        Held::now(instance, Some(&context))
    };
    let before = run(50);
    run(200).is_no_more_than(&before, 4 * MIB);
}

/// Each with a trainer, dropped while the GPU still works.
fn contexts(instance: &wgpu::Instance) {
    let run = |count: usize| {
        for seed in 0..count {
            let context = host_context(instance);
            train(&mut trainer(&context, &common::model(), seed as u64), 2);
        }
        Held::now(instance, None)
    };
    let before = run(10);
    assert!(before.handles.iter().all(|(_, kept)| *kept == 0), "{before:?}");
    run(long_run() / 50).is_no_more_than(&before, 16 * MIB);
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_left() {
    let instance = instance();
    steps(&instance);
    plans(&instance);
    contexts(&instance);

    // What is left is seen.
    let context = host_context(&instance);
    let before = Held::now(&instance, Some(&context));
    let _state = State::new(&context, &model(), None).unwrap();
    let after = Held::now(&instance, Some(&context));
    assert!(after.handles != before.handles && after.device > before.device, "{before:?} {after:?}");
    let bytes = std::hint::black_box(vec![1_u8; 64 << 20]);
    assert!(Held::now(&instance, Some(&context)).resident > after.resident + 60 * MIB);
    drop(bytes);
}
