//! Tracks the peak of allocated memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// An upper limit that no test needs, to protect the machine.
const REFUSED: usize = 4 << 30;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is done by the system's allocator; a null pointer says that there is no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= REFUSED {
            return std::ptr::null_mut();
        }
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer comes from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Resets the peak; returns the current amount.
pub(crate) fn begin() -> usize {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    live
}

/// The peak since then.
pub(crate) fn peak() -> usize {
    PEAK.load(Relaxed)
}

#[test]
fn what_is_allocated_is_seen() {
    let _alone = crate::alone();
    let before = begin();
    drop(std::hint::black_box(vec![1_u8; 200 << 20]));
    assert!(peak() - before >= 200 << 20);
}
