//! The thread that writes the log.
//!
//! What comes while it waits for the disk is written together next: one fdatasync for all
//! of it. Where the disk does not take it, the thread tries again until it does; nothing is
//! reported as durable meanwhile, and the broker holds its publishers back.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::room::Room;
use super::{Batch, Store, StoreError};
use crate::fault::{FaultyStore, StoreFaults};
use crate::live::Live;

/// Bytes that are written at one time, or one batch.
const GROUP: usize = 16 << 20;

/// How long to wait after the disk has refused something.
const RETRY: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 500 });

enum Request {
    Append(Vec<Batch>),
    Trim(u64),
    Read(Read),
    /// To look how much is free.
    Look,
}

/// A part of the log to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// The broker's number for it.
    pub(crate) id: u64,
    pub(crate) position: u64,
    pub(crate) len: usize,
}

/// What was read; None: it cannot be, and never will.
pub(crate) type Reply = (u64, Option<Bytes>);

/// The broker's hand on the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    requests: Sender<Request>,
    /// The position before which everything is durable.
    durable: watch::Receiver<u64>,
    reported: u64,
    /// Whether less room is left than is to be kept free.
    is_short: watch::Receiver<bool>,
    /// What was read. The broker asks for a bounded amount at one time.
    replies: mpsc::UnboundedReceiver<Reply>,
    /// What of it is here.
    read: Vec<Reply>,
    /// What a test has go wrong with the store.
    pub(crate) faults: StoreFaults,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread with a store that was recovered, and ends at a position.
    pub(crate) fn start(store: Box<dyn Store>, end: u64, live: Live) -> io::Result<Self> {
        let faults = StoreFaults::default();
        let store = Box::new(FaultyStore {
            store,
            faults: faults.clone(),
        });
        let (requests, inbox) = channel();
        let (report, durable) = watch::channel(end);
        let (short, is_short) = watch::channel(false);
        let (answer, replies) = mpsc::unbounded_channel();
        let mut room = Room::new(live, short);
        let thread = thread::Builder::new()
            .name("mq-store".into())
            .spawn(move || run(store, &mut room, &inbox, &report, &answer))?;
        Ok(Self {
            requests,
            durable,
            reported: end,
            is_short,
            replies,
            read: Vec::new(),
            faults,
            thread,
        })
    }

    pub(crate) fn append(&self, batches: Vec<Batch>) {
        self.send(Request::Append(batches));
    }

    pub(crate) fn trim(&self, before: u64) {
        self.send(Request::Trim(before));
    }

    pub(crate) fn read(&self, read: Read) {
        self.send(Request::Read(read));
    }

    /// Has it look how much is free.
    pub(crate) fn look(&self) {
        self.send(Request::Look);
    }

    fn send(&self, request: Request) {
        // A thread that is gone has panicked, which `durable` reports.
        let _ = self.requests.send(request);
    }

    /// Waits until more is durable, or something was read. Returns false if the thread has
    /// failed.
    pub(crate) async fn has_news(&mut self) -> bool {
        tokio::select! {
            changed = self.durable.changed() => changed.is_ok(),
            changed = self.is_short.changed() => {
                self.is_short.mark_changed();
                changed.is_ok()
            }
            reply = self.replies.recv() => {
                let came = reply.is_some();
                self.read.extend(reply);
                came
            }
        }
    }

    /// What was read and has not been returned yet.
    pub(crate) fn newly_read(&mut self) -> Vec<Reply> {
        while let Ok(reply) = self.replies.try_recv() {
            self.read.push(reply);
        }
        std::mem::take(&mut self.read)
    }

    /// Whether less room is left than is to be kept free, if that has changed since it was
    /// returned.
    pub(crate) fn newly_short(&mut self) -> Option<bool> {
        let has_changed = self.is_short.has_changed().is_ok_and(|changed| changed);
        has_changed.then(|| *self.is_short.borrow_and_update())
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

fn run(
    mut store: Box<dyn Store>,
    room: &mut Room,
    inbox: &Receiver<Request>,
    report: &watch::Sender<u64>,
    answer: &mpsc::UnboundedSender<Reply>,
) {
    let mut group = Group::default();
    let (mut is_failing, mut is_unreadable) = (false, false);
    room.look(&*store);
    while group.wait(inbox, room.next_look) {
        if group.looks || Instant::now() >= room.next_look {
            room.look(&*store);
            group.looks = false;
        }
        let appended = match &group.batches[..] {
            [] => Ok(()),
            batches => store.append(batches),
        };
        match appended {
            Ok(()) => {
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the log is written again");
                }
                if let Some(last) = group.batches.last() {
                    report.send_replace(last.end());
                }
                group.forget_batches();
                match group.answer(store.as_mut(), answer) {
                    Ok(()) => {
                        if std::mem::take(&mut is_unreadable) {
                            tracing::info!("the log can be read again");
                        }
                        group.trim(store.as_mut());
                        group = Group::default();
                    }
                    // What is appended meanwhile is not held up.
                    Err(error) => {
                        if !std::mem::replace(&mut is_unreadable, true) {
                            tracing::error!(%error, "messages wait until the log can be read");
                        }
                        if !group.wait_for_retry(inbox) {
                            return;
                        }
                    }
                }
            }
            Err(error @ StoreError::Replaced) => {
                tracing::error!(%error, "this server is over");
                return;
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
    /// Read once the batches are there, and before anything is forgotten.
    reads: Vec<Read>,
    /// Forgotten once the batches are durable: what is still needed of it is among them.
    trim: Option<u64>,
    /// It is wanted that it is looked how much is free.
    looks: bool,
}

impl Group {
    fn add(&mut self, request: Request) {
        match request {
            Request::Append(batches) => {
                self.bytes += batches.iter().map(Batch::len).sum::<usize>();
                self.batches.extend(batches);
            }
            Request::Trim(before) => self.trim = self.trim.max(Some(before)),
            Request::Read(read) => self.reads.push(read),
            Request::Look => self.looks = true,
        }
    }

    /// Waits until there is something to be done, or until then, and takes all that there is.
    /// Returns false when nothing more comes.
    fn wait(&mut self, inbox: &Receiver<Request>, until: Instant) -> bool {
        if self.batches.is_empty() && self.trim.is_none() && self.reads.is_empty() {
            match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(request) => self.add(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
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

    /// What was appended is durable.
    fn forget_batches(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// Answers what was asked. What the disk refuses for now is left for later.
    fn answer(
        &mut self,
        store: &mut dyn Store,
        answer: &mpsc::UnboundedSender<Reply>,
    ) -> Result<(), StoreError> {
        let mut refused = Ok(());
        self.reads.retain(|read| {
            let bytes = match store.read(read.position, read.len) {
                Ok(bytes) => Some(bytes),
                Err(error @ (StoreError::Io { .. } | StoreError::Database { .. })) => {
                    refused = Err(error);
                    return true;
                }
                Err(error) => {
                    tracing::error!(%error, "a message is lost: the log is damaged");
                    None
                }
            };
            // Nobody hears it where the server stops.
            let _ = answer.send((read.id, bytes));
            false
        });
        refused
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::store::Recovered;

    /// A log in memory that refuses the first reads, as a disk does that is gone for a while.
    #[derive(Debug)]
    struct Flaky {
        log: Vec<u8>,
        refusals: u32,
    }

    impl Store for Flaky {
        fn recover(
            &mut self,
            _: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
        ) -> Result<Recovered, StoreError> {
            unreachable!("it is new")
        }

        fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
            for batch in batches {
                self.log.extend(batch.slices.concat());
            }
            Ok(())
        }

        fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError> {
            if self.refusals > 0 {
                self.refusals -= 1;
                return Err(StoreError::Io {
                    doing: "read",
                    path: "the log".into(),
                    source: io::Error::other("no answer"),
                });
            }
            let position = position as usize;
            Ok(Bytes::copy_from_slice(&self.log[position..][..len]))
        }

        fn trim(&mut self, _: u64) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_disk_that_cannot_be_read_for_a_while_loses_nothing() {
        let store = Flaky {
            log: Vec::new(),
            refusals: 50,
        };
        let mut writer = Writer::start(Box::new(store), 0, Live::new(&Config::default())).unwrap();
        writer.append(vec![Batch::new(0, "first")]);
        writer.read(Read {
            id: 7,
            position: 0,
            len: 5,
        });
        // It is appended to meanwhile.
        writer.append(vec![Batch::new(5, "second")]);
        let mut durable = 0;
        let mut read = Vec::new();
        while durable < 11 || read.is_empty() {
            assert!(writer.has_news().await);
            if let Some(through) = writer.newly_durable() {
                assert!(read.is_empty() || durable == 11, "the read has held it up");
                durable = through;
            }
            read.extend(writer.newly_read());
        }
        assert_eq!(read, [(7, Some(Bytes::from_static(b"first")))]);
        writer.finish();
    }
}
