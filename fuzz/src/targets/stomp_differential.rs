//! STOMP frames of a server beside async-stomp: whether they are accepted, and what they
//! say.

use async_stomp::FromServer;
use async_stomp::client::ClientCodec;
use bytes::BytesMut;
use stomp_codec::{Command, Frame, Limits, Version, decode};
use tokio_util::codec::Decoder;

use crate::difference::{Difference, Verdict, compare};

const PEER: &str = "async-stomp";

/// Where they differ.
#[rustfmt::skip]
const KNOWN: &[Difference] = &[
    Difference { peer: PEER, ours: "refuses", theirs: "incomplete", why: "what is wrong is refused as soon as it can be seen; it waits for the end of the frame" },
    Difference { peer: PEER, ours: "incomplete", theirs: "refuses Parse failed", why: "a command is looked up when its line has ended; it compares letter by letter" },
    Difference { peer: PEER, ours: "refuses BodyNotAllowed", theirs: "accepts", why: "\"Body\": only SEND, MESSAGE and ERROR may have one" },
    Difference { peer: PEER, ours: "refuses ContentLength", theirs: "accepts", why: "\"Header content-length\": it is a number of octets; any other text is ignored there" },
    Difference { peer: PEER, ours: "refuses Limit(Body)", theirs: "accepts", why: "\"Header content-length\": a number of more than 64 bits is larger than any limit; it is ignored there" },
    Difference { peer: PEER, ours: "refuses HeaderNotUtf8", theirs: "accepts", why: "\"Value Encoding\": commands and headers are UTF-8" },
    Difference { peer: PEER, ours: "refuses NulInHeaders", theirs: "accepts", why: "\"Augmented BNF\": NUL ends a frame" },
    Difference { peer: PEER, ours: "refuses UndefinedEscape", theirs: "accepts", why: "\"Value Encoding\": an undefined escape sequence is a fatal error" },
    Difference { peer: PEER, ours: "refuses UnknownCommand", theirs: "accepts", why: "\"STOMP Frames\": commands are case sensitive; it compares letters without their case" },
];

/// Runs one input.
pub fn run(data: &[u8]) {
    let ours = ours(data);
    // It knows what a server says, and nothing else.
    if let Some(ours) = ours {
        compare(&ours, &[(PEER, async_stomp(data))], KNOWN);
    }
}

fn ours(data: &[u8]) -> Option<Verdict> {
    // Line ends before a frame are heart-beats, which both skip.
    let ends = data
        .iter()
        .take_while(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    Some(
        match decode(&data[ends..], Version::V1_2, &Limits::default()) {
            Err(error) => Verdict::Refused(format!("{:?}", error.kind)),
            Ok(None) => Verdict::Incomplete,
            Ok(Some((frame, _))) => {
                let kind = match frame.command() {
                    Command::Connected => "CONNECTED",
                    Command::Message => "MESSAGE",
                    Command::Receipt => "RECEIPT",
                    Command::Error => "ERROR",
                    _ => return None,
                };
                // What a layer further up requires is required there by us.
                let required = frame.command().required_headers(Version::V1_2);
                if let Some(missing) = required.iter().find(|name| frame.header(name).is_none()) {
                    return Some(Verdict::Refused(format!("without {missing}")));
                }
                Verdict::Accepted(kind, said(&frame))
            }
        },
    )
}

fn said(frame: &Frame<'_>) -> String {
    let header = |name| frame.header(name).unwrap_or_default();
    match frame.command() {
        Command::Connected => header("version").into_owned(),
        Command::Receipt => header("receipt-id").into_owned(),
        Command::Message => format!(
            "{} {} {} {}",
            header("destination"),
            header("message-id"),
            header("subscription"),
            frame.body().escape_ascii()
        ),
        _ => format!("{} {}", header("message"), frame.body().escape_ascii()),
    }
}

fn async_stomp(data: &[u8]) -> Verdict {
    let body = |body: Option<Vec<u8>>| body.unwrap_or_default().escape_ascii().to_string();
    match ClientCodec::new().decode(&mut BytesMut::from(data)) {
        Err(error) => Verdict::Refused(error.to_string()),
        Ok(None) => Verdict::Incomplete,
        Ok(Some(message)) => match message.content {
            FromServer::Connected { version, .. } => Verdict::Accepted("CONNECTED", version),
            FromServer::Receipt { receipt_id } => Verdict::Accepted("RECEIPT", receipt_id),
            FromServer::Message {
                destination,
                message_id,
                subscription,
                body: bytes,
                ..
            } => Verdict::Accepted(
                "MESSAGE",
                format!("{destination} {message_id} {subscription} {}", body(bytes)),
            ),
            FromServer::Error {
                message,
                body: bytes,
            } => Verdict::Accepted(
                "ERROR",
                format!("{} {}", message.unwrap_or_default(), body(bytes)),
            ),
        },
    }
}
