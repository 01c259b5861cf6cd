//! WGSL files and their composition: a header of constants, then whole files. The order of declarations does not matter in WGSL,
//! so composition is concatenation.

use super::LANES;
use crate::model::Activation;
use std::fmt::Write;

/// Every file of `shaders/` by its path there, without the ending: what `build.rs` found.
pub(crate) const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

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
    if let Some((name, value)) = activation.parameter() {
        header.float(&name.to_uppercase(), value as f32);
    }
    if let Activation::Custom(custom) = activation {
        return [custom.shader(), "lib/math"];
    }
    let file = FILES
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.strip_prefix("act/fn/") == Some(activation.name()));
    [file.expect("every activation has a file: a test says so"), "lib/math"]
}

/// Files by their names. What begins with a comment is a text by itself.
pub(crate) fn compose(header: &Header, files: &[&str]) -> String {
    let mut text = header.0.clone();
    for name in files {
        if name.starts_with("//") {
            write!(text, "\n{name}").expect("a String takes every write");
            continue;
        }
        write!(text, "\n// {name}.wgsl\n{}", file(name)).expect("a String takes every write");
    }
    text
}

/// The text of one file.
pub(crate) fn file(name: &str) -> &'static str {
    FILES.iter().find(|(file, _)| *file == name).expect("only listed files are named").1
}
