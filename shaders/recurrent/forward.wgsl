// A step of a recurrent layer at position t, one Value of units of a sample per invocation: from the gates' inputs a and q = W h + b and
// the state before to the state, whose h is also the output. 0 in padding channels.
// Plugs: next, the unit's step (gru | lstm); keep (keep | no_keep).

@group(0) @binding(1) var<storage, read> a: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;
@group(0) @binding(3) var<storage, read> q: array<Value3>;
@group(0) @binding(4) var<storage, read_write> state: array<Value>;

alias Gates = array<Value, GATES>;
alias State = array<Value, STATES>;

struct Next {
    state: State,
    kept: array<Value, KEPT>, // what the backward pass reads
}

fn each(index: u32) {
    let at = divide(index, p.columns);
    let place = at.x * p.positions + p.t;
    if at.y >= p.hidden {
        z[place * p.stride_z + at.y] = Value2(Value(0.0));
        return;
    }
    var of_a = Gates();
    var of_q = Gates();
    for (var gate = 0u; gate < GATES; gate++) {
        let unit = gate * p.hidden + at.y;
        of_a[gate] = Value(a[place * p.stride_a + unit]);
        of_q[gate] = select(Value(0.0), Value(q[at.x * p.stride_q + unit]), p.adds != 0u);
    }
    let own = at.x * p.hidden + at.y;
    var before = State();
    for (var k = 0u; k < STATES; k++) {
        before[k] = select(Value(0.0), state[k * p.plane_state + own], p.begun != 0u);
    }
    let after = next(of_a, of_q, before);
    for (var k = 0u; k < STATES; k++) {
        state[k * p.plane_state + own] = after.state[k];
    }
    z[place * p.stride_z + at.y] = Value2(storable_value(after.state[0]));
    for (var k = 0u; k < KEPT; k++) {
        keep((place * KEPT + k) * p.hidden + at.y, after.kept[k]);
    }
}
