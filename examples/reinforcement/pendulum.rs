//! A pendulum to be swung up and held, as Gymnasium's `Pendulum-v1` has it: 200 steps, a cost for the angle from upright, the speed and
//! the torque.

use fastrand::Rng;
use std::f64::consts::{PI, TAU};

/// Cosine and sine of the angle, angular speed.
pub(crate) const OBSERVED: usize = 3;

const GRAVITY: f64 = 10.0;
const SECONDS: f64 = 0.05;
const FASTEST: f64 = 8.0;
const STRONGEST: f64 = 2.0;
const STEPS: u32 = 200;

#[derive(Debug, Clone)]
pub(crate) struct Pendulum {
    /// From upright, in -π to π.
    angle: f64,
    speed: f64,
    steps: u32,
    random: Rng,
}

impl Pendulum {
    pub(crate) fn new(seed: u64) -> Pendulum {
        let mut pendulum = Pendulum { angle: 0.0, speed: 0.0, steps: 0, random: Rng::with_seed(seed) };
        pendulum.reset();
        pendulum
    }

    /// Begins an episode.
    pub(crate) fn reset(&mut self) {
        self.angle = PI * (2.0 * self.random.f64() - 1.0);
        self.speed = 2.0 * self.random.f64() - 1.0;
        self.steps = 0;
    }

    pub(crate) fn observation(&self) -> [f32; OBSERVED] {
        [self.angle.cos(), self.angle.sin(), self.speed].map(|x| x as f32)
    }

    /// Turns by a torque, in units of the strongest, clipped there; mass and length are 1. Returns the reward, and whether time is up.
    pub(crate) fn step(&mut self, torque: f64) -> (f64, bool) {
        let torque = STRONGEST * torque.clamp(-1.0, 1.0);
        let cost = self.angle.powi(2) + 0.1 * self.speed.powi(2) + 0.001 * torque.powi(2);
        let turn = 1.5 * GRAVITY * self.angle.sin() + 3.0 * torque;
        self.speed = (self.speed + SECONDS * turn).clamp(-FASTEST, FASTEST);
        let angle = self.angle + SECONDS * self.speed;
        self.angle = (angle + PI).rem_euclid(TAU) - PI;
        self.steps += 1;
        (-cost, self.steps == STEPS)
    }
}
