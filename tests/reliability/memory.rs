//! A device out of memory: each stage gives an error without panicking or hanging. A software device uses the process's memory, so
//! a separate process sets a limit at the stage in question.

use crate::common::{Owner, bits, directory, model, statm, train, trainer, within_time};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Optimizer, Plan, PlanOptions, Result, State};
use std::process::Command;

/// The additional memory that the process may take.
const HEADROOM: u64 = 128 << 20;

type Stage = fn(&Context, &State, &[f32]) -> Result<()>;

const STAGES: [(&str, Stage); 4] = [
    ("state", |context, _, _| State::new(context, &large(), Some(Optimizer::sgd(0.1))).map(drop)),
    ("plan", |context, state, _| {
        // 17 MiB for each value or signal.
        let batch = 1 << 19;
        Plan::new(context, &model(), state, batch, PlanOptions::training(Mode::HesScaleR2)).map(drop)
    }),
    ("write", |_, state, flat| state.write_parameters(flat)),
    ("read", |context, state, _| context.read_blocking(&[state.parameters(); 2]).map(drop)),
];

/// 127 MiB of parameters.
fn large() -> Model {
    Model::builder([5760]).dense(5760).act(Activation::Tanh).loss(Loss::mse()).unwrap()
}

/// Runs in a process of its own: see [`every_stage_without_memory`].
#[test]
#[ignore = "limits the memory of its process: `every_stage_without_memory` runs it in one of its own"]
fn child() {
    let wanted = std::env::var(WANTED).expect("a stage");
    let (owner, name, stage) = cases().find(|case| label(*case) == wanted).expect("such a stage");
    let path = directory(&wanted).join("training.safetensors");
    let context = owner.context();
    let mut first = trainer(&context, &model(), 5);
    train(&mut first, 3);
    first.save(&path).unwrap();
    train(&mut first, 4);
    let whole = bits(&first);

    let model_of_state = if name == "plan" { model() } else { large() };
    let state = State::new(&context, &model_of_state, None).unwrap();
    let flat = vec![0.1; model_of_state.flat_len()];
    limit(Some(HEADROOM));
    let outcome = stage(&context, &state, &flat);
    limit(None);
    assert!(matches!(outcome, Err(Error::Device { .. })), "{outcome:?}");

    let mut resumed = trainer(&owner.context(), &model(), 9);
    resumed.load(&path).unwrap();
    train(&mut resumed, 4);
    assert_eq!(bits(&resumed), whole);
}

/// Which case a child is to run.
const WANTED: &str = "HESSCALE_STAGE";

type Case = (Owner, &'static str, Stage);

fn cases() -> impl Iterator<Item = Case> {
    Owner::ALL.into_iter().flat_map(|owner| STAGES.map(|(name, stage)| (owner, name, stage)))
}

fn label((owner, name, _): Case) -> String {
    format!("memory {owner:?} {name}")
}

/// Sets what address space this process may have, by util-linux's program: from Rust it would take unsafe code.
fn limit(beyond: Option<u64>) {
    let most = beyond.map_or("unlimited".into(), |bytes| (statm().0 + bytes).to_string());
    let process = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &process, &format!("--as={most}:")]).status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit to {most}");
}

#[test]
#[cfg(target_os = "linux")]
fn every_stage_without_memory_where_there_is_prlimit() {
    let software = Owner::Crate.context().class().is_software();
    if !software || Command::new("prlimit").arg("--version").output().is_err() {
        crate::not_run::not_run("it takes a software device and the program prlimit");
        return;
    }
    for case in cases().map(label) {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "memory::child", "--ignored", "--nocapture"]).env(WANTED, &case);
        let output = within_time(&case, move || child.output().unwrap());
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{case}: {text}");
    }
}
