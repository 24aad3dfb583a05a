//! A client on the runtime that is asked for. Each file has the loop for one, and serves the
//! three protocols, since their connections are driven alike.

mod arguments;
mod arrays;
mod mio;
mod smol;
mod tokio;

use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(crate) use arguments::Arguments;

use crate::{ClientConnection, ClientEvent, Outcome, drive};

/// What the client does with an event.
pub(crate) type Act = Box<dyn FnMut(&mut ClientConnection, Duration, ClientEvent<'_>) -> Outcome>;

pub(crate) fn run(
    arguments: &Arguments,
    mut client: ClientConnection,
    start: Instant,
    act: Act,
) -> Outcome {
    let address = &arguments.address;
    match &*arguments.runtime {
        "std" => drive(&mut client, &mut TcpStream::connect(address)?, start, act),
        "tokio" => self::tokio::run(address, client, start, act),
        "smol" => self::smol::run(address, client, start, act),
        "mio" => self::mio::run(address, client, start, act),
        "arrays" => arrays::run(address, client, start, act),
        _ => Err("the runtime is std, tokio, smol, mio or arrays".into()),
    }
}
