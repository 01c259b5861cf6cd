//! The example `neural_sdf`: what a fragment shader draws of a network in training.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/in_a_frame_loop/frame.rs"]
mod frame;
#[path = "../examples/neural_sdf/learner.rs"]
mod learner;
#[path = "../examples/in_a_frame_loop/picture.rs"]
mod picture;
#[path = "../examples/neural_sdf/view.rs"]
mod view;

use hesscale::{Context, Request};
use learner::{Learner, SHAPE};
use picture::Picture;
use view::View;

/// The part of the pixels at which both have the shape, or both the background.
fn agreement(a: &Picture, b: &Picture) -> f64 {
    let background = |picture: &Picture| -> Vec<bool> {
        picture.rgb.chunks(3).map(|pixel| pixel == &picture.rgb[..3]).collect()
    };
    let (a, b) = (background(a), background(b));
    a.iter().zip(&b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

/// One pipeline, whose frames follow the parameters; the frame of a trained network is that of the shape.
#[test]
fn frames_follow_training() {
    let context = pollster::block_on(Context::request_with(&Request::from_env())).expect("an adapter");
    let view =
        |text: &str, parameters| View::new(context.device(), context.queue(), [60, 50], text, parameters);
    let mut learner = Learner::new(&context).unwrap();
    let learned = view(&learner.distance().unwrap(), Some(learner.parameters()));
    let shape = view(SHAPE, None).picture().unwrap();
    let shown = shape.rgb.chunks(3).filter(|pixel| *pixel != &shape.rgb[..3]).count();
    assert!((400..2000).contains(&shown), "the shape is {shown} of 3000 pixels");
    let (before, error) = (learned.picture().unwrap(), learner.error().unwrap());
    learner.train(400).unwrap();
    let (after, trained) = (learned.picture().unwrap(), learner.error().unwrap());
    let agreements = [&before, &after].map(|picture| agreement(picture, &shape));
    println!("error {error} and {trained}, agreement {agreements:?}");
    assert!(trained < 0.06 && trained < 0.5 * error, "{error} and then {trained}");
    assert!(agreements[1] > 0.9 && agreements[0] < agreements[1], "{agreements:?}");
}
