//! Two models trained end to end: the second reads the first one's outputs, and the signal at its input is the first one's signal
//! at the outputs. A step is one submission, and nothing is read back until the end. A single model of all the layers, trained
//! beside them, comes to the same parameters.

use hesscale::model::{Init, Targets};
use hesscale::{
    Activation, At, Context, Loss, Model, Optimizer, Pass, Plan, PlanOptions, Request, Result, State,
};

const STEPS: usize = 500;
const BATCH: usize = 64;

fn main() -> Result<()> {
    let context = pollster::block_on(Context::request_with(&Request::from_env()))?;
    println!("{}", context.describe());

    // Does a point lie within a ring?
    let mut random = fastrand::Rng::with_seed(1);
    let points: Vec<f32> = (0..2 * BATCH).map(|_| 2.0 * random.f32() - 1.0).collect();
    let within = |p: &[f32]| (0.2..0.6).contains(&(p[0] * p[0] + p[1] * p[1]));
    let classes: Vec<u32> = points.chunks(2).map(|point| u32::from(within(point))).collect();

    let optimizer = Optimizer::ada_hesscale(0.01).eps(1e-2);
    let options = || PlanOptions::for_optimizer(&optimizer);
    let tanh = Activation::Tanh;

    // The first has no loss of its own, and the second reads its outputs where they lie.
    let first = Model::builder([2]).dense(32).act(tanh).dense(16).act(tanh).loss(Loss::external())?;
    let second = Model::builder([16]).dense(16).act(tanh).dense(2).loss(Loss::cross_entropy())?;
    let whole = Model::builder([2]).dense(32).act(tanh).dense(16).act(tanh).dense(16).act(tanh).dense(2);
    let whole = whole.loss(Loss::cross_entropy())?;

    let parameters = whole.init(Init::Auto, 7)?;
    let (mine, rest) = parameters.split_at(first.flat_len());
    let state = |model: &Model, parameters: &[f32]| {
        let state = State::new(&context, model, Some(optimizer))?;
        state.write_parameters(parameters)?;
        Result::Ok(state)
    };
    let first_state = state(&first, mine)?;
    let second_state = state(&second, rest)?;
    let whole_state = state(&whole, &parameters)?;

    let one = Plan::new(&context, &first, &first_state, BATCH, options())?;
    let input = options().input(one.logits()).signal(At::Input);
    let two = Plan::new(&context, &second, &second_state, BATCH, input)?;
    let all = Plan::new(&context, &whole, &whole_state, BATCH, options())?;

    one.write_input(&points)?;
    two.write_targets(Targets::Classes(&classes))?;
    all.write_input(&points)?;
    all.write_targets(Targets::Classes(&classes))?;

    let (from, to) = (two.signal_planes(At::Input)?, one.outside_signal()?.planes());
    for step in 0..=STEPS {
        let mut encoder = context.device().create_command_encoder(&Default::default());
        one.record_forward(&mut encoder);
        two.record_step(&mut encoder, Pass::FULL)?;
        let (source, size) = (from.bytes(), to.bytes().end - to.bytes().start);
        encoder.copy_buffer_to_buffer(from.buffer(), source.start, to.buffer(), to.bytes().start, size);
        one.record_backward_step(&mut encoder, Pass::FULL)?;
        all.record_step(&mut encoder, Pass::FULL)?;
        context.queue().submit([encoder.finish()]);
        if step % 100 == 0 {
            let losses = context.read_blocking(&[two.loss()?, all.loss()?])?;
            println!("step {step}: loss {:.6} in two, {:.6} at once", losses[0][0], losses[1][0]);
        }
    }

    let states = [&first_state, &second_state, &whole_state];
    let read = context.read_blocking(&states.map(State::parameters))?;
    let apart = [&read[0][..first.flat_len()], &read[1][..second.flat_len()]].concat();
    let difference = apart.iter().zip(&read[2]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("largest difference of a parameter after {} steps: {difference:e}", STEPS + 1);
    Ok(())
}
