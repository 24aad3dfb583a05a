//! What is encoded decodes to the same, and what a version cannot carry is
//! refused.

use proptest::prelude::*;
use stomp_codec::{Command, EncodeError, Encoder, Frame, Limits, Scan, Version, decode};

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(Version::ALL.to_vec())
}

fn command() -> impl Strategy<Value = Command> {
    prop::sample::select(Command::all().collect::<Vec<_>>())
}

/// Text in which everything that means something on the wire is frequent.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "\\", "\n", "\r", ":", " ", "\t", "\0", "\\n", "\\c", "\\t", "\r\n", "n", "c",
    ]);
    let piece = prop_oneof![
        special.prop_map(String::from),
        "[a-z]{1,4}",
        any::<char>().prop_map(String::from)
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((text(), text()), 0..6)
}

/// Plain enough for every version and command.
fn plain_headers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[a-z]{1,6}", "[!-9;-Z^-~é☃]{0,12}"), 0..6)
}

/// Header lines without an end of line and without an escape: short ones and long ones, with
/// blanks and more than one colon, and where the version has no other meaning for it, CR.
fn header_lines(version: Version) -> impl Strategy<Value = Vec<String>> {
    let value = "[ -9;-\\[\\]-~é☃:\t\r]{0,12}([ -9;-\\[\\]-~é☃:\t\r]{30,90})?";
    let line = ("[ \t]?[a-z-]{1,40}[ \t]?", value).prop_map(move |(name, value)| {
        let value = match version {
            Version::V1_2 => value.replace('\r', ""),
            _ => value,
        };
        format!("{name}:{value}")
    });
    prop::collection::vec(line, 0..6)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..40)
}

fn pairs(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect()
}

/// What a version can carry, said independently of the code: 1.2, "Value
/// Encoding" and "Augmented BNF"; that NUL ends a frame; that 1.0 trims.
fn can_carry(version: Version, command: Command, name: &str, value: &str) -> bool {
    let opening = matches!(command, Command::Connect | Command::Connected);
    let escapes = version != Version::V1_0 && !opening;
    let both = [name, value].into_iter().all(|part| {
        let refused = part.contains('\0')
            || (!escapes && part.contains('\n'))
            || (opening && part.contains('\r'))
            || (version == Version::V1_0 && part != part.trim_matches([' ', '\t']));
        !refused
    });
    both && !name.is_empty() && (escapes || !name.contains(':'))
}

