//! A small Transformer learns five sonnets, character by character: with Adam, and with AdaHesScale, whose Hessian diagonal goes
//! through attention, normalisation and the shared weights of all positions. Or two recurrent layers do.
//!
//! `cargo run --release --example text` prints the losses and what the networks make of a first word; `-- --help` lists options.

#[path = "../common/mod.rs"]
#[allow(dead_code)] // what other examples ask of it
mod common;
mod corpus;
mod model;

use common::arguments::Arguments;
use common::backend::{Backend, Device};
use common::outcome::{exit, misused};
use common::{list, say};
use corpus::Corpus;
use hesscale::model::Targets;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Model, Optimizer};
use model::{Kind, Sizes, network};
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
Usage: text [options]

Trains a Transformer of two blocks, or two recurrent layers, on five sonnets with Adam and with AdaHesScale, and lets it go on from a word.

Options:
  --network KIND    transformer, gru or lstm (default: transformer)
  --steps N         steps of training, of 16 pieces each (default: 600)
  --adapter NAME    an adapter by part of its name
  --cpu             without a GPU
  --list            print this machine's adapters
  --help            print this
";

const LENGTH: usize = 32;
const PIECES: usize = 16;

struct Options {
    kind: Kind,
    steps: u32,
    device: Device,
}

fn main() -> ExitCode {
    match parse(Arguments::of_process()) {
        Err(message) => misused(&message, USAGE),
        Ok(Command::Help) => exit(say(USAGE)),
        Ok(Command::List) => exit(list()),
        Ok(Command::Run(options)) => exit(run(&options)),
    }
}

enum Command {
    Help,
    List,
    Run(Options),
}

fn parse(mut arguments: Arguments) -> Result<Command, String> {
    let (mut kind, mut steps, mut adapter, mut cpu) = (Kind::Transformer, 600, None, false);
    while let Some(name) = arguments.next()? {
        match name.as_str() {
            "--help" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--network" => {
                let name = arguments.value()?;
                kind = Kind::named(&name).ok_or_else(|| format!("no network `{name}`"))?;
            }
            "--steps" => steps = arguments.count()?,
            "--adapter" => adapter = Some(arguments.value()?),
            "--cpu" => cpu = true,
            other => return Err(format!("unknown option `{other}`")),
        }
    }
    Ok(Command::Run(Options { kind, steps, device: Device::new(cpu, adapter)? }))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let corpus = Corpus::new();
    let sizes = Sizes { characters: corpus.size(), length: LENGTH, width: 32, heads: 4, blocks: 2 };
    let model = network(options.kind, sizes)?;
    let backend = Backend::new(&options.device)?;
    say(&format!("{}; {} parameters", backend.name(), model.parameter_count()))?;
    for (name, optimizer) in [("Adam", Optimizer::adam(3e-3)), ("AdaHesScale", Optimizer::ada_hesscale(3e-3))]
    {
        learn(name, &backend, &model, optimizer, &corpus, options.steps)?;
    }
    Ok(())
}

fn learn(
    name: &str,
    backend: &Backend,
    model: &Model,
    optimizer: Optimizer,
    corpus: &Corpus,
    steps: u32,
) -> Result<(), Box<dyn Error>> {
    let mut trainer = match backend {
        Backend::Gpu(context) => Trainer::new(context, model, optimizer, TrainerOptions::default())?,
        Backend::Cpu => Trainer::on_cpu(model, optimizer, TrainerOptions::default())?,
    };
    let mut random = fastrand::Rng::with_seed(1);
    let begin = Instant::now();
    for step in 1..=steps {
        let pieces = corpus.pieces(PIECES, LENGTH, &mut random);
        trainer.step(&pieces.inputs, Targets::Classes(&pieces.next))?;
        if step % 100 == 0 || step == steps {
            say(&format!("{name}, step {step}: {:.3} nats a character", trainer.loss()?))?;
        }
    }
    let each = begin.elapsed().as_secs_f64() / f64::from(steps);
    say(&format!("{name}: {:.1} ms a step\n{}\n", 1e3 * each, go_on(&mut trainer, corpus, "Shall ", 120)?))
}

/// Goes on from a text, each time with the likeliest character.
fn go_on(
    trainer: &mut Trainer,
    corpus: &Corpus,
    first: &str,
    count: usize,
) -> Result<String, Box<dyn Error>> {
    let mut text = corpus.numbers(first);
    for _ in 0..count {
        let seen = &text[text.len().saturating_sub(LENGTH)..];
        // What stands behind the end no position before it sees.
        let mut input: Vec<f32> = seen.iter().map(|c| *c as f32).collect();
        input.resize(LENGTH, 0.0);
        let scores = trainer.predict(&input)?;
        let score = |c: &usize| scores[c * LENGTH + seen.len() - 1];
        let best = (0..corpus.size()).max_by(|a, b| score(a).total_cmp(&score(b)));
        text.extend(best.map(|best| best as u32));
    }
    Ok(corpus.text(&text))
}
