//! Models and batches too large for host memory give errors instead of aborting. The tests run a separate process with a limited
//! address space.

use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{Conv2d, Init};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, At, Error, Loss, Mode, Model, Optimizer, reference};

fn small() -> Model {
    Model::builder([4]).dense(8).act(Activation::Tanh).dense(2).loss(Loss::mse()).unwrap()
}

/// Of convolutions, so that there are blocks, scratch and partial sums too.
fn images() -> Model {
    let model = Model::builder([2, 8, 8]).layer(Conv2d::new(3, 3)).act(Activation::Relu).flatten().dense(2);
    model.loss(Loss::mse()).unwrap()
}

fn is_memory<T: std::fmt::Debug>(result: hesscale::Result<T>) {
    assert!(matches!(&result, Err(Error::Memory { bytes, .. }) if *bytes > 1 << 20), "{result:?}");
}

#[test]
fn batches_that_cannot_be_counted() {
    for model in [small(), images()] {
        for batch in [usize::MAX, usize::MAX / 2, 1 << 62, 1 << 60, 1 << 50] {
            is_memory(Executor::new(&model, batch, ExecutorOptions::inference()).map(drop));
            for mode in Mode::ALL {
                is_memory(Executor::new(&model, batch, ExecutorOptions::training(mode)).map(drop));
                is_memory(
                    Executor::new(&model, batch, ExecutorOptions::training(mode).signal(At::Input)).map(drop),
                );
            }
        }
    }
    let threads = |count| Threads::new(count).map(drop);
    for count in [1025, 1 << 40, usize::MAX] {
        assert!(matches!(threads(count), Err(Error::Limit { needed, .. }) if needed == count as u64));
        let trainer =
            Trainer::on_cpu(&small(), Optimizer::sgd(0.1), TrainerOptions::default().threads(count));
        assert!(matches!(trainer, Err(Error::Limit { .. })));
    }
}

/// What a process prints that runs `work` of this file with no more than a GiB of address space.
#[cfg(target_os = "linux")]
fn limited(work: &str) -> String {
    let limit = "ulimit -v 1048576; exec \"$0\" \"$@\"";
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", limit])
        .arg(test)
        .args([work, "--exact", "--nocapture", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{work}: {} {text} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_without_memory() {
    assert!(limited("every_way_in").contains("all were refused"));
}

/// Run with a limit by the test above.
#[test]
#[ignore = "needs a limit of memory, under which another test runs it"]
fn every_way_in() {
    let large = Model::builder([60_000]).dense(60_000).loss(Loss::mse()).unwrap();
    is_memory(large.init(Init::Auto, 1));
    is_memory(Trainer::on_cpu(&large, Optimizer::sgd(0.1), TrainerOptions::default().threads(1)).map(drop));
    for options in [ExecutorOptions::training(Mode::None), ExecutorOptions::training(Mode::HesScale)] {
        is_memory(Executor::new(&large, 1, options.threads(Threads::new(1).unwrap())).map(drop));
    }
    // No parameters, but values of 16 GiB.
    let wide =
        Model::builder([1, 1, 1]).layer(hesscale::Layer::ZeroPad2d { padding: [0, 60_000, 0, 60_000] });
    let wide = wide.loss(Loss::mse()).unwrap();
    is_memory(
        Executor::new(&wide, 1, ExecutorOptions::inference().threads(Threads::new(1).unwrap())).map(drop),
    );
    is_memory(reference::predict(&wide, &vec![0.0_f64; wide.flat_len()], &[1.0]));
    let options = TrainerOptions::default().threads(1);
    let mut trainer = Trainer::on_cpu(&wide, Optimizer::sgd(0.1), options).unwrap();
    is_memory(trainer.predict(&[1.0]));
    // A batch that is too large is refused, and a smaller one goes on.
    let mut trainer =
        Trainer::on_cpu(&small(), Optimizer::sgd(0.1), TrainerOptions::default().threads(1)).unwrap();
    let executor = |batch| {
        Executor::new(&small(), batch, ExecutorOptions::inference().threads(Threads::new(1).unwrap()))
    };
    is_memory(executor(1 << 28).map(drop));
    assert_eq!(trainer.predict(&[0.5; 8]).unwrap().len(), 4);
    println!("all were refused");
}
