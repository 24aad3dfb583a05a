//! The two directions of a connection, whatever carries its bytes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use mq_core::Protocol;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::BoxSocket;

/// Chunks that one vectored write takes at most.
const SLICES: usize = 64;

/// Bytes that are read at one time without a buffer that waits with the socket.
pub(crate) const SMALL: usize = 2 * 1024;

/// Bytes that one WebSocket message has at most.
const MESSAGE: usize = 64 * 1024;

/// Bytes from the peer.
pub(crate) enum Reader {
    Bytes(Box<dyn AsyncRead + Send + Unpin>),
    Messages {
        stream: SplitStream<WebSocketStream<BoxSocket>>,
        protocol: Protocol,
        /// The peer sends text.
        text: Arc<AtomicBool>,
    },
}

/// Bytes to the peer.
pub(crate) enum Writer {
    Bytes(Box<dyn AsyncWrite + Send + Unpin>),
    Messages {
        sink: SplitSink<WebSocketStream<BoxSocket>, Message>,
        text: Arc<AtomicBool>,
    },
}

/// The directions of a WebSocket.
pub(super) fn messages(stream: WebSocketStream<BoxSocket>, protocol: Protocol) -> (Reader, Writer) {
    let (sink, stream) = stream.split();
    let text = Arc::new(AtomicBool::new(false));
    let reader = Reader::Messages {
        stream,
        protocol,
        text: Arc::clone(&text),
    };
    (reader, Writer::Messages { sink, text })
}

impl Reader {
    /// Reads some bytes to the end of the buffer. Returns how many; none at the end of the
    /// stream. Into a buffer without room at most [`SMALL`] bytes are read, and it allocates
    /// when they are there.
    ///
    /// Nothing is lost when the future is dropped before it is ready.
    pub(crate) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Bytes(socket) if buffer.capacity() == 0 => {
                poll_fn(|context| {
                    let mut bytes = [0; SMALL];
                    let mut read = ReadBuf::new(&mut bytes);
                    ready!(Pin::new(&mut *socket).poll_read(context, &mut read))?;
                    buffer.extend_from_slice(read.filled());
                    Poll::Ready(Ok(read.filled().len()))
                })
                .await
            }
            Self::Bytes(socket) => socket.read_buf(buffer).await,
            Self::Messages {
                stream,
                protocol,
                text,
            } => loop {
                let Some(message) = stream.next().await else {
                    return Ok(0);
                };
                let bytes = match message.map_err(io::Error::other)? {
                    Message::Binary(bytes) => bytes,
                    // [MQTT-6.0.0-1]: MQTT is in binary frames only.
                    Message::Text(_) if *protocol == Protocol::Mqtt => {
                        let text = "a text frame, where MQTT wants binary ones";
                        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                    }
                    Message::Text(characters) => {
                        text.store(true, Ordering::Relaxed);
                        characters.into()
                    }
                    Message::Close(_) => return Ok(0),
                    // Tungstenite answers a ping itself.
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                };
                if !bytes.is_empty() {
                    buffer.extend_from_slice(&bytes);
                    return Ok(bytes.len());
                }
            },
        }
    }
}

impl Writer {
    /// Writes some bytes from the front of the queue, takes them off it, and returns how many.
    pub(crate) async fn write(&mut self, queue: &mut VecDeque<Bytes>) -> io::Result<usize> {
        match self {
            Self::Bytes(socket) => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let mut count = 0;
                for (slice, chunk) in slices.iter_mut().zip(&*queue) {
                    *slice = IoSlice::new(chunk);
                    count += 1;
                }
                let written = match socket.write_vectored(&slices[..count]).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    written => written,
                };
                advance(queue, written);
                if queue.is_empty() {
                    // TLS keeps what the socket below had no room for.
                    socket.flush().await?;
                }
                Ok(written)
            }
            Self::Messages { sink, text } => {
                let bytes = gather(queue);
                let written = bytes.len();
                // What is no text when it is cut here goes as it is: both are the stream.
                let message = match text.load(Ordering::Relaxed) {
                    true => Utf8Bytes::try_from(bytes.clone())
                        .map_or(Message::Binary(bytes), Message::Text),
                    false => Message::Binary(bytes),
                };
                sink.send(message).await.map_err(io::Error::other)?;
                Ok(written)
            }
        }
    }

    /// Ends this direction, in the transport's own way.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        match self {
            Self::Bytes(socket) => socket.shutdown().await,
            Self::Messages { sink, .. } => sink.close().await.map_err(io::Error::other),
        }
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
