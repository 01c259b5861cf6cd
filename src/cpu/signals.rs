//! Buffers for signals that outlive their stage: a few that signals share, by liveness.

use super::network::Network;

/// For each value the buffer of its signal, if it has one, and for each buffer the elements of a sample. Unless signals are saved, the
/// buffer of an operation's output is free again once the operation's stage is done.
pub(super) fn assign(network: &Network, save: bool) -> (Vec<Option<usize>>, Vec<usize>) {
    let (mut sizes, mut free): (Vec<usize>, Vec<usize>) = Default::default();
    let mut slots = vec![None; network.values.len()];
    let mut give = |value: usize, slots: &mut Vec<Option<usize>>, free: &mut Vec<usize>| {
        let v = &network.values[value];
        if !v.wanted || v.block_local || slots[value].is_some() {
            return;
        }
        let fitting = (0..free.len()).min_by_key(|i| sizes[free[*i]].abs_diff(v.size));
        let slot = fitting.map_or_else(
            || {
                sizes.push(0);
                sizes.len() - 1
            },
            |i| free.swap_remove(i),
        );
        sizes[slot] = sizes[slot].max(v.size);
        slots[value] = Some(slot);
    };
    give(network.logits, &mut slots, &mut free);
    for stage in network.stages.iter().rev() {
        for op in network.ops[stage.ops()].iter().rev() {
            op.inputs.iter().for_each(|input| give(*input, &mut slots, &mut free));
        }
        if !save {
            free.extend(network.ops[stage.ops()].iter().filter_map(|op| slots[op.output]));
        }
    }
    (slots, sizes)
}
