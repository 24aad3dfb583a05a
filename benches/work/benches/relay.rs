//! What a message costs a program that does nothing with it: the system's part of what a broker
//! takes that reads as much at one time, from one socket, and writes it to another.
//!
//! `cargo bench --bench relay` in `benches/work`.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a read, as in the server; one write follows it.
const READ: usize = 64 * 1024;
/// Bytes that the two ends write and read at one time.
const END: usize = 256 * 1024;
/// How long it runs before it is measured, and how long it is.
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);

fn main() -> io::Result<()> {
    let [mut publisher, mut from] = pair()?;
    let [mut to, mut consumer] = pair()?;
    // They end with the process.
    thread::spawn(move || {
        let bytes = vec![0; END];
        while publisher.write_all(&bytes).is_ok() {}
    });
    thread::spawn(move || {
        let mut bytes = vec![0; END];
        while consumer.read(&mut bytes).is_ok_and(|len| len > 0) {}
    });
    let mut buffer = vec![0; READ];
    relay(&mut from, &mut to, &mut buffer, WARM_UP)?;
    let before = processor_time()?;
    let bytes = relay(&mut from, &mut to, &mut buffer, MEASURED)?;
    let taken = processor_time()? - before;
    let microseconds = |size: f64| taken.as_secs_f64() * 1e6 * size / bytes as f64;
    println!("| µs of processor time for a message of | 16 KiB | 64 KiB |");
    println!("|---|---:|---:|");
    println!(
        "| read and written, and nothing else | {:.1} | {:.1} |",
        microseconds(16.0 * 1024.0),
        microseconds(64.0 * 1024.0)
    );
    Ok(())
}

/// The two ends of a connection.
fn pair() -> io::Result<[TcpStream; 2]> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    for end in [&one, &other] {
        end.set_nodelay(true)?;
    }
    Ok([one, other])
}

/// Passes on what comes for so long. Returns how many bytes that were.
fn relay(
    from: &mut TcpStream,
    to: &mut TcpStream,
    buffer: &mut [u8],
    time: Duration,
) -> io::Result<u64> {
    let (begin, mut bytes) = (Instant::now(), 0);
    while begin.elapsed() < time {
        let len = from.read(buffer)?;
        to.write_all(&buffer[..len])?;
        bytes += len as u64;
    }
    Ok(bytes)
}

/// What this thread has taken, the kernel's part for it too.
fn processor_time() -> io::Result<Duration> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = times.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("the kernel does not say it"))
}