proptest! {
    // shows: stomp12/frames/structure, stomp11/frames/structure, stomp10/frames/structure,
    // shows: stomp12/header-encoding/encode, stomp11/header-encoding/encode,
    // shows: stomp10/header-encoding/no-escapes, stomp12/header-encoding/no-trimming,
    // shows: stomp11/header-encoding/no-trimming, stomp12/content-length/body-with-nul,
    // shows: stomp11/content-length/body-with-nul, stomp12/SEND/content-length,
    // shows: stomp11/SEND/content-length, stomp10/SEND/content-length,
    // shows: stomp12/MESSAGE/content-length, stomp11/MESSAGE/content-length,
    // shows: stomp10/MESSAGE/content-length, stomp12/ERROR/content-length,
    // shows: stomp11/ERROR/content-length, stomp10/ERROR/content-length,
    // shows: stomp12/grammar/name-octets, stomp11/grammar/name-octets,
    // shows: stomp10/grammar/name-octets, stomp12/grammar/value-octets,
    // shows: stomp11/grammar/value-octets
    #[test]
    fn what_is_encoded_decodes_to_the_same(
        version in version(),
        command in command(),
        headers in headers(),
        body in body(),
    ) {
        let pairs = pairs(&headers);
        let frame = Frame::new(version, command, &pairs, &body);
        let mut out = b"before".to_vec();
        let result = frame.encode(&mut out);
        let fits = match body.first() {
            None => true,
            Some(0) => command.has_body(),
            Some(_) => command.may_have_body(version),
        };
        let carried = command.since() <= version
            && fits
            && pairs.iter().all(|(n, v)| can_carry(version, command, n, v));
        prop_assert_eq!(result.is_ok(), carried, "{:?}", result);
        if !carried {
            prop_assert_eq!(out, b"before");
            prop_assert!(frame.to_buf().is_err() || command.since() > version || !body.is_empty());
            return Ok(());
        }
        let wire = &out[6..];
        prop_assert_eq!(wire.len(), frame.encoded_len());

        let (decoded, taken) = decode(wire, version, &Limits::default()).unwrap().unwrap();
        prop_assert_eq!(taken, wire.len());
        prop_assert_eq!(decoded.command(), command);
        prop_assert_eq!(decoded.body(), &body);
        let added = (!body.is_empty()).then(|| (String::from("content-length"), body.len().to_string()));
        let expected: Vec<_> = headers.iter().cloned().chain(added).collect();
        let found: Vec<_> = decoded.headers().map(|h| (h.name.into_owned(), h.value.into_owned())).collect();
        prop_assert_eq!(found, expected);

        // Once more, from what was decoded and from a copy of it.
        prop_assert_eq!(decoded.encoded_len(), wire.len());
        let mut again = Vec::new();
        decoded.encode(&mut again).unwrap();
        prop_assert_eq!(&again, wire);
        let owned = decoded.to_buf().unwrap();
        prop_assert_eq!(owned.as_frame(), decoded);
        if body.is_empty() {
            let owned = frame.to_buf().unwrap();
            prop_assert_eq!(owned.as_frame(), decoded);
        }
    }

    #[test]
    fn piece_by_piece_it_is_the_same(
        version in version(),
        command in command(),
        headers in headers(),
        body in body(),
    ) {
        let pairs = pairs(&headers);
        let mut whole = b"before".to_vec();
        let expected = Frame::new(version, command, &pairs, &body).encode(&mut whole);
        let mut out = b"before".to_vec();
        let found = (|| {
            let mut encoder = Encoder::new(&mut out, version, command)?;
            for (name, value) in &pairs {
                encoder.header(name, value)?;
            }
            encoder.body(&body)
        })();
        prop_assert_eq!(found.is_ok(), expected.is_ok());
        prop_assert_eq!(out, whole);
    }

    /// A header block is its lines, each split at its first colon.
    #[test]
    fn header_lines_are_split_at_the_first_colon(
        (version, lines) in version().prop_flat_map(|v| (Just(v), header_lines(v))),
        with_cr: bool,
    ) {
        let eol = if with_cr && version == Version::V1_2 { "\r\n" } else { "\n" };
        let block: String = lines.iter().flat_map(|line| [line.as_str(), eol]).collect();
        let bytes = format!("MESSAGE{eol}{block}{eol}\0");
        let (frame, _) = decode(bytes.as_bytes(), version, &Limits::default()).unwrap().unwrap();
        let blanks: &[char] = match version {
            Version::V1_0 => &[' ', '\t'],
            _ => &[],
        };
        let expected: Vec<(&str, &str)> = lines
            .iter()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim_matches(blanks), value.trim_matches(blanks)))
            .collect();
        let found: Vec<_> = frame.headers().collect();
        let found: Vec<(&str, &str)> = found.iter().map(|h| (&*h.name, &*h.value)).collect();
        prop_assert_eq!(&found, &expected);
        for (name, _) in &expected {
            let first = expected.iter().find(|(other, _)| other == name);
            let value = frame.header(name);
            prop_assert_eq!(value.as_deref(), first.map(|(_, value)| *value));
        }
        prop_assert_eq!(frame.header("no such name"), None);
    }

    // shows: stomp12/frames/any-segmentation, stomp11/frames/any-segmentation,
    // shows: stomp10/frames/any-segmentation
    #[test]
    fn a_stream_of_frames_in_any_chunks(
        version in version(),
        frames in prop::collection::vec((plain_headers(), body(), 0usize..3), 1..5),
        cuts in prop::collection::vec(1usize..20, 1..20),
    ) {
        let mut stream = Vec::new();
        for (headers, body, eols) in &frames {
            stream.resize(stream.len() + eols, b'\n');
            Frame::new(version, Command::Send, &pairs(headers), body).encode(&mut stream).unwrap();
        }
        let mut scan = Scan::default();
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        let mut rest = stream.as_slice();
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            rest = tail;
            buffer.extend_from_slice(chunk);
            while let Some((frame, taken)) = scan.decode(&buffer, version, &Limits::default()).unwrap() {
                found.push(frame.to_buf().unwrap());
                buffer.drain(..taken);
            }
        }
        prop_assert_eq!(found.len(), frames.len());
        for (found, (headers, body, _)) in found.iter().zip(&frames) {
            prop_assert_eq!(found.body(), body);
            let got: Vec<_> = found.as_frame().headers().map(|h| (h.name.into_owned(), h.value.into_owned())).take(headers.len()).collect();
            prop_assert_eq!(&got, headers);
        }
    }

    /// No input panics; and however it is cut, the same comes out.
    #[test]
    fn any_bytes_are_decoded_or_refused(
        version in version(),
        start in prop::sample::select(vec!["", "SEND\n", "CONNECT\n", "ACK\nid:", "SEND\ncontent-length:5\n\n"]),
        noise in prop::collection::vec(prop_oneof![
            prop::sample::select(b"\n\r\0:\\nc a1".to_vec()),
            any::<u8>(),
        ], 0..60),
    ) {
        let input = [start.as_bytes(), &noise].concat();
        let limits = Limits::before_login();
        let whole = decode(&input, version, &limits);
        let mut scan = Scan::default();
        let mut last = Ok(None);
        for have in 0..=input.len() {
            last = scan.decode(&input[..have], version, &limits);
            if last != Ok(None) {
                break;
            }
        }
        prop_assert_eq!(last, whole);
    }
}

