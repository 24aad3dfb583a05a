//! Frames that are kept.

use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::{Frame, RawFrame};
use crate::{DecodeError, EncodeError, Limits};

/// From this size on, in bytes, a frame keeps the buffer that it came in
/// rather than a copy: below, a copy costs less than the sharing.
const SHARED_FROM: usize = 1024;

/// A frame that lives on: owned, in its encoding. To clone it is to count a
/// reference.
///
/// ```
/// use amqp_codec::{Frame, FrameBuf, Limits, method::queue};
/// use bytes::BytesMut;
///
/// let purge = queue::Purge { queue: "tasks", ..Default::default() };
/// let frame = Frame::Method { channel: 1, method: purge.into() };
/// let mut input = BytesMut::new();
/// frame.encode(&mut input)?;
///
/// let kept = FrameBuf::decode(&mut input, &Limits::DEFAULT)?.expect("it is whole");
/// assert!(input.is_empty());
/// assert_eq!(kept.as_frame(), frame);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FrameBuf(Bytes);

impl FrameBuf {
    /// Takes the frame off the front of `input`, once it is complete. A frame of
    /// 1 KiB or more shares the memory of `input`, a smaller one is copied.
    ///
    /// # Errors
    /// As for [`decode`](crate::decode).
    #[inline]
    pub fn decode(input: &mut BytesMut, limits: &Limits) -> Result<Option<Self>, DecodeError> {
        let Some((raw, len)) = RawFrame::split(input, limits)? else {
            return Ok(None);
        };
        raw.decode(limits)?;
        let bytes = if len < SHARED_FROM {
            let copy = Bytes::copy_from_slice(&input[..len]);
            input.advance(len);
            copy
        } else {
            input.split_to(len).freeze()
        };
        Ok(Some(Self(bytes)))
    }

    /// The frame, to read or to send.
    #[must_use]
    pub fn as_frame(&self) -> Frame<'_> {
        match crate::decode(&self.0, &UNLIMITED) {
            Ok(Some((frame, _))) => frame,
            // It was decoded or encoded before it got here, so there is no other case.
            other => {
                debug_assert!(false, "{other:?}");
                Frame::Heartbeat
            }
        }
    }

    /// The whole frame as on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
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
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode(&mut bytes)?;
        Ok(FrameBuf(bytes.into()))
    }
}

impl fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_frame().fmt(f)
    }
}
