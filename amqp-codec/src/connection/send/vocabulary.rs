//! Named values that calls take in place of a `bool`.

/// Which deliveries, or which publishes, an acknowledgement or a confirm is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Tags {
    /// This one.
    One(u64),
    /// All up to and with this one that were not settled before (`multiple`). 0 means
    /// all there are.
    UpTo(u64),
}

impl Tags {
    /// From the fields of a method.
    #[must_use]
    pub const fn new(delivery_tag: u64, multiple: bool) -> Self {
        if multiple {
            Self::UpTo(delivery_tag)
        } else {
            Self::One(delivery_tag)
        }
    }

    /// The last of the tags.
    #[must_use]
    pub const fn last(self) -> u64 {
        match self {
            Self::One(tag) | Self::UpTo(tag) => tag,
        }
    }

    pub(in super::super) const fn is_multiple(self) -> bool {
        matches!(self, Self::UpTo(_))
    }
}

/// Whether a message that is given back is delivered again.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Requeue {
    /// It goes back to its queue.
    Yes,
    /// It is dropped, or dead-lettered.
    #[default]
    No,
}

impl Requeue {
    pub(super) const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// As the bit on the wire.
impl From<bool> for Requeue {
    fn from(bit: bool) -> Self {
        if bit { Self::Yes } else { Self::No }
    }
}

/// What becomes of a publish that can be routed to no queue.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Mandatory {
    /// It comes back with basic.return.
    Yes,
    /// It is dropped.
    #[default]
    No,
}

impl Mandatory {
    pub(super) const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// As the bit on the wire.
impl From<bool> for Mandatory {
    fn from(bit: bool) -> Self {
        if bit { Self::Yes } else { Self::No }
    }
}

/// Whether a message may have been delivered before.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Redelivered {
    /// It may have been.
    Yes,
    /// It was not.
    #[default]
    No,
}

impl Redelivered {
    pub(super) const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// As the bit on the wire.
impl From<bool> for Redelivered {
    fn from(bit: bool) -> Self {
        if bit { Self::Yes } else { Self::No }
    }
}
