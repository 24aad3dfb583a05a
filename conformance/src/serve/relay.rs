//! A man in the middle of one connection, who can change what goes either way.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What stands between one client and the broker.
pub(crate) trait Between: Send {
    /// What reaches the broker of what the client sent; what is pushed to
    /// `back` reaches the client.
    fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
        bytes.to_vec()
    }

    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// What reaches the client of what the broker sent.
    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }

    /// Whether the connection is to be closed now, on both sides.
    fn is_over(&self) -> bool {
        false
    }
}

/// How what the broker sent is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Before each write.
    pub(crate) wait: Duration,
    /// Octet by octet, as far as the beginning of each write goes.
    pub(crate) octets: bool,
    /// Whether the client's connection stays when the broker closes.
    pub(crate) stays: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both directions of one connection, each on a thread: from the client, and to it.
///
/// # Errors
///
/// Those of the sockets.
pub(crate) fn relay(
    client: TcpStream,
    broker: TcpStream,
    between: Box<dyn Between>,
) -> std::io::Result<[JoinHandle<()>; 2]> {
    for stream in [&client, &broker] {
        stream.set_nodelay(true)?;
    }
    let pace = between.pace();
    let between = Arc::new(Mutex::new(between));
    let (client_in, mut broker_out) = (client.try_clone()?, broker.try_clone()?);
    let (broker_in, client_out) = (broker, Arc::new(Mutex::new(client)));
    let up = {
        let (between, client_out) = (Arc::clone(&between), Arc::clone(&client_out));
        std::thread::spawn(move || {
            each(client_in, |bytes| {
                let mut back = Vec::new();
                let up = lock(&between).up(bytes, &mut back);
                lock(&client_out).write_all(&back).is_ok()
                    && (broker_out.write_all(&up).is_ok() || pace.stays)
            });
            // A side that has gone already needs no farewell.
            broker_out.shutdown(Shutdown::Write).unwrap_or_default();
        })
    };
    let down = std::thread::spawn(move || {
        let mut last = Instant::now();
        each(broker_in, |bytes| {
            // Of what comes at a stretch the first is late.
            if last.elapsed() > Duration::from_millis(20) {
                std::thread::sleep(pace.wait);
            }
            last = Instant::now();
            let mut between = lock(&between);
            let down = between.down(bytes);
            let is_over = between.is_over();
            drop(between);
            let (front, rest) = down.split_at(if pace.octets { down.len().min(40) } else { 0 });
            let mut client = lock(&client_out);
            front
                .iter()
                .all(|octet| client.write_all(&[*octet]).is_ok())
                && client.write_all(rest).is_ok()
                && !is_over
        });
        if pace.stays {
            // Longer than anybody waits for the end.
            std::thread::sleep(Duration::from_secs(10));
        }
        // As above.
        lock(&client_out)
            .shutdown(Shutdown::Both)
            .unwrap_or_default();
    });
    Ok([up, down])
}

fn each(mut stream: TcpStream, mut then: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if !then(&buffer[..count]) {
            break;
        }
    }
}
