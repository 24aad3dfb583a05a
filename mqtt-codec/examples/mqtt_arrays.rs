//! Both ends on nothing but arrays, as without an operating system: the bytes of a wire are what
//! one end has sent and the other has not taken, and the time is a number that is counted up.
//!
//! `mqtt_arrays`

use core::time::Duration;
use std::error::Error;

use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, ServerConfig, ServerConnection,
    ServerEvent, Session,
};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode};

/// A wire that holds 64 bytes: less than a large packet, more than each of these.
struct Wire {
    bytes: [u8; 64],
    length: usize,
}

impl Wire {
    const fn new() -> Self {
        Self {
            bytes: [0; 64],
            length: 0,
        }
    }

    /// Has `poll_transmit` fill what is free.
    fn fill(&mut self, poll: impl FnOnce(&mut &mut [u8]) -> usize) {
        self.length += poll(&mut &mut self.bytes[self.length..]);
    }

    /// Moves what was not taken to the front.
    fn keep(&mut self, left: usize) {
        self.bytes.copy_within(self.length - left..self.length, 0);
        self.length = left;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut now = Duration::ZERO;
    let mut client = ClientConnection::new(now, ClientConfig::default());
    let mut server = ServerConnection::new(now, ServerConfig::default());
    let connect = Connect::clean(ProtocolVersion::V5_0, "station-12".try_into()?);
    client.connect(now, &connect, Session::new())?;

    let (mut up, mut down) = (Wire::new(), Wire::new());
    while !client.is_closed() || !server.is_closed() {
        now += Duration::from_millis(1);
        up.fill(|out| client.poll_transmit(now, out));
        let mut input = &up.bytes[..up.length];
        while let Some(event) = server.receive(now, &mut input)? {
            match event {
                ServerEvent::Connect(_) => {
                    server.accept(now, &Accept::default(), Session::new())?;
                }
                ServerEvent::Publish(publish) => {
                    println!("{}: {:?}", publish.topic_name, publish.payload);
                    if let Some(identifier) = publish.packet_identifier {
                        server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)?;
                    }
                }
                _ => {}
            }
        }
        let left = input.len();
        up.keep(left);

        down.fill(|out| server.poll_transmit(now, out));
        let mut input = &down.bytes[..down.length];
        while let Some(event) = client.receive(now, &mut input)? {
            match event {
                ClientEvent::ConnAck(_) => {
                    client.publish(&Message::new("station/12", "21.5", QoS::ExactlyOnce))?;
                }
                ClientEvent::PubComp(_) => {
                    client.close(now, ReasonCode::Success, Properties::EMPTY)?;
                }
                _ => {}
            }
        }
        let left = input.len();
        down.keep(left);
        client.handle_timeout(now)?;
        server.handle_timeout(now)?;
    }
    println!("said in {} ms", now.as_millis());
    Ok(())
}
