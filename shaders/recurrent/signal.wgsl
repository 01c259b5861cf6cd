// The signal back through a step of a recurrent layer at position t, one Value of units of a sample per invocation. A unit's step f is
// taken as a function of each of its inputs x by itself:
//
//     g_x = f_x g      h_x = f_x² h + f_xx g (Gauss-Newton: without f_xx g)      u_x = f_x u
//
// from the sum of the signal above, the one that has come from behind through q = W h + b, and the one at the unit's own state there. It is
// left at a, through the activation below; at q, in rows for the product with W, and of all positions for the parameters; and at the
// unit's own state before.
// Plugs: back, the unit's step (gru_signal | lstm_signal); leave_a (below | no_below).

@group(0) @binding(KEPT_BINDING) var<storage, read> kept: array<Value>;
@group(0) @binding(CARRIED_BINDING) var<storage, read> carried: array<Value>;
@group(0) @binding(ROWS_BINDING) var<storage, read_write> rows: array<Value>;
@group(0) @binding(IMAGE_BINDING) var<storage, read_write> image: array<Value>;

// Where an invocation's units are: sample, unit, and position in images.
struct Place {
    sample: u32,
    unit: u32,
    image: u32,
}

fn each(index: u32) {
    let at = divide(index, p.columns);
    let place = Place(at.x, at.y, at.x * p.positions + p.t);
    if at.y >= p.hidden {
        // Padding, behind the last gate.
        leave_a(place, GATES - 1u, Signal());
        return;
    }
    let state = at.x * p.hidden + at.y;
    var above = above_at(place.image * p.stride_z + at.y);
    var own = Signal();
    if p.carries != 0u {
        above = gather(above, carried_at(state), Value(1.0));
        own = own_at(state);
    }
    var of_unit: array<Value, KEPT>;
    for (var k = 0u; k < KEPT; k++) {
        of_unit[k] = kept[(place.image * KEPT + k) * p.hidden + at.y];
    }
    leave_own(state, back(place, of_unit, above, own));
}

// Through a function with these derivatives, from the signal at it.
fn through(s: Signal, first: Value, second: Value) -> Signal {
    var t = gather(Signal(), s, first);
    if HAS_DIAGONAL && F2_TERM {
        t.h += second * s.g;
    }
    return t;
}

// The same signal at a and at q of a gate, which enter as a sum.
fn leave_both(place: Place, gate: u32, s: Signal) {
    leave_a(place, gate, s);
    leave_q(place, gate, s);
}

// The signal at q of a gate.
fn leave_q(place: Place, gate: u32, s: Signal) {
    let unit = gate * p.hidden + place.unit;
    let row = place.sample * GATES * p.hidden + unit;
    let pixel = place.image * p.stride_a + unit;
    rows[row] = s.g;
    image[pixel] = s.g;
    if HAS_DIAGONAL {
        rows[H * p.plane_row + row] = s.h;
        image[H * p.plane_image + pixel] = s.h;
        for (var r = 0u; r < RANK; r++) {
            rows[(3u + r) * p.plane_row + row] = s.u[r];
            image[(3u + r) * p.plane_image + pixel] = s.u[r];
        }
    }
}

fn leave_own(at: u32, s: Signal) {
    rows[p.own + at] = s.g;
    if HAS_DIAGONAL {
        rows[p.own + H * p.plane_state + at] = s.h;
        for (var r = 0u; r < RANK; r++) {
            rows[p.own + (3u + r) * p.plane_state + at] = s.u[r];
        }
    }
}

fn own_at(at: u32) -> Signal {
    var s = Signal();
    s.g = rows[p.own + at];
    if HAS_DIAGONAL {
        s.h = rows[p.own + H * p.plane_state + at];
        for (var r = 0u; r < RANK; r++) {
            s.u[r] = rows[p.own + (3u + r) * p.plane_state + at];
        }
    }
    return s;
}

fn carried_at(at: u32) -> Signal {
    var s = Signal();
    s.g = carried[at];
    if HAS_DIAGONAL {
        s.h = carried[H * p.plane_state + at];
        for (var r = 0u; r < RANK; r++) {
            s.u[r] = carried[(3u + r) * p.plane_state + at];
        }
    }
    return s;
}
