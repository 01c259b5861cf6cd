//! Proximal policy optimisation: Schulman et al., 2017, arXiv 1707.06347. Actor and critic are networks of their own, each with a
//! trainer; the actor's loss is the crate's, with its Hessian diagonal. Their layers are orthogonal at first, the actor's last one small.

use crate::common::backend::Backend;
use crate::policy::Policy;
use crate::task::{End, Task, World};
use fastrand::Rng;
use hesscale::model::{Init, Targets, discrete_policy_targets, gaussian_policy_targets};
use hesscale::train::{RewardScale, RunningNormalization, Trainer, TrainerOptions};
use hesscale::{Activation, Model, Optimizer, Result};

/// Environments side by side, and steps in each between updates.
const WORLDS: usize = 8;
const HORIZON: usize = 32;
/// Passes over the samples at each update.
const EPOCHS: usize = 20;
/// Of generalised advantage estimation (Schulman et al., 2016, arXiv 1506.02438).
const DECAY: f32 = 0.95;
const CLIP: f64 = 0.2;

/// Of rewards. A pole falls long after the mistake; a pendulum's costs soon tell what an action was worth.
fn discount(task: Task) -> f32 {
    match task {
        Task::CartPole => 0.99,
        Task::Pendulum => 0.9,
    }
}

/// An agent in training.
#[derive(Debug)]
pub(crate) struct Agent {
    policy: Policy,
    actor: Trainer,
    critic: Trainer,
    rate: f32,
    discount: f32,
    worlds: Vec<Followed>,
    observations: RunningNormalization,
    random: Rng,
    /// Environment steps so far, and how many there will be.
    steps: usize,
    last: usize,
    /// Returns of all episodes that ended, and when.
    pub(crate) episodes: Vec<(usize, f64)>,
}

/// An environment, the return of its episode so far, and the scale of its rewards.
#[derive(Debug)]
struct Followed {
    world: World,
    so_far: f64,
    rewards: RewardScale,
}

/// What a policy did, in the order of steps, then environments.
#[derive(Debug, Default)]
struct Rollout {
    observations: Vec<f32>,
    actions: Vec<f32>,
    log_probs: Vec<f32>,
    rewards: Vec<f32>,
    ends: Vec<End>,
    /// Of the observation that a step led to, before a new episode begins.
    next_values: Vec<f32>,
    values: Vec<f32>,
}

pub(crate) fn actor(task: Task) -> Result<Model> {
    let policy = task.policy();
    hidden(task.observed()).dense(policy.outputs()).loss(policy.ppo(CLIP))
}

fn critic(task: Task) -> Result<Model> {
    hidden(task.observed()).dense(1).loss(hesscale::Loss::mse())
}

fn hidden(inputs: usize) -> hesscale::model::Builder {
    Model::builder([inputs]).dense(64).act(Activation::Tanh).dense(64).act(Activation::Tanh)
}

/// Gains of √2, and for the last layer another.
fn orthogonal(model: &Model, last: f32, seed: u64) -> Result<Vec<f32>> {
    let mut parameters = model.init(Init::Orthogonal { gain: 2.0_f64.sqrt() }, seed)?;
    let head = model.parameter_named("4.weight")?.range();
    parameters[head].iter_mut().for_each(|w| *w *= last / 2.0_f32.sqrt());
    Ok(parameters)
}

