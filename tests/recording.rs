//! Recording has no side effects: it creates no resources, allocates nothing itself, never submits and never waits.

use hesscale::wgpu;
use hesscale::{
    Activation, Context, ContextOptions, Loss, Mode, Model, Optimizer, Pass, Pieces, Plan, PlanOptions, State,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Vec<Backtrace>> = const { RefCell::new(Vec::new()) };
}

/// The system's allocator, which records its callers on watched threads.
struct Watching;

#[global_allocator]
static ALLOCATOR: Watching = Watching;

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn note() {
    if WATCHED.replace(false) {
        let caller = Backtrace::force_capture();
        SEEN.with_borrow_mut(|seen| seen.push(caller));
        WATCHED.set(true);
    }
}

/// The owner of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Crate,
    Wgpu,
    Test,
}

/// The owners of allocations during `work`: for each, the innermost function outside lower-level libraries.
fn allocations(work: impl FnOnce()) -> Vec<Owner> {
    WATCHED.set(true);
    work();
    WATCHED.set(false);
    let seen = SEEN.take();
    println!("{}", seen[0]);
    seen.iter().map(|caller| owner(&caller.to_string())).collect()
}

fn owner(backtrace: &str) -> Owner {
    // A function's name is followed by its file, where that is known; what was inlined has no crate in its name.
    let named = |line: &str| {
        let line = line.trim_start();
        let number = line.split(':').next().is_some_and(|number| number.parse::<u32>().is_ok());
        (number, line.to_owned())
    };
    let mut functions: Vec<String> = Vec::new();
    for (is_name, text) in backtrace.lines().map(named) {
        match functions.last_mut() {
            Some(function) if !is_name => function.push_str(&text),
            _ => functions.push(text),
        }
    }
    let of_test = |function: &&String| function.contains("at ./tests/");
    let owner = |function: &String| match function {
        f if f.contains("at /rustc/") => None,
        f if f.contains("at ./src/") || f.contains(": hesscale::") => Some(Owner::Crate),
        f if of_test(&f) => Some(Owner::Test),
        f if f.contains("wgpu") => Some(Owner::Wgpu),
        _ => None,
    };
    // Innermost are the allocator's own functions, above.
    let callers = functions.iter().skip_while(|f| !of_test(f)).skip_while(of_test);
    callers.into_iter().find_map(owner).expect("the test itself at last")
}

struct Host {
    instance: wgpu::Instance,
    device: wgpu::Device,
    queue: wgpu::Queue,
    context: Context,
}

impl Host {
    /// A graphics application's device: default limits, no features.
    fn new() -> Host {
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
            let adapter = instance.request_adapter(&Default::default()).await.expect("an adapter");
            let (device, queue) = adapter.request_device(&Default::default()).await.expect("a device");
            let context = Context::from_device(&device, &queue, ContextOptions::default());
            Host { instance, device, queue, context }
        })
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    /// A plan for anything that can be recorded.
    fn plan(&self, width: usize, batch: usize) -> (State, Plan) {
        self.plan_with(Loss::mse(), width, batch)
    }

    fn plan_with(&self, loss: Loss, width: usize, batch: usize) -> (State, Plan) {
        let model = Model::builder([8]).dense(width).act(Activation::Tanh).dense(width).act(Activation::Tanh);
        let model = model.dense(4).loss(loss).unwrap();
        let state = State::new(&self.context, &model, Some(Optimizer::ada_hesscale(0.01))).unwrap();
        state.write_parameters(&model.init(hesscale::model::Init::Auto, 1).unwrap()).unwrap();
        let options = PlanOptions::training(Mode::HesScale).accumulate(1.0).lazy();
        let plan = Plan::new(&self.context, &model, &state, batch, options).unwrap();
        plan.write_input(&vec![0.5; batch * 8]).unwrap();
        if !model.loss().is_external() {
            plan.write_targets(hesscale::model::Targets::Values(&vec![0.25; batch * 4])).unwrap();
        }
        (state, plan)
    }

    /// How many of everything wgpu holds, but for command buffers, which are the encoders'.
    fn holds(&self) -> String {
        let hub = self.instance.generate_report().expect("a native backend").hub;
        let counts = [
            ("buffers", &hub.buffers),
            ("bind groups", &hub.bind_groups),
            ("bind group layouts", &hub.bind_group_layouts),
            ("pipeline layouts", &hub.pipeline_layouts),
            ("compute pipelines", &hub.compute_pipelines),
            ("shader modules", &hub.shader_modules),
            ("textures", &hub.textures),
            ("query sets", &hub.query_sets),
            ("command encoders", &hub.command_encoders),
        ];
        counts.map(|(name, count)| format!("{name}: {}", count.num_allocated)).join(", ")
    }
}

