//! An application with shaders of its own before and behind the network: a multiresolution hash grid encodes pixel positions, the
//! network makes colours of the features, and the signal (g, h) at the network's input trains the grid by the application's own
//! optimiser. Nothing is read back but the pictures that go to files; every frame is drawn from the network's output buffer.
//!
//! `cargo run --release --example hash_grid` renders offscreen and writes `hash_grid.png`; `-- --help` lists options.

#[path = "../common/arguments.rs"]
#[allow(dead_code)] // what other examples ask of a command line
mod arguments;
#[path = "../common/files.rs"]
mod files;
#[path = "../in_a_frame_loop/frame.rs"]
mod frame;
mod grid;
mod learner;
#[path = "../common/outcome.rs"]
mod outcome;
#[path = "../in_a_frame_loop/picture.rs"]
#[allow(dead_code)] // what that example asks of a picture
mod picture;
#[path = "../in_a_frame_loop/screen.rs"]
#[allow(dead_code)] // windows
mod screen;
#[path = "../common/steps.rs"]
mod steps;

use grid::TableRule;
use hesscale::model::Rule;
use hesscale::{Context, ContextOptions, Optimizer, wgpu};
use learner::Learner;
use picture::Picture;
use screen::Screen;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use steps::Options;

const PHOTO: &[u8] = include_bytes!("../../data/chelsea.png");

const USAGE: &str = "\
Usage: hash_grid [options]

A hash grid in the application's own shaders and a small network behind it learn a photograph, both by AdaHesScale, then both by
Adam. Writes hash_grid.png: AdaHesScale's pictures after 0, 10, 100 … steps, and the photograph.

Options:
  --steps N      steps of training by each optimizer (default: 1000)
  --out DIR      where the picture goes (default: the current directory)
  --help         print this";

/// Name, the network's optimizer and the table's rule; the pictures show the first.
type Method = (&'static str, Optimizer, TableRule);

/// Each at the best of several rates after 100 steps.
fn methods() -> [Method; 2] {
    let network = Rule::AdaHesScale { beta1: 0.9, beta2: 0.999, eps: 1.0 };
    [
        ("AdaHesScale", network.at(0.003), TableRule { curved: true, rate: 0.03, eps: 0.1 }),
        ("Adam", Optimizer::adam(0.01), TableRule { curved: false, rate: 0.03, eps: 1e-8 }),
    ]
}

fn main() -> ExitCode {
    steps::main(USAGE, 1000, run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let out = options.out.join("hash_grid.png");
    files::can_write(&out)?;
    let photo = Picture::decode(PHOTO)?;
    let screen = pollster::block_on(Screen::new(&photo))?;
    let context = Context::from_device(&screen.device, &screen.queue, ContextOptions::default());
    println!("{}; {} × {} pixels", context.describe(), photo.width, photo.height);
    println!("| optimizer | PSNR after 10, 100, … steps, dB | a step, ms |\n|---|---|---|");
    let mut shown = None;
    for (name, network, table) in methods() {
        let learner = Learner::new(&screen, &context, &photo, (network, table))?;
        let Film { pictures, time } = film(&screen, &learner, options.steps)?;
        let psnr: Vec<String> =
            pictures[1..].iter().map(|picture| format!("{:.2}", picture.psnr(&photo))).collect();
        let step = time.as_secs_f64() * 1e3 / f64::from(options.steps);
        println!("| {name} | {} | {step:.1} |", psnr.join(", "));
        shown.get_or_insert(pictures);
    }
    let mut tiles = shown.unwrap_or_default();
    tiles.push(photo);
    Picture::strip(&tiles, 4).save(&out)?;
    println!("picture: {}", out.display());
    Ok(())
}

/// The results of a training run.
struct Film {
    /// Before the first step, after 10, 100, … and the last.
    pictures: Vec<Picture>,
    /// Of all steps, without the pictures.
    time: Duration,
}

/// Steps are submitted a frame at a time, ten in each; a frame is drawn where a picture is due.
fn film(screen: &Screen, learner: &Learner, steps: u32) -> Result<Film, Box<dyn Error>> {
    let shown = screen.shown(learner.colours());
    let frame = screen.offscreen();
    let mut film = Film { pictures: Vec::new(), time: Duration::ZERO };
    let due = (1..8).map(|exponent| 10_u32.pow(exponent)).take_while(|step| *step < steps);
    let mut done = 0;
    for stop in [0].into_iter().chain(due).chain([steps]) {
        let start = Instant::now();
        while done < stop {
            let mut encoder = screen.device.create_command_encoder(&Default::default());
            let some = (stop - done).min(10);
            (0..some).try_for_each(|_| learner.record_step(&mut encoder))?;
            screen.queue.submit([encoder.finish()]);
            done += some;
        }
        screen.device.poll(wgpu::PollType::wait_indefinitely())?;
        film.time += start.elapsed();
        let mut encoder = screen.device.create_command_encoder(&Default::default());
        learner.record_picture(&mut encoder);
        screen.draw(&mut encoder, &shown, &frame);
        screen.queue.submit([encoder.finish()]);
        film.pictures.push(screen.screenshot(&frame)?);
    }
    Ok(film)
}
