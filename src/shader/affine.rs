//! Elementwise affine maps, forward and back: what batch normalisation and dropout share.

use super::{Flow, Header, LANES, Storage, compose, words};

/// `z = f(x)`, where `plugs` say what f is.
pub(crate) fn forward(storage: Storage, plugs: &[&'static str]) -> String {
    let mut header = Header::default();
    header.number("LANES", LANES);
    let body = ["lib/affine_params", "lib/each", "lib/affine_forward", storage.width().file()];
    compose(&header, &[&body[..], plugs].concat())
}

/// The signal through f and the activation below.
pub(crate) fn signal(storage: Storage, flow: &Flow, plugs: &[&'static str], extras: u32) -> String {
    let mut header = Header::default();
    header.number("LANES", LANES);
    let mut files = vec!["lib/affine_params", "lib/each", "signal/affine"];
    files.extend(plugs);
    files.extend(flow.files(&mut header, storage.width(), extras));
    compose(&header, &files)
}

/// The uniform of `lib/affine_params.wgsl`; `own` is what only dropout needs.
pub(crate) fn uniforms(storage: Storage, grid_x: u32, planes: [u32; 2], own: [u32; 3]) -> Vec<Vec<u8>> {
    let (channels, vectors, positions) = (storage.channels(), storage.vectors(), storage.positions());
    let [plane_in, plane_out] = planes;
    let first = [storage.values(), grid_x, plane_in, plane_out, channels, vectors, positions];
    words(&[&first[..], &own, &[0, 0]].concat())
}
