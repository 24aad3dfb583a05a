//! A STOMP client that writes its frames as text.

use super::World;
use mq_core::{ConnectionId, Protocol};
use stomp_codec::{Limits, Version};

/// A frame that came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) command: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Frame {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Stomp(pub(crate) ConnectionId);

impl Stomp {
    /// A client with a session of version 1.2.
    pub(crate) fn connect(world: &mut World) -> Self {
        let client = Self(world.connect(Protocol::Stomp));
        client.send(
            world,
            "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n",
        );
        let frames = client.frames(world);
        assert_eq!(frames[0].command, "CONNECTED", "{frames:?}");
        client
    }

    /// Sends a frame; the NUL is added.
    pub(crate) fn send(self, world: &mut World, frame: &str) {
        world.send(self.0, frame.as_bytes());
        world.send(self.0, b"\0");
    }

    pub(crate) fn subscribe(self, world: &mut World, id: &str, destination: &str, more: &str) {
        let frame =
            format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\nreceipt:sub-{id}\n{more}\n");
        self.send(world, &frame);
    }

    /// The frames that came since the last call.
    pub(crate) fn frames(self, world: &mut World) -> Vec<Frame> {
        let received = std::mem::take(&mut world.socket(self.0).received);
        let mut rest = &received[..];
        let mut frames = Vec::new();
        while let Some((frame, used)) =
            stomp_codec::decode(rest, Version::V1_2, &Limits::default()).unwrap()
        {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            frames.push(Frame {
                command: format!("{:?}", frame.command()).to_uppercase(),
                headers: frame
                    .headers()
                    .map(|h| (h.name.into_owned(), h.value.into_owned()))
                    .collect(),
                body: text(frame.body()),
            });
            rest = &rest[used..];
        }
        frames
    }

    /// The bodies of the messages that came since the last call.
    pub(crate) fn messages(self, world: &mut World) -> Vec<String> {
        let frames = self.frames(world).into_iter();
        let messages = frames.filter(|f| f.command == "MESSAGE");
        messages.map(|f| f.body).collect()
    }
}
