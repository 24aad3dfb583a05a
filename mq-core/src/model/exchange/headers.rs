//! Matching on headers (AMQP 0-9-1 section 3.1.3.4, with RabbitMQ's
//! `any-with-x` and `all-with-x`).

use alloc::vec::Vec;

use super::value_matches;
use crate::model::message::{Headers, Text, Value};
use crate::model::refusal::Refusal;

/// The pattern in the arguments of a binding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeadersMatch {
    all: bool,
    wanted: Vec<(Text, Value)>,
}

/// `x-match`: whether all must match, and whether names that begin with `x-`
/// take part.
const MODES: &[(&str, bool, bool)] = &[
    ("all", true, false),
    ("any", false, false),
    ("all-with-x", true, true),
    ("any-with-x", false, true),
];

impl HeadersMatch {
    pub(super) fn parse(arguments: &Headers) -> Result<Self, Refusal> {
        let mode = arguments.get("x-match").map_or(Some("all"), Value::as_str);
        let Some((_, all, with_x)) =
            mode.and_then(|mode| MODES.iter().find(|(name, ..)| *name == mode))
        else {
            return Err(Refusal::precondition_failed(format_args!(
                "Invalid x-match field value {mode:?}; expected all, any, all-with-x, or any-with-x"
            )));
        };
        let wanted = arguments
            .0
            .iter()
            .filter(|(name, _)| name != "x-match" && (*with_x || !name.starts_with(b"x-")))
            .cloned()
            .collect();
        Ok(Self { all: *all, wanted })
    }

    pub(super) fn matches(&self, headers: &Headers) -> bool {
        let mut found = self.wanted.iter().map(|(name, pattern)| {
            headers
                .get(name)
                .is_some_and(|value| value_matches(pattern, value))
        });
        if self.all {
            found.all(|matched| matched)
        } else {
            found.any(|matched| matched)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, i64)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in list {
            headers.push(name, Value::long(*value));
        }
        headers
    }

    #[test]
    fn modes() {
        const WANTED: &[(&str, i64)] = &[("a", 1), ("b", 2), ("x-c", 3)];
        type Case = (&'static str, &'static [(&'static str, i64)], bool);
        const CASES: &[Case] = &[
            ("all", &[("a", 1), ("b", 2)], true),
            ("all", &[("a", 1)], false),
            ("all", &[("a", 1), ("b", 3)], false),
            ("any", &[("a", 1)], true),
            ("any", &[("x-c", 3)], false),
            ("any", &[], false),
            ("all-with-x", &[("a", 1), ("b", 2)], false),
            ("all-with-x", &[("a", 1), ("b", 2), ("x-c", 3)], true),
            ("any-with-x", &[("x-c", 3)], true),
        ];
        for (mode, given, expected) in CASES {
            let mut arguments = headers(WANTED);
            arguments.push("x-match", Value::string(mode));
            let pattern = HeadersMatch::parse(&arguments).unwrap();
            assert_eq!(
                pattern.matches(&headers(given)),
                *expected,
                "{mode} {given:?}"
            );
        }
    }

    #[test]
    fn no_value_asks_for_presence() {
        let mut arguments = Headers::default();
        arguments.push("a", Value::Void);
        let pattern = HeadersMatch::parse(&arguments).unwrap();
        assert!(pattern.matches(&headers(&[("a", 7)])));
        assert!(!pattern.matches(&headers(&[("b", 7)])));
    }

    #[test]
    fn nothing_wanted_matches_all_but_not_any() {
        let mut arguments = Headers::default();
        assert!(
            HeadersMatch::parse(&arguments)
                .unwrap()
                .matches(&headers(&[]))
        );
        arguments.push("x-match", Value::string("any"));
        assert!(
            !HeadersMatch::parse(&arguments)
                .unwrap()
                .matches(&headers(&[("a", 1)]))
        );
        arguments.set("x-match", Value::string("some"));
        assert!(HeadersMatch::parse(&arguments).is_err());
    }
}
