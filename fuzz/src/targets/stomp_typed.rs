//! STOMP frames that are put together from their parts: what can be encoded is decoded to
//! the same again, in each version.

use arbitrary::{Arbitrary, Unstructured};
use stomp_codec::{Command, Frame, Limits, Version, decode};

#[derive(Arbitrary, Debug)]
struct Made<'a> {
    command: u8,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

/// All of them.
pub const COMMANDS: [Command; 15] = [
    Command::Abort,
    Command::Ack,
    Command::Begin,
    Command::Commit,
    Command::Connect,
    Command::Connected,
    Command::Disconnect,
    Command::Error,
    Command::Message,
    Command::Nack,
    Command::Receipt,
    Command::Send,
    Command::Stomp,
    Command::Subscribe,
    Command::Unsubscribe,
];

/// Clients copy the headers of a MESSAGE into what they answer: a length of what cannot be
/// there is that of something else.
fn assert_that_a_length_is_overlooked(out: &[u8], command: Command, version: Version, len: usize) {
    let line = 1 + out.iter().position(|byte| *byte == b'\n').expect("a line");
    let length = format!("content-length:{}\n", 7 * len);
    let copied = [&out[..line], length.as_bytes(), &out[line..]].concat();
    let Ok(Some((frame, taken))) = decode(&copied, version, &Limits::default()) else {
        panic!("{version}: {} is refused", copied.escape_ascii());
    };
    assert_eq!(
        (frame.command(), frame.body(), taken),
        (command, &[][..], copied.len())
    );
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(made) = Made::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let command = COMMANDS[usize::from(made.command) % COMMANDS.len()];
    for version in Version::ALL {
        let frame = Frame::new(version, command, &made.headers, made.body);
        let mut out = Vec::new();
        if frame.encode(&mut out).is_err() {
            assert!(
                out.is_empty(),
                "what cannot be encoded leaves nothing behind"
            );
            continue;
        }
        assert_eq!(out.len(), frame.encoded_len());
        // One byte less than it takes is an error, and no panic.
        let mut room = vec![0; out.len() - 1];
        assert!(frame.encode(&mut &mut room[..]).is_err());
        let again = decode(&out, version, &Limits::default());
        let Ok(Some((again, length))) = again else {
            panic!("{version}: {made:?} was encoded, and is not accepted: {again:?}");
        };
        assert_eq!(length, out.len());
        assert_eq!((again.command(), again.body()), (command, made.body));
        let headers: Vec<_> = again
            .headers()
            .map(|header| (header.name.into_owned(), header.value.into_owned()))
            .collect();
        // Encoding may add a content-length, and nothing else.
        let said = |name: &str| made.headers.iter().any(|header| header.0 == name);
        let said: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name != "content-length" || said(name))
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(said, made.headers, "{version}");
        if !command.has_body() && made.body.is_empty() {
            assert_that_a_length_is_overlooked(&out, command, version, made.headers.len());
        }
        let mut second = Vec::new();
        again.encode(&mut second).expect("it was decoded");
        assert_eq!(second, out, "{version}: {made:?}");
    }
}
