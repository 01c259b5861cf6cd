//! Waiting for a submission without a busy thread.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use super::context::refused;
use crate::error::Cause;
use crate::{Error, Result};
use futures::channel::oneshot;

/// The longest sleep in the driver. The sleep holds locks that dropping a buffer or the device needs; on GL, the whole device.
const NAP: Duration = Duration::from_millis(1);

/// A thread that sleeps in the driver until a submission is done. It ends with the submission, or soon after this is dropped;
/// dropping waits for it, because it uses the device.
pub(super) struct Waiting {
    /// Receives an error; closes without one if the thread panicked.
    end: oneshot::Receiver<Result<()>>,
    abandoned: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    pub(super) fn new(device: &wgpu::Device, submission: wgpu::SubmissionIndex) -> Result<Waiting> {
        let (sender, end) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let (device, no_longer) = (device.clone(), Arc::clone(&abandoned));
        let poll = move || {
            let outcome = wait(&device, &submission, &no_longer);
            drop(device);
            // A dropped receiver needs no result.
            drop(sender.send(outcome));
        };
        let thread = std::thread::Builder::new().name("hesscale waits".into()).spawn(poll);
        let thread = thread.map_err(|error| Error::Device {
            problem: format!("no thread to wait for it: {error}"),
            source: Cause::new(error),
        });
        let thread = Some(thread?);
        Ok(Waiting { end, abandoned, thread })
    }

    pub(super) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<()>> {
        let panicked = || Err(Error::device("polling the device panicked"));
        Pin::new(&mut self.end).poll(task).map(|end| end.unwrap_or_else(|_| panicked()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        // Its panic has been reported, or nobody needs the result any more.
        self.thread.take().map(JoinHandle::join);
    }
}

fn wait(device: &wgpu::Device, submission: &wgpu::SubmissionIndex, abandoned: &AtomicBool) -> Result<()> {
    while !abandoned.load(Ordering::Relaxed) {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(NAP) };
        match device.poll(wait) {
            Err(wgpu::PollError::Timeout) => {}
            Err(error) => return Err(refused(error)),
            Ok(_) => break,
        }
    }
    Ok(())
}
