//! Frames that are kept.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{Frame, RawFrame};
use crate::{DecodeError, EncodeError, Limits};

/// A frame that lives on: owned, in its encoding, which is one allocation.
///
/// ```
/// use amqp_codec::{Frame, FrameBuf, Limits, method::queue};
///
/// let purge = queue::Purge { queue: "tasks", ..Default::default() };
/// let frame = Frame::Method { channel: 1, method: purge.into() };
/// let kept: FrameBuf = frame.to_buf()?;
/// assert_eq!(kept.as_frame(), frame);
/// # Ok::<(), amqp_codec::EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FrameBuf(Box<[u8]>);

impl FrameBuf {
    /// Decodes the frame at the front of `input`, as [`decode`](crate::decode)
    /// does, and copies it.
    ///
    /// # Errors
    /// As for [`decode`](crate::decode).
    #[inline]
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((raw, len)) = RawFrame::split(input, limits)? else {
            return Ok(None);
        };
        raw.decode(limits)?;
        Ok(Some((Self(input[..len].into()), len)))
    }

    /// The frame, to read or to send.
    #[must_use]
    pub fn as_frame(&self) -> Frame<'_> {
        match crate::decode(&self.0, &UNLIMITED) {
            Ok(Some((frame, _))) => frame,
            // It was decoded or encoded before it got here, so there is no other case.
            _ => Frame::Heartbeat,
        }
    }

    /// The whole frame as on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What was in the limits once is read whatever its size.
const UNLIMITED: Limits = Limits::DEFAULT
    .with_frame_size(u32::MAX)
    .with_table_size(u32::MAX)
    .with_table_depth(Limits::MAX_TABLE_DEPTH);

impl Frame<'_> {
    /// A copy that lives on.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn to_buf(&self) -> Result<FrameBuf, EncodeError> {
        let mut octets = Vec::with_capacity(self.encoded_len());
        self.encode(&mut octets)?;
        Ok(FrameBuf(octets.into()))
    }
}

impl fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_frame().fmt(f)
    }
}
