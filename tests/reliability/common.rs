//! A small network in training, on the crate's own device or on a host's.

use hesscale::model::Targets;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::wgpu;
use hesscale::{Activation, Context, ContextOptions, Loss, Model, Optimizer, Request};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// The owner of a context's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// `Context::request_with`.
    Crate,
    /// `Context::from_device`, without any handler for errors or for the loss of the device.
    Host,
}

impl Owner {
    pub(crate) const ALL: [Owner; 2] = [Owner::Crate, Owner::Host];

    /// A device of this context's alone.
    pub(crate) fn context(self) -> Context {
        match self {
            Owner::Crate => {
                let request = Request::default().adapter(wanted());
                pollster::block_on(Context::request_with(&request))
                    .expect("an adapter, a software one at least")
            }
            Owner::Host => host_context(&instance()),
        }
    }
}

/// `HESSCALE_ADAPTER` selects one by part of its name.
fn wanted() -> Option<String> {
    std::env::var("HESSCALE_ADAPTER").ok()
}

pub(crate) fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle())
}

/// On a host's device with default limits.
pub(crate) fn host_context(instance: &wgpu::Instance) -> Context {
    pollster::block_on(async {
        let wanted = wanted().unwrap_or_default().to_lowercase();
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        let mut named =
            adapters.into_iter().filter(|a| format!("{:?}", a.get_info()).to_lowercase().contains(&wanted));
        let adapter = match (wanted.is_empty(), named.next()) {
            (false, Some(adapter)) => adapter,
            _ => instance.request_adapter(&Default::default()).await.expect("an adapter"),
        };
        let (device, queue) = adapter.request_device(&Default::default()).await.expect("a device");
        Context::from_device(&device, &queue, ContextOptions::default())
    })
}

pub(crate) const BATCH: usize = 6;

pub(crate) fn model() -> Model {
    Model::builder([5]).dense(9).act(Activation::Tanh).dense(3).loss(Loss::cross_entropy()).unwrap()
}

pub(crate) fn trainer(context: &Context, model: &Model, seed: u64) -> Trainer {
    let options = TrainerOptions::default().seed(seed);
    Trainer::new(context, model, Optimizer::ada_hesscale(0.01), options).unwrap()
}

/// One step on a batch decided by the seed and the step's number.
pub(crate) fn step(trainer: &mut Trainer) -> hesscale::Result<()> {
    let mut random = fastrand::Rng::with_seed(trainer.seed() << 32 | trainer.steps());
    let (inputs, classes) = (trainer.model().inputs(), trainer.model().outputs() as u32);
    let inputs: Vec<f32> = (0..BATCH * inputs).map(|_| random.f32() * 2.0 - 1.0).collect();
    let classes: Vec<u32> = (0..BATCH).map(|_| random.u32(..classes)).collect();
    trainer.step(&inputs, Targets::Classes(&classes))
}

pub(crate) fn train(trainer: &mut Trainer, steps: usize) {
    (0..steps).for_each(|_| step(trainer).unwrap());
}

/// The parameters to the bit.
pub(crate) fn bits(trainer: &Trainer) -> Vec<u32> {
    trainer.parameters().unwrap().iter().map(|value| value.to_bits()).collect()
}

/// An empty directory of the test's own.
pub(crate) fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reliability").join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Runs `work` on a separate thread; more than half a minute counts as a hang.
pub(crate) fn within_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || drop(sender.send(work())));
    match receiver.recv_timeout(Duration::from_secs(30)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends without a panic has sent"),
        },
    }
}

/// Bytes of this process's address space, and of its memory in use.
pub(crate) fn statm() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let mut pages = text.split(' ').map(|number| number.parse::<u64>().expect("a number of pages"));
    let mut bytes = || 4096 * pages.next().expect("two numbers");
    (bytes(), bytes())
}
