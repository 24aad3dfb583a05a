//! What is measured of STOMP: one frame of six headers, with a body of 64 B and of
//! 4 KiB; a body that only a NUL ends, in reads of one TCP segment; and the work of a
//! connection for each message.

mod peers;

use std::hint::black_box;

use benches::{Column, Group};
use bytes::BytesMut;
use stomp_codec::{Command, Frame, Limits, Scan, Version, decode};
use work::stomp::connection::{self, Client, MESSAGES, Server};
use work::stomp::{BODIES, HEADERS, message};

/// How many frames a run handles: what it takes to set a run up and to look at the clock
/// is spread over so many.
const FRAMES: usize = 16;

pub(crate) fn groups() -> Vec<Group> {
    vec![decoding(), encoding(), small_reads(), connections()]
}

/// The bare split: the ends of the lines, the colons and the length of the body, and
/// nothing else. No byte is checked, and nothing is kept.
fn memchr_split(input: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let mut at = memchr::memchr(b'\n', input)? + 1;
    let (mut headers, mut length) = (0, None::<usize>);
    loop {
        let end = at + memchr::memchr(b'\n', &input[at..])?;
        let line = &input[at..end];
        at = end + 1;
        if line.is_empty() {
            break;
        }
        let colon = memchr::memchr(b':', line)?;
        headers += 1;
        if &line[..colon] == b"content-length" {
            length = std::str::from_utf8(&line[colon + 1..]).ok()?.parse().ok();
        }
    }
    let (body, rest) = input[at..].split_at_checked(length?)?;
    Some((headers, body, &rest[1..]))
}

fn decoding() -> Group {
    let mut group = Group::new("stomp/decode");
    for size in BODIES {
        let stream = message(&vec![b'x'; size]).repeat(FRAMES);
        let column = group.column(format!("{size} B"), FRAMES as u64);
        add_decoding(column, "stomp-codec, borrowed", &stream, |frame| {
            black_box(frame);
        });
        let input = stream.clone();
        column.add("bare memchr split", move || {
            let mut rest = &input[..];
            while !rest.is_empty() {
                let (headers, body, behind) = memchr_split(black_box(rest)).expect("legal");
                black_box((headers, body));
                rest = behind;
            }
        });
        add_decoding(column, "stomp-codec, owned", &stream, |frame| {
            black_box(frame.to_buf().expect("decoded"));
        });
        peers::add_decoding(column, &stream);
    }
    group
}

fn add_decoding(
    column: &mut Column,
    name: &str,
    stream: &[u8],
    mut take: impl FnMut(Frame<'_>) + 'static,
) {
    let input = stream.to_vec();
    let limits = Limits::default();
    column.add(name, move || {
        let mut rest = &input[..];
        while !rest.is_empty() {
            let found = decode(black_box(rest), Version::V1_2, &limits);
            let (frame, taken) = found.expect("legal").expect("whole");
            take(frame);
            rest = &rest[taken..];
        }
    });
}

fn encoding() -> Group {
    let mut group = Group::new("stomp/encode");
    for size in BODIES {
        let body = vec![b'x'; size];
        let column = group.column(format!("{size} B"), FRAMES as u64);
        let mut out = BytesMut::with_capacity(8192);
        let ours = body.clone();
        column.add("stomp-codec", move || {
            for _ in 0..FRAMES {
                out.clear();
                Frame::new(Version::V1_2, Command::Send, &HEADERS, black_box(&ours))
                    .encode(&mut out)
                    .expect("legal");
                black_box(&out[..]);
            }
        });
        peers::add_encoding(column, &body);
    }
    group
}

/// A body that only a NUL ends, in reads of one TCP segment. Times are told for a KiB of
/// it: they must not grow from column to column.
fn small_reads() -> Group {
    let mut group = Group::new("stomp/reads of 1460 bytes");
    for size in [64 << 10, 256 << 10, 1 << 20, 4 << 20] {
        let mut input = b"SEND\ndestination:/queue/a\n\n".to_vec();
        input.resize(input.len() + size, b'x');
        input.push(0);
        let kibibytes = (size >> 10) as u64;
        let column = group.column(format!("{kibibytes} KiB"), kibibytes);
        let limits = Limits::default();
        let whole = input.clone();
        column.add("Scan, the body whole", move || {
            let mut scan = Scan::default();
            let mut have = 0;
            loop {
                have = whole.len().min(have + 1460);
                let found = scan.decode(black_box(&whole[..have]), Version::V1_2, &limits);
                if let Some((_, taken)) = found.expect("legal") {
                    break taken;
                }
            }
        });
        let mut server = connection::upload();
        column.add("a server, the body in parts", move || {
            connection::receive_in_reads(&mut server, &input)
        });
    }
    group
}

fn connections() -> Group {
    let mut group = Group::new("stomp/connection");
    for size in BODIES {
        let column = group.column(format!("{size} B"), MESSAGES as u64);
        let mut client = Client::new(size);
        column.add("client: MESSAGE, event, ACK", move || {
            client.acknowledge_all();
        });
        let mut server = Server::new(size);
        column.add("server: SEND, event, RECEIPT", move || server.receive_all());
        let mut server = Server::new(size);
        column.add("server: MESSAGE", move || server.send_all());
    }
    group
}
