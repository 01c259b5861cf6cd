const LANES: u32 = 64u;
const MEMORY: u32 = 1u;
const NESTEROV: bool = false;
// optimizer/optimizer.wgsl
// lib/each.wgsl
// optimizer/no_diagonal.wgsl
// optimizer/state.wgsl
// optimizer/fours.wgsl
// optimizer/rule.wgsl
// optimizer/tell.wgsl
// optimizer/sgd.wgsl
