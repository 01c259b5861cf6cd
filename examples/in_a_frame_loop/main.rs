//! An application that renders and trains between its frames: it trains a small network on a photograph, on its own device and
//! queue and within a time budget, and every frame draws the result directly from the network's output buffer.
//!
//! `cargo run --release --example in_a_frame_loop` renders offscreen and writes `strip.png`, its tiles as `step_N.png`, and
//! `psnr.svg`; with `-- --window` it shows the frames in a window instead; `-- --help` lists options.

#[path = "../common/arguments.rs"]
#[allow(dead_code)] // what other examples ask of a command line
mod arguments;
mod chart;
#[path = "../common/files.rs"]
mod files;
mod frame;
mod learner;
mod options;
#[path = "../common/outcome.rs"]
mod outcome;
mod pace;
mod picture;
mod screen;
mod window;

use chart::Curve;
use hesscale::model::Rule;
use hesscale::{Context, ContextOptions, Optimizer};
use learner::Learner;
use options::{Command, Options};
use outcome::{exit, misused};
use picture::Picture;
use screen::Screen;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PHOTO: &[u8] = include_bytes!("../../data/chelsea.png");

/// An optimizer and its name; the pictures show the first.
type Method = (&'static str, Optimizer);

/// Each at the best of four or more learning rates after 150 steps. With ε = 1e-8 AdaHesScale reaches 17.6 dB there, with this
/// one 22.4, because it divides by curvatures near 0.
fn methods() -> [Method; 3] {
    let ada_hesscale = Rule::AdaHesScale { beta1: 0.9, beta2: 0.999, eps: 1e-3 };
    let sgd = Rule::Sgd { momentum: 0.9, nesterov: false };
    [("AdaHesScale", ada_hesscale.at(0.03)), ("Adam", Optimizer::adam(0.02)), ("SGD", sgd.at(0.5))]
}

fn main() -> ExitCode {
    match options::parse(arguments::Arguments::of_process()) {
        Err(message) => misused(&message, options::USAGE),
        Ok(Command::Help) => {
            println!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::Run(options)) if options.window => exit(show(&options)),
        Ok(Command::Run(options)) => exit(run(&options)),
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    for name in ["step_0.png", "strip.png", "psnr.svg"] {
        files::can_write(&options.out.join(name))?;
    }
    let photo = Picture::decode(PHOTO)?;
    let screen = pollster::block_on(Screen::new(&photo))?;
    let context = Context::from_device(&screen.device, &screen.queue, ContextOptions::default());
    println!("{}; {} × {} pixels", context.describe(), photo.width, photo.height);
    println!(
        "| optimizer | steps | PSNR, dB | frames | median frame, ms | 95 % of frames, ms | longest, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    let (mut curves, mut pictures) = (Vec::new(), Vec::new());
    for (index, (name, optimizer)) in methods().into_iter().enumerate() {
        let mut learner = Learner::new(&screen, &context, &photo, optimizer, options.budget)?;
        let film = film(&screen, &photo, &mut learner, options.steps)?;
        let [median, most, longest] = film.frame_times();
        let psnr = film.curve.last().map_or(0.0, |(_, psnr)| *psnr);
        let (steps, frames) = (learner.steps(), film.frames.len());
        println!("| {name} | {steps} | {psnr:.2} | {frames} | {median:.1} | {most:.1} | {longest:.1} |");
        curves.push((name, film.curve) as Curve);
        if index == 0 {
            pictures = film.pictures;
        }
    }
    for (step, picture) in &pictures {
        picture.save(&options.out.join(format!("step_{step}.png")))?;
    }
    let mut tiles: Vec<_> = pictures.into_iter().map(|(_, picture)| picture).collect();
    tiles.push(photo);
    Picture::strip(&tiles, 4).save(&options.out.join("strip.png"))?;
    chart::draw(&options.out.join("psnr.svg"), &curves)?;
    println!("pictures: {}", options.out.join("{strip.png, step_*.png, psnr.svg}").display());
    Ok(())
}

/// The first optimizer, in a window, until it is closed.
fn show(options: &Options) -> Result<(), Box<dyn Error>> {
    window::run(Picture::decode(PHOTO)?, methods()[0].1, options)
}

/// The results of a training run.
struct Film {
    curve: Vec<(u32, f64)>,
    /// Of steps 0, 10, 100, …, and the last.
    pictures: Vec<(u32, Picture)>,
    /// Times of the frames that were filled with training.
    frames: Vec<Duration>,
}

impl Film {
    /// Median, 95 % and maximum, in ms.
    fn frame_times(&self) -> [f64; 3] {
        let mut times = self.frames.clone();
        times.sort_unstable();
        let at = |part: f64| times.get(((times.len() as f64 - 1.0) * part) as usize);
        [0.5, 0.95, 1.0].map(|part| at(part).map_or(0.0, |time| time.as_secs_f64() * 1e3))
    }
}

/// The frame loop, until `steps` steps are done.
fn film(screen: &Screen, photo: &Picture, learner: &mut Learner, steps: u32) -> Result<Film, Box<dyn Error>> {
    let shown = screen.shown(learner.colours());
    let frame = screen.offscreen();
    let mut film = Film { curve: Vec::new(), pictures: Vec::new(), frames: Vec::new() };
    for stop in stops(steps) {
        loop {
            let start = Instant::now();
            let mut encoder = screen.device.create_command_encoder(&Default::default());
            let busy = learner.record(&mut encoder, stop)?;
            screen.draw(&mut encoder, &shown, &frame);
            screen.queue.submit([encoder.finish()]);
            // A window would present here and wait for the display.
            screen.device.poll(hesscale::wgpu::PollType::wait_indefinitely())?;
            if busy {
                learner.took(start.elapsed());
                film.frames.push(start.elapsed());
            }
            if learner.shows() == Some(stop) {
                break;
            }
        }
        let picture = screen.screenshot(&frame)?;
        film.curve.push((stop, picture.psnr(photo)));
        if stop == 0 || stop == steps || is_power_of_ten(stop) {
            film.pictures.push((stop, picture));
        }
    }
    Ok(film)
}

/// The steps at which the loop evaluates the picture: 0, 1, 2, 5, 10, 20, … and the last.
fn stops(steps: u32) -> Vec<u32> {
    let decades = (0..8).map(|exponent| 10_u32.pow(exponent));
    let known = decades.flat_map(|decade| [1, 2, 3, 5, 7].map(|digit| digit * decade));
    [0].into_iter().chain(known.take_while(|stop| *stop < steps)).chain([steps]).collect()
}

fn is_power_of_ten(step: u32) -> bool {
    step >= 10 && 10_u32.pow(step.ilog10()) == step
}
