//! The command that asks a case again, as it was asked.

use std::fmt::Display;

/// What a run was given beside the URL and the case, as a shell reads it. Every argument
/// adds itself, and none is forgotten: the structs that hold them are taken apart whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options(String);

impl Options {
    /// Adds an option that has no value.
    pub(crate) fn flag(&mut self, name: &str, is_given: bool) {
        if is_given {
            self.0.push_str(&format!(" {name}"));
        }
    }

    /// Adds an option with each of these values.
    pub(crate) fn values<T: Display>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            let value = quoted(&value.to_string());
            self.0.push_str(&format!(" {name} {value}"));
        }
    }
}

/// Returns the command that asks the case with this id of the broker at this URL. The URL is
/// empty for the reference broker. PASSWORD stands for each password.
pub(crate) fn command(id: &str, options: &Options, url: &str) -> String {
    let url = if url.is_empty() {
        String::new()
    } else {
        format!(" {}", quoted(url))
    };
    format!("mqspec --case {id} -v{}{url}", options.0)
}

/// As one word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.,@%+=_-[]".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_given() {
        for (text, expected) in [
            (
                "mqtt://u:PASSWORD@[::1]:1/%2F",
                "mqtt://u:PASSWORD@[::1]:1/%2F",
            ),
            ("systemctl restart x", "'systemctl restart x'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn a_command_has_the_options_before_the_url() {
        let mut options = Options::default();
        options.flag("--strict", true);
        options.flag("--insecure", false);
        options.values("--expect", ["a.toml", "b c.toml"]);
        options.values("--timeout", None::<f64>);
        assert_eq!(
            command("amqp/x/y", &options, "amqp://h:1"),
            "mqspec --case amqp/x/y -v --strict --expect a.toml --expect 'b c.toml' amqp://h:1"
        );
        assert_eq!(
            command("amqp/x/y", &Options::default(), ""),
            "mqspec --case amqp/x/y -v"
        );
    }
}
