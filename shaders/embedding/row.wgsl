// The row that an input selects; NO_ROW for what selects none: a fraction, a number below 0 or past the last row, NaN. It looks at
// bits, which are in the numbers' own order from 0 on, because compilers may evaluate comparisons with NaN either way.
const NO_ROW: u32 = 0xffffffffu;

fn row_of(x: f32) -> u32 {
    let given = bitcast<u32>(x);
    let bits = select(given, 0u, given == 0x80000000u); // of −0
    let row = u32(bitcast<f32>(min(bits, bitcast<u32>(f32(p.rows - 1u)))));
    return select(NO_ROW, row, bitcast<u32>(f32(row)) == bits);
}
