//! A fragment shader that calls a network: a small network learns a signed distance, and each frame is drawn by sphere tracing in
//! the network's zeros. The shader reads the parameters from the buffer that training writes, so nothing is copied or compiled
//! between the frames.
//!
//! `cargo run --release --example neural_sdf` renders offscreen and writes `neural_sdf.png`; `-- --help` lists options.

#[path = "../common/arguments.rs"]
#[allow(dead_code)] // what other examples ask of a command line
mod arguments;
#[path = "../common/files.rs"]
mod files;
#[path = "../in_a_frame_loop/frame.rs"]
mod frame;
mod learner;
#[path = "../common/outcome.rs"]
mod outcome;
#[path = "../in_a_frame_loop/picture.rs"]
#[allow(dead_code)] // what that example asks of a picture
mod picture;
#[path = "../common/steps.rs"]
mod steps;
mod view;

use hesscale::{Context, ContextOptions, wgpu};
use learner::{Learner, SHAPE};
use picture::Picture;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use steps::Options;
use view::View;

const FRAME: [u32; 2] = [240, 200];

/// Frames that the time of one is the median of.
const TIMED: usize = 9;

const USAGE: &str = "\
Usage: neural_sdf [options]

A small network learns the distance to a ball within a ring; a fragment shader draws its zeros. Writes
neural_sdf.png: after 100, 1000 … steps, and the shape itself.

Options:
  --steps N      steps of training (default: 6000)
  --out DIR      where the picture goes (default: the current directory)
  --help         print this";

fn main() -> ExitCode {
    steps::main(USAGE, 6000, run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let out = options.out.join("neural_sdf.png");
    files::can_write(&out)?;
    // The application's own device, without any feature.
    let (device, queue) = pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance.request_adapter(&Default::default()).await?;
        Ok::<_, Box<dyn Error>>(adapter.request_device(&Default::default()).await?)
    })?;
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    println!("{}; frames of {} × {}", context.describe(), FRAME[0], FRAME[1]);
    let mut learner = Learner::new(&context)?;
    let begin = Instant::now();
    let view = View::new(&device, &queue, FRAME, &learner.distance()?, Some(learner.parameters()));
    view.draw()?;
    println!("the first frame, its shader compiled: {:.2} s", begin.elapsed().as_secs_f64());
    println!("| steps | mean error of the distance | a frame, ms | a step, ms |\n|---|---|---|---|");
    let (mut tiles, mut done) = (Vec::new(), 0);
    let due = (2..8).map(|exponent| 10_u32.pow(exponent)).take_while(|step| *step < options.steps);
    for stop in due.chain([options.steps]) {
        let begin = Instant::now();
        learner.train(stop - done)?;
        let step = begin.elapsed().as_secs_f64() * 1e3 / f64::from(stop - done);
        done = stop;
        println!("| {stop} | {:.4} | {:.1} | {step:.2} |", learner.error()?, frame_time(&view)?);
        tiles.push(view.picture()?);
    }
    let shape = View::new(&device, &queue, FRAME, SHAPE, None);
    shape.draw()?;
    println!("the shape itself: {:.1} ms a frame", frame_time(&shape)?);
    tiles.push(shape.picture()?);
    Picture::strip(&tiles, 4).save(&out)?;
    println!("picture: {}", out.display());
    Ok(())
}

/// The median, in ms.
fn frame_time(view: &View) -> Result<f64, Box<dyn Error>> {
    let mut times = (0..TIMED).map(|_| view.draw()).collect::<Result<Vec<Duration>, _>>()?;
    times.sort_unstable();
    Ok(times[TIMED / 2].as_secs_f64() * 1e3)
}
