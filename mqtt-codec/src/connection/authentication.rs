//! Enhanced authentication (5.0 section 4.12): the method stays that of CONNECT.

use alloc::boxed::Box;

use super::SendError;
use crate::{Properties, PropertiesBuilder, Property, Rule};

/// Whose the next step of an authentication is (section 4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is no authentication going on.
    None,
    /// The peer is to answer.
    Peer,
    /// The embedder is to answer.
    Us,
}

/// The Authentication Method of a connection, if CONNECT had one.
#[derive(Clone, Debug, Default)]
pub(super) struct Method(Option<Box<str>>);

impl Method {
    pub(super) fn of(properties: &Properties<'_>) -> Self {
        Self(properties.authentication_method().map(Into::into))
    }

    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// That a packet of the peer has this method, AUTH being what has one at all.
    pub(super) fn check(&self, properties: &Properties<'_>) -> Result<(), Rule> {
        match (&self.0, properties.authentication_method()) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Rule::AuthWithoutMethod),
            (Some(method), Some(given)) if **method == *given => Ok(()),
            (Some(_), _) => Err(Rule::AuthenticationMethodChanged),
        }
    }

    /// Puts the method before `properties`, which may name it themselves.
    // keeps: 5.0 MQTT-4.12.0-5, 5.0 MQTT-4.12.0-6, 5.0 MQTT-4.12.1-1
    pub(super) fn add_to(
        &self,
        builder: &mut PropertiesBuilder,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        if let Some(method) = &self.0 {
            builder.push(Property::AuthenticationMethod(method))?;
        }
        for property in properties {
            match property {
                Property::AuthenticationMethod(given) if self.0.as_deref() == Some(given) => {}
                Property::AuthenticationMethod(_) => {
                    let rule = match self.0 {
                        Some(_) => Rule::AuthenticationMethodChanged,
                        // In CONNACK: an AUTH does not come so far.
                        None => Rule::AuthOfServerWithoutMethod,
                    };
                    return Err(SendError::Rule { rule });
                }
                other => {
                    builder.push(other)?;
                }
            }
        }
        Ok(())
    }
}
