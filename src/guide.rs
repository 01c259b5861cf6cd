//! The documents of the repository, as they are there. What they link to is told here where that is another page.

pub mod architecture {
    //! How it is built, and where a change goes.
    #![doc = ""]
    #![doc = include_str!("../docs/architecture.md")]
}

pub mod curvature {
    //! What a Hessian diagonal is good for: pruning, a posterior, reinforcement learning.
    #![doc = ""]
    #![doc = concat!("[reinforcement]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/reinforcement.svg")]
    #![doc = concat!("[prune]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/prune.svg")]
    #![doc = concat!("[laplace]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/laplace.svg")]
    #![doc = ""]
    #![doc = include_str!("../docs/curvature.md")]
}

pub mod embedding {
    //! On a device of the host's own.
    #![doc = ""]
    #![doc = concat!("[psnr]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/psnr.svg")]
    #![doc = concat!("[hash_grid]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/hash_grid.png")]
    #![doc = concat!("[neural_sdf]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/neural_sdf.png")]
    #![doc = concat!("[gan]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/gan.svg")]
    #![doc = ""]
    #![doc = include_str!("../docs/embedding.md")]
}

pub mod optimizers {
    //! Their formulas, what limits a step, groups of parameters.
    #![doc = ""]
    #![doc = include_str!("../docs/optimizers.md")]
}

pub mod performance {
    //! What was measured, where.
    #![doc = ""]
    #![doc = concat!("[cost]: https://docs.rs/crate/hesscale/", env!("CARGO_PKG_VERSION"), "/source/docs/cost.svg")]
    #![doc = ""]
    #![doc = include_str!("../docs/performance.md")]
}

pub mod plugs {
    //! A loss or an activation in your own WGSL.
    #![doc = ""]
    #![doc = include_str!("../docs/plugs.md")]
}

pub mod portability {
    //! What was run, on what.
    #![doc = ""]
    #![doc = "[f16]: super::performance#storage-in-f16"]
    #![doc = ""]
    #![doc = include_str!("../docs/portability.md")]
}

pub mod rejected {
    //! What did not help.
    #![doc = ""]
    #![doc = include_str!("../docs/rejected.md")]
}
