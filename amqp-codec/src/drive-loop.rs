use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Drives a connection over a blocking socket until the protocol is over.
fn drive<R: Role>(
    connection: &mut Connection<R>,
    socket: &mut TcpStream,
    start: Instant,
    mut act: impl FnMut(&mut Connection<R>, Duration, R::Event<'_>) -> Outcome,
) -> Outcome {
    let (mut buffer, mut out, mut outcome) = (ReadBuffer::new(), Vec::new(), Ok(()));
    loop {
        // After an error too: the protocol's goodbye is still to be sent.
        connection.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out);
        out.clear();
        if outcome.is_err() || connection.is_closed() {
            return outcome;
        }
        sent?;
        socket.set_read_timeout(Some(wait(connection, start.elapsed())))?;
        let read = match socket.read(buffer.space(4096)) {
            Ok(length) => Some(length),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => None,
                _ => return Err(error.into()),
            },
        };
        outcome = take(connection, start.elapsed(), &mut buffer, read, &mut act);
    }
}

/// How long to wait for bytes. A socket takes no timeout of zero, and not every runtime can
/// wait for ever.
fn wait<R: Role>(connection: &Connection<R>, now: Duration) -> Duration {
    let at = connection.poll_timeout().unwrap_or(Duration::MAX);
    at.saturating_sub(now)
        .clamp(Duration::from_millis(1), Duration::from_secs(3600))
}

/// Acts on what a read brought, `Some(0)` being the end of the stream and `None` nothing in
/// time, and then on the time. An error may leave here by `?`: the loop sends the goodbye.
fn take<R: Role>(
    connection: &mut Connection<R>,
    now: Duration,
    buffer: &mut ReadBuffer,
    read: Option<usize>,
    mut act: impl FnMut(&mut Connection<R>, Duration, R::Event<'_>) -> Outcome,
) -> Outcome {
    if read == Some(0) {
        connection.receive_eof(now)?;
    }
    buffer.filled(read.unwrap_or(0));
    let mut input = buffer.input();
    while let Some(event) = connection.receive(now, &mut input)? {
        act(connection, now, event)?;
    }
    Ok(connection.handle_timeout(now)?)
}
