//! Packets that live on.

use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::{Packet, decode};
use crate::{DecodeError, EncodeError, Limits, ProtocolVersion};

/// A packet of fewer bytes is copied out of the buffer that it came in: to share it would
/// keep all of the buffer in memory.
const SHARED_FROM: usize = 1024;

/// A packet that outlives the bytes it was decoded from. A clone counts a reference and
/// copies nothing.
///
/// ```
/// use bytes::BytesMut;
/// use mqtt_codec::{Limits, Packet, PacketBuf, ProtocolVersion, Publish, TopicName};
///
/// let version = ProtocolVersion::V5_0;
/// let publish = Publish::new(TopicName::new("station/12")?, b"21.5");
/// let packet = Packet::Publish(publish);
/// let mut input = BytesMut::new();
/// packet.encode(version, &mut input)?;
///
/// let kept = PacketBuf::decode(&mut input, version, &Limits::DEFAULT)?.expect("it is whole");
/// assert!(input.is_empty());
/// assert_eq!(kept.as_packet(), packet);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PacketBuf {
    bytes: Bytes,
    version: ProtocolVersion,
}

impl PacketBuf {
    /// Takes the packet off the front of `input`, once it is complete. A packet of 1 KiB
    /// or more shares the memory of `input`, a smaller one is copied.
    ///
    /// # Errors
    /// As for [`decode`](crate::decode()).
    #[inline]
    pub fn decode(
        input: &mut BytesMut,
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let length = match &decode(input, version, limits) {
            Ok(Some((_, length))) => *length,
            Ok(None) => return Ok(None),
            Err(error) => return Err(*error),
        };
        let bytes = if length < SHARED_FROM {
            let copy = Bytes::copy_from_slice(&input[..length]);
            input.advance(length);
            copy
        } else {
            input.split_to(length).freeze()
        };
        Ok(Some(Self { bytes, version }))
    }

    /// The packet, to read or to send.
    #[must_use]
    #[inline]
    pub fn as_packet(&self) -> Packet<'_> {
        match decode(&self.bytes, self.version, &UNLIMITED) {
            Ok(Some((packet, _))) => packet,
            // It was decoded or encoded before it got here, so there is no other case.
            _ => Packet::PingReq,
        }
    }

    /// The version that it was decoded or encoded in.
    #[must_use]
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The whole packet as on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// What was within the limits once is read whatever it is.
const UNLIMITED: Limits = Limits {
    maximum_packet_size: u32::MAX,
    maximum_topic_levels: u16::MAX,
    maximum_topic_filters: u32::MAX,
    allow_any_3_1_client_identifier: true,
    allow_password_without_user_name: true,
    allow_dup_on_qos_0: true,
    ..Limits::DEFAULT
};

impl Packet<'_> {
    /// A copy that lives on, in this version.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn to_buf(&self, version: ProtocolVersion) -> Result<PacketBuf, EncodeError> {
        let mut bytes = Vec::with_capacity(self.encoded_len(version));
        self.encode(version, &mut bytes)?;
        Ok(PacketBuf {
            bytes: bytes.into(),
            version,
        })
    }
}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_packet().fmt(f)
    }
}
