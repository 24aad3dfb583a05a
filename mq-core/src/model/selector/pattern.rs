//! What LIKE compares a string with.

use alloc::vec::Vec;

/// Longest pattern, in characters. A comparison takes at most as many steps as the
/// pattern is long for each character of the string.
const LONGEST: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    /// `%`: any characters, or none.
    Any,
    /// `_`: one character.
    One,
    Char(char),
}

/// A pattern of LIKE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Element>);

impl Pattern {
    /// Reads a pattern; None: it is too long. The escape character makes `%`, `_` and
    /// itself stand for themselves; before anything else it stands for itself.
    pub(super) fn new(text: &str, escape: Option<char>) -> Option<Self> {
        let mut elements = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let escaped = (escape == Some(c))
                .then(|| chars.next_if(|next| matches!(next, '%' | '_') || *next == c))
                .flatten();
            elements.push(match (escaped, c) {
                (Some(literal), _) => Element::Char(literal),
                // Several mean the same as one.
                (None, '%') if elements.last() == Some(&Element::Any) => continue,
                (None, '%') => Element::Any,
                (None, '_') => Element::One,
                (None, c) => Element::Char(c),
            });
            if elements.len() > LONGEST {
                return None;
            }
        }
        Some(Self(elements))
    }

    /// Whether the whole string is as the pattern says.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Self(elements) = self;
        let mut rest = text.chars();
        let mut at = 0;
        // Where to go on when what follows the last `%` does not match: there, one
        // character later.
        let mut again: Option<(usize, core::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            let matched = match (elements.get(at), rest.next()) {
                (Some(Element::Any), _) => {
                    rest = before.clone();
                    again = Some((at + 1, before));
                    true
                }
                (None, None) => return true,
                (Some(Element::One), Some(_)) => true,
                (Some(Element::Char(expected)), Some(c)) => *expected == c,
                (_, None) | (None, Some(_)) => false,
            };
            if matched {
                at += 1;
                continue;
            }
            let Some((after, mut from)) = again.take() else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            rest = from.clone();
            at = after;
            again = Some((after, from));
        }
    }
}