impl Agent {
    /// Trains for `last` steps of the environment. The learning rate falls linearly to 0.
    pub(crate) fn new(
        backend: &Backend,
        task: Task,
        optimizer: Optimizer,
        seed: u64,
        last: usize,
    ) -> Result<Agent> {
        let discount = discount(task);
        let trainer = |model: Model, gain: f32, seed: u64| {
            let mut trainer = backend.trainer(&model, optimizer, TrainerOptions::default().seed(seed))?;
            trainer.set_parameters(&orthogonal(&model, gain, seed)?)?;
            Ok(trainer)
        };
        let followed = |world: u64| {
            let world = task.world(1000 * seed + world);
            Ok(Followed { world, so_far: 0.0, rewards: RewardScale::new(discount)? })
        };
        Ok(Agent {
            policy: task.policy(),
            actor: trainer(actor(task)?, 0.01, 2 * seed)?,
            critic: trainer(critic(task)?, 1.0, 2 * seed + 1)?,
            rate: optimizer.learning_rate,
            discount,
            worlds: (0..WORLDS as u64).map(followed).collect::<Result<_>>()?,
            observations: RunningNormalization::new(task.observed())?,
            random: Rng::with_seed(seed),
            steps: 0,
            last,
            episodes: Vec::new(),
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.steps >= self.last
    }

    /// Acts, then learns from it.
    pub(crate) fn update(&mut self) -> Result<()> {
        let left = 1.0 - self.steps as f32 / self.last as f32;
        self.actor.set_learning_rate(self.rate * left)?;
        self.critic.set_learning_rate(self.rate * left)?;
        let rollout = self.act()?;
        let advantages = rollout.advantages(self.discount);
        let returns: Vec<f32> = advantages.iter().zip(&rollout.values).map(|(a, v)| a + v).collect();
        let (actions, advantages) = (&rollout.actions, normalised(&advantages));
        let targets = match self.policy {
            Policy::Softmax(_) => {
                let actions: Vec<u32> = actions.iter().map(|action| *action as u32).collect();
                discrete_policy_targets(&actions, &rollout.log_probs, &advantages)
            }
            Policy::Gaussian(_) => gaussian_policy_targets(actions, &rollout.log_probs, &advantages),
        }?;
        for _ in 0..EPOCHS {
            self.actor.step(&rollout.observations, Targets::Values(&targets))?;
            self.critic.step(&rollout.observations, Targets::Values(&returns))?;
        }
        // A loss that is not finite is an error.
        self.actor.loss()?;
        self.critic.loss().map(drop)
    }

    /// `HORIZON` steps of each environment by the present policy.
    fn act(&mut self) -> Result<Rollout> {
        let mut rollout = Rollout::default();
        for _ in 0..HORIZON {
            let mut seen: Vec<f32> = self.worlds.iter().flat_map(|each| each.world.observation()).collect();
            self.observations.observe(&seen)?;
            self.observations.normalize(&mut seen)?;
            let outputs = self.actor.predict(&seen)?;
            rollout.values.extend(self.critic.predict(&seen)?);
            let mut reached = Vec::with_capacity(seen.len());
            for (each, outputs) in self.worlds.iter_mut().zip(outputs.chunks(self.policy.outputs())) {
                let action = self.policy.sample(outputs, &mut self.random);
                let (reward, end) = each.world.step(&action);
                reached.extend(each.world.observation());
                self.steps += 1;
                each.so_far += f64::from(reward);
                if end != End::No {
                    self.episodes.push((self.steps, each.so_far));
                    each.so_far = 0.0;
                    each.world.reset();
                }
                rollout.log_probs.push(self.policy.log_prob(outputs, &action));
                rollout.actions.extend(action);
                rollout.rewards.push(each.rewards.scale(reward, end != End::No)?);
                rollout.ends.push(end);
            }
            self.observations.normalize(&mut reached)?;
            rollout.next_values.extend(self.critic.predict(&reached)?);
            rollout.observations.extend(seen);
        }
        Ok(rollout)
    }
}

impl Rollout {
    /// Generalised advantage estimation. Behind a lost episode there is nothing; where time is up, what the critic expects.
    fn advantages(&self, discount: f32) -> Vec<f32> {
        let mut advantages = vec![0.0; self.ends.len()];
        for world in 0..WORLDS {
            let mut carried = 0.0;
            for i in (0..HORIZON).rev().map(|step| step * WORLDS + world) {
                let next = if self.ends[i] == End::Lost { 0.0 } else { self.next_values[i] };
                let surprise = self.rewards[i] + discount * next - self.values[i];
                let goes_on = if self.ends[i] == End::No { 1.0 } else { 0.0 };
                carried = surprise + discount * DECAY * goes_on * carried;
                advantages[i] = carried;
            }
        }
        advantages
    }
}

/// Mean 0, standard deviation 1.
fn normalised(values: &[f32]) -> Vec<f32> {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
    values.iter().map(|v| (v - mean) / (variance.sqrt() + 1e-8)).collect()
}