/// Each refusal by name, where the property only asks whether.
// shows: stomp12/header-encoding/connect-unescaped, stomp11/header-encoding/connect-unescaped,
// shows: stomp12/grammar/name-octets, stomp11/grammar/name-octets, stomp10/grammar/name-octets,
// shows: stomp12/header-encoding/encode, stomp11/header-encoding/encode
#[test]
fn what_a_version_cannot_carry() {
    use Version::{V1_0, V1_1, V1_2};
    type Row = (
        Version,
        Command,
        (&'static str, &'static str),
        &'static [u8],
        Option<EncodeError>,
    );
    #[rustfmt::skip]
    let table: &[Row] = &[
        // 1.0 has no escapes; LF ends a header.
        (V1_0, Command::Send, ("a", "b\nc"), b"", Some(EncodeError::HeaderByte(b'\n'))),
        (V1_0, Command::Send, ("a:b", "c"), b"", Some(EncodeError::HeaderByte(b':'))),
        (V1_0, Command::Send, ("a", "b:c"), b"", None),
        (V1_0, Command::Send, ("a", " b"), b"", Some(EncodeError::Padding)),
        (V1_0, Command::Nack, ("a", "b"), b"", Some(EncodeError::CommandNotInVersion(Command::Nack, V1_0))),
        (V1_0, Command::Stomp, ("a", "b"), b"", Some(EncodeError::CommandNotInVersion(Command::Stomp, V1_0))),
        (V1_1, Command::Send, ("a", " b"), b"", None),
        (V1_1, Command::Send, ("a", "b\nc"), b"", None),
        // 1.1 has no escape for CR, and needs none: its lines end with LF only.
        (V1_1, Command::Send, ("a", "b\r"), b"", None),
        // CONNECT and CONNECTED are never escaped.
        (V1_2, Command::Connect, ("a", "b\nc"), b"", Some(EncodeError::HeaderByte(b'\n'))),
        (V1_2, Command::Connect, ("a", "b\r"), b"", Some(EncodeError::HeaderByte(b'\r'))),
        (V1_2, Command::Connected, ("a:b", "c"), b"", Some(EncodeError::HeaderByte(b':'))),
        (V1_2, Command::Stomp, ("a:b", "c\n"), b"", None),
        // NUL ends a frame; no escape stands for it.
        (V1_2, Command::Send, ("a", "b\0"), b"", Some(EncodeError::HeaderByte(0))),
        (V1_2, Command::Send, ("", "b"), b"", Some(EncodeError::EmptyHeaderName)),
        (V1_2, Command::Ack, ("id", "1"), b"x", Some(EncodeError::BodyNotAllowed(Command::Ack))),
        (V1_0, Command::Subscribe, ("id", "1"), b"x", None),
        // It reads as a content-length of a body that is not there.
        (V1_0, Command::Subscribe, ("id", "1"), b"\0x", Some(EncodeError::BodyNotAllowed(Command::Subscribe))),
        (V1_0, Command::Send, ("id", "1"), b"\0x", None),
        (V1_2, Command::Send, ("content-length", "2"), b"x", Some(EncodeError::ContentLength)),
        (V1_2, Command::Send, ("content-length", "x"), b"x", Some(EncodeError::ContentLength)),
        (V1_2, Command::Send, ("content-length", "1"), b"x", None),
    ];
    for (version, command, header, body, expected) in table {
        let headers = [*header];
        let found = Frame::new(*version, *command, &headers, body).encode(&mut Vec::new());
        assert_eq!(found.err(), *expected, "{version} {command} {header:?}");
        let piecewise =
            Encoder::new(&mut Vec::new(), *version, *command).and_then(|mut encoder| {
                encoder.header(header.0, header.1)?;
                encoder.body(body)
            });
        assert_eq!(piecewise.err(), *expected, "{version} {command} {header:?}");
    }
}

