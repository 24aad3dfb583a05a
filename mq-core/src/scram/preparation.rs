//! Names and passwords in one form, whatever keyboard they were typed on (RFC 4013, SASLprep).

use alloc::string::String;
use unicode_normalization::UnicodeNormalization;

/// Commonly mapped to nothing (RFC 3454, table B.1).
const NOTHING: [char; 11] = [
    '\u{AD}', '\u{34F}', '\u{1806}', '\u{180B}', '\u{180C}', '\u{180D}', '\u{200B}', '\u{200C}',
    '\u{200D}', '\u{2060}', '\u{FEFF}',
];

/// The text in that form; None where it has a character that is not allowed. What the
/// profile says of texts that run from right to left is not looked at.
pub(super) fn prepared(text: &str) -> Option<String> {
    let mapped = text.chars().filter_map(|c| match c {
        c if NOTHING.contains(&c) || ('\u{FE00}'..='\u{FE0F}').contains(&c) => None,
        c if c.is_whitespace() && !c.is_control() => Some(' '),
        c => Some(c),
    });
    let prepared: String = mapped.nfkc().collect();
    let is_prohibited =
        |c: char| c.is_control() || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{FFF9}'..='\u{FFFF}');
    (!prepared.contains(is_prohibited)).then_some(prepared)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4013 section 3.
    #[test]
    fn examples_of_the_profile() {
        for (text, expected) in [
            ("I\u{AD}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{AA}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("a\u{A0}b", Some("a b")),
        ] {
            assert_eq!(prepared(text).as_deref(), expected, "{text:?}");
        }
    }
}
