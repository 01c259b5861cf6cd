//! CartPole, as Gymnasium's `CartPole-v1` has it: Barto, Sutton & Anderson, "Neuronlike Adaptive Elements That Can Solve Difficult
//! Learning Control Problems", 1983. A reward of 1 for each step that the pole stands, 500 steps at most.

use crate::task::End;
use fastrand::Rng;

/// Position and speed of the cart, angle and angular speed of the pole.
pub(crate) const OBSERVED: usize = 4;
/// Left and right.
pub(crate) const ACTIONS: usize = 2;
/// The return of an episode that is not lost.
const LONGEST: u32 = 500;

const GRAVITY: f64 = 9.8;
const CART: f64 = 1.0;
const POLE: f64 = 0.1;
const HALF_LENGTH: f64 = 0.5;
const FORCE: f64 = 10.0;
const SECONDS: f64 = 0.02;
const FARTHEST: f64 = 2.4;
const STEEPEST: f64 = 12.0 * std::f64::consts::TAU / 360.0;

#[derive(Debug, Clone)]
pub(crate) struct CartPole {
    state: [f64; OBSERVED],
    steps: u32,
    random: Rng,
}

impl CartPole {
    pub(crate) fn new(seed: u64) -> CartPole {
        let mut cart = CartPole { state: [0.0; OBSERVED], steps: 0, random: Rng::with_seed(seed) };
        cart.reset();
        cart
    }

    /// Begins an episode.
    pub(crate) fn reset(&mut self) {
        self.state = std::array::from_fn(|_| 0.1 * self.random.f64() - 0.05);
        self.steps = 0;
    }

    pub(crate) fn observation(&self) -> [f32; OBSERVED] {
        self.state.map(|x| x as f32)
    }

    /// Pushes left (0) or right (1).
    pub(crate) fn step(&mut self, action: u32) -> End {
        let [x, speed, angle, turning] = self.state;
        let force = if action == 1 { FORCE } else { -FORCE };
        let (sin, cos) = angle.sin_cos();
        let total = CART + POLE;
        let pull = (force + POLE * HALF_LENGTH * turning * turning * sin) / total;
        let turn = (GRAVITY * sin - cos * pull) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cos * cos / total));
        let push = pull - POLE * HALF_LENGTH * turn * cos / total;
        self.state = [
            x + SECONDS * speed,
            speed + SECONDS * push,
            angle + SECONDS * turning,
            turning + SECONDS * turn,
        ];
        self.steps += 1;
        if self.state[0].abs() > FARTHEST || self.state[2].abs() > STEEPEST {
            End::Lost
        } else if self.steps == LONGEST {
            End::Time
        } else {
            End::No
        }
    }
}
