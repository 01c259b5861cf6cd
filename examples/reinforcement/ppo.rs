//! Proximal policy optimisation: Schulman et al., 2017, arXiv 1707.06347. Actor and critic are networks of their own, each with a
//! trainer; the actor's loss is the crate's, with its Hessian diagonal.

use crate::cart_pole::{ACTIONS, CartPole, End, OBSERVED};
use crate::common::backend::Backend;
use fastrand::Rng;
use hesscale::model::{Targets, discrete_policy_targets};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Loss, Model, Optimizer, Result};

/// Environments side by side, and steps in each between updates.
const CARTS: usize = 8;
const HORIZON: usize = 32;
/// Passes over the samples at each update.
const EPOCHS: usize = 20;
/// Discount of rewards, and the decay of generalised advantage estimation (Schulman et al., 2016, arXiv 1506.02438).
const DISCOUNT: f32 = 0.98;
const DECAY: f32 = 0.8;
const CLIP: f64 = 0.2;

/// An agent in training.
#[derive(Debug)]
pub(crate) struct Agent {
    actor: Trainer,
    critic: Trainer,
    rate: f32,
    carts: Vec<CartPole>,
    random: Rng,
    /// Environment steps so far, and how many there will be.
    steps: usize,
    last: usize,
    /// Returns of all episodes that ended, and when.
    pub(crate) episodes: Vec<(usize, u32)>,
}

/// What a policy did, in the order of steps, then environments.
#[derive(Debug, Default)]
struct Rollout {
    observations: Vec<f32>,
    actions: Vec<u32>,
    log_probs: Vec<f32>,
    rewards: Vec<f32>,
    ends: Vec<End>,
    /// Of the observation that a step led to, before a new episode begins.
    next_values: Vec<f32>,
    values: Vec<f32>,
}

pub(crate) fn actor() -> Result<Model> {
    hidden().dense(ACTIONS).loss(Loss::ppo_discrete(CLIP, 0.0))
}

fn critic() -> Result<Model> {
    hidden().dense(1).loss(Loss::mse())
}

fn hidden() -> hesscale::model::Builder {
    Model::builder([OBSERVED]).dense(64).act(Activation::Tanh).dense(64).act(Activation::Tanh)
}

impl Agent {
    /// Trains for `last` steps of the environment. The learning rate falls linearly to 0.
    pub(crate) fn new(backend: &Backend, optimizer: Optimizer, seed: u64, last: usize) -> Result<Agent> {
        let options = || TrainerOptions::default().seed(seed);
        Ok(Agent {
            actor: backend.trainer(&actor()?, optimizer, options())?,
            critic: backend.trainer(&critic()?, optimizer, options())?,
            rate: optimizer.learning_rate,
            carts: (0..CARTS as u64).map(|cart| CartPole::new(1000 * seed + cart)).collect(),
            random: Rng::with_seed(seed),
            steps: 0,
            last,
            episodes: Vec::new(),
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.steps >= self.last
    }

    /// Environment steps so far.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// Acts, then learns from it.
    pub(crate) fn update(&mut self) -> Result<()> {
        let left = 1.0 - self.steps as f32 / self.last as f32;
        self.actor.set_learning_rate(self.rate * left)?;
        self.critic.set_learning_rate(self.rate * left)?;
        let rollout = self.act()?;
        let advantages = rollout.advantages();
        let returns: Vec<f32> = advantages.iter().zip(&rollout.values).map(|(a, v)| a + v).collect();
        let targets =
            discrete_policy_targets(&rollout.actions, &rollout.log_probs, &normalised(&advantages))?;
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
            let seen: Vec<f32> = self.carts.iter().flat_map(CartPole::observation).collect();
            let logits = self.actor.predict(&seen)?;
            rollout.values.extend(self.critic.predict(&seen)?);
            let mut reached = Vec::with_capacity(seen.len());
            for (cart, logits) in self.carts.iter_mut().zip(logits.chunks(ACTIONS)) {
                let log_probs = log_softmax(logits);
                let action = u32::from(self.random.f32() >= log_probs[0].exp());
                let end = cart.step(action);
                reached.extend(cart.observation());
                self.steps += 1;
                if end != End::No {
                    self.episodes.push((self.steps, cart.steps()));
                    cart.reset();
                }
                rollout.actions.push(action);
                rollout.log_probs.push(log_probs[action as usize]);
                rollout.rewards.push(1.0);
                rollout.ends.push(end);
            }
            rollout.next_values.extend(self.critic.predict(&reached)?);
            rollout.observations.extend(seen);
        }
        Ok(rollout)
    }

    /// The mean return of the likeliest actions in `episodes` new episodes.
    pub(crate) fn evaluate(&mut self, episodes: u64) -> Result<f64> {
        let mut total = 0;
        for episode in 0..episodes {
            let mut cart = CartPole::new(900_000 + episode);
            loop {
                let logits = self.actor.predict(&cart.observation())?;
                if cart.step(u32::from(logits[1] > logits[0])) != End::No {
                    break;
                }
            }
            total += cart.steps();
        }
        Ok(f64::from(total) / episodes as f64)
    }
}

impl Rollout {
    /// Generalised advantage estimation. Behind a lost episode there is nothing; where time is up, what the critic expects.
    fn advantages(&self) -> Vec<f32> {
        let mut advantages = vec![0.0; self.actions.len()];
        for cart in 0..CARTS {
            let mut carried = 0.0;
            for i in (0..HORIZON).rev().map(|step| step * CARTS + cart) {
                let next = if self.ends[i] == End::Lost { 0.0 } else { self.next_values[i] };
                let surprise = self.rewards[i] + DISCOUNT * next - self.values[i];
                let goes_on = if self.ends[i] == End::No { 1.0 } else { 0.0 };
                carried = surprise + DISCOUNT * DECAY * goes_on * carried;
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

fn log_softmax(logits: &[f32]) -> [f32; ACTIONS] {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum = logits.iter().map(|z| (z - most).exp()).sum::<f32>().ln();
    std::array::from_fn(|action| logits[action] - most - sum)
}
