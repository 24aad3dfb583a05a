//! What the peers declare that they can do (RabbitMQ).

use crate::{FieldValue, Table, TableBuf};

macro_rules! capabilities {
    ($($(#[$doc:meta])* $field:ident $name:literal,)*) => {
        /// The capabilities that a peer declares: the table `capabilities` in
        /// its client or server properties (RabbitMQ).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub struct Capabilities {
            $($(#[$doc])* pub $field: bool,)*
        }

        impl Capabilities {
            /// All that this crate knows.
            pub const ALL: Self = Self { $($field: true,)* };

            /// Reads them from client or server properties; what is not
            /// declared as true is false.
            #[must_use]
            pub fn from_properties(properties: Table<'_>) -> Self {
                let declared = match properties.get("capabilities") {
                    Some(FieldValue::Table(table)) => table,
                    _ => Table::EMPTY,
                };
                Self {
                    $($field: declared.get($name) == Some(FieldValue::Boolean(true)),)*
                }
            }

            /// The table to put under `capabilities`; what is false is left out.
            #[must_use]
            pub fn to_table(self) -> TableBuf {
                let mut table = TableBuf::new();
                $(
                    if self.$field {
                        insert(&mut table, $name, true.into());
                    }
                )*
                table
            }
        }
    };
}

capabilities! {
    /// `publisher_confirms`: confirm.select.
    publisher_confirms "publisher_confirms",
    /// `exchange_exchange_bindings`: exchange.bind and exchange.unbind.
    exchange_exchange_bindings "exchange_exchange_bindings",
    /// `basic.nack`.
    basic_nack "basic.nack",
    /// `consumer_cancel_notify`: the server may send basic.cancel.
    consumer_cancel_notify "consumer_cancel_notify",
    /// `connection.blocked`: the server may send connection.blocked.
    connection_blocked "connection.blocked",
    /// `consumer_priorities`: `x-priority` of basic.consume.
    consumer_priorities "consumer_priorities",
    /// `authentication_failure_close`: a refused login is answered with connection.close.
    authentication_failure_close "authentication_failure_close",
    /// `per_consumer_qos`: basic.qos counts per consumer unless global.
    per_consumer_qos "per_consumer_qos",
    /// `direct_reply_to`: the queue `amq.rabbitmq.reply-to`.
    direct_reply_to "direct_reply_to",
}

/// Properties of this crate itself, until a configuration says otherwise.
pub(super) fn default_properties() -> TableBuf {
    let mut properties = TableBuf::new();
    insert(&mut properties, "product", env!("CARGO_PKG_NAME").into());
    insert(&mut properties, "version", env!("CARGO_PKG_VERSION").into());
    insert(&mut properties, "platform", "Rust".into());
    insert(
        &mut properties,
        "capabilities",
        (&Capabilities::ALL.to_table()).into(),
    );
    properties
}

/// Names here are literals, so short enough.
fn insert(table: &mut TableBuf, name: &str, value: FieldValue<'_>) {
    let inserted = table.insert(name, value);
    debug_assert!(inserted.is_ok(), "{name}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_what_is_declared_as_true() {
        let mut declared = TableBuf::new();
        declared.insert("basic.nack", true).unwrap();
        declared.insert("publisher_confirms", false).unwrap();
        declared.insert("connection.blocked", 1).unwrap();
        declared.insert("of another broker", true).unwrap();
        let mut properties = TableBuf::new();
        properties.insert("capabilities", &declared).unwrap();
        let expected = Capabilities {
            basic_nack: true,
            ..Capabilities::default()
        };
        assert_eq!(
            Capabilities::from_properties(properties.as_table()),
            expected
        );
        assert_eq!(
            Capabilities::from_properties(Table::EMPTY),
            Capabilities::default()
        );
        let ours = default_properties();
        assert_eq!(
            Capabilities::from_properties(ours.as_table()),
            Capabilities::ALL
        );
    }
}
