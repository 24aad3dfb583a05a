//! Properties to be written.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{Contents, Properties, Property, PropertyIdentifier};
use crate::packet::PacketSet;
use crate::{EncodeError, PropertyError};

/// Memory that is allocated at once, in bytes: most packets have no more properties.
const AT_ONCE: usize = 64;

/// Collects properties in their encoded form.
///
/// ```
/// use mqtt_codec::{PropertiesBuilder, Property};
///
/// let builder = PropertiesBuilder::new()
///     .with(Property::ContentType("text/plain"))?
///     .with(Property::UserProperty("station", "12"))?;
/// let properties = builder.as_properties();
/// assert_eq!(properties.content_type(), Some("text/plain"));
/// assert_eq!(properties.user_properties().next(), Some(("station", "12")));
/// # Ok::<(), mqtt_codec::PropertyError>(())
/// ```
#[derive(Clone)]
pub struct PropertiesBuilder {
    bytes: Vec<u8>,
    contents: Contents,
}

impl Default for PropertiesBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl PropertiesBuilder {
    /// None yet. Does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            contents: Contents::EMPTY,
        }
    }

    /// Adds a property behind those that are there.
    ///
    /// # Errors
    /// When the value is one that no packet may carry, or when no packet may carry it
    /// together with those that are there already (a second Content Type, or a Topic
    /// Alias and a Receive Maximum). Nothing is added then.
    pub fn push(&mut self, property: Property<'_>) -> Result<&mut Self, PropertyError> {
        let identifier = property.identifier();
        let rule = |rule| PropertyError::Rule { identifier, rule };
        property.check().map_err(rule)?;
        property.check_format().map_err(rule)?;
        let length = property.len().map_err(|error| PropertyError::TooLong {
            identifier,
            length: match error {
                EncodeError::FieldTooLong { length } => length,
                _ => 0,
            },
        })?;
        self.contents = self
            .contents
            .with(identifier, PacketSet::ALL)
            .map_err(rule)?;
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(length.max(AT_ONCE));
        }
        property.put(&mut self.bytes);
        Ok(self)
    }

    /// The same with a property behind those that are there.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn with(mut self, property: Property<'_>) -> Result<Self, PropertyError> {
        self.push(property)?;
        Ok(self)
    }

    /// Adds properties one by one.
    ///
    /// # Errors
    /// As [`push`](Self::push): those before the one that is refused have been added.
    pub fn extend<'a>(
        &mut self,
        properties: impl IntoIterator<Item = Property<'a>>,
    ) -> Result<&mut Self, PropertyError> {
        for property in properties {
            self.push(property)?;
        }
        Ok(self)
    }

    /// Whether this property has been added.
    #[must_use]
    pub const fn contains(&self, identifier: PropertyIdentifier) -> bool {
        self.contents.contains(identifier)
    }

    /// What has been added, to put into a packet.
    #[must_use]
    pub fn as_properties(&self) -> Properties<'_> {
        Properties {
            bytes: &self.bytes,
            contents: self.contents,
        }
    }

    /// Takes all away, and keeps the allocation.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.contents = Contents::EMPTY;
    }

    /// What has been added, to keep.
    #[must_use]
    pub fn build(self) -> PropertiesBuf {
        self.as_properties().to_buf()
    }
}

/// Owned properties. A clone counts a reference and copies nothing; when empty there
/// is no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct PropertiesBuf {
    bytes: Option<Arc<[u8]>>,
    contents: Contents,
}

impl Default for PropertiesBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl PropertiesBuf {
    /// No properties.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: None,
            contents: Contents::EMPTY,
        }
    }

    pub(super) fn copy_from(properties: Properties<'_>) -> Self {
        Self {
            bytes: (!properties.is_empty()).then(|| properties.bytes.into()),
            contents: properties.contents,
        }
    }

    /// The properties, to read or to put into a packet.
    #[must_use]
    #[inline]
    pub fn as_properties(&self) -> Properties<'_> {
        Properties {
            bytes: self.bytes.as_deref().unwrap_or_default(),
            contents: self.contents,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_none()
    }
}

impl fmt::Debug for PropertiesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_properties().fmt(f)
    }
}

impl fmt::Debug for PropertiesBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_properties().fmt(f)
    }
}
