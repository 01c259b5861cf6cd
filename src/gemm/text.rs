//! The shader text of a product: the constants and the files of `shaders/gemm/` that make up each permutation.

use super::product::{Access, Gemm, GradientSink, Use};
use super::tile::{Family, Tile};
use crate::model::Activation;
use crate::shader::{Dtype, Header, activation, compose};

impl Gemm {
    /// The shader, with its result stored as `result`.
    pub(crate) fn source(&self, result: Dtype) -> String {
        self.source_with(result, None)
    }

    /// The same, with a file that replaces the one that reads a signal's weights.
    pub(super) fn source_with(&self, result: Dtype, weights: Option<&'static str>) -> String {
        let tile = self.tile();
        let Tile { family, rows, vectors, width, height } = tile;
        let (finished_rows, finished_vectors) = tile.finished();
        let mut header = Header::default();
        if let Family::Cooperative { matrices, .. } = family {
            matrices.types(&mut header);
        }
        header
            .number("TM", finished_rows)
            .number("V", finished_vectors)
            .number("WX", width)
            .number("WY", height);
        let [_, lanes_y] = tile.shape();
        header.number("SLICES", lanes_y / height).number("P", self.components());
        let partial = matches!(self.usage, Use::Partial { .. });
        let taps = self.image.is_some() && !partial;
        header.number("KEPT", self.kept()).number("TAPS", self.image.map_or(1, |image| image.taps()));
        header.flag("LONG", self.sizes().long).number("RUN", self.run().0);
        header.flag("JOINT", partial && self.kept() < self.components());
        let out = Access::of(self.n);
        let mut files = vec!["gemm/gemm"];
        if family != Family::Sliced {
            files.push("gemm/finish_own");
        }
        if !matches!(self.usage, Use::Parameters { sink: GradientSink::Update(_), .. }) {
            files.push(out.pick("gemm/out_vec4", "gemm/out_scalar"));
        }
        if matches!(self.usage, Use::Forward { .. } | Use::Signal { .. }) {
            files.push(match result {
                Dtype::F32 => "gemm/hold_out",
                Dtype::F16 => "gemm/hold_aside",
            });
        }
        if matches!(self.usage, Use::Parameters { .. } | Use::Partial { .. }) {
            let staged = matches!(family, Family::Workgroup { .. });
            files.push(if staged { "gemm/staged/side" } else { "gemm/side_one" });
        }
        match family {
            Family::Registers => {
                header.number("HELD", rows).number("KS", self.step());
                files.push("gemm/registers");
            }
            Family::Workgroup { steps, buffers, .. } => {
                let fetched = (rows * height * steps / 4).div_ceil(width * height);
                header.number("HELD", rows.max(fetched)).number("STEPS", steps).number("BUFFERS", buffers);
                files.extend([
                    "gemm/workgroup",
                    if taps { "gemm/staged/a_taps" } else { "gemm/staged/a_steady" },
                ]);
                files.extend(match self.usage {
                    Use::Forward { .. } => ["gemm/staged/b_steady", "gemm/staged/b_turned"],
                    Use::Partial { .. } => ["gemm/staged/b_positions", "gemm/staged/b_straight"],
                    _ => ["gemm/staged/b_steady", "gemm/staged/b_straight"],
                });
            }
            Family::Sliced => {
                header.number("SUM_ROWS", rows).number("SUM_VECTORS", vectors);
                files.push("gemm/sliced");
            }
            Family::Cooperative { matrices, steps } => {
                let (high, wide) = matrices.share(tile).unwrap_or((1, 1));
                header.number("STEPS", steps).number("HIGH", high).number("WIDE", wide);
                files.push("gemm/cooperative");
            }
        }
        let a = match (&self.image, partial) {
            (None, _) => {
                files.push("gemm/walk_dense");
                "gemm/a_k"
            }
            (Some(image), partial) => {
                image.constants(&mut header);
                files.extend([if partial { "gemm/walk_samples" } else { "gemm/walk_taps" }, "gemm/window"]);
                "gemm/a_image"
            }
        };
        match self.usage {
            Use::Forward { activation: function, bias, keep } => {
                let k = Access::of(self.k);
                header.flag("KEEP", keep);
                files.extend(["gemm/forward", a, "gemm/b_k"]);
                files
                    .extend([k.pick("gemm/a_vec4", "gemm/a_scalar"), k.pick("gemm/b_vec4", "gemm/b_scalar")]);
                files.push(if bias { "gemm/bias" } else { "gemm/no_bias" });
                files.extend(activation(&mut header, function));
            }
            Use::Signal { mode, below } => {
                let k = Access::of(self.k);
                header.flag("F2_TERM", mode.is_curved());
                files.extend(["gemm/signal", "signal/activation", "act/vector", a, "gemm/b_n"]);
                files.push(k.pick("gemm/a_vec4", "gemm/a_scalar"));
                files.push(weights.unwrap_or(out.pick("gemm/b_vec4", "gemm/b_scalar")));
                files.push(match below {
                    Activation::Identity => "gemm/below_none",
                    _ => out.pick("gemm/below_vec4", "gemm/below_scalar"),
                });
                files.extend(activation(&mut header, below));
            }
            Use::Parameters { diagonal, bias, sink } => {
                // Whether the last tile has rows past the end.
                header.flag("BIAS", bias).flag("RAGGED", !self.m.is_multiple_of(tile.high()));
                files.extend(["gemm/parameters", "gemm/a_m", "gemm/b_n"]);
                files.push(Access::of(self.m).pick("gemm/a_vec4", "gemm/a_scalar"));
                files.push(out.pick("gemm/b_vec4", "gemm/b_scalar"));
                if let GradientSink::Update(update) = sink {
                    header.number("MEMORY", 4);
                    files.push("gemm/update");
                    files.extend(update.rule(&mut header));
                } else {
                    header.flag("ACCUMULATE", sink == GradientSink::Accumulate);
                    files.push("gemm/leave");
                    files.push(match diagonal {
                        true => out.pick("gemm/diagonal_vec4", "gemm/diagonal_scalar"),
                        false => "gemm/no_diagonal",
                    });
                }
            }
            Use::Partial { bias, .. } => {
                header.flag("BIAS", bias);
                files.extend(["gemm/partial", "gemm/a_m", "gemm/a_vec4", "gemm/b_image", "gemm/b_vec4"]);
            }
        }
        compose(&header, &files)
    }
}
