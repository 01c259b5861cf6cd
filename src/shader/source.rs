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
    "act/backward",
    "act/fn/elu",
    "act/fn/exp",
    "act/fn/gelu",
    "act/fn/gelu_tanh",
    "act/fn/identity",
    "act/fn/leaky_relu",
    "act/fn/log_sigmoid",
    "act/fn/relu",
    "act/fn/selu",
    "act/fn/sigmoid",
    "act/fn/silu",
    "act/fn/sin",
    "act/fn/softplus",
    "act/fn/tanh",
    "act/forward",
    "act/scalar",
    "act/vector",
    "batchnorm/batchnorm",
    "batchnorm/forward",
    "cast/cast",
    "channel_sums/batchnorm",
    "channel_sums/channel_sums",
    "channel_sums/depthwise",
    "channel_sums/params",
    "conv/diagonal",
    "conv/no_diagonal",
    "conv/pack",
    "conv/packing",
    "conv/unpack",
    "depthwise/bias",
    "depthwise/forward",
    "depthwise/no_bias",
    "depthwise/params",
    "depthwise/signal",
    "depthwise/weight",
    "dropout/advance",
    "dropout/dropout",
    "dropout/forward",
    "gemm/a_image",
    "gemm/a_k",
    "gemm/a_m",
    "gemm/a_scalar",
    "gemm/a_vec4",
    "gemm/b_image",
    "gemm/b_k",
    "gemm/b_n",
    "gemm/b_scalar",
    "gemm/b_updated",
    "gemm/b_vec4",
    "gemm/below_none",
    "gemm/below_scalar",
    "gemm/below_vec4",
    "gemm/bias",
    "gemm/cooperative",
    "gemm/diagonal_scalar",
    "gemm/diagonal_vec4",
    "gemm/forward",
    "gemm/gemm",
    "gemm/hold_aside",
    "gemm/hold_out",
    "gemm/join/logits_scalar",
    "gemm/join/logits_vec4",
    "gemm/join/loss",
    "gemm/join/products",
    "gemm/leave",
    "gemm/no_bias",
    "gemm/no_diagonal",
    "gemm/out_scalar",
    "gemm/out_vec4",
    "gemm/parameters",
    "gemm/partial",
    "gemm/registers",
    "gemm/signal",
    "gemm/update",
    "gemm/walk_dense",
    "gemm/walk_samples",
    "gemm/walk_taps",
    "gemm/whole/alone",
    "gemm/whole/backward",
    "gemm/whole/chunked",
    "gemm/whole/count",
    "gemm/whole/diagonal",
    "gemm/whole/forward_only",
    "gemm/whole/gather",
    "gemm/whole/gather_diagonal",
    "gemm/whole/gather_no_diagonal",
    "gemm/whole/gather_no_update",
    "gemm/whole/gather_update",
    "gemm/whole/network",
    "gemm/whole/no_count",
    "gemm/whole/no_diagonal",
    "gemm/whole/no_update",
    "gemm/whole/read",
    "gemm/whole/update",
    "gemm/whole/weights",
    "gemm/whole/write",
    "gemm/window",
    "gemm/workgroup",
    "layout/params",
    "layout/to_image",
    "layout/to_rows",
    "lib/affine_forward",
    "lib/affine_params",
    "lib/alone",
    "lib/divide",
    "lib/each",
    "lib/elementwise",
    "lib/largest",
    "lib/math",
    "lib/row_tops",
    "lib/rows",
    "lib/scalar",
    "lib/store_exact",
    "lib/store_saturated",
    "lib/vector",
    "lib/walk",
    "loss/bce_logits",
    "loss/cross_entropy",
    "loss/elementwise",
    "loss/gaussian_log",
    "loss/gaussian_softplus",
    "loss/kernel",
    "loss/logits",
    "loss/mse",
    "loss/no_weights",
    "loss/params",
    "loss/reduce",
    "loss/total",
    "loss/values",
    "loss/weights",
    "optimizer/adaptive",
    "optimizer/advance",
    "optimizer/count",
    "optimizer/diagonal",
    "optimizer/no_diagonal",
    "optimizer/no_update",
    "optimizer/optimizer",
    "optimizer/rule",
    "optimizer/second",
    "optimizer/sgd",
    "optimizer/squared_diagonal",
    "optimizer/squared_gradient",
    "optimizer/state",
    "pool/adaptive",
    "pool/factor_max",
    "pool/factor_mean",
    "pool/keep_bytes",
    "pool/keep_none",
    "pool/keep_words",
    "pool/max_forward",
    "pool/mean_forward",
    "pool/places",
    "pool/signal",
    "pool/sliding",
    "pool/tap_bytes",
    "pool/tap_words",
    "pool/weight",
    "residual/forward",
    "residual/signal",
    "signal/activation",
    "signal/affine",
    "signal/below",
    "signal/gather",
    "signal/lanes",
    "signal/leave",
    "signal/no_below",
    "zeropad/forward",
    "zeropad/params",
    "zeropad/signal",
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
    let file = FILES
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.strip_prefix("act/fn/") == Some(activation.name()));
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
