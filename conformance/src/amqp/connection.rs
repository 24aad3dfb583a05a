//! Connection negotiation: protocol header, start, tune, open, close (2.2.4, 4.2.2).

use super::bytes::{
    ANY_CODE, BASIC_CONSUME, CHANNEL_OPEN, CONNECTION_CLOSE, CONNECTION_CLOSE_OK, CONNECTION_OPEN,
    CONNECTION_START_OK, CONNECTION_TUNE, CONNECTION_TUNE_OK, FRAME_MIN_SIZE, Frame,
    PROTOCOL_HEADER, Reader, args, fields, method, parse_frame,
};
use super::client::{Client, Limits, require_capability};
use super::method_args::{close_args, consume_args, open_args, start_ok, start_ok_with};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail};
use crate::wire::{Bytes, Seen};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Connection negotiation",
    cases: &[
        Case {
            id: "amqp/protocol-header/unsupported-version",
            rule: "section 4.2.2 / header is answered; connection / start / protocol-name",
            level: Must,
            title: "An unsupported protocol version is answered with a protocol header, then closed",
            run: |ctx| refused_header(ctx, b"AMQP\x09\x09\x09\x09"),
        },
        Case {
            id: "amqp/protocol-header/not-amqp",
            rule: "section 4.2.2 / header is answered; connection / start / protocol-name; section 4.2.2 / header first",
            level: Must,
            title: "Octets that are no AMQP are answered with a protocol header, then closed",
            run: |ctx| refused_header(ctx, b"HELO you\r\n\r\n"),
        },
        Case {
            id: "amqp/connection.start/version",
            rule: "connection / start / server-support",
            level: Must,
            title: "The version in connection.start is not above the one that was asked for",
            run: |ctx| {
                let (_, start) = Client::start(ctx)?;
                let mut args = start.args();
                let version = (args.octet()?, args.octet()?);
                if version <= (0, 9) {
                    Ok(())
                } else {
                    Err(fail("version-major 0, version-minor 9", start.to_string()))
                }
            },
        },
        Case {
            id: "amqp/connection.start/locale-en-us",
            rule: "connection / start / locales / required-support",
            level: Must,
            title: "The locales in connection.start contain en_US",
            run: |ctx| {
                let (_, start) = Client::start(ctx)?;
                let mut args = start.args();
                args.short()?;
                args.longstr()?;
                args.longstr()?;
                let locales = args.longstr()?;
                if locales.split(|&b| b == b' ').any(|word| word == b"en_US") {
                    Ok(())
                } else {
                    Err(fail(
                        "en_US among the locales",
                        locales.escape_ascii().to_string(),
                    ))
                }
            },
        },
        Case {
            id: "amqp/connection.start/server-properties",
            rule: "connection / start / server-properties / required-fields",
            level: Should,
            title: "The server-properties say product, version, platform, copyright and information",
            // "host" is in the list of the specification too: erratum 23 takes it out.
            run: |ctx| {
                let (_, start) = Client::start(ctx)?;
                let mut args = start.args();
                args.short()?;
                let properties = Reader(args.longstr()?);
                for name in ["product", "version", "platform", "copyright", "information"] {
                    if properties.field(name)?.is_none() {
                        return Err(fail(
                            format!("{name:?} among the server-properties"),
                            Bytes(properties.0.to_vec()).to_string(),
                        ));
                    }
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/connection.start-ok/unknown-mechanism",
            rule: "connection / start-ok / mechanism / validity",
            level: Must,
            title: "A mechanism that was not offered closes the connection without a word",
            run: |ctx| {
                let (mut client, _) = Client::start(ctx)?;
                let start_ok = start_ok_with(ctx, &fields(), "X-NONE", "");
                client.send(0, CONNECTION_START_OK, start_ok);
                expect_end_without_a_word(&mut client)
            },
        },
        Case {
            id: "amqp/connection.start-ok/wrong-password",
            rule: "section 2.2.4 / no hand-shake before open",
            level: Must,
            title: "A wrong password closes the connection without a word",
            run: |ctx| {
                drop(Client::tuned(ctx)?);
                let (mut client, _) = Client::start(ctx)?;
                let start_ok = start_ok_with(ctx, &fields(), "PLAIN", "no, not this one");
                client.send(0, CONNECTION_START_OK, start_ok);
                expect_end_without_a_word(&mut client)
            },
        },
        Case {
            id: "amqp/connection.start-ok/wrong-password-announced",
            rule: "capability authentication_failure_close",
            level: Must,
            title: "A wrong password is told to a client that wants to be told: connection.close 403",
            run: |ctx| {
                let (mut client, start) = Client::start(ctx)?;
                require_capability(&start, "authentication_failure_close")?;
                let capability = fields().boolean("authentication_failure_close", true);
                let properties = fields().nested("capabilities", &capability);
                let start_ok = start_ok_with(ctx, &properties, "PLAIN", "no, not this one");
                client.send(0, CONNECTION_START_OK, start_ok);
                client.expect_connection_close(0, &[403], "a wrong password")
            },
        },
        Case {
            id: "amqp/connection.start-ok/frame-of-min-size",
            rule: "connection / tune / frame-max / minimum; section 2.3.3 / limits are reduced",
            level: Must,
            title: "A frame of frame-min-size octets is accepted before anything is negotiated",
            run: frame_of_min_size,
        },
        Case {
            id: "amqp/connection.start-ok/at-every-octet",
            rule: "section 4.2.3",
            level: Must,
            title: "A handshake that arrives octet by octet is understood",
            run: |ctx| {
                let mut wire = ctx.connect()?;
                let start_ok = method(0, CONNECTION_START_OK, start_ok(ctx, &fields()));
                for (bytes, expected) in [
                    (PROTOCOL_HEADER, "connection.start"),
                    (&start_ok, "connection.tune"),
                ] {
                    for byte in bytes {
                        wire.send(&[*byte]);
                    }
                    match wire.next(parse_frame)? {
                        Seen::Frame(frame) if frame.to_string().starts_with(expected) => {}
                        other => return Err(fail(expected, other.to_string())),
                    }
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/connection.tune/limits",
            rule: "section 2.3.3 / limits are proposed; connection / tune / frame-max / minimum",
            level: Must,
            title: "The frame-max that is proposed is no limit, or at least frame-min-size",
            run: |ctx| {
                let (_, tune) = Client::tuned(ctx)?;
                let limits = Limits::of(&tune)?;
                if limits.frame_max == 0 || limits.frame_max as usize >= FRAME_MIN_SIZE {
                    Ok(())
                } else {
                    Err(fail("frame-max 0 or at least 4096", tune.to_string()))
                }
            },
        },
        Case {
            id: "amqp/connection.tune-ok/frame-max-too-high",
            rule: "connection / tune-ok / frame-max / upper-limit",
            level: Must,
            title: "A frame-max above the one proposed closes the connection without negotiation",
            run: |ctx| {
                let (mut client, tune) = Client::tuned(ctx)?;
                let limits = Limits::of(&tune)?;
                if limits.frame_max == 0 {
                    return Err(no_limit(&tune));
                }
                let frame_max = limits.frame_max + 1;
                refused_tune_ok(
                    ctx,
                    &mut client,
                    Limits {
                        frame_max,
                        ..limits
                    },
                )
            },
        },
        Case {
            id: "amqp/connection.tune-ok/frame-max-too-low",
            rule: "connection / tune-ok / frame-max / minimum",
            level: Must,
            title: "A frame-max below frame-min-size is not negotiated",
            run: |ctx| {
                let (mut client, tune) = Client::tuned(ctx)?;
                let frame_max = FRAME_MIN_SIZE as u32 - 1;
                let limits = Limits {
                    frame_max,
                    ..Limits::of(&tune)?
                };
                refused_tune_ok(ctx, &mut client, limits)
            },
        },
        Case {
            id: "amqp/connection.tune-ok/channel-max-too-high",
            rule: "connection / tune-ok / channel-max / upper-limit",
            level: Must,
            title: "A channel-max above the one proposed closes the connection without negotiation",
            run: |ctx| {
                let (mut client, tune) = Client::tuned(ctx)?;
                let limits = Limits::of(&tune)?;
                if matches!(limits.channel_max, 0 | u16::MAX) {
                    return Err(no_limit(&tune));
                }
                let channel_max = limits.channel_max + 1;
                refused_tune_ok(
                    ctx,
                    &mut client,
                    Limits {
                        channel_max,
                        ..limits
                    },
                )
            },
        },
        Case {
            id: "amqp/connection.open/missing",
            rule: "section 2.2.4 / no hand-shake before open",
            level: Must,
            title: "A method before connection.open closes the connection without a word",
            run: |ctx| {
                let (mut client, tune) = Client::tuned(ctx)?;
                client.send(0, CONNECTION_TUNE_OK, Limits::of(&tune)?.args());
                client.send(1, CHANNEL_OPEN, args().shortstr(""));
                expect_end_without_a_word(&mut client)
            },
        },
        Case {
            id: "amqp/connection.open/unknown-virtual-host",
            rule: "connection / open / virtual-host / security; constant invalid-path",
            level: Should,
            title: "An unknown virtual host is refused",
            // 402 by the constants; 530 is what brokers that do not tell
            // whether it exists give; without a word by 2.2.4.
            run: |ctx| {
                drop(Client::open(ctx)?);
                let (mut client, tune) = Client::tuned(ctx)?;
                client.send(0, CONNECTION_TUNE_OK, Limits::of(&tune)?.args());
                client.send(0, CONNECTION_OPEN, open_args(&ctx.name("none.")));
                match client.next(0)? {
                    Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
                    Seen::Frame(frame)
                        if frame
                            .close_reason()
                            .is_some_and(|(code, _)| matches!(code, 402 | 403 | 530)) =>
                    {
                        Ok(())
                    }
                    other => Err(fail(
                        "connection.close 402, 403 or 530, or the end",
                        other.to_string(),
                    )),
                }
            },
        },
        Case {
            id: "amqp/connection.open/twice",
            rule: "section 3.1.2 / one virtual host",
            level: Must,
            title: "A connection that is open cannot be opened on a virtual host again",
            run: |ctx| {
                let mut client = Client::open(ctx)?;
                client.send(0, CONNECTION_OPEN, open_args(&ctx.target.virtual_host));
                client.expect_connection_close(0, ANY_CODE, "a second connection.open")
            },
        },
        Case {
            id: "amqp/connection.close/handshake",
            rule: "section 2.3.7 / close is a hand-shake",
            level: Must,
            title: "connection.close is answered with close-ok and nothing after it",
            // Who closes the socket then is left open: close-ok "tells the
            // recipient that it is safe to".
            run: |ctx| {
                let mut client = Client::open(ctx)?;
                client.send(0, CONNECTION_CLOSE, close_args());
                client.expect_bytes(
                    b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x33\xCE",
                    "connection.close-ok",
                )?;
                match client.next_within(0, ctx.silence)? {
                    Seen::Frame(frame) => {
                        Err(fail("nothing after connection.close-ok", frame.to_string()))
                    }
                    Seen::Ended(..) | Seen::Silence(..) => Ok(()),
                }
            },
        },
        Case {
            id: "amqp/connection.close/class-and-method",
            rule: "connection / close / class-id; connection / close / method-id",
            level: Must,
            title: "The broker's connection.close names the method that it is due to",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                client.send(1, BASIC_CONSUME, consume_args(&queue, "c", 0, &fields()));
                let expected = "connection.close due to basic.consume, class 60 and method 20";
                let close = client.expect(0, CONNECTION_CLOSE, expected);
                // Another exception than this one breaks the rule about consumer tags.
                let close = close.setup("a consumer tag that is in use")?;
                if close.cause() == Some(BASIC_CONSUME) {
                    Ok(())
                } else {
                    Err(fail(expected, close.to_string()))
                }
            },
        },
        Case {
            id: "amqp/connection.close/discards",
            rule: "connection / close / stability",
            level: Must,
            title: "After a broker's connection.close nothing is done but close and close-ok",
            run: |ctx| {
                let mut client = refused_connection(ctx)?;
                let mut bytes = method(7, CHANNEL_OPEN, args().shortstr(""));
                bytes.extend(method(0, CONNECTION_CLOSE_OK, args()));
                client.wire.send(&bytes);
                expect_end_without_a_word(&mut client)
            },
        },
        Case {
            id: "amqp/connection.close/crossing",
            rule: "connection / close / stability",
            level: Must,
            title: "A connection.close that crosses the broker's own is answered with close-ok",
            run: |ctx| {
                let mut client = refused_connection(ctx)?;
                client.send(0, CONNECTION_CLOSE, close_args());
                let expected = "connection.close-ok for a close that crossed another";
                client.expect(0, CONNECTION_CLOSE_OK, expected).map(drop)
            },
        },
    ],
};

fn refused_header(ctx: &Context<'_>, header: &[u8]) -> Result<(), Stop> {
    let mut wire = ctx.connect()?;
    wire.send(header);
    let expected = "a protocol header of 8 octets, AMQP and a version, then the end";
    let (_, bytes) = wire.expect_end(expected)?;
    if bytes.len() == 8 && bytes.starts_with(b"AMQP") && bytes != header {
        Ok(())
    } else {
        Err(fail(expected, Bytes(bytes).to_string()))
    }
}

/// Before open-ok an error has no handshake, and after close-ok nothing is
/// left to say: the socket closes and no octet comes before.
fn expect_end_without_a_word(client: &mut Client) -> Result<(), Stop> {
    let expected = "the connection closed and no further data";
    let (_, bytes) = client.wire.expect_end(expected)?;
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(fail(expected, Bytes(bytes).to_string()))
    }
}

fn frame_of_min_size(ctx: &Context<'_>) -> Result<(), Stop> {
    let (mut client, _) = Client::start(ctx)?;
    let around = method(
        0,
        CONNECTION_START_OK,
        start_ok(ctx, &fields().longstr("information", "")),
    );
    let filling = "x".repeat(FRAME_MIN_SIZE - around.len());
    let properties = fields().longstr("information", &filling);
    let bytes = method(0, CONNECTION_START_OK, start_ok(ctx, &properties));
    assert_eq!(bytes.len(), FRAME_MIN_SIZE);
    client.wire.send(&bytes);
    let expected = "connection.tune after a start-ok of 4096 octets";
    client.expect(0, CONNECTION_TUNE, expected).map(drop)
}

fn no_limit(tune: &Frame) -> Stop {
    crate::verdict::not_applicable(format!("no limit was proposed: {tune}"))
}

/// The server may report the error in some fashion, so words are allowed here.
fn refused_tune_ok(ctx: &Context<'_>, client: &mut Client, limits: Limits) -> Result<(), Stop> {
    let mut bytes = method(0, CONNECTION_TUNE_OK, limits.args());
    bytes.extend(method(
        0,
        CONNECTION_OPEN,
        open_args(&ctx.target.virtual_host),
    ));
    client.wire.send(&bytes);
    let expected = format!("the connection closed, no open-ok, for {limits:?}");
    match client.next(0)? {
        Seen::Ended(..) => Ok(()),
        Seen::Frame(frame) if frame.method() == Some(CONNECTION_CLOSE) => {
            client.wire.expect_end(&expected).map(drop)
        }
        other => Err(fail(expected, other.to_string())),
    }
}

/// A connection on which the broker has just sent connection.close.
fn refused_connection(ctx: &Context<'_>) -> Result<Client, Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.send(1, CHANNEL_OPEN, args().shortstr(""));
    client.expect(
        0,
        CONNECTION_CLOSE,
        "connection.close for a second channel.open",
    )?;
    Ok(client)
}
