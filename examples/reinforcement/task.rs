//! What is to be learnt: environments behind one interface.

use crate::cart_pole::{self, CartPole};
use crate::pendulum::{self, Pendulum};
use crate::policy::Policy;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    CartPole,
    Pendulum,
}

impl Task {
    pub(crate) const ALL: [Task; 2] = [Task::CartPole, Task::Pendulum];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Task::CartPole => "CartPole",
            Task::Pendulum => "Pendulum",
        }
    }

    /// The mean return of an agent that has solved the task, as Gymnasium has it, which knows none for the pendulum.
    pub(crate) fn solved(self) -> Option<f64> {
        match self {
            Task::CartPole => Some(475.0),
            Task::Pendulum => None,
        }
    }

    /// Numbers of an observation.
    pub(crate) fn observed(self) -> usize {
        match self {
            Task::CartPole => cart_pole::OBSERVED,
            Task::Pendulum => pendulum::OBSERVED,
        }
    }

    pub(crate) fn policy(self) -> Policy {
        match self {
            Task::CartPole => Policy::Softmax(cart_pole::ACTIONS),
            Task::Pendulum => Policy::Gaussian(1),
        }
    }

    pub(crate) fn world(self, seed: u64) -> World {
        match self {
            Task::CartPole => World::CartPole(CartPole::new(seed)),
            Task::Pendulum => World::Pendulum(Pendulum::new(seed)),
        }
    }
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    No,
    /// There is nothing to be had behind it.
    Lost,
    /// Time is up.
    Time,
}

/// An environment of a task.
#[derive(Debug, Clone)]
pub(crate) enum World {
    CartPole(CartPole),
    Pendulum(Pendulum),
}

impl World {
    pub(crate) fn reset(&mut self) {
        match self {
            World::CartPole(cart) => cart.reset(),
            World::Pendulum(pendulum) => pendulum.reset(),
        }
    }

    pub(crate) fn observation(&self) -> Vec<f32> {
        match self {
            World::CartPole(cart) => cart.observation().to_vec(),
            World::Pendulum(pendulum) => pendulum.observation().to_vec(),
        }
    }

    /// Acts as the task's policy has it. Returns the reward.
    pub(crate) fn step(&mut self, action: &[f32]) -> (f32, End) {
        match self {
            World::CartPole(cart) => (1.0, cart.step(action[0] as u32)),
            World::Pendulum(pendulum) => {
                let (reward, over) = pendulum.step(action[0].into());
                (reward as f32, if over { End::Time } else { End::No })
            }
        }
    }
}
