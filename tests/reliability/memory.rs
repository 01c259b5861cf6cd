//! A device without memory to give: an error from each stage, no panic, no hang.

use crate::common::{BATCH, host_context, model, step, trainer};
use hesscale::{wgpu, Context};

/// On a device that refuses what would take more than so many per cent of its memory.
fn context(for_resource_creation: Option<u8>, for_device_loss: Option<u8>) -> Context {
    host_context(wgpu::InstanceDescriptor {
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds { for_resource_creation, for_device_loss },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

#[test]
fn experiment() {
    let c = context(Some(0), None);
    println!("{:?}", hesscale::State::new(&c, &model(), None).map(drop));
    let c = context(None, Some(0));
    println!("{:?}", hesscale::State::new(&c, &model(), None).map(drop));
    let t = hesscale::train::Trainer::new(&c, &model(), hesscale::Optimizer::sgd(0.1), Default::default());
    println!("{:?}", t.map(|mut t| { println!("{:?}", step(&mut t)); println!("{:?}", t.loss()) }));
    for p in [1,2,5,10,20,50,90] {
    let c = context(Some(p), None);
    println!("{p} {:?}", hesscale::State::new(&c, &model(), None).map(drop));
    }
    println!("{:?}", c.device().limits());
    let _ = (BATCH, trainer);
}
