//! Names that the host may give a function.

use crate::plug::Word;
use crate::{Error, Result};

/// Keywords and reserved words of WGSL (W3C, WebGPU Shading Language, sections 15.1 and 15.2).
const RESERVED: &str = "alias break case const const_assert continue continuing default diagnostic discard else enable false fn \
     for if let loop override requires return struct switch true var while NULL Self abstract active alignas alignof as asm \
     asm_fragment async attribute auto await become binding_array cast catch class co_await co_return co_yield coherent \
     column_major common compile compile_fragment concept const_cast consteval constexpr constinit crate debugger decltype delete \
     demote demote_to_helper do dynamic_cast enum explicit export extends extern external fallthrough filter final finally friend \
     from fxgroup get goto groupshared highp impl implements import inline instanceof interface layout lowp macro macro_rules \
     match mediump meta mod module move mut mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent \
     noperspective null nullptr of operator package packoffset partial pass patch pixelfragment precise precision premerge priv \
     protected pub public readonly ref regardless register reinterpret_cast require resource restrict self set shared sizeof \
     smooth snorm static static_assert static_cast std subroutine super target template this thread_local throw trait try type \
     typedef typeid typename typeof union unless unorm unsafe unsized use using varying virtual volatile wgsl where with writeonly \
     yield";

/// What WGSL declares and the text uses: it must mean what it means.
const USED: &str = "abs array bitcast bool clamp dot f32 fma i32 max min round select sqrt u32 unpack2x16float vec2 vec3 vec4";

/// `own`: words of the user's own texts, which must mean what they mean too.
pub(super) fn check(name: &str, own: impl Iterator<Item = Word<'static>>) -> Result<()> {
    let problem = |what: &str| Err(Error::unsupported("the function's name", format!("{name}: {what}")));
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_word
        || name.starts_with(|c: char| c.is_ascii_digit())
        || name.starts_with("__")
        || matches!(name, "" | "_")
    {
        return problem("a name is a word of letters, digits and _");
    }
    if RESERVED.split(' ').chain(USED.split(' ')).any(|word| word == name) {
        return problem("a word of WGSL's own");
    }
    // Functions are called by the name and what follows a `_`.
    let begins =
        |word: &str| word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    if own.into_iter().any(|word| begins(word.text)) {
        return problem("a word of an activation of the user's own");
    }
    Ok(())
}
