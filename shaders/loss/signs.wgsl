// The random signs of HesScale-S: a bit of the output's word pcg4d (output, OUTPUTS, step, seed), turned over where the numbers of
// sample and output have an odd number of binary ones in common. With lib/pcg4d.wgsl.
@group(0) @binding(NOISE) var<storage, read> noise: array<u32>; // seed, step

const OUTPUTS: u32 = 0xfffffffeu;

fn sign_of(sample: u32, output: u32) -> f32 {
    let word = pcg4d(vec4<u32>(output, OUTPUTS, noise[1], noise[0])).x;
    let ones = (word >> 31u) + countOneBits(sample & output);
    return 1.0 - 2.0 * f32(ones & 1u);
}
