//! Topic rewrites as people write them, in the words of EMQX.

use mq_core::{RewriteAction, RewriteError, TopicRewrite};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RewriteTable {
    action: Action,
    source_topic: String,
    re: String,
    dest_topic: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Publish,
    Subscribe,
    All,
}

impl From<TopicRewrite> for RewriteTable {
    fn from(rule: TopicRewrite) -> Self {
        Self {
            action: match rule.action() {
                RewriteAction::Publish => Action::Publish,
                RewriteAction::Subscribe => Action::Subscribe,
                _ => Action::All,
            },
            source_topic: rule.source().to_owned(),
            re: rule.pattern().to_owned(),
            dest_topic: rule.destination().to_owned(),
        }
    }
}

/// The rules that tables are.
pub(super) fn rules(tables: Vec<RewriteTable>) -> Result<Vec<TopicRewrite>, RewriteError> {
    let rule = |table: RewriteTable| {
        let action = match table.action {
            Action::Publish => RewriteAction::Publish,
            Action::Subscribe => RewriteAction::Subscribe,
            Action::All => RewriteAction::All,
        };
        TopicRewrite::new(action, &table.source_topic, &table.re, &table.dest_topic)
    };
    tables.into_iter().map(rule).collect()
}
