//! The two tasks of one connection: one reads, one writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mq_core::ConnectionId;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use crate::broker_task::Command;
use crate::places::Place;
use crate::transport::{Reader, Writer};

/// Read sizes adapt between these: an idle connection holds little, a busy one
/// needs few calls.
const SMALLEST_READ: usize = 2 * 1024;
pub(crate) const LARGEST_READ: usize = 64 * 1024;

/// Reads of one connection that wait for the broker at most, so that one that floods
/// leaves the inbox to the others.
const READS_WAITING: usize = 2;

/// A socket is taken for empty when it had nothing for so long. That this timer
/// fires shows that the runtime has looked at the socket meanwhile.
const EMPTY_AFTER: Duration = Duration::from_millis(1);

/// What is read of a socket at most when it is to be emptied.
const LARGEST_DRAIN: usize = 8 << 20;

/// Transmitted bytes are reported at the latest after so many.
const REPORT: usize = 256 * 1024;

/// Whether the broker wants to hear from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reading {
    On,
    Paused,
    /// What still comes is thrown away.
    Over,
}

/// The broker task's hand on a reader.
#[derive(Debug)]
pub(crate) struct Gate {
    reading: AtomicU8,
    drain: AtomicBool,
    changed: Notify,
    /// What may be read ahead of the broker.
    room: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate {
            reading: AtomicU8::new(Reading::On as u8),
            drain: AtomicBool::new(false),
            changed: Notify::new(),
            room: Arc::new(Semaphore::new(READS_WAITING)),
        }
    }

    pub(crate) fn set(&self, reading: Reading) {
        self.reading.store(reading as u8, Ordering::Release);
        // There is one reader, and a permit that it does not wait for yet is
        // kept for it.
        self.changed.notify_one();
    }

    /// Has the reader hand in what has arrived, paused or not, and say so.
    pub(crate) fn drain(&self) {
        self.drain.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    fn takes_drain(&self) -> bool {
        self.drain.swap(false, Ordering::AcqRel)
    }

    fn get(&self) -> Reading {
        const ON: u8 = Reading::On as u8;
        const PAUSED: u8 = Reading::Paused as u8;
        match self.reading.load(Ordering::Acquire) {
            ON => Reading::On,
            PAUSED => Reading::Paused,
            _ => Reading::Over,
        }
    }
}

/// Reads until the peer has closed its side or the connection is over.
pub(crate) async fn read(
    connection: ConnectionId,
    mut socket: Reader,
    gate: Arc<Gate>,
    commands: mpsc::Sender<Command>,
    linger: Duration,
    _place: Arc<Place>,
) {
    let mut buffer = BytesMut::new();
    let mut size = SMALLEST_READ;
    // What is still read before the broker is told that the socket is empty.
    let mut drain = None;
    loop {
        if gate.takes_drain() {
            drain = Some(LARGEST_DRAIN);
        }
        match (gate.get(), drain) {
            (Reading::Over, _) => break,
            (_, Some(_)) | (Reading::On, None) => {}
            (Reading::Paused, None) => {
                gate.changed.notified().await;
                continue;
            }
        }
        // What is left of the last buffer is used up first.
        if buffer.capacity() < size / 4 {
            buffer.reserve(size);
        }
        let read = tokio::select! {
            biased;
            read = socket.read(&mut buffer) => read,
            () = sleep(EMPTY_AFTER), if drain.is_some() => {
                drain = None;
                if commands.send(Command::Drained { connection }).await.is_err() {
                    return;
                }
                continue;
            }
            () = gate.changed.notified() => continue,
        };
        match read {
            Ok(0) => {
                let _ = commands.send(Command::Gone { connection }).await;
                // The writer still has what the broker said before this.
                return;
            }
            Ok(len) => {
                if buffer.len() == buffer.capacity() {
                    size = (size * 2).min(LARGEST_READ);
                } else if len < size / 8 {
                    size = (size / 2).max(SMALLEST_READ);
                }
                let bytes = buffer.split().freeze();
                // It is never closed: there is room again when the broker has taken
                // what waits.
                let Ok(room) = Arc::clone(&gate.room).acquire_owned().await else {
                    return;
                };
                let received = Command::Received {
                    connection,
                    bytes,
                    room,
                };
                if commands.send(received).await.is_err() {
                    return;
                }
                drain = drain.map(|left: usize| left.saturating_sub(len));
                if drain == Some(0) {
                    drain = None;
                    if commands
                        .send(Command::Drained { connection })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            }
            Err(error) => {
                tracing::debug!(id = connection.0, %error, "cannot read");
                let _ = commands.send(Command::Gone { connection }).await;
                return;
            }
        }
    }
    // Closing a socket with unread bytes in it resets the connection, and a
    // reset can take from the peer the goodbye that it has not read yet.
    let _ = timeout(linger, discard(socket, buffer)).await;
}

async fn discard(mut socket: Reader, mut buffer: BytesMut) {
    loop {
        buffer.clear();
        buffer.reserve(SMALLEST_READ);
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Writes what the broker transmits, until it transmits no more. The end of
/// this task closes the connection's sending side.
pub(crate) async fn write(
    connection: ConnectionId,
    mut socket: Writer,
    mut outgoing: mpsc::UnboundedReceiver<Vec<Bytes>>,
    commands: mpsc::Sender<Command>,
    write_timeout: Duration,
    _place: Arc<Place>,
) {
    let mut queue = VecDeque::new();
    // Reported in sums: written, but not yet told to the broker.
    let mut unreported = 0;
    while let Some(chunks) = outgoing.recv().await {
        queue.extend(chunks);
        while !queue.is_empty() {
            while let Ok(chunks) = outgoing.try_recv() {
                queue.extend(chunks);
            }
            let written = match timeout(write_timeout, socket.write(&mut queue)).await {
                Ok(Ok(written)) => written,
                stuck => {
                    match stuck {
                        Ok(Err(error)) => {
                            tracing::debug!(id = connection.0, %error, "cannot write");
                        }
                        _ => tracing::info!(
                            id = connection.0,
                            timeout = ?write_timeout,
                            "the peer takes no bytes: given up"
                        ),
                    }
                    let _ = commands.send(Command::Gone { connection }).await;
                    return;
                }
            };
            unreported += written;
            if unreported >= REPORT || queue.is_empty() {
                let len = std::mem::take(&mut unreported);
                let transmitted = Command::Transmitted { connection, len };
                if commands.send(transmitted).await.is_err() {
                    return;
                }
            }
        }
    }
    if let Ok(Err(error)) = timeout(write_timeout, socket.close()).await {
        tracing::debug!(id = connection.0, %error, "cannot end the sending side");
    }
}
