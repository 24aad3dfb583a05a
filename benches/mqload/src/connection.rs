//! One connection, from the first byte to the last: it publishes when it may, and measures
//! what comes.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use mqtt_codec::connection::ReadBuffer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, Heard, Job};
use crate::pacer::Schedule;
use crate::run::{Phase, Run, stamp};
use crate::transport::Transport;

/// What a connection does once it is ready.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// It publishes as fast as so many messages on their way allow.
    Closed(usize),
    /// It publishes at fixed times.
    Open(Schedule),
    /// It waits for what comes.
    Listen,
    /// It leaves.
    Visit,
}

/// What one connection, or several together, have measured; times in nanoseconds.
#[derive(Debug)]
pub struct Measured {
    /// Messages that were published in the measured time.
    pub sent: u64,
    /// Deliveries that came in the measured time.
    pub received: u64,
    /// Messages that were due in it and not published when it was over.
    pub unsent: u64,
    /// From the stamp of a message to its delivery.
    pub latency: Histogram<u64>,
    /// From the stamp of a message to its confirm.
    pub confirm: Histogram<u64>,
    /// From the first byte to being ready.
    pub connect: Histogram<u64>,
}

impl Default for Measured {
    fn default() -> Self {
        // Three digits, and it grows with what it is given.
        let histogram = || Histogram::new(3).expect("three is between one and five");
        Self {
            sent: 0,
            received: 0,
            unsent: 0,
            latency: histogram(),
            confirm: histogram(),
            connect: histogram(),
        }
    }
}

impl Measured {
    /// Adds what another connection has measured.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.unsent += other.unsent;
        self.latency += &other.latency;
        self.confirm += &other.confirm;
        self.connect += &other.connect;
    }
}

/// Why a time can always be recorded.
const GROWS: &str = "a histogram without bounds grows with what it is given";

/// Bytes that may wait to be written before nothing more is published.
const BACKLOG: usize = 256 * 1024;
/// Messages that are published between two looks at the socket, if they are small.
const BATCH: u64 = 64;
/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// Connects, does what `role` says until the run is over, and says goodbye.
pub async fn drive<C: Client>(
    run: Arc<Run>,
    number: usize,
    job: Job,
    role: Role,
) -> Result<Measured> {
    let started = run.now();
    let mut socket = Transport::connect(&run.target, run.tls.as_ref()).await?;
    let mut connection = Connection {
        client: C::begin(run.now(), &run.target, job)?,
        run: &run,
        number,
        role,
        body: vec![b'.'; run.load.size],
        published: 0,
        measured: Measured::default(),
        is_ready: false,
        more: false,
    };
    let (mut input, mut output) = (ReadBuffer::new(), Output::default());
    let mut leaving = false;
    loop {
        let phase = run.phase();
        if connection.is_ready && !leaving {
            if phase == Phase::Close || matches!(role, Role::Visit) {
                leaving = true;
                connection.client.close(run.now())?;
            } else if phase == Phase::Run && output.waiting() < BACKLOG {
                connection.publish()?;
            }
        } else if phase == Phase::Close && !leaving {
            bail!("not ready when the run was over");
        }
        connection.client.transmit(run.now(), &mut output.bytes);
        if connection.client.is_closed() && output.waiting() == 0 {
            break;
        }
        let now = run.now();
        let late = connection.client.timeout();
        let late = late.map(|at| Instant::now() + at.saturating_sub(now));
        let notify = run.notify(number);
        // Nothing more is published once the load is over.
        let more = connection.more && phase == Phase::Run && output.waiting() < BACKLOG;
        // Where there is always more to do, sockets seem to have nothing once the task has had
        // its share.
        tokio::task::consume_budget().await;
        match wait(&mut socket, &mut input, &mut output, late, notify, more).await? {
            // Some brokers close the socket without the last word.
            Woken::Read(0) if leaving => break,
            Woken::Read(0) => {
                connection.client.receive_eof(run.now())?;
                bail!("the broker has closed the connection");
            }
            Woken::Read(length) => {
                input.filled(length);
                let was_ready = connection.is_ready;
                connection.receive(&mut input.input())?;
                if connection.is_ready && !was_ready {
                    let took = run.now() - started;
                    connection
                        .measured
                        .connect
                        .record(stamp(took))
                        .expect(GROWS);
                    run.count_ready();
                }
            }
            Woken::Late => connection.client.handle_timeout(run.now())?,
            Woken::Else => {}
        }
    }
    connection.count_unsent();
    Ok(connection.measured)
}

struct Connection<'a, C> {
    client: C,
    run: &'a Run,
    number: usize,
    role: Role,
    body: Vec<u8>,
    /// Messages, since the begin.
    published: u64,
    measured: Measured,
    is_ready: bool,
    /// Whether there is more to publish at once.
    more: bool,
}

