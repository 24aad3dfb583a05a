//! One source of settings, as a table that has only what it sets.

use clap::ValueEnum;
use toml::{Table, Value};

use super::{SettingsError, Tables, Variables, one_line};
use crate::cli::{Assignment, Flags};

/// What the names of environment variables begin with. Two underscores stand for the dot:
/// others set variables such as `MQ_SERVER_PORT` for programs of this name.
const PREFIX: &str = "MQ_SERVER__";

/// Tables of names that a later layer replaces as a whole.
const REPLACED: [&str; 3] = ["users", "user_limits", "virtual_host_limits"];

#[derive(Debug, Default)]
pub(super) struct Layer(pub(super) Table);

impl Layer {
    /// The settings of the environment: `MQ_SERVER__LIMITS__QUEUES` is `limits.queues`.
    pub(super) fn of_variables(variables: &Variables) -> Result<Self, SettingsError> {
        let mut layer = Self::default();
        for (name, value) in variables {
            // What is no text is none of ours.
            let Some(key) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let key = key.to_lowercase().replace("__", ".");
            layer.assign(&name.to_string_lossy(), &key, &value.to_string_lossy())?;
        }
        Ok(layer)
    }

    pub(super) fn of_flags(flags: &Flags) -> Result<Self, SettingsError> {
        let Flags {
            config: _,
            check_config: _,
            set,
            data,
            ephemeral,
            store,
            amqp,
            mqtt,
            stomp,
            endpoints,
            tls_certificate,
            tls_key,
            tls_client_ca,
            users,
            allow_anonymous,
            any_user,
            dollar_topics,
            amqp_product,
            amqp_version,
            virtual_hosts,
            max_connections,
            log_level,
            log_format,
        } = flags;
        let mut layer = Self::default();
        for Assignment { name, value } in set {
            layer.assign(&format!("--set {name}"), name, value)?;
        }
        let text = |value: &dyn ToString| Value::String(value.to_string());
        let path = |path: &std::path::PathBuf| text(&path.display());
        let list = |items: Vec<String>| {
            (!items.is_empty())
                .then(|| Value::Array(items.into_iter().map(Value::String).collect()))
        };
        let format = log_format.and_then(|format| format.to_possible_value());
        let single = [
            ("data", data.as_ref().map(path)),
            ("ephemeral", ephemeral.then_some(Value::Boolean(true))),
            ("store", store.as_ref().map(|url| text(url))),
            ("listen.amqp", amqp.as_ref().map(|at| text(at))),
            ("listen.mqtt", mqtt.as_ref().map(|at| text(at))),
            ("listen.stomp", stomp.as_ref().map(|at| text(at))),
            (
                "endpoints",
                list(endpoints.iter().map(ToString::to_string).collect()),
            ),
            ("tls.certificate", tls_certificate.as_ref().map(path)),
            ("tls.key", tls_key.as_ref().map(path)),
            ("tls.client_ca", tls_client_ca.as_ref().map(path)),
            ("allow_anonymous", allow_anonymous.map(Value::Boolean)),
            ("any_user", any_user.map(Value::Boolean)),
            ("mqtt.dollar_topics", dollar_topics.map(Value::Boolean)),
            ("amqp.product", amqp_product.as_ref().map(|name| text(name))),
            ("amqp.version", amqp_version.as_ref().map(|name| text(name))),
            ("virtual_hosts", list(virtual_hosts.clone())),
            (
                "max_connections",
                max_connections.map(|n| Value::Integer(n.into())),
            ),
            ("log.level", log_level.as_ref().map(|level| text(level))),
            ("log.format", format.map(|format| text(&format.get_name()))),
        ];
        for (key, value) in single {
            if let Some(value) = value {
                merge(&mut layer.0, nested(key, value));
            }
        }
        for user in users {
            // A name may have a dot in it.
            let user = Table::from_iter([(user.name.clone(), text(&user.password))]);
            merge(&mut layer.0, nested("users", Value::Table(user)));
        }
        Ok(layer)
    }

    /// Sets what a person has written as a text.
    fn assign(&mut self, source_name: &str, key: &str, text: &str) -> Result<(), SettingsError> {
        let string = Value::String(text.to_owned());
        // As TOML, if it is such a value and that fits; otherwise as a string.
        let typed = toml::from_str::<Table>(&format!("value = {text}"));
        let typed = typed.ok().and_then(|mut table| table.remove("value"));
        let mut wrong = None;
        for value in typed.into_iter().chain([string]) {
            let table = nested(key, value);
            match Value::Table(table.clone()).try_into::<Tables>() {
                Ok(_) => {
                    merge(&mut self.0, table);
                    return Ok(());
                }
                // The type that the text looks like is what its writer had in mind.
                Err(error) => wrong = wrong.or(Some(error)),
            }
        }
        Err(SettingsError::One {
            source_name: source_name.to_owned(),
            message: wrong.map_or_else(String::new, |error| one_line(error.message())),
        })
    }

    /// All layers over each other and over the defaults.
    pub(super) fn merge(layers: Vec<Self>) -> Result<Tables, SettingsError> {
        let mut merged = Table::new();
        for Self(layer) in layers {
            for name in REPLACED {
                if layer.contains_key(name) {
                    merged.remove(name);
                }
            }
            merge(&mut merged, layer);
        }
        Value::Table(merged)
            .try_into()
            .map_err(|error: toml::de::Error| SettingsError::One {
                source_name: "the settings".to_owned(),
                message: one_line(error.message()),
            })
    }
}

/// The table in which a name with dots has a value.
fn nested(key: &str, value: Value) -> Table {
    match key.split_once('.') {
        None => Table::from_iter([(key.to_owned(), value)]),
        Some((first, rest)) => {
            let inner = Value::Table(nested(rest, value));
            Table::from_iter([(first.to_owned(), inner)])
        }
    }
}

/// Lays one table over another.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
