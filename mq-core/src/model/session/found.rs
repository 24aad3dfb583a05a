//! What was found for topics, so that it need not be looked for again: publishers send to the
//! same topics, and subscriptions seldom change.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Match;

/// Topics that are remembered, at most. Two that fall on one place displace each other.
const PLACES: usize = 256;

/// A topic that is longer is not remembered.
const LONGEST: usize = 256;

/// One with more subscriptions than that is not remembered: there is more to do about each of
/// them than to find it.
const MOST: usize = 64;

/// Topics, and the subscriptions to them.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// None at first.
    places: Vec<Place>,
}

#[derive(Debug, Clone, Default)]
struct Place {
    topic: String,
    matches: Vec<Match>,
    /// Of all subscriptions, when these were found.
    version: Option<u64>,
}

impl Found {
    /// What was found for a topic, if that was since subscriptions have changed.
    pub(super) fn get(&self, topic: &str, version: u64) -> Option<&[Match]> {
        let place = self.places.get(place_of(topic))?;
        let is_it = place.version == Some(version) && place.topic == topic;
        is_it.then_some(&*place.matches)
    }

    /// Remembers what was found for a topic.
    pub(super) fn set(&mut self, topic: &str, version: u64, matches: &[Match]) {
        if topic.len() > LONGEST || matches.len() > MOST {
            return;
        }
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES];
        }
        if let Some(place) = self.places.get_mut(place_of(topic)) {
            place.topic.clear();
            place.topic.push_str(topic);
            place.matches.clear();
            place.matches.extend_from_slice(matches);
            place.version = Some(version);
        }
    }
}

/// Where a topic is remembered. It is no secret: whoever sends to topics that displace each
/// other has them looked for each time, as they would be without this.
fn place_of(topic: &str) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = topic.as_bytes().as_chunks();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.chain([u64::from_le_bytes(last)]);
    let hash = words.fold(topic.len() as u64, |hash, word| {
        (hash.rotate_left(5) ^ word).wrapping_mul(ODD)
    });
    (hash >> 56) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::Name;
    use alloc::collections::BTreeSet;
    use alloc::format;

    fn share(name: &str) -> Match {
        Match::Share(Name::from(name))
    }

    #[test]
    fn it_is_remembered_until_subscriptions_change() {
        let mut found = Found::default();
        assert_eq!(found.get("a/b", 1), None);
        found.set("a/b", 1, &[share("x"), share("y")]);
        found.set("", 1, &[]);
        assert_eq!(found.get("a/b", 1), Some(&[share("x"), share("y")][..]));
        assert_eq!(found.get("", 1), Some(&[][..]));
        assert_eq!(found.get("a/b", 2), None);
        assert_eq!(found.get("a/c", 1), None);
        found.set("a/b", 2, &[share("y")]);
        assert_eq!(found.get("a/b", 2), Some(&[share("y")][..]));
    }

    #[test]
    fn what_it_takes_is_bounded() {
        let mut found = Found::default();
        for number in 0..10_000 {
            let topic = format!("devices/{number}/temperature");
            found.set(&topic, 1, &[share("x")]);
            assert_eq!(found.get(&topic, 1), Some(&[share("x")][..]));
        }
        assert_eq!(found.places.len(), PLACES);
        let long = "t".repeat(LONGEST + 1);
        found.set(&long, 1, &[]);
        assert_eq!(found.get(&long, 1), None);
        found.set("many", 1, &vec![share("x"); MOST + 1]);
        assert_eq!(found.get("many", 1), None);
    }

    /// Topics that differ in their middle, or only in their end, are not all in one place.
    #[test]
    fn topics_spread() {
        let topics: [fn(usize) -> String; 3] = [
            |n| format!("devices/{n}/temperature"),
            |n| format!("t{n}"),
            |n| format!("{n:08}"),
        ];
        for topic in topics {
            let places = (0..PLACES).map(|n| place_of(&topic(n)));
            let places: BTreeSet<usize> = places.collect();
            assert!(places.len() > PLACES / 2, "{}", places.len());
        }
    }
}
