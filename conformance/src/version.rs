//! Versions of brokers, and conditions on them.

use std::fmt;
use std::str::FromStr;

/// A version as brokers write it: numbers with dots between them. What comes
/// after the first other character does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut numbers = text[..end]
            .trim_end_matches('.')
            .split('.')
            .map(|number| {
                number
                    .parse()
                    .map_err(|_| format!("{text:?} is no version"))
            })
            .collect::<Result<Vec<u32>, _>>()?;
        // 3.10 is 3.10.0.
        while numbers.len() > 1 && numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// `>=3.10, <4`: every one of the comparisons holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Condition(Vec<(Comparison, Version)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// The longer ones first, as the shorter ones begin them.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.split(',')
            .map(|part| {
                let part = part.trim();
                let (comparison, rest) = COMPARISONS
                    .iter()
                    .find_map(|(sign, comparison)| Some((*comparison, part.strip_prefix(sign)?)))
                    .ok_or_else(|| format!("{part:?} begins with none of <, <=, =, >= and >"))?;
                Ok((comparison, rest.trim().parse()?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Condition {
    /// Returns whether the version is one of those that are meant.
    pub(crate) fn holds(&self, version: &Version) -> bool {
        self.0.iter().all(|(comparison, other)| match comparison {
            Comparison::Less => version < other,
            Comparison::LessOrEqual => version <= other,
            Comparison::Equal => version == other,
            Comparison::GreaterOrEqual => version >= other,
            Comparison::Greater => version > other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        for (condition, version, expected) in [
            ("<3.12", "3.10.8", true),
            ("<3.12", "3.12", false),
            ("<3.12", "3.12.0-rc.1", false),
            ("<=3.12", "3.12.0", true),
            (">=3.10, <4", "3.10", true),
            (">=3.10, <4", "3.9.29", false),
            (">=3.10,<4", "4.0.1", false),
            ("=2.0.11", "2.0.11", true),
            ("=2.0.11", "2.0.1", false),
            (">2.0.11", "2.0.18", true),
        ] {
            let holds = Condition::try_from(condition.to_string())
                .unwrap()
                .holds(&version.parse().unwrap());
            assert_eq!(holds, expected, "{condition} of {version}");
        }
        for condition in ["3.10", "", ">=", "<x", "<3.1,"] {
            assert!(
                Condition::try_from(condition.to_string()).is_err(),
                "{condition}"
            );
        }
    }
}
