//! The arguments that say how a broker is reached and how long it may take.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::again::Options;
use crate::case::Windows;
use crate::scram::Credentials;
use crate::target::{Target, TargetError};
use crate::tls::{Tls, TlsArgs};

/// What a URL does not say about how a broker is reached.
#[derive(Args, Clone, Debug)]
pub(crate) struct Reach {
    #[command(flatten)]
    tls: TlsArgs,
    /// Another virtual host that the user may use, for the cases about keeping
    /// them apart (AMQP)
    #[arg(long, value_name = "NAME")]
    other_virtual_host: Option<String>,
    /// A user who may log in and may do nothing else, for the cases about rights
    #[arg(long, value_name = "USER:PASSWORD")]
    restricted_user: Option<String>,
    /// A method that the broker has for the authentication of MQTT 5.0 by AUTH, and who
    /// may use it: SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512
    #[arg(long, value_name = "METHOD:USER:PASSWORD", value_parser = Credentials::from_str)]
    authentication: Option<Credentials>,
}

impl Reach {
    /// Adds it to what the URL says.
    pub(crate) fn target(&self, url: &str) -> Result<Target, TargetError> {
        let mut target: Target = url.parse()?;
        if target.tls.is_some() {
            target.tls = Some(Tls::new(&self.tls)?);
        }
        target
            .other_virtual_host
            .clone_from(&self.other_virtual_host);
        target.restricted = self
            .restricted_user
            .as_ref()
            .map(|user| {
                let parts = user.split_once(':');
                parts
                    .map(|(name, password)| (name.to_owned(), password.to_owned()))
                    .ok_or_else(|| TargetError::NoPassword(user.clone()))
            })
            .transpose()?;
        target.authentication.clone_from(&self.authentication);
        Ok(target)
    }

    /// Adds what was given, without the passwords.
    pub(crate) fn again(&self, options: &mut Options) {
        let Self {
            tls,
            other_virtual_host,
            restricted_user,
            authentication,
        } = self;
        tls.again(options);
        options.values("--other-virtual-host", other_virtual_host);
        let name = |user: &String| {
            user.split_once(':')
                .map(|(name, _)| format!("{name}:PASSWORD"))
        };
        options.values("--restricted-user", restricted_user.as_ref().and_then(name));
        // Which says PASSWORD for the password.
        let authentication = authentication.as_ref().map(|user| format!("{user:?}"));
        options.values("--authentication", authentication);
    }
}

/// Seconds that count where nothing else was given.
const TIMEOUT: &str = "5";
const SILENCE: &str = "0.5";
const DEADLINE: &str = "30";

/// The times by which a case judges.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Times {
    /// How long one answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = TIMEOUT, value_parser = seconds)]
    timeout: Duration,
    /// How long nothing must come for a broker to count as silent, in seconds
    #[arg(long, value_name = "SECONDS", default_value = SILENCE, value_parser = seconds)]
    silence: Duration,
    /// How long one case may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = DEADLINE, value_parser = seconds)]
    deadline: Duration,
}

impl Times {
    /// Adds those that are others than usual.
    pub(crate) fn again(&self, options: &mut Options) {
        let Self {
            timeout,
            silence,
            deadline,
        } = self;
        for (name, time, usual) in [
            ("--timeout", timeout, TIMEOUT),
            ("--silence", silence, SILENCE),
            ("--deadline", deadline, DEADLINE),
        ] {
            let is_usual = seconds(usual) == Ok(*time);
            options.values(name, (!is_usual).then_some(time.as_secs_f64()));
        }
    }
}

impl From<Times> for Windows {
    fn from(times: Times) -> Self {
        Self {
            patience: times.timeout,
            silence: times.silence,
            deadline: times.deadline,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "must be a number of seconds greater than 0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "x", "1e30"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