/// A refused header leaves an encoder as it was, and a dropped one its buffer.
#[test]
fn an_encoder_takes_back_what_it_did_not_finish() {
    let mut out = b"kept".to_vec();
    {
        let mut encoder = Encoder::new(&mut out, Version::V1_2, Command::Send).unwrap();
        encoder.header("destination", "/queue/a").unwrap();
    }
    assert_eq!(out, b"kept");
    let mut encoder = Encoder::new(&mut out, Version::V1_2, Command::Send).unwrap();
    assert!(encoder.header("a", "\0").is_err());
    encoder.header("a", "b").unwrap();
    encoder.body(b"").unwrap();
    assert_eq!(out, b"keptSEND\na:b\n\n\0");
}

/// Where there is less room than a frame needs, nothing is written.
#[test]
fn no_room_is_an_error() {
    let read = b"SEND\r\na:b\\cb\r\n\r\nx\0";
    let (read, _) = decode(read, Version::V1_2, &Limits::default())
        .unwrap()
        .unwrap();
    let connect = b"CONNECT\r\na:b\r\r\n\r\n\0";
    let (connect, _) = decode(connect, Version::V1_2, &Limits::default())
        .unwrap()
        .unwrap();
    let frames = [
        Frame::new(Version::V1_2, Command::Send, &[("a:b", "c\n")], b"hello"),
        Frame::new(Version::V1_0, Command::Disconnect, &[], b""),
        Frame::new(
            Version::V1_1,
            Command::Send,
            &[("content-length", "1")],
            b"x",
        ),
        read,
        connect,
    ];
    for frame in frames {
        let needed = frame.encoded_len();
        for room in 0..2 * needed {
            let mut space = vec![b'-'; room];
            let mut rest = &mut space[..];
            let result = frame.encode(&mut rest);
            let left = rest.len();
            if room < needed {
                assert_eq!(
                    result,
                    Err(EncodeError::NoRoom { needed }),
                    "{frame:?} {room}"
                );
                assert_eq!(space, vec![b'-'; room], "{frame:?} {room}");
            } else {
                assert_eq!(result, Ok(()), "{frame:?} {room}");
                assert_eq!(room - left, needed, "{frame:?} {room}");
            }
        }
    }
}

/// CR LF is read, and not written.
#[test]
fn lines_are_written_with_lf() {
    let input = b"SEND\r\na:b\\r\r\n\r\nx\0";
    let (frame, _) = decode(input, Version::V1_2, &Limits::default())
        .unwrap()
        .unwrap();
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    assert_eq!(out, b"SEND\na:b\\r\ncontent-length:1\n\nx\0");
    assert_eq!(out.len(), frame.encoded_len());
    assert_eq!(frame.to_buf().unwrap().as_frame(), frame);
}

/// CONNECT has no escape for a CR. One at the end of a value is kept apart from the CR of
/// the EOL, so that what was read is what is written.
#[test]
fn a_value_of_connect_that_ends_with_a_carriage_return() {
    let input = b"CONNECT\r\na:b\r\r\nc:d\r\n\r\n\0";
    let (frame, _) = decode(input, Version::V1_2, &Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(frame.header("a").as_deref(), Some("b\r"));
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    assert_eq!(out, b"CONNECT\na:b\r\r\nc:d\n\n\0");
    assert_eq!(out.len(), frame.encoded_len());
    let again = decode(&out, Version::V1_2, &Limits::default());
    assert_eq!(again, Ok(Some((frame, out.len()))));
}

/// A body that comes in small reads is looked at once: without that, this test
/// would compare some 10^11 bytes.
#[test]
fn a_large_body_in_small_reads() {
    let mut stream = b"SEND\ndestination:/queue/a\n\n".to_vec();
    stream.resize(stream.len() + 8 * 1024 * 1024, b'x');
    stream.push(0);
    let mut scan = Scan::default();
    let limits = Limits::default();
    for have in (0..stream.len()).step_by(97) {
        assert_eq!(
            scan.decode(&stream[..have], Version::V1_2, &limits),
            Ok(None)
        );
    }
    let (frame, taken) = scan
        .decode(&stream, Version::V1_2, &limits)
        .unwrap()
        .unwrap();
    assert_eq!((frame.body().len(), taken), (8 * 1024 * 1024, stream.len()));
}
