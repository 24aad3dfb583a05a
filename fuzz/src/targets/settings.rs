//! The settings of mq-server: any file, flags and environment are refused in one line, or mean
//! the same again when they are written as a file.

use std::net::IpAddr;
use std::path::Path;

use clap::Parser;
use toml::Table;

use crate::cli::{Address, Arguments};
use crate::settings::{Settings, Tables, Variables};

/// Runs one input: lines of flags and of variables, and then a file.
pub fn run(data: &[u8]) {
    let Ok(mut text) = str::from_utf8(data) else {
        return;
    };
    let (mut flags, mut variables) = (vec!["mq-server"], Variables::new());
    while let Some((line, rest)) = text.split_once('\n') {
        match line.split_once('=') {
            _ if line.starts_with("--") => flags.push(line),
            Some((name, value)) if name.starts_with("MQ_SERVER__") => {
                variables.insert(name.into(), value.into());
            }
            _ => break,
        }
        text = rest;
    }
    let Ok(arguments) = Arguments::try_parse_from(flags) else {
        return;
    };
    let file = (Path::new("mq.toml"), text);
    let tables = match Tables::of(Some(file), &arguments.flags, &variables) {
        Ok(tables) => tables,
        Err(error) => return assert_one_line(&error.to_string()),
    };
    let said = table(&tables);
    let written = toml::to_string(&tables).expect("what was read can be written");
    let again: Tables = toml::from_str(&written).expect("what was written can be read");
    assert_eq!(table(&again), said, "{written}");
    if asks_for_a_name(&said) {
        return;
    }
    match Settings::of(tables) {
        Ok(settings) => assert_eq!(table(&settings.tables), said),
        Err(error) => assert_one_line(&error.to_string()),
    }
}

fn table(tables: &Tables) -> Table {
    Table::try_from(tables).expect("they are a table")
}

/// Whether a listener is at a host that a resolver would be asked for.
fn asks_for_a_name(tables: &Table) -> bool {
    let listeners = tables["listen"].as_table().into_iter().flatten();
    listeners.map(|(_, at)| at).any(|at| {
        let address = at.as_str().and_then(|text| text.parse().ok());
        matches!(address, Some(Address::On(host, _)) if host.parse::<IpAddr>().is_err())
    })
}

fn assert_one_line(message: &str) {
    assert!(!message.contains('\n'), "{message:?}");
}
