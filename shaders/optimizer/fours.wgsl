// Four parameters of a step, and what it reads once per invocation.

struct Fours {
    i: u32,
    vectors: u32,
    g: vec4<f32>, // gradient
    d: vec4<f32>, // diagonal, if the rule uses it
}

// Read once per invocation. In a loop the compiler would reload them, because stores may alias the buffer.
var<private> hyper: Hyper;
var<private> counters: Counters;
