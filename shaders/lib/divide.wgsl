// (a / b, a mod b) by one division: they are dear on some devices, and / and % make two.
fn divide(a: u32, b: u32) -> vec2<u32> {
    let quotient = a / b;
    return vec2<u32>(quotient, a - quotient * b);
}
