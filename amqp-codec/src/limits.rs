//! What a decoder accepts, checked before anything is allocated.

/// Bounds on what a peer may make this side hold or walk.
///
/// Every bound is checked against what has arrived, or before anything is
/// allocated for what the peer only claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// The largest frame, in bytes, with its seven bytes of header and its
    /// frame-end byte. A connection takes frames of frame-min-size,
    /// [`FRAME_MIN_SIZE`](crate::FRAME_MIN_SIZE), whatever this says.
    pub frame_size: u32,
    /// The largest content header frame, in bytes, where that is more than
    /// [`frame_size`](Self::frame_size). A server may send one over the frame-max that
    /// was agreed on, since a header cannot be split (erratum 11): to a consumer with a
    /// small frame-max it passes on what a publisher with a larger one has sent. So
    /// this counts for a client, whatever the peers agree on; what a client sends to a
    /// server is held against frame-max.
    pub header_size: u32,
    /// The largest field table, in bytes of its encoding. An array inside is
    /// part of its table.
    pub table_size: u32,
    /// How deep tables and arrays may nest; a flat table has depth 1. Values
    /// over [`Limits::MAX_TABLE_DEPTH`] count as that.
    pub table_depth: u16,
    /// The largest body of one content, in bytes. The channel of a larger one is
    /// closed with 406, precondition-failed, as RabbitMQ does.
    pub body_size: u64,
    /// The largest body that a connection puts together, in bytes, if
    /// [`held_size`](Self::held_size) has room for it. A larger one is handed
    /// out in parts as its frames come, and never held: see
    /// [large bodies](crate#large-bodies).
    pub assembled_size: u64,
    /// The most that a connection holds of contents that are not complete, on
    /// all its channels together, in bytes: methods, headers and bodies as far
    /// as they have come. The channel of a frame that does not fit is closed with
    /// 311, content-too-large, which means that it may be tried again later; its
    /// own content is given up, and those of other channels go on. A content
    /// that is complete counts no more, and of one whose body comes in parts
    /// nothing is held. As buffers grow they may take twice as much memory.
    pub held_size: u64,
    /// The largest channel number, whatever the peers negotiate.
    pub channel_max: u16,
}

impl Limits {
    /// The deepest nesting that can be allowed. Checking a table costs one
    /// stack frame a level, so there is an end to it whatever the settings say.
    pub const MAX_TABLE_DEPTH: u16 = 1024;

    /// The defaults: frames of 128 KiB, content headers and tables of 1 MiB, tables
    /// 128 deep, bodies of 128 MiB, all of them put together,
    /// 256 MiB held of contents that are not complete, 2047 channels.
    pub const DEFAULT: Self = Self {
        frame_size: 131_072 + crate::frame::FRAME_OVERHEAD as u32,
        header_size: 1_048_576,
        table_size: 1_048_576,
        table_depth: 128,
        body_size: 134_217_728,
        assembled_size: u64::MAX,
        held_size: 268_435_456,
        channel_max: 2047,
    };

    /// The defaults before tune-ok, for a peer that as a rule has not logged in: frames
    /// of frame-min-size, [`FRAME_MIN_SIZE`](crate::FRAME_MIN_SIZE), and eight bytes for
    /// clients that count the payload only. A larger frame ends the connection without
    /// a word (section 2.2.4).
    ///
    /// Frame-min-size is what the specification asks for, and enough for a password.
    /// Tokens of OAuth 2 can be longer: RabbitMQ, whose name for this is
    /// `initial_frame_max`, takes 8192 since 4.1.
    pub const BEFORE_LOGIN: Self =
        Self::DEFAULT.with_frame_size(crate::FRAME_MIN_SIZE + crate::FRAME_OVERHEAD as u32);

    /// The same with another [`frame_size`](Self::frame_size), in bytes.
    #[must_use]
    pub const fn with_frame_size(mut self, bytes: u32) -> Self {
        self.frame_size = bytes;
        self
    }

    /// The same with another [`header_size`](Self::header_size), in bytes.
    #[must_use]
    pub const fn with_header_size(mut self, bytes: u32) -> Self {
        self.header_size = bytes;
        self
    }

    /// The same with another [`table_size`](Self::table_size), in bytes.
    #[must_use]
    pub const fn with_table_size(mut self, bytes: u32) -> Self {
        self.table_size = bytes;
        self
    }

    /// The same with another [`table_depth`](Self::table_depth), in levels.
    #[must_use]
    pub const fn with_table_depth(mut self, levels: u16) -> Self {
        self.table_depth = levels;
        self
    }

    /// The same with another [`body_size`](Self::body_size), in bytes.
    #[must_use]
    pub const fn with_body_size(mut self, bytes: u64) -> Self {
        self.body_size = bytes;
        self
    }

    /// The same with another [`assembled_size`](Self::assembled_size), in bytes.
    #[must_use]
    pub const fn with_assembled_size(mut self, bytes: u64) -> Self {
        self.assembled_size = bytes;
        self
    }

    /// The same with another [`held_size`](Self::held_size), in bytes.
    #[must_use]
    pub const fn with_held_size(mut self, bytes: u64) -> Self {
        self.held_size = bytes;
        self
    }

    /// The same with another [`channel_max`](Self::channel_max).
    #[must_use]
    pub const fn with_channel_max(mut self, channels: u16) -> Self {
        self.channel_max = channels;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
