//! Awaiting the GPU sleeps instead of spinning. It is a separate process, because it measures the CPU time of its threads.
//!
//! The awaited work is long copies: on Mesa's software adapter a submission waits for the previous one, so a read after other work
//! would spend its time there.

#[allow(dead_code)] // what only the reliability tests use
#[path = "reliability/common.rs"]
mod common;

use common::{Owner, within_time};
use cpu_time::ThreadTime;
use hesscale::{Context, Error, Loss, Model, State, Tensor};
use std::future::Future;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// 64 MiB of parameters, each their number.
fn state(context: &Context) -> State {
    let model = Model::builder([4096]).dense_no_bias(4096).loss(Loss::mse()).unwrap();
    let state = State::new(context, &model, None).unwrap();
    state.write_parameters(&numbers(&model)).unwrap();
    state
}

fn numbers(model: &Model) -> Vec<f32> {
    (0..model.flat_len()).map(|i| i as f32).collect()
}

/// The most that one read may cost on any device.
fn much(state: &State) -> [&Tensor; 4] {
    [state.parameters(), state.gradient(), state.diagonal(), state.parameters()]
}

fn is_right(state: &State, read: hesscale::Result<Vec<Vec<f32>>>) {
    let (read, numbers) = (read.unwrap(), numbers(state.model()));
    assert!(read[0] == numbers && read[3] == numbers);
    assert!(read[1].iter().chain(&read[2]).all(|zero| *zero == 0.0));
}

/// CPU time spent by the crate's threads.
fn waiting() -> Vec<Duration> {
    let spent = |task: std::path::PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        let spent = std::fs::read_to_string(task.join("schedstat")).ok()?;
        let nanos = spent.split(' ').next()?.parse().ok()?;
        name.starts_with("hesscale").then_some(Duration::from_nanos(nanos))
    };
    std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| spent(task.unwrap().path())).collect()
}

/// When a future was polled, and what had been spent till then: by this thread, and by the crate's.
struct Moment(Instant, Duration, Duration);

impl Moment {
    fn now(own: &ThreadTime) -> Moment {
        Moment(Instant::now(), own.elapsed(), waiting().into_iter().sum())
    }
}

fn awaiting_costs_next_to_nothing() {
    for owner in Owner::ALL {
        let context = owner.context();
        let state = state(&context);
        let (tensors, own) = (much(&state), ThreadTime::now());
        let mut read = std::pin::pin!(context.read_all(&tensors));
        let (mut woken, mut asleep) = (Vec::new(), Vec::new());
        let read = pollster::block_on(std::future::poll_fn(|task| {
            woken.push(Moment::now(&own));
            let polled = read.as_mut().poll(task);
            asleep.push(Moment::now(&own));
            polled
        }));
        is_right(&state, read);
        let (from, to) = (&asleep[0], &woken[woken.len() - 1]);
        let (wall, spent, others) = (to.0 - from.0, to.1 - from.1, to.2.saturating_sub(from.2));
        println!(
            "{owner:?}: {wall:?}; this thread {spent:?}, woken {} times, the other {others:?}",
            woken.len()
        );
        assert!(wall > Duration::from_millis(30), "{wall:?} is too short to tell");
        assert!(spent < wall / 10 && others < wall / 5, "{spent:?} and {others:?} of {wall:?}");
        assert!(woken.len() <= 3, "woken {} times", woken.len());
        assert_eq!(waiting(), [], "a thread is left");
    }
}

/// Reads from several threads, and several from one thread.
fn reads_at_the_same_time() {
    let context = Owner::Crate.context();
    let state = state(&context);
    let numbers = numbers(state.model());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    let [one, other] =
                        [state.parameters(), state.gradient()].map(|tensor| context.read(tensor));
                    let (one, other) = pollster::block_on(futures::future::join(one, other));
                    assert!(one.unwrap() == numbers && other.unwrap().iter().all(|zero| *zero == 0.0));
                }
            });
        }
    });
    assert_eq!(waiting(), []);
}

/// It polls the device and the future, and nobody listens to the waker.
fn a_frame_loop_that_polls() {
    let context = Owner::Host.context();
    let state = state(&context);
    let tensors = much(&state);
    let mut read = std::pin::pin!(context.read_all(&tensors));
    let mut frames = 0;
    loop {
        frames += 1;
        match read.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => break is_right(&state, read),
            Poll::Pending => std::thread::sleep(Duration::from_millis(2)),
        }
        let before = Instant::now();
        context.device().poll(hesscale::wgpu::PollType::Poll).unwrap();
        assert!(before.elapsed() < Duration::from_millis(50), "frame {frames}: {:?}", before.elapsed());
    }
    assert!(frames > 3, "{frames} frames");
    assert_eq!(waiting(), []);
}

fn a_future_that_is_dropped() {
    let context = Owner::Crate.context();
    let state = state(&context);
    let tensors = much(&state);
    let mut read = Box::pin(context.read_all(&tensors));
    assert!(read.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_pending());
    // It gives itself its name.
    let start = Instant::now();
    while waiting().is_empty() && start.elapsed() < Duration::from_millis(50) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(waiting().len(), 1);
    drop(read);
    assert_eq!(waiting(), []);
    is_right(&state, context.read_blocking(&tensors));
}

/// No hang, whenever the device is lost.
fn a_device_that_is_lost() {
    for (owner, after) in Owner::ALL.into_iter().flat_map(|owner| [0, 5, 40, 300].map(|after| (owner, after)))
    {
        within_time("awaiting a device that is lost", move || {
            let context = owner.context();
            let state = state(&context);
            let tensors = much(&state);
            let outcome = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(after));
                    context.device().destroy();
                });
                pollster::block_on(context.read_all(&tensors))
            });
            // It may have come before the loss.
            match outcome {
                Err(Error::Device { .. }) => {}
                read => is_right(&state, read),
            }
            let again = pollster::block_on(context.read(state.gradient())).map(|read| read.len());
            assert!(matches!(again, Err(Error::Device { .. })), "{again:?}");
        });
    }
    assert_eq!(waiting(), []);
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_awaits_sleeps() {
    awaiting_costs_next_to_nothing();
    reads_at_the_same_time();
    a_frame_loop_that_polls();
    a_future_that_is_dropped();
    a_device_that_is_lost();
}
