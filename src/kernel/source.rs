//! WGSL files and how they are put together: a header of constants, then whole files. Order does not matter in WGSL's
//! module scope, so composition is concatenation.

use crate::model::Activation;
use std::fmt::Write;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Every shader file by its path below `shaders/`, without the ending.
        pub(crate) const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../shaders/", $name, ".wgsl")))),*];
    };
}

files![
    "lib/math",
    "act/identity",
    "act/relu",
    "act/leaky_relu",
    "act/elu",
    "act/selu",
    "act/sigmoid",
    "act/tanh",
    "act/log_sigmoid",
    "act/softplus",
    "act/gelu",
    "act/gelu_tanh",
    "act/silu",
    "act/sin",
    "act/exp",
    "gemm/gemm",
    "gemm/registers",
    "gemm/workgroup",
    "gemm/cooperative",
    "gemm/walk_dense",
    "gemm/walk_taps",
    "gemm/walk_samples",
    "gemm/window",
    "gemm/a_k",
    "gemm/a_m",
    "gemm/a_image",
    "gemm/a_vec4",
    "gemm/a_scalar",
    "gemm/b_k",
    "gemm/b_n",
    "gemm/b_image",
    "gemm/b_vec4",
    "gemm/b_updated",
    "gemm/b_scalar",
    "gemm/out_vec4",
    "gemm/out_scalar",
    "gemm/hold_out",
    "gemm/hold_aside",
    "gemm/diagonal_vec4",
    "gemm/diagonal_scalar",
    "gemm/no_diagonal",
    "gemm/below_vec4",
    "gemm/below_scalar",
    "gemm/below_none",
    "gemm/bias",
    "gemm/no_bias",
    "gemm/forward",
    "gemm/signal",
    "gemm/parameters",
    "gemm/leave",
    "gemm/update",
    "gemm/partial",
    "convolution/packing",
    "convolution/pack",
    "convolution/unpack",
    "convolution/diagonal",
    "convolution/no_diagonal",
    "lib/rows",
    "lib/row_tops",
    "lib/largest",
    "lib/alone",
    "lib/walk",
    "lib/divide",
    "lib/vector",
    "lib/scalar",
    "loss/params",
    "loss/kernel",
    "loss/cross_entropy",
    "loss/logits",
    "loss/values",
    "loss/total",
    "loss/weights",
    "loss/no_weights",
    "loss/elementwise",
    "loss/mse",
    "loss/bce_logits",
    "loss/gaussian_log",
    "loss/gaussian_softplus",
    "reduce",
    "join/products",
    "join/loss",
    "join/logits_vec4",
    "join/logits_scalar",
    "elementwise/forward",
    "elementwise/backward",
    "number/exact",
    "number/saturated",
    "number/show",
    "optimizer/state",
    "optimizer/second",
    "optimizer/rule",
    "optimizer/count",
    "optimizer/diagonal",
    "optimizer/no_diagonal",
    "optimizer/advance",
    "optimizer/optimizer",
    "optimizer/sgd",
    "optimizer/adaptive",
    "optimizer/squared_gradient",
    "optimizer/squared_diagonal",
    "optimizer/no_update",
    "signal/below",
    "signal/gather",
    "signal/lanes",
    "signal/leave",
    "signal/no_below",
    "whole/network",
    "whole/read",
    "whole/write",
    "whole/forward_only",
    "whole/backward",
    "whole/alone",
    "whole/diagonal",
    "whole/no_diagonal",
    "whole/update",
    "whole/no_update",
    "whole/chunked",
    "whole/count",
    "whole/no_count",
    "whole/weights",
    "whole/gather",
    "whole/gather_diagonal",
    "whole/gather_no_diagonal",
    "whole/gather_update",
    "whole/gather_no_update",
    "layout/params",
    "layout/to_image",
    "layout/to_rows",
    "pool/adaptive",
    "pool/factor_max",
    "pool/factor_mean",
    "pool/keep_bytes",
    "pool/keep_none",
    "pool/keep_words",
    "pool/max_forward",
    "pool/mean_forward",
    "pool/params",
    "pool/signal",
    "pool/sliding",
    "pool/tap_bytes",
    "pool/tap_words",
    "pool/weight",
    "pad/forward",
    "pad/params",
    "pad/signal",
    "sum/forward",
    "sum/params",
    "sum/signal",
    "affine/advance",
    "affine/dropout",
    "affine/dropout_forward",
    "affine/forward",
    "affine/norm",
    "affine/norm_forward",
    "affine/params",
    "affine/signal",
    "depthwise/bias",
    "depthwise/forward",
    "depthwise/no_bias",
    "depthwise/params",
    "depthwise/signal",
    "depthwise/weight",
    "partial/depthwise",
    "partial/norm",
    "partial/params",
    "partial/partial",
];

/// Constants that a permutation is made of.
#[derive(Debug, Default)]
pub(crate) struct Header(String);

impl Header {
    pub(crate) fn number(&mut self, name: &str, value: u32) -> &mut Header {
        self.line(format_args!("const {name}: u32 = {value}u;"))
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Header {
        self.line(format_args!("const {name}: bool = {value};"))
    }

    /// Height and width.
    pub(crate) fn pair(&mut self, name: &str, [height, width]: [usize; 2]) -> &mut Header {
        self.line(format_args!("const {name}: vec2<u32> = vec2<u32>({height}u, {width}u);"))
    }

    /// A float by its exact decimal expansion, so that no digit is lost on the way.
    pub(crate) fn float(&mut self, name: &str, value: f32) -> &mut Header {
        self.line(format_args!("const {name}: f32 = {value:?}f;"))
    }

    /// An extension of WGSL; before all else.
    pub(crate) fn enable(&mut self, name: &str) -> &mut Header {
        self.line(format_args!("enable {name};"))
    }

    /// Another name of a type.
    pub(crate) fn alias(&mut self, name: &str, of: &str) -> &mut Header {
        self.line(format_args!("alias {name} = {of};"))
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> &mut Header {
        writeln!(self.0, "{line}").expect("a String takes every write");
        self
    }
}

/// The activation's constants into the header; its files out.
pub(crate) fn activation(header: &mut Header, activation: Activation) -> [&'static str; 2] {
    if let Some(alpha) = activation.alpha() {
        header.float("ALPHA", alpha as f32);
    }
    let file =
        FILES.iter().map(|(name, _)| *name).find(|name| name.strip_prefix("act/") == Some(activation.name()));
    [file.expect("every activation has a file: a test says so"), "lib/math"]
}

/// Header and files in one text.
pub(crate) fn compose(header: &Header, files: &[&str]) -> String {
    let mut text = header.0.clone();
    for name in files {
        let (_, body) = FILES.iter().find(|(file, _)| file == name).expect("only listed files are named");
        write!(text, "\n// {name}.wgsl\n{body}").expect("a String takes every write");
    }
    text
}
