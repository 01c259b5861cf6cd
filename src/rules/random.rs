//! Random numbers for estimates.

/// A generator for `seed`. Those of `fastrand` with neighbouring seeds resemble each other, so that a mean over draws from seeds that
/// count up would keep an error; the seed's bits are mixed first (SplitMix64's function, Steele, Lea & Flood 2014).
pub(crate) fn generator(seed: u64) -> fastrand::Rng {
    let mix = |x: u64, shift: u32, factor: u64| (x ^ (x >> shift)).wrapping_mul(factor);
    let x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = mix(mix(x, 30, 0xBF58_476D_1CE4_E5B9), 27, 0x94D0_49BB_1331_11EB);
    fastrand::Rng::with_seed(x ^ (x >> 31))
}
