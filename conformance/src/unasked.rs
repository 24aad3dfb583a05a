//! Why no case asks about a requirement, where none does.

use requirements::{Requirement, Specification};
use serde::Deserialize;

use crate::selection::glob;

/// Requirements that are left out for one reason, as patterns over their identifiers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    because: String,
    #[serde(default)]
    amqp: Vec<String>,
    #[serde(default)]
    mqtt5: Vec<String>,
    #[serde(default)]
    mqtt311: Vec<String>,
    #[serde(default)]
    stomp: Vec<String>,
}

impl Group {
    fn patterns(&self, specification: Specification) -> &[String] {
        match specification {
            Specification::Amqp0_9_1 => &self.amqp,
            Specification::Mqtt5_0 => &self.mqtt5,
            Specification::Mqtt3_1_1 => &self.mqtt311,
            Specification::Stomp => &self.stomp,
        }
    }
}

/// The reasons that `data/unasked.toml` gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unasked {
    group: Vec<Group>,
}

impl Unasked {
    /// Reads the file that is compiled in.
    ///
    /// # Panics
    ///
    /// Never: a test reads it.
    pub(crate) fn read() -> Self {
        toml::from_str(include_str!("../data/unasked.toml"))
            .unwrap_or_else(|error| panic!("data/unasked.toml: {error}"))
    }

    /// Returns why no case asks about the requirement.
    pub(crate) fn because(&self, requirement: &Requirement) -> Option<&str> {
        let names = |pattern: &String| matches(pattern, requirement.identifier);
        self.group
            .iter()
            .find(|group| group.patterns(requirement.specification).iter().any(names))
            .map(|group| group.because.as_str())
    }
}

fn matches(pattern: &str, identifier: &str) -> bool {
    glob(pattern.as_bytes(), identifier.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::asked;
    use crate::selection::everything;

    #[test]
    fn each_requirement_is_asked_about_or_left_out_for_one_reason() {
        let unasked = Unasked::read();
        let mut wrong = Vec::new();
        for row in asked(&everything()).into_iter().flat_map(|(_, rows)| rows) {
            let requirement = &row.requirement;
            let reasons = unasked
                .group
                .iter()
                .flat_map(|group| group.patterns(requirement.specification))
                .filter(|pattern| matches(pattern, requirement.identifier))
                .count();
            if (row.cases == 0) != (reasons == 1) || reasons > 1 {
                wrong.push(format!(
                    "{}: {} cases, {reasons} reasons",
                    requirement, row.cases
                ));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn each_pattern_names_a_requirement() {
        for group in Unasked::read().group {
            for specification in Specification::ALL {
                let known = requirements::list(specification);
                for pattern in group.patterns(specification) {
                    assert!(
                        known.iter().any(|known| matches(pattern, known.identifier)),
                        "{specification}: {pattern}"
                    );
                }
            }
        }
    }
}