impl<C: Client> Connection<'_, C> {
    /// Publishes a batch of what is due.
    fn publish(&mut self) -> Result<()> {
        self.more = false;
        match self.role {
            Role::Closed(window) => {
                let mut room = self.run.room(window);
                if room == 0 {
                    self.run.stop(self.number);
                    room = self.run.room(window);
                }
                let now = stamp(self.run.now());
                let most = self.batch();
                let batch = room.min(most);
                let mut sent = 0;
                while sent < batch && self.client.may_publish() {
                    self.publish_one(now)?;
                    sent += 1;
                }
                self.run.count_sent(sent);
                self.more = sent == most;
            }
            Role::Open(schedule) => {
                let now = self.run.since_begin();
                let begun = self.run.begun();
                let until = self.run.until().saturating_sub(begun);
                let most = self.batch();
                let mut sent = 0;
                loop {
                    let due = schedule.due(self.published);
                    if due > now || due >= until || !self.client.may_publish() {
                        break;
                    }
                    if sent == most {
                        self.more = true;
                        break;
                    }
                    self.publish_one(stamp(begun + due))?;
                    sent += 1;
                }
                // A bystander's messages are its own.
                if self.counts() {
                    self.run.count_sent(sent);
                }
            }
            Role::Listen | Role::Visit => {}
        }
        Ok(())
    }

    /// Messages that it publishes between two looks at the socket: of large ones few, so that
    /// the processor's cache still has them when they are written.
    fn batch(&self) -> u64 {
        BATCH.min((BACKLOG / self.body.len()) as u64).max(1)
    }

    /// Whether its messages are those of the load. A bystander comes after all others.
    fn counts(&self) -> bool {
        self.number < self.run.load.publishers + self.run.load.consumers
    }

    fn publish_one(&mut self, stamp: u64) -> Result<()> {
        self.body[..8].copy_from_slice(&stamp.to_be_bytes());
        self.client.publish(&self.body, stamp)?;
        self.published += 1;
        self.measured.sent += u64::from(self.run.measures(stamp));
        Ok(())
    }

    fn receive(&mut self, input: &mut &[u8]) -> Result<()> {
        let (run, measured, is_ready) = (self.run, &mut self.measured, &mut self.is_ready);
        let now = run.now();
        let at = stamp(now);
        let mut received = 0;
        let mut heard = |heard: Heard<'_>| {
            let (sent, histogram) = match heard {
                Heard::Ready => {
                    *is_ready = true;
                    return;
                }
                Heard::Message(body) => {
                    received += 1;
                    match body.first_chunk() {
                        Some(first) => (u64::from_be_bytes(*first), &mut measured.latency),
                        None => return,
                    }
                }
                Heard::Confirmed(sent) => (sent, &mut measured.confirm),
            };
            if run.measures(sent) {
                histogram.record(at.saturating_sub(sent)).expect(GROWS);
            }
        };
        self.client.receive(now, input, &mut heard)?;
        if received > 0 {
            if run.measures(at) {
                self.measured.received += received;
            }
            if self.counts() {
                run.count_received(received);
            }
        }
        Ok(())
    }

    /// What was due and never published was late by as much as it is now, or more.
    fn count_unsent(&mut self) {
        let Role::Open(schedule) = self.role else {
            return;
        };
        let now = stamp(self.run.now());
        loop {
            let due = self.run.begun() + schedule.due(self.published);
            if due >= self.run.until() || stamp(due) > now {
                return;
            }
            if self.run.measures(stamp(due)) {
                self.measured.latency.record(now - stamp(due)).expect(GROWS);
                self.measured.unsent += 1;
            }
            self.published += 1;
        }
    }
}

/// Bytes to be written.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    written: usize,
    is_flushed: bool,
}

impl Output {
    fn waiting(&self) -> usize {
        self.bytes.len() - self.written
    }
}

/// Why a connection goes on.
enum Woken {
    /// So many bytes were read; none at the end.
    Read(usize),
    /// The timer of the state machine is due.
    Late,
    /// Something was written, or the phase or the room has changed.
    Else,
}

/// Writes and reads what goes, and waits for what is next.
async fn wait(
    socket: &mut Transport,
    input: &mut ReadBuffer,
    output: &mut Output,
    late: Option<Instant>,
    notify: &Notify,
    more: bool,
) -> io::Result<Woken> {
    let mut notified = pin!(notify.notified());
    let far = Instant::now() + Duration::from_secs(3600);
    let mut timer = pin!(sleep_until(late.unwrap_or(far)));
    let space = input.space(READ);
    poll_fn(|cx| {
        let mut wrote = false;
        while output.waiting() > 0 {
            let bytes = &output.bytes[output.written..];
            match Pin::new(&mut *socket).poll_write(cx, bytes)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(length) => {
                    output.written += length;
                    output.is_flushed = false;
                    wrote = true;
                }
                Poll::Pending => break,
            }
        }
        if output.waiting() == 0 {
            output.bytes.clear();
            output.written = 0;
        }
        if !output.is_flushed {
            output.is_flushed = Pin::new(&mut *socket).poll_flush(cx)?.is_ready();
        }
        let mut buffer = ReadBuf::new(space);
        if Pin::new(&mut *socket)
            .poll_read(cx, &mut buffer)?
            .is_ready()
        {
            return Poll::Ready(Ok(Woken::Read(buffer.filled().len())));
        }
        if wrote || more || notified.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Woken::Else));
        }
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Woken::Late));
        }
        Poll::Pending
    })
    .await
}
