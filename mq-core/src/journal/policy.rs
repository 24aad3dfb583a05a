//! What is written of a policy.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Buf;

use super::field::{Fields, Malformed, put_flag, put_text};
use super::message::put_headers;
use crate::model::change::KeptPolicy;
use crate::model::message::{Headers, Value};
use crate::policy::{ApplyTo, Policy, PolicyKind, PolicyValue};

pub(super) fn put_policy(out: &mut Vec<u8>, kept: &KeptPolicy) {
    let KeptPolicy { kind, policy } = kept;
    let Policy {
        virtual_host,
        name,
        pattern,
        apply_to,
        priority,
        definition,
    } = policy;
    put_flag(out, *kind == PolicyKind::Operator);
    put_text(out, virtual_host);
    put_text(out, name);
    put_text(out, pattern);
    put_text(out, apply_to.name());
    out.extend_from_slice(&priority.to_be_bytes());
    let mut table = Headers::default();
    for (key, value) in definition {
        let value = match value {
            PolicyValue::Number(number) => Value::long(*number),
            PolicyValue::Text(text) => Value::string(text),
        };
        table.push(key, value);
    }
    put_headers(out, &table);
}

impl Fields {
    pub(super) fn policy_kind(&mut self) -> Result<PolicyKind, Malformed> {
        Ok(match self.flag()? {
            true => PolicyKind::Operator,
            false => PolicyKind::Ordinary,
        })
    }

    pub(super) fn policy(&mut self) -> Result<KeptPolicy, Malformed> {
        Ok(KeptPolicy {
            kind: self.policy_kind()?,
            policy: Policy {
                virtual_host: self.string()?,
                name: self.string()?,
                pattern: self.string()?,
                apply_to: ApplyTo::parse(&self.text()?).ok_or(Malformed)?,
                priority: self.0.try_get_i64().map_err(|_| Malformed)?,
                definition: self.definition()?,
            },
        })
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.text().map(|text| String::from(&*text))
    }

    fn definition(&mut self) -> Result<BTreeMap<String, PolicyValue>, Malformed> {
        let Headers(entries) = self.headers()?;
        let entries = entries.iter().map(|(key, value)| {
            let key = key.as_str().ok_or(Malformed)?;
            let value = match (value.as_int(), value.as_str()) {
                (Some(number), _) => PolicyValue::Number(number),
                (_, Some(text)) => PolicyValue::from(text),
                _ => return Err(Malformed),
            };
            Ok((String::from(key), value))
        });
        entries.collect()
    }
}
