//! How much one peer may make this side hold or read.

/// The limits on what a peer sends (STOMP 1.2, "Size Limits").
///
/// The first five bound one frame and are what [`decode`](crate::decode) looks
/// at; the rest are for a [`connection`](crate::connection), and bound what it
/// waits for and holds for its peer. Nothing is ever allocated in
/// proportion to a length that the peer only claimed.
///
/// ```
/// use stomp_codec::Limits;
///
/// let limits = Limits::default().with_body(1024).with_headers(4096);
/// assert_eq!(limits.body, 1024);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest command, in bytes, without its end of line. Default: 32.
    pub command: usize,
    /// Longest header line, in bytes, without its end of line. Default: 16 KiB; before
    /// login 4 KiB.
    pub header_line: usize,
    /// Most header lines in one frame. Default: 1,000; before login 32.
    pub header_count: usize,
    /// Longest header block, in bytes: all header lines of a frame with their
    /// ends of line. Default: 128 KiB; before login 16 KiB.
    pub headers: usize,
    /// Longest body, in bytes, whether its length is declared or not. Default: 16 MiB;
    /// before login 16 KiB.
    pub body: usize,
    /// Longest body, in bytes, that a connection waits for and hands out whole;
    /// a longer one comes in parts as it arrives. With this the buffer of a
    /// reader needs room for headers, so many bytes and one read, however long
    /// the bodies are. Default: no limit, every body comes whole.
    pub assembled_size: usize,
    /// Most subscriptions open at a time on one connection. Default: 1,000.
    pub subscriptions: usize,
    /// Most transactions open at a time on one connection. Default: 100.
    pub transactions: usize,
    /// Most operations (SEND, ACK, NACK) held in all open transactions of one
    /// connection together. Default: 10,000.
    pub transaction_operations: usize,
    /// Most bytes (headers and bodies) held in all open transactions of one
    /// connection together. Default: 64 MiB.
    pub transaction_bytes: usize,
}

impl Default for Limits {
    /// Generous to a peer that has logged in: 16 KiB a header line, 1000
    /// headers, 128 KiB of headers, 16 MiB of body, which is handed out whole.
    fn default() -> Self {
        Self {
            command: 32,
            header_line: 16 * 1024,
            header_count: 1000,
            headers: 128 * 1024,
            body: 16 * 1024 * 1024,
            assembled_size: usize::MAX,
            subscriptions: 1000,
            transactions: 100,
            transaction_operations: 10_000,
            transaction_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Narrow limits for a peer that nobody knows yet: 4 KiB a header line, 32
    /// headers, 16 KiB of headers, 16 KiB of body (a server may explain itself
    /// in the body of the ERROR that refuses a connection).
    #[must_use]
    pub fn before_login() -> Self {
        Self {
            header_line: 4 * 1024,
            header_count: 32,
            headers: 16 * 1024,
            body: 16 * 1024,
            ..Self::default()
        }
    }
}

macro_rules! with {
    ($($field:ident $method:ident,)*) => {
        impl Limits { $(
            #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub const fn $method(mut self, $field: usize) -> Self {
                self.$field = $field;
                self
            }
        )* }
    };
}

with! {
    command with_command,
    header_line with_header_line,
    header_count with_header_count,
    headers with_headers,
    body with_body,
    assembled_size with_assembled_size,
    subscriptions with_subscriptions,
    transactions with_transactions,
    transaction_operations with_transaction_operations,
    transaction_bytes with_transaction_bytes,
}
