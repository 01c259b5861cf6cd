//! Actor-critic from a stream: Elsayed, Vasan & Mahmood, "Streaming Deep Reinforcement Learning Finally Works", 2024, arXiv 2410.14606. Each
//! transition is learnt from once, when it happens, and forgotten: no buffer, no batch. With ObGD both networks follow eligibility traces,
//! and the temporal-difference error δ scales a bounded step; other optimisers descend `½ δ²` and `−δ log π`.

use crate::policy::Policy;
use crate::task::{End, Task, World};
use fastrand::Rng;
use hesscale::cpu::{Executor, ExecutorOptions, Threads, update};
use hesscale::model::{Builder, Init, LayerNorm, Noise, OptimizerState, OutputSignal, Rule, Transition};
use hesscale::train::{RewardScale, RunningNormalization};
use hesscale::{Activation, Loss, Mode, Model, Optimizer, Result};

pub(crate) const DISCOUNT: f32 = 0.99;
/// Of traces.
const DECAY: f32 = 0.8;
/// Of a softmax's entropy. A Gaussian has none: its torque is clipped, and a bonus for what is beyond that widens it without end.
const BONUS: f32 = 0.01;
const HIDDEN: usize = 64;
/// Of ObGD.
const ACTORS_KAPPA: f32 = 3.0;
const CRITICS_KAPPA: f32 = 2.0;

/// An agent in training.
#[derive(Debug)]
pub(crate) struct Agent {
    world: World,
    policy: Policy,
    actor: Learner,
    critic: Learner,
    observations: RunningNormalization,
    rewards: RewardScale,
    random: Rng,
    /// The observation, normalised, and whether an episode begins with it.
    seen: Vec<f32>,
    first: bool,
    /// The return of this episode so far.
    so_far: f64,
    steps: usize,
    /// Returns of all episodes that ended, and when.
    pub(crate) episodes: Vec<(usize, f64)>,
}

/// Two hidden layers, sparse at first, each normalised before its activation.
pub(crate) fn network(inputs: usize, outputs: usize) -> Result<Model> {
    let hidden = |builder: Builder| {
        let normalised = builder.dense(HIDDEN).layer(LayerNorm::new().affine(false));
        normalised.act(Activation::LeakyRelu { alpha: 0.01 })
    };
    hidden(hidden(Model::builder([inputs]))).dense(outputs).loss(Loss::external())
}

impl Agent {
    pub(crate) fn new(task: Task, optimizer: Optimizer, seed: u64) -> Result<Agent> {
        let (inputs, policy) = (task.observed(), task.policy());
        let learner = |outputs, kappa, seed| {
            let optimizer = match optimizer.rule {
                Rule::ObGd { .. } | Rule::AdaptiveObGd { .. } => {
                    optimizer.trace(DISCOUNT * DECAY).kappa(kappa)
                }
                _ => optimizer,
            };
            Learner::new(&network(inputs, outputs)?, optimizer, seed)
        };
        let mut agent = Agent {
            world: task.world(seed),
            policy,
            actor: learner(policy.outputs(), ACTORS_KAPPA, 2 * seed)?,
            critic: learner(1, CRITICS_KAPPA, 2 * seed + 1)?,
            observations: RunningNormalization::new(inputs)?,
            rewards: RewardScale::new(DISCOUNT)?,
            random: Rng::with_seed(seed),
            seen: Vec::new(),
            first: true,
            so_far: 0.0,
            steps: 0,
            episodes: Vec::new(),
        };
        agent.seen = agent.observe()?;
        Ok(agent)
    }

    fn observe(&mut self) -> Result<Vec<f32>> {
        let mut seen = self.world.observation();
        self.observations.observe(&seen)?;
        self.observations.normalize(&mut seen)?;
        Ok(seen)
    }

    /// One step of the environment, and what is learnt from it.
    pub(crate) fn step(&mut self) -> Result<()> {
        let outputs = self.actor.outputs(&self.seen)?;
        let action = self.policy.sample(&outputs, &mut self.random);
        let (reward, end) = self.world.step(&action);
        self.steps += 1;
        self.so_far += f64::from(reward);
        let reward = self.rewards.scale(reward, end != End::No)?;
        let next = self.observe()?;
        let after = if end == End::Lost { 0.0 } else { self.critic.outputs(&next)?[0] };
        let value = self.critic.outputs(&self.seen)?[0];
        let error = reward + DISCOUNT * after - value;

        let bonus = if matches!(self.policy, Policy::Softmax(_)) { BONUS } else { 0.0 };
        let told = Transition { error, first: self.first };
        if self.critic.traces() {
            // z follows log π and a bonus whose sign is δ's, for δ multiplies it.
            let (g, h) = self.policy.signal(&outputs, &action, 1.0, bonus * error.signum());
            self.critic.learn(&[-1.0], &[0.0], told)?;
            self.actor.learn(&g, &h, told)?;
        } else {
            let (g, h) = self.policy.signal(&outputs, &action, error, bonus);
            self.critic.learn(&[-error], &[1.0], told)?;
            self.actor.learn(&g, &h, told)?;
        }

        (self.seen, self.first) = (next, end != End::No);
        if end != End::No {
            self.episodes.push((self.steps, self.so_far));
            self.so_far = 0.0;
            self.world.reset();
            self.seen = self.observe()?;
        }
        Ok(())
    }
}

/// A network and its optimiser.
#[derive(Debug)]
struct Learner {
    executor: Executor,
    threads: Threads,
    parameters: Vec<f32>,
    optimizer: Optimizer,
    memory: OptimizerState<f32>,
}

impl Learner {
    fn new(model: &Model, optimizer: Optimizer, seed: u64) -> Result<Learner> {
        let threads = Threads::new(1)?;
        let options = ExecutorOptions::training(optimizer.rule.mode()).threads(threads.clone());
        Ok(Learner {
            executor: Executor::new(model, 1, options)?,
            threads,
            parameters: model.init(Init::Sparse { share: 0.9 }, seed)?,
            optimizer,
            memory: OptimizerState::new(model.flat_len()),
        })
    }

    /// Whether the optimiser keeps a trace.
    fn traces(&self) -> bool {
        matches!(self.optimizer.rule, Rule::ObGd { .. } | Rule::AdaptiveObGd { .. })
    }

    fn outputs(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        self.executor.forward(&self.parameters, x, Noise::default()).map(<[f32]>::to_vec)
    }

    /// A step by the signal at the outputs of the last `outputs`.
    fn learn(&mut self, g: &[f32], h: &[f32], told: Transition) -> Result<()> {
        let mode = self.optimizer.rule.mode();
        let h = if mode == Mode::None { &[] } else { h };
        self.executor.backward(mode, &self.parameters, OutputSignal { g, h, u: &[] })?;
        let optimizer = if self.traces() { self.optimizer.transition(told) } else { self.optimizer };
        let (gradient, diagonal) = (self.executor.gradient(), self.executor.diagonal());
        update(&self.threads, &optimizer, &mut self.memory, &mut self.parameters, gradient, diagonal)
    }
}
