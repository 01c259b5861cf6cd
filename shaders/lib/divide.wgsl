// (a / b, a mod b) with one division: division is expensive on some devices, and / and % take two.
fn divide(a: u32, b: u32) -> vec2<u32> {
    let quotient = a / b;
    return vec2<u32>(quotient, a - quotient * b);
}
