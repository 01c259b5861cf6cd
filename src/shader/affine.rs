//! Elementwise maps z = s x + t, forward and back: what batch normalisation, PReLU and dropout share.

use super::{BatchShape, Flow, Header, compose, words};

/// `z = f(x)`, where `plugs` say what f is.
pub(crate) fn forward(shape: BatchShape, plugs: &[&'static str]) -> String {
    let body = ["lib/affine_params", "lib/each", "lib/affine_forward", shape.width().file()];
    compose(&Header::lanes(), &[&body[..], plugs].concat())
}

/// The signal through the map and the activation before it.
pub(crate) fn signal(shape: BatchShape, flow: &Flow, plugs: &[&'static str], extras: u32) -> String {
    let mut header = Header::lanes();
    let mut files = vec!["lib/affine_params", "lib/each", "signal/affine"];
    files.extend(plugs);
    files.extend(flow.files(&mut header, shape.width(), extras));
    compose(&header, &files)
}

/// The uniform of `lib/affine_params.wgsl`, for a map with parameters of so many channels; only dropout has words of its `own`.
pub(crate) fn uniforms(
    shape: BatchShape,
    channels: u32,
    grid_x: u32,
    planes: [u32; 2],
    own: [u32; 3],
) -> Vec<Vec<u8>> {
    let (vectors, positions) = (shape.vectors(), shape.positions());
    let [plane_in, plane_out] = planes;
    let first = [shape.values(), grid_x, plane_in, plane_out, channels, vectors, positions];
    words(&[&first[..], &own, &[0, 0]].concat())
}
