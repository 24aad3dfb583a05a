//! What a message carries.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// What a message carries, in one piece or in a few.
///
/// A large body comes in with more than one read, or in more than one frame. It stays in the
/// pieces in which it came, and goes out in them: to put it together would be to copy it.
///
/// ```
/// use bytes::Bytes;
/// use mq_core::model::Body;
///
/// let body: Body = [Bytes::from_static(b"two "), Bytes::from_static(b"pieces")].into_iter().collect();
/// assert_eq!(body.len(), 10);
/// assert_eq!(body.pieces().count(), 2);
/// assert_eq!(body, b"two pieces"[..]);
/// assert_eq!(body.to_bytes(), b"two pieces"[..]);
/// ```
#[derive(Clone, Default)]
pub struct Body {
    /// Empty only if all of it is.
    first: Bytes,
    rest: Option<Arc<Rest>>,
}

/// What comes after the first piece.
struct Rest {
    /// None is empty.
    pieces: Vec<Bytes>,
    /// Bytes in them.
    len: usize,
}

impl Body {
    /// Bytes in all pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len() + self.rest.as_ref().map_or(0, |rest| rest.len)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The pieces in order. None of them is empty.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        let first = Some(&self.first).filter(|first| !first.is_empty());
        let rest = self.rest.as_ref().map_or(&[][..], |rest| &rest.pieces);
        first.into_iter().chain(rest)
    }

    /// All of it, if it is one piece.
    #[must_use]
    pub fn whole(&self) -> Option<&Bytes> {
        self.rest.is_none().then_some(&self.first)
    }

    /// All of it in one piece: a copy if it is more than one.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.whole() {
            Some(whole) => whole.clone(),
            None => self.copy(),
        }
    }

    /// A copy in one piece, which has no share in the memory that the body came in.
    pub(crate) fn copy(&self) -> Bytes {
        let mut copy = Vec::with_capacity(self.len());
        for piece in self.pieces() {
            copy.extend_from_slice(piece);
        }
        copy.into()
    }
}

impl From<Bytes> for Body {
    fn from(whole: Bytes) -> Self {
        Self {
            first: whole,
            rest: None,
        }
    }
}

impl From<&'static str> for Body {
    fn from(whole: &'static str) -> Self {
        Self::from(Bytes::from_static(whole.as_bytes()))
    }
}

/// What is empty is left out.
impl FromIterator<Bytes> for Body {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        let first = pieces.next().unwrap_or_default();
        let pieces: Vec<Bytes> = pieces.collect();
        let len = pieces.iter().map(Bytes::len).sum();
        let rest = (!pieces.is_empty()).then(|| Arc::new(Rest { pieces, len }));
        Self { first, rest }
    }
}

/// How it is cut makes no difference.
impl PartialEq<[u8]> for Body {
    fn eq(&self, other: &[u8]) -> bool {
        let mut left = other;
        let mut pieces = self.pieces();
        let is_next = |piece: &Bytes| match left.strip_prefix(&**piece) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        pieces.all(is_next) && left.is_empty()
    }
}

/// How they are cut makes no difference.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        match (self.whole(), other.whole()) {
            (_, Some(other)) => *self == other[..],
            (Some(whole), None) => *other == whole[..],
            (None, None) => self.len() == other.len() && bytes(self).eq(bytes(other)),
        }
    }
}

fn bytes(body: &Body) -> impl Iterator<Item = &u8> {
    body.pieces().flat_map(|piece| piece.iter())
}

/// The pieces.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => whole.fmt(f),
            None => f.debug_list().entries(self.pieces()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8], places: &[usize]) -> Body {
        let mut text = Bytes::copy_from_slice(text);
        let cuts = places.iter().map(|place| {
            let place = place % (text.len() + 1);
            text.split_to(place)
        });
        let mut pieces: Vec<Bytes> = cuts.collect();
        pieces.push(text);
        pieces.into_iter().collect()
    }

    proptest! {
        /// However a body is cut, it says the same.
        #[test]
        fn cuts_make_no_difference(
            text in proptest::collection::vec(0..3_u8, 0..20),
            other in proptest::collection::vec(0..3_u8, 0..20),
            places in proptest::collection::vec(0..20_usize, 0..5),
            more in proptest::collection::vec(0..20_usize, 0..5),
        ) {
            let body = cut(&text, &places);
            prop_assert_eq!(body.len(), text.len());
            prop_assert_eq!(body.is_empty(), text.is_empty());
            prop_assert_eq!(&body.to_bytes(), &text);
            prop_assert_eq!(&body.copy(), &text);
            prop_assert!(body.pieces().all(|piece| !piece.is_empty()));
            prop_assert!(body == text[..]);
            prop_assert_eq!(body.clone(), cut(&text, &more));
            prop_assert_eq!(body == cut(&other, &more), text == other);
            prop_assert_eq!(body == other[..], text == other);
        }
    }

    /// One piece is not copied.
    #[test]
    fn what_is_whole_is_shared() {
        let text = Bytes::from_static(b"whole");
        let body: Body = [Bytes::new(), text.clone(), Bytes::new()]
            .into_iter()
            .collect();
        assert_eq!(body.whole(), Some(&text));
        assert_eq!(body.to_bytes().as_ptr(), text.as_ptr());
    }
}
