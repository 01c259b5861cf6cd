//! WGSL files and their composition: a header of constants, then whole files. The order of declarations does not matter in WGSL,
//! so composition is concatenation.

use super::LANES;
use crate::model::Activation;
use std::fmt::Write;

macro_rules! files {
    ($($folder:literal: $($name:ident)*;)*) => {
        /// Every shader file by its path below `shaders/`, without the ending.
        pub(crate) const FILES: &[(&str, &str)] = &[$($((
            concat!($folder, "/", stringify!($name)),
            include_str!(concat!("../../shaders/", $folder, "/", stringify!($name), ".wgsl")),
        )),*),*];
    };
}

files! {
    "act": backward forward;
    "act/fn": elu exp gelu gelu_tanh identity leaky_relu log_sigmoid relu selu sigmoid silu sin softplus
        tanh;
    "batchnorm": batchnorm forward;
    "cast": cast;
    "channel_sums": batchnorm channel_sums depthwise params;
    "conv": diagonal no_diagonal pack packing unpack;
    "depthwise": bias forward no_bias params signal weight;
    "dropout": advance dropout forward;
    "gemm": a_image a_k a_m a_scalar a_vec4 b_image b_k b_n b_scalar b_updated b_vec4 below_none
        below_scalar below_vec4 bias cooperative diagonal_scalar diagonal_vec4 forward gemm hold_aside
        hold_out leave no_bias no_diagonal out_scalar out_vec4 parameters partial registers signal update
        walk_dense walk_samples walk_taps window workgroup;
    "gemm/join": logits_scalar logits_vec4 loss products;
    "gemm/whole": alone backward chunked count diagonal forward_only gather gather_diagonal
        gather_no_diagonal gather_no_update gather_update network no_count no_diagonal no_update read update
        weights write;
    "layout": params to_image to_rows;
    "lib": affine_forward affine_params alone divide largest math row_tops rows scalar store_exact
        store_saturated vector walk;
    "loss": bce_logits cross_entropy elementwise gaussian_log gaussian_softplus kernel logits mse
        no_weights params reduce total values weights;
    "optimizer": adaptive advance count diagonal no_diagonal no_update optimizer rule second sgd
        squared_diagonal squared_gradient state;
    "pool": adaptive factor_max factor_mean keep_bytes keep_none keep_words max_forward mean_forward
        params signal sliding tap_bytes tap_words weight;
    "residual": forward params signal;
    "signal": affine below gather lanes leave no_below;
    "zeropad": forward params signal;
}

/// The constants of a permutation.
#[derive(Debug, Default)]
pub(crate) struct Header(String);

impl Header {
    /// With the usual size of a workgroup.
    pub(crate) fn lanes() -> Header {
        let mut header = Header::default();
        header.number("LANES", LANES);
        header
    }

    pub(crate) fn number(&mut self, name: &str, value: u32) -> &mut Header {
        self.line(format_args!("const {name}: u32 = {value}u;"))
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Header {
        self.line(format_args!("const {name}: bool = {value};"))
    }

    pub(crate) fn pair(&mut self, name: &str, [height, width]: [usize; 2]) -> &mut Header {
        self.line(format_args!("const {name}: vec2<u32> = vec2<u32>({height}u, {width}u);"))
    }

    /// A float by its exact decimal expansion, so that no digit is lost on the way.
    pub(crate) fn float(&mut self, name: &str, value: f32) -> &mut Header {
        self.line(format_args!("const {name}: f32 = {value:?}f;"))
    }

    /// A WGSL extension; it must come first.
    pub(crate) fn enable(&mut self, name: &str) -> &mut Header {
        self.line(format_args!("enable {name};"))
    }

    pub(crate) fn alias(&mut self, name: &str, of: &str) -> &mut Header {
        self.line(format_args!("alias {name} = {of};"))
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> &mut Header {
        writeln!(self.0, "{line}").expect("a String takes every write");
        self
    }
}

/// Adds the activation's constants to the header. Returns its files.
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

pub(crate) fn compose(header: &Header, files: &[&str]) -> String {
    let mut text = header.0.clone();
    for name in files {
        let (_, body) = FILES.iter().find(|(file, _)| file == name).expect("only listed files are named");
        write!(text, "\n// {name}.wgsl\n{body}").expect("a String takes every write");
    }
    text
}
