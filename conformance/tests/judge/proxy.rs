//! A man in the middle: clients of the reference broker reach it through here,
//! and what it answers can be changed on the way.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};

use mq_server::{BlockingServer, Config};

/// The protocols, by the scheme of their URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Amqp,
    Mqtt,
    Stomp,
}

impl Protocol {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
            Self::Stomp => "stomp",
        }
    }
}

/// The reference broker, one for all tests.
pub(crate) fn reference(protocol: Protocol) -> SocketAddr {
    static SERVER: OnceLock<BlockingServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| BlockingServer::start(Config::ephemeral()).unwrap());
    match protocol {
        Protocol::Amqp => server.amqp_addr(),
        Protocol::Mqtt => server.mqtt_addr(),
        Protocol::Stomp => server.stomp_addr(),
    }
    .unwrap()
}

/// What stands between one client and the broker.
pub(crate) trait Between: Send {
    /// What reaches the broker of what the client sent; what is pushed to
    /// `back` reaches the client.
    fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
        bytes.to_vec()
    }

    /// What reaches the client of what the broker sent.
    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }
}

/// Passes everything on.
pub(crate) struct Clear;

impl Between for Clear {}

/// A port on which clients reach the broker through what `make` makes for each
/// of them. Its threads end with the test process.
pub(crate) fn through(
    protocol: Protocol,
    make: impl Fn() -> Box<dyn Between> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            relay(client, protocol, make());
        }
    });
    format!("{}://{address}", protocol.scheme())
}

/// Both directions of one connection, each on a thread.
pub(crate) fn relay(client: TcpStream, protocol: Protocol, between: Box<dyn Between>) {
    let Ok(broker) = TcpStream::connect(reference(protocol)) else {
        return;
    };
    for stream in [&client, &broker] {
        stream.set_nodelay(true).unwrap();
    }
    let between = Arc::new(Mutex::new(between));
    let (client_in, mut broker_out) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let (broker_in, client_out) = (broker, Arc::new(Mutex::new(client)));
    {
        let (between, client_out) = (Arc::clone(&between), Arc::clone(&client_out));
        std::thread::spawn(move || {
            each(client_in, |bytes| {
                let mut back = Vec::new();
                let up = between.lock().unwrap().up(bytes, &mut back);
                client_out.lock().unwrap().write_all(&back).is_ok()
                    && broker_out.write_all(&up).is_ok()
            });
            // A side that has gone already needs no farewell.
            let _ = broker_out.shutdown(Shutdown::Write);
        });
    }
    std::thread::spawn(move || {
        each(broker_in, |bytes| {
            let down = between.lock().unwrap().down(bytes);
            client_out.lock().unwrap().write_all(&down).is_ok()
        });
        // As above.
        let _ = client_out.lock().unwrap().shutdown(Shutdown::Both);
    });
}

fn each(mut stream: TcpStream, mut then: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if !then(&buffer[..count]) {
            break;
        }
    }
}
