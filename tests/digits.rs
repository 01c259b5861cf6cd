//! The example `digits`: its networks fit the data, and its command line is parsed.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/common/mod.rs"]
mod common;
#[path = "../examples/digits/network.rs"]
mod network;
#[path = "../examples/digits/options.rs"]
mod options;

use common::arguments::Arguments;
use common::backend::Device;
use common::method::METHODS;
use network::NETWORKS;
use options::{Command, Options};

#[test]
fn networks_read_64_pixels_and_tell_ten_digits_apart() {
    for network in NETWORKS {
        let model = (network.model)().unwrap();
        assert_eq!((model.inputs(), model.output_shape()), (64, &[10][..]), "{}", network.name);
        for (method, rate) in METHODS.iter().zip(network.rates) {
            (method.at)(rate).validate().unwrap();
        }
    }
    let cnn = (NETWORKS[1].model)().unwrap();
    let shapes = [2, 5, 6].map(|layer| cnn.shape(layer).unwrap());
    assert_eq!(shapes, [&[16, 4, 4][..], &[32, 2, 2], &[128]]);
}

fn parse(line: &str) -> Result<Command, String> {
    options::parse(Arguments::new(line.split_whitespace().map(str::to_owned)))
}

fn parsed(line: &str) -> Options {
    match parse(line).unwrap() {
        Command::Train(options) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_lines() {
    let options = parsed("");
    assert_eq!((options.network.name, options.epochs, options.starts, options.json), ("mlp", 40, 3, false));
    assert!(matches!(options.device, Device::Best));
    let options = parsed("--model cnn --json");
    assert_eq!((options.network.name, options.epochs, options.json), ("cnn", 15, true));
    let options = parsed("--model=cnn --epochs 2 --starts=1 --cpu");
    assert_eq!((options.epochs, options.starts), (2, 1));
    assert!(matches!(options.device, Device::Cpu));
    assert!(matches!(parse("--list"), Ok(Command::List)));
    assert!(matches!(parse("--epochs 3 -h"), Ok(Command::Help)));
    for (line, message) in [
        ("--model rnn", "there is no model `rnn`; there are: mlp, cnn"),
        ("--epochs 0", "--epochs must be a whole number of at least 1, not `0`"),
        ("--starts", "--starts needs a value"),
        ("--cpu --adapter a", "--cpu and --adapter exclude each other"),
        ("--json=1", "--json takes no value"),
        ("cnn", "unknown option `cnn`"),
    ] {
        assert_eq!(parse(line).unwrap_err(), message, "`{line}`");
    }
}
