//! What a client of STOMP 1.2 sends, as bytes.

/// CONNECT.
pub const CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0";

/// SUBSCRIBE that acknowledges automatically.
#[must_use]
pub fn subscribe(destination: &str) -> Vec<u8> {
    format!("SUBSCRIBE\nid:0\ndestination:{destination}\n\n\0").into()
}

/// SEND, with one more header line or none.
#[must_use]
pub fn send(destination: &str, header: &str, body: usize) -> Vec<u8> {
    let head = format!("SEND\ndestination:{destination}\n{header}content-length:{body}\n\n");
    [head.as_bytes(), &vec![b'a'; body], b"\0"].concat()
}
