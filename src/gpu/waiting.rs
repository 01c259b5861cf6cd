//! Waiting for a submission without a thread that is busy with it.

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

/// The driver sleeps so long at most. It holds what a buffer's or the device's end waits for, on GL all of the device.
const NAP: Duration = Duration::from_millis(1);

/// A thread that polls the device until a submission is done, asleep in the driver. It ends with the submission, or soon
/// after this is dropped, which waits for it: it has the device in its hands.
pub(super) struct Waiting {
    /// What went wrong; it is dropped, and nothing sent, where the thread panicked.
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
            // A receiver that is gone wants no answer.
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

    /// Whether it has ended, and how.
    pub(super) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<()>> {
        let panicked = || Err(Error::device("polling the device panicked"));
        Pin::new(&mut self.end).poll(task).map(|end| end.unwrap_or_else(|_| panicked()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        // Its panic has been told, or nobody asks any more.
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
