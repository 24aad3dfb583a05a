//! What carries the bytes of one connection, in both directions.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use mq_core::Protocol;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::BoxSocket;

/// Chunks that one vectored write takes at most.
const SLICES: usize = 64;

/// Bytes that are read at one time without a buffer that waits with the socket.
pub(crate) const SMALL: usize = 2 * 1024;

/// Bytes that one WebSocket message has at most.
const MESSAGE: usize = 64 * 1024;

/// A stream of bytes that is driven by polling.
///
/// It is one object and not two halves: both directions of a connection are in one task, and
/// most connections are idle most of the time, so that what each of them weighs counts.
pub(crate) enum Carrier {
    /// TCP alone, which has no layer on top of it.
    Tcp(TcpStream),
    /// Another stream of bytes.
    Bytes(BoxSocket),
    /// The messages of a WebSocket.
    Messages(Box<Messages>),
}

/// A WebSocket, of which the content of the messages is a stream of bytes.
pub(crate) struct Messages {
    stream: WebSocketStream<BoxSocket>,
    protocol: Protocol,
    /// The peer sends text.
    text: bool,
}

impl Carrier {
    pub(super) fn messages(stream: WebSocketStream<BoxSocket>, protocol: Protocol) -> Self {
        Self::Messages(Box::new(Messages {
            stream,
            protocol,
            text: false,
        }))
    }

    /// Whether all that there is of the connection is a socket, which can be parked.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Ready when there may be something to read, or an error, as far as that can be known
    /// without a read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(socket) => socket.poll_read_ready(context).map(|_| ()),
            Self::Bytes(_) | Self::Messages(_) => Poll::Ready(()),
        }
    }

    /// Reads some bytes to the end of the buffer. Returns how many; none at the end of the
    /// stream. Into a buffer without room at most [`SMALL`] bytes are read, and it allocates
    /// when they are there.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => read(socket, context, buffer),
            Self::Bytes(socket) => read(socket, context, buffer),
            Self::Messages(messages) => messages.poll_read(context, buffer),
        }
    }

    /// Writes some bytes from the front of the queue, takes them off it, and returns how many.
    /// They have not all left before [`poll_flush`](Self::poll_flush) is ready.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        queue: &mut VecDeque<Bytes>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => write(socket, context, queue),
            Self::Bytes(socket) => write(socket, context, queue),
            Self::Messages(messages) => messages.poll_write(context, queue),
        }
    }

    /// Has what was written leave: TLS and WebSocket keep what the socket below has no room
    /// for.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Bytes(socket) => Pin::new(socket).poll_flush(context),
            Self::Messages(messages) => Pin::new(&mut messages.stream)
                .poll_flush(context)
                .map_err(io::Error::other),
        }
    }

    /// Ends the sending direction, in the transport's own way.
    pub(crate) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Bytes(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Messages(messages) => Pin::new(&mut messages.stream)
                .poll_close(context)
                .map_err(io::Error::other),
        }
    }
}

fn read<S: AsyncRead + Unpin>(
    socket: &mut S,
    context: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    if buffer.capacity() > 0 {
        // The future keeps nothing between two calls.
        return pin!(socket.read_buf(buffer)).poll(context);
    }
    let mut bytes = [0; SMALL];
    let mut read = ReadBuf::new(&mut bytes);
    ready!(Pin::new(socket).poll_read(context, &mut read))?;
    buffer.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

fn write<S: AsyncWrite + Unpin>(
    socket: &mut S,
    context: &mut Context<'_>,
    queue: &mut VecDeque<Bytes>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (slice, chunk) in slices.iter_mut().zip(&*queue) {
        *slice = IoSlice::new(chunk);
        count += 1;
    }
    let written = ready!(Pin::new(socket).poll_write_vectored(context, &slices[..count]))?;
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    advance(queue, written);
    Poll::Ready(Ok(written))
}

impl Messages {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Some(message) = ready!(Pin::new(&mut self.stream).poll_next(context)) else {
                return Poll::Ready(Ok(0));
            };
            let bytes = match message.map_err(io::Error::other)? {
                Message::Binary(bytes) => bytes,
                // [MQTT-6.0.0-1]: MQTT is in binary frames only.
                Message::Text(_) if self.protocol == Protocol::Mqtt => {
                    let text = "a text frame, where MQTT wants binary ones";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                Message::Text(characters) => {
                    self.text = true;
                    characters.into()
                }
                Message::Close(_) => return Poll::Ready(Ok(0)),
                // Tungstenite answers a ping itself.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if !bytes.is_empty() {
                buffer.extend_from_slice(&bytes);
                return Poll::Ready(Ok(bytes.len()));
            }
        }
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        queue: &mut VecDeque<Bytes>,
    ) -> Poll<io::Result<usize>> {
        let mut stream = Pin::new(&mut self.stream);
        // One message at a time: the library takes any number of them, and keeps them.
        ready!(stream.as_mut().poll_flush(context)).map_err(io::Error::other)?;
        ready!(stream.as_mut().poll_ready(context)).map_err(io::Error::other)?;
        let bytes = gather(queue);
        let written = bytes.len();
        // What is no text when it is cut here goes as it is: both are the stream.
        let message = match self.text {
            true => {
                Utf8Bytes::try_from(bytes.clone()).map_or(Message::Binary(bytes), Message::Text)
            }
            false => Message::Binary(bytes),
        };
        stream.start_send(message).map_err(io::Error::other)?;
        Poll::Ready(Ok(written))
    }
}

/// Takes one message's worth of bytes off the queue.
fn gather(queue: &mut VecDeque<Bytes>) -> Bytes {
    let Some(mut first) = queue.pop_front() else {
        return Bytes::new();
    };
    if first.len() >= MESSAGE {
        let message = first.split_to(MESSAGE);
        if !first.is_empty() {
            queue.push_front(first);
        }
        return message;
    }
    let mut message = BytesMut::from(first);
    while let Some(next) = queue.front()
        && message.len() + next.len() <= MESSAGE
    {
        message.extend_from_slice(next);
        queue.pop_front();
    }
    message.freeze()
}

/// Drops the first `written` bytes of the queue.
fn advance(queue: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(chunk) = queue.front_mut() {
        if written < chunk.len() {
            chunk.advance(written);
            return;
        }
        written -= chunk.len();
        queue.pop_front();
    }
}