/// Everything there is to record.
fn record_all(plan: &Plan, encoder: &mut wgpu::CommandEncoder) {
    for pass in [Pass::FULL, Pass::FULL.without_curvature(), Pass::FULL.accumulating()] {
        plan.record_forward(encoder);
        let mut pieces = if plan.model().loss().is_external() {
            plan.record_backward(encoder, pass).unwrap();
            plan.record_backward_step(encoder, pass).unwrap();
            Pieces::backward_step(pass)
        } else {
            plan.record_gradient(encoder, pass).unwrap();
            plan.record_step(encoder, pass).unwrap();
            Pieces::step(pass)
        };
        plan.record_update(encoder, pass).unwrap();
        while !plan.record_piece(encoder, &mut pieces, 1).unwrap().last {}
    }
}

#[test]
fn allocates_nothing_of_its_own() {
    let host = Host::new();
    for loss in [Loss::mse(), Loss::external()] {
        let (_state, plan) = host.plan_with(loss, 16, 4);
        let mut encoder = host.encoder();
        let seen = allocations(|| record_all(&plan, &mut encoder));
        println!("{} allocations", seen.len());
        assert!(seen.contains(&Owner::Wgpu), "wgpu keeps commands on the heap");
        assert!(seen.iter().all(|owner| *owner == Owner::Wgpu), "{seen:?}");
    }
}

#[test]
fn allocations_are_blamed_on_the_right_one() {
    let host = Host::new();
    let (state, _plan) = host.plan(16, 4);
    let blamed = |work: &dyn Fn()| allocations(work);
    let weight = &state.model().parameters()[0];
    assert!(blamed(&|| drop(host.context.describe())).contains(&Owner::Crate));
    assert!(blamed(&|| drop(state.part(state.gradient(), weight))).contains(&Owner::Crate));
    assert!(blamed(&|| drop(host.encoder())).iter().all(|owner| *owner == Owner::Wgpu));
    assert!(blamed(&|| drop(vec![0_u8; 100])).contains(&Owner::Test));
}

#[test]
fn makes_nothing_and_submits_nothing() {
    let host = Host::new();
    let (state, plan) = host.plan(16, 4);
    let read = || host.context.read_blocking(&[state.parameters(), state.gradient()]).unwrap();
    let before = read();
    let mut encoder = host.encoder();
    let (holds, first) = (host.holds(), host.queue.submit([]));
    record_all(&plan, &mut encoder);
    assert_eq!(host.holds(), holds);
    // Submissions are numbered.
    let number = |index: wgpu::SubmissionIndex| -> u64 {
        let text = format!("{index:?}");
        text.matches(|c: char| c.is_ascii_digit()).collect::<String>().parse().unwrap()
    };
    assert_eq!(number(host.queue.submit([])), number(first) + 1);
    assert_eq!(read(), before);

    // What is made and submitted would have been seen.
    let (_state, _plan) = host.plan(8, 2);
    assert_ne!(host.holds(), holds);
    host.queue.submit([encoder.finish()]);
    assert_ne!(read(), before);
}

#[test]
fn waits_for_nothing() {
    let host = Host::new();
    let (_state, small) = host.plan(16, 4);
    let (_other, large) = host.plan(256, 1024);
    let submit = |steps: u32| {
        let mut encoder = host.encoder();
        (0..steps).for_each(|_| large.record_step(&mut encoder, Pass::FULL).unwrap());
        host.queue.submit([encoder.finish()]);
    };
    // Half a second of work, on any device; the first step may compile.
    submit(1);
    host.context.wait().unwrap();
    let start = Instant::now();
    submit(1);
    host.context.wait().unwrap();
    submit((0.5 / start.elapsed().as_secs_f64()).ceil() as u32);
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    host.queue.on_submitted_work_done(move || flag.store(true, Ordering::Release));
    let mut encoder = host.encoder();
    record_all(&small, &mut encoder);
    host.device.poll(wgpu::PollType::Poll).unwrap();
    assert!(!done.load(Ordering::Acquire), "the work was done before recording was");
    host.context.wait().unwrap();
    assert!(done.load(Ordering::Acquire));
}
