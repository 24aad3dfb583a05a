//! The thread that writes the log.
//!
//! What comes while it waits for the disk is written together next: one fdatasync for all
//! of it. Where the disk does not take it, the thread tries again until it does; nothing is
//! reported as durable meanwhile, and the broker holds its publishers back.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Batch, Store};

/// Bytes that are written at one time, or one batch.
const GROUP: usize = 16 << 20;

/// How long to wait after the disk has refused something.
const RETRY: Duration = Duration::from_millis(500);

enum Request {
    Append(Vec<Batch>),
    Trim(u64),
}

/// The broker's hand on the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    requests: Sender<Request>,
    /// The position before which everything is durable.
    durable: watch::Receiver<u64>,
    reported: u64,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread with a store that was recovered, and ends at a position.
    pub(crate) fn start(store: Box<dyn Store>, end: u64) -> io::Result<Self> {
        let (requests, inbox) = channel();
        let (report, durable) = watch::channel(end);
        let thread = thread::Builder::new()
            .name("mq-store".into())
            .spawn(move || run(store, &inbox, &report))?;
        Ok(Self {
            requests,
            durable,
            reported: end,
            thread,
        })
    }

    pub(crate) fn append(&self, batches: Vec<Batch>) {
        self.send(Request::Append(batches));
    }

    pub(crate) fn trim(&self, before: u64) {
        self.send(Request::Trim(before));
    }

    fn send(&self, request: Request) {
        // A thread that is gone has panicked, which `durable` reports.
        let _ = self.requests.send(request);
    }

    /// Waits until more is durable. Returns false if the thread has failed.
    pub(crate) async fn more_is_durable(&mut self) -> bool {
        self.durable.changed().await.is_ok()
    }

    /// The position before which everything is durable, if it has not been returned yet.
    pub(crate) fn newly_durable(&mut self) -> Option<u64> {
        let through = *self.durable.borrow();
        (through > self.reported).then(|| {
            self.reported = through;
            through
        })
    }

    /// Has what was appended written, if the disk takes it now, and ends the thread.
    pub(crate) fn finish(self) {
        drop(self.requests);
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes the log has panicked");
        }
    }
}

fn run(mut store: Box<dyn Store>, inbox: &Receiver<Request>, report: &watch::Sender<u64>) {
    let mut group = Group::default();
    let mut is_failing = false;
    while group.wait(inbox) {
        match store.append(&group.batches) {
            Ok(()) => {
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the log is written again");
                }
                if let Some(last) = group.batches.last() {
                    report.send_replace(last.end());
                }
                group.trim(store.as_mut());
                group = Group::default();
            }
            Err(error) => {
                // One line when the trouble begins and one when it ends, not one a try.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(%error, "nothing is confirmed until the log can be written");
                }
                if !group.wait_for_retry(inbox) {
                    let bytes = group.bytes;
                    tracing::error!(%error, bytes, "stopped before the end of the log was written");
                    return;
                }
            }
        }
    }
}

/// What is written together.
#[derive(Debug, Default)]
struct Group {
    batches: Vec<Batch>,
    bytes: usize,
    /// Forgotten once the batches are durable: what is still needed of it is among them.
    trim: Option<u64>,
}

impl Group {
    fn add(&mut self, request: Request) {
        match request {
            Request::Append(batches) => {
                self.bytes += batches.iter().map(|batch| batch.bytes.len()).sum::<usize>();
                self.batches.extend(batches);
            }
            Request::Trim(before) => self.trim = self.trim.max(Some(before)),
        }
    }

    /// Waits until there is something to be done, and takes all that there is. Returns
    /// whether there is any.
    fn wait(&mut self, inbox: &Receiver<Request>) -> bool {
        if self.batches.is_empty() && self.trim.is_none() {
            match inbox.recv() {
                Ok(request) => self.add(request),
                Err(_) => return false,
            }
        }
        while self.bytes < GROUP
            && let Ok(request) = inbox.try_recv()
        {
            self.add(request);
        }
        true
    }

    /// Takes what comes until it is time to try again. Returns false when nothing more comes.
    fn wait_for_retry(&mut self, inbox: &Receiver<Request>) -> bool {
        let until = Instant::now() + RETRY;
        loop {
            match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(request) => self.add(request),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn trim(&self, store: &mut dyn Store) {
        if let Some(before) = self.trim
            && let Err(error) = store.trim(before)
        {
            // It is forgotten with the next trim.
            tracing::warn!(%error, "cannot give room back");
        }
    }
}
