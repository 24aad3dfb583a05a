//! What each version makes of bytes: a table with the section of the
//! specification on each row. Every row is decoded whole, and again cut at every
//! byte.

use stomp_codec::DecodeErrorKind::{
    BareCarriageReturn, BodyNotAllowed, CommandNotInVersion, ContentLength, EmptyHeaderName,
    HeaderNotUtf8, HeaderWithoutColon, Limit as Over, MissingNul, NulInHeaders, UndefinedEscape,
    UnknownCommand,
};
use stomp_codec::{Command, DecodeErrorKind, Frame, Limit, Limits, Scan, Version, decode};

use Expected::{Err, More, Ok};
use Version::{V1_0, V1_1, V1_2};

enum Expected {
    /// `COMMAND [name=value]... | body`, and how many bytes are left.
    Ok(&'static str, usize),
    /// Which rule, and at which byte.
    Err(DecodeErrorKind, usize),
    /// Nothing wrong, nothing complete.
    More,
}

/// Section of the specification, versions, bytes, meaning.
type Row = (&'static str, &'static [Version], &'static [u8], Expected);

const ALL: &[Version] = &[V1_0, V1_1, V1_2];
const OLD: &[Version] = &[V1_0, V1_1];
const NEW: &[Version] = &[V1_1, V1_2];

const CONNECT_AND_100_LF: [u8; 109] = connect_and_lf();
const CONNECT_AND_101_LF: [u8; 110] = connect_and_lf();

/// CONNECT without headers, and LF after its 9 bytes.
const fn connect_and_lf<const N: usize>() -> [u8; N] {
    let mut bytes = [b'\n'; N];
    bytes.split_at_mut(7).0.copy_from_slice(b"CONNECT");
    bytes
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // The eight inputs on which five other codecs were compared.
    // shows: stomp12/header-encoding/undefined-escape
    ("1.2 Value Encoding: \\t is fatal", &[V1_2], b"SEND\na:b\\tc\n\n\0", Err(UndefinedEscape, 8)),
    // shows: stomp11/header-encoding/undefined-escape
    ("1.1 Value Encoding: \\t is fatal", &[V1_1], b"SEND\na:b\\tc\n\n\0", Err(UndefinedEscape, 8)),
    // shows: stomp10/header-encoding/no-escapes
    ("1.0 has no escapes", &[V1_0], b"SEND\na:b\\tc\n\n\0", Ok("SEND [a=b\\tc] | ", 0)),
    // shows: stomp12/header-encoding/decode, stomp11/header-encoding/decode
    ("Value Encoding: \\c is a colon", NEW, b"SEND\na:b\\cc\n\n\0", Ok("SEND [a=b:c] | ", 0)),
    ("1.0 has no escapes", &[V1_0], b"SEND\na:b\\cc\n\n\0", Ok("SEND [a=b\\cc] | ", 0)),
    // shows: stomp12/content-length/octets-read, stomp11/content-length/octets-read,
    // shows: stomp10/content-length/octets-read
    ("content-length: NUL in the body", ALL, b"SEND\ncontent-length:3\n\na\0b\0", Ok("SEND [content-length=3] | a\0b", 0)),
    // shows: stomp12/frames/eols-after-nul, stomp11/frames/eols-after-nul,
    // shows: stomp10/frames/eols-after-nul
    ("EOLs between frames", ALL, b"\n\n\nSEND\na:b\n\n\0", Ok("SEND [a=b] | ", 0)),
    // The grammar of 1.1 and 1.2 keeps ':' out of values; the first one ends the
    // name, so that nothing is ambiguous, and clients do send it (STOMP.js at 1.1).
    // shows: stomp10/grammar/colon-in-value
    ("a second colon belongs to the value", ALL, b"SEND\na:b:c\n\n\0", Ok("SEND [a=b:c] | ", 0)),
    // shows: stomp12/repeated-headers/history, stomp11/repeated-headers/history
    ("Repeated Header Entries: all in order", ALL, b"SEND\nfoo:World\nfoo:Hello\n\n\0", Ok("SEND [foo=World] [foo=Hello] | ", 0)),
    // shows: stomp12/content-length/nul-terminates, stomp11/content-length/nul-terminates,
    // shows: stomp10/content-length/nul-terminates
    ("content-length too small", ALL, b"SEND\ncontent-length:2\n\nabc\0", Err(MissingNul, 25)),
    ("content-length too great", ALL, b"SEND\ncontent-length:4\n\nabc\0SEND\n\n\0", Err(MissingNul, 27)),
    // shows: stomp12/grammar/header, stomp11/grammar/header, stomp10/grammar/header
    ("header without a colon", ALL, b"SEND\ndestination\n\n\0", Err(HeaderWithoutColon, 5)),

    // Augmented BNF: the command line.
    // shows: stomp12/frames/structure, stomp11/frames/structure, stomp10/frames/structure,
    // shows: stomp12/grammar/commands, stomp11/grammar/commands, stomp10/grammar/commands
    ("command", ALL, b"BEGIN\ntransaction:t\n\n\0", Ok("BEGIN [transaction=t] | ", 0)),
    ("command without headers", ALL, b"DISCONNECT\n\n\0", Ok("DISCONNECT | ", 0)),
    // shows: stomp12/frames/case-sensitive, stomp11/frames/case-sensitive
    ("commands are case sensitive", ALL, b"send\n\n\0", Err(UnknownCommand, 0)),
    // shows: stomp12/grammar/commands, stomp11/grammar/commands, stomp10/grammar/commands
    ("unknown command", ALL, b"PUBLISH\n\n\0", Err(UnknownCommand, 0)),
    ("unknown command behind EOLs", ALL, b"\n\nGET / HTTP/1.1\n\n\0", Err(UnknownCommand, 2)),
    ("blank before a command", ALL, b" SEND\n\n\0", Err(UnknownCommand, 0)),
    ("blank behind a command", ALL, b"SEND \n\n\0", Err(UnknownCommand, 0)),
    ("a colon in the command line", ALL, b"SEND:\n\n\0", Err(UnknownCommand, 0)),
    ("NUL in place of a command", ALL, b"\0", Err(UnknownCommand, 0)),
    ("NUL behind a command", ALL, b"SEND\0", Err(UnknownCommand, 0)),
    ("command that is not UTF-8", ALL, b"SEND\xff\n\n\0", Err(UnknownCommand, 0)),
    // shows: stomp10/grammar/commands
    ("no NACK in 1.0", &[V1_0], b"NACK\nmessage-id:1\n\n\0", Err(CommandNotInVersion(Command::Nack, V1_0), 0)),
    ("NACK since 1.1", NEW, b"NACK\nid:1\n\n\0", Ok("NACK [id=1] | ", 0)),
    ("no STOMP in 1.0", &[V1_0], b"STOMP\n\n\0", Err(CommandNotInVersion(Command::Stomp, V1_0), 0)),
    ("STOMP since 1.1", NEW, b"STOMP\nhost:h\n\n\0", Ok("STOMP [host=h] | ", 0)),
    ("a command of 32 bytes is unknown", ALL, b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF\n\n\0", Err(UnknownCommand, 0)),
    ("a command of 33 bytes is too long", ALL, b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG\n\n\0", Err(Over(Limit::Command), 32)),
    ("too long without an end", ALL, b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ", Err(Over(Limit::Command), 32)),

    // 1.2, STOMP Frames: EOL is LF or CR LF; before 1.2 it is LF.
    // shows: stomp12/frames/eol
    ("1.2: CR LF everywhere", &[V1_2], b"\r\nSEND\r\na:b\r\n\r\nx\0", Ok("SEND [a=b] | x", 0)),
    ("1.2: CR LF and LF mixed", &[V1_2], b"\n\r\n\nSEND\na:b\r\nc:d\n\r\nx\0", Ok("SEND [a=b] [c=d] | x", 0)),
    ("1.2: CR LF before the body only", &[V1_2], b"SEND\na:b\n\r\n\r\nx\0", Ok("SEND [a=b] | \r\nx", 0)),
    ("before 1.2 a CR belongs to the command", OLD, b"SEND\r\n\r\n\0", Err(UnknownCommand, 0)),
    ("before 1.2 a CR between frames is no EOL", OLD, b"\r\nSEND\n\n\0", Err(UnknownCommand, 0)),
    // shows: stomp11/frames/eol, stomp10/frames/eol
    ("before 1.2 a CR belongs to the value", OLD, b"SEND\na:b\r\n\n\0", Ok("SEND [a=b\r] | ", 0)),
    ("before 1.2 CR LF is no empty line", OLD, b"SEND\na:b\n\r\n\0", Err(HeaderWithoutColon, 9)),
    ("before 1.2 a CR inside a value", OLD, b"SEND\na:b\rc\n\n\0", Ok("SEND [a=b\rc] | ", 0)),
    // shows: stomp12/grammar/value-octets
    ("1.2: a CR inside a value", &[V1_2], b"SEND\na:b\rc\n\n\0", Err(BareCarriageReturn, 8)),
    ("1.2: a CR inside a name", &[V1_2], b"SEND\n\ra:b\n\n\0", Err(BareCarriageReturn, 5)),
    ("1.2: two CR before LF", &[V1_2], b"SEND\na:b\r\r\n\n\0", Err(BareCarriageReturn, 8)),
    ("1.2: a CR behind a CR LF", &[V1_2], b"SEND\r\r\n\n\0", Err(UnknownCommand, 0)),
    ("1.2: a CR alone between frames", &[V1_2], b"\rSEND\n\n\0", Err(UnknownCommand, 0)),
    ("1.2: only EOLs", &[V1_2], b"\n\r\n\r\n\r", More),
    ("only EOLs", ALL, b"\n\n\n", More),
    ("nothing", ALL, b"", More),
    ("CR in a body is body", ALL, b"SEND\n\n\r\n\r\0", Ok("SEND | \r\n\r", 0)),

    // Value Encoding.
    // shows: stomp12/header-encoding/decode, stomp11/header-encoding/decode
    ("all escapes of 1.1", NEW, b"SEND\na:\\n\\c\\\\\n\n\0", Ok("SEND [a=\n:\\] | ", 0)),
    // shows: stomp12/header-encoding/decode
    ("\\r in 1.2", &[V1_2], b"SEND\na:\\r\n\n\0", Ok("SEND [a=\r] | ", 0)),
    ("\\r is undefined in 1.1", &[V1_1], b"SEND\na:\\r\n\n\0", Err(UndefinedEscape, 7)),
    // shows: stomp12/header-encoding/decode, stomp11/header-encoding/decode
    ("names are escaped too", NEW, b"SEND\na\\cb\\n:c\n\n\0", Ok("SEND [a:b\n=c] | ", 0)),
    // shows: stomp12/header-encoding/undefined-escape, stomp11/header-encoding/undefined-escape
    ("an undefined escape in a name", NEW, b"SEND\na\\x:c\n\n\0", Err(UndefinedEscape, 6)),
    ("a backslash before the end of line", NEW, b"SEND\na:b\\\n\n\0", Err(UndefinedEscape, 8)),
    ("a backslash before CR LF", &[V1_2], b"SEND\na:b\\\r\n\n\0", Err(UndefinedEscape, 8)),
    ("a backslash before the colon", NEW, b"SEND\na\\:b\n\n\0", Err(UndefinedEscape, 6)),
    ("an escaped backslash, then n", NEW, b"SEND\na:\\\\n\n\n\0", Ok("SEND [a=\\n] | ", 0)),
    ("three backslashes, then n", NEW, b"SEND\na:\\\\\\n\n\n\0", Ok("SEND [a=\\\n] | ", 0)),
    ("three backslashes, then t", NEW, b"SEND\na:\\\\\\t\n\n\0", Err(UndefinedEscape, 9)),
    ("\\C is undefined: case counts", NEW, b"SEND\na:\\C\n\n\0", Err(UndefinedEscape, 7)),
    ("\\0 is undefined", NEW, b"SEND\na:\\0\n\n\0", Err(UndefinedEscape, 7)),
    ("an escape before a letter of two bytes", NEW, "SEND\na:\\é\n\n\0".as_bytes(), Err(UndefinedEscape, 7)),
    ("the second error of a frame is not seen", NEW, b"SEND\na:\\q\nb:\\q\n\n\0", Err(UndefinedEscape, 7)),
    // shows: stomp12/header-encoding/connect-unescaped, stomp11/header-encoding/connect-unescaped
    ("no escapes in CONNECT", ALL, b"CONNECT\npasscode:a\\cb\\t\n\n\0", Ok("CONNECT [passcode=a\\cb\\t] | ", 0)),
    // shows: stomp12/header-encoding/connect-unescaped, stomp11/header-encoding/connect-unescaped
    ("no escapes in CONNECTED", ALL, b"CONNECTED\nserver:a\\cb\\\n\n\0", Ok("CONNECTED [server=a\\cb\\] | ", 0)),
    ("escapes in STOMP", NEW, b"STOMP\npasscode:a\\cb\n\n\0", Ok("STOMP [passcode=a:b] | ", 0)),
    ("escapes in ERROR", NEW, b"ERROR\nmessage:a\\nb\n\n\0", Ok("ERROR [message=a\nb] | ", 0)),
    ("escapes in RECEIPT", NEW, b"RECEIPT\nreceipt-id:a\\cb\n\n\0", Ok("RECEIPT [receipt-id=a:b] | ", 0)),
    ("a CR in CONNECT", &[V1_2], b"CONNECT\npasscode:a\rb\n\n\0", Ok("CONNECT [passcode=a\rb] | ", 0)),
    ("a colon in CONNECT", ALL, b"CONNECT\npasscode:a:b\n\n\0", Ok("CONNECT [passcode=a:b] | ", 0)),
    // shows: stomp12/header-encoding/utf-8, stomp11/header-encoding/utf-8,
    // shows: stomp12/content-type/utf-8, stomp11/content-type/utf-8
    ("UTF-8 in names and values", ALL, "SEND\nclé:größe ☃\n\n\0".as_bytes(), Ok("SEND [clé=größe ☃] | ", 0)),
    ("UTF-8 beside an escape", NEW, "SEND\na:ö\\cß\\\\é\n\n\0".as_bytes(), Ok("SEND [a=ö:ß\\é] | ", 0)),
    // shows: stomp12/header-encoding/utf-8, stomp11/header-encoding/utf-8
    ("Latin-1 is not UTF-8", ALL, b"SEND\na:gr\xf6\xdfe\n\n\0", Err(HeaderNotUtf8, 9)),
    ("a surrogate is not UTF-8", ALL, b"SEND\na:\xed\xa0\x80\n\n\0", Err(HeaderNotUtf8, 7)),
    ("a letter cut by the end of line", ALL, b"SEND\na:\xc3\n\n\0", Err(HeaderNotUtf8, 7)),

    // Trimming: 1.1 and 1.2 MUST never; 1.0 pads in its examples.
    // shows: stomp10/header-encoding/padding
    ("padding in 1.0", &[V1_0], b"SUBSCRIBE\ndestination: /queue/foo\nack:\tclient \n\n\0", Ok("SUBSCRIBE [destination=/queue/foo] [ack=client] | ", 0)),
    // shows: stomp12/header-encoding/no-trimming, stomp11/header-encoding/no-trimming
    ("padding since 1.1", NEW, b"SUBSCRIBE\ndestination: /queue/foo\nack:\tclient \n\n\0", Ok("SUBSCRIBE [destination= /queue/foo] [ack=\tclient ] | ", 0)),
    ("padded name in 1.0", &[V1_0], b"SEND\n a :b\n\n\0", Ok("SEND [a=b] | ", 0)),
    ("padded name since 1.1", NEW, b"SEND\n a :b\n\n\0", Ok("SEND [ a =b] | ", 0)),
    ("blanks inside", ALL, b"SEND\na:b  c\n\n\0", Ok("SEND [a=b  c] | ", 0)),
    ("a value of blanks in 1.0", &[V1_0], b"SEND\na:  \n\n\0", Ok("SEND [a=] | ", 0)),
    ("a name of blanks in 1.0", &[V1_0], b"SEND\n  :a\n\n\0", Err(EmptyHeaderName, 5)),

    // Augmented BNF: headers.
    // shows: stomp12/grammar/empty-value, stomp11/grammar/empty-value
    ("empty value", ALL, b"SEND\na:\n\n\0", Ok("SEND [a=] | ", 0)),
    // shows: stomp12/grammar/name, stomp11/grammar/name, stomp10/grammar/name
    ("empty name", ALL, b"SEND\n:a\n\n\0", Err(EmptyHeaderName, 5)),
    ("a colon alone", ALL, b"SEND\n:\n\n\0", Err(EmptyHeaderName, 5)),
    ("a blank line with a blank", ALL, b"SEND\na:b\n \n\0", Err(HeaderWithoutColon, 9)),
    // shows: stomp12/frames/case-sensitive, stomp11/frames/case-sensitive
    ("header names are case sensitive", ALL, b"SEND\nA:1\na:2\n\n\0", Ok("SEND [A=1] [a=2] | ", 0)),
    ("Repeated Header Entries: one after another name", ALL, b"SEND\na:1\nb:2\na:3\n\n\0", Ok("SEND [a=1] [b=2] [a=3] | ", 0)),
    ("the frame ends in a header", ALL, b"SEND\na:b\0", Err(NulInHeaders, 8)),
    ("the frame ends without an empty line", ALL, b"DISCONNECT\nreceipt:77\n\0", Err(NulInHeaders, 22)),
    ("NUL in a header", ALL, b"SEND\na:b\0c\n\n\0", Err(NulInHeaders, 8)),
    ("NUL in a name", ALL, b"SEND\na\0:b\n\n\0", Err(NulInHeaders, 6)),
    ("headers that never end", ALL, b"SEND\na:b\nc:d\n", More),

    // Header content-length.
    // shows: stomp12/content-length/octets-read, stomp11/content-length/octets-read,
    // shows: stomp10/content-length/octets-read
    ("content-length 0", ALL, b"SEND\ncontent-length:0\n\n\0", Ok("SEND [content-length=0] | ", 0)),
    ("content-length 0 with a body", ALL, b"SEND\ncontent-length:0\n\nx\0", Err(MissingNul, 23)),
    ("leading zeros", ALL, b"SEND\ncontent-length:003\n\nabc\0", Ok("SEND [content-length=003] | abc", 0)),
    ("content-length is no number", ALL, b"SEND\ncontent-length:abc\n\n\0", Err(ContentLength, 20)),
    ("content-length is empty", ALL, b"SEND\ncontent-length:\n\n\0", Err(ContentLength, 20)),
    ("content-length with a sign", ALL, b"SEND\ncontent-length:+1\n\nx\0", Err(ContentLength, 20)),
    ("negative content-length", ALL, b"SEND\ncontent-length:-1\n\nx\0", Err(ContentLength, 20)),
    ("hexadecimal content-length", ALL, b"SEND\ncontent-length:0x1\n\nx\0", Err(ContentLength, 20)),
    ("padded content-length in 1.0", &[V1_0], b"SEND\ncontent-length: 1 \n\nx\0", Ok("SEND [content-length=1] | x", 0)),
    ("padded content-length since 1.1", NEW, b"SEND\ncontent-length: 1\n\nx\0", Err(ContentLength, 20)),
    // shows: stomp12/repeated-headers/first, stomp11/repeated-headers/first
    ("the first content-length counts", ALL, b"SEND\ncontent-length:1\ncontent-length:9\n\nx\0", Ok("SEND [content-length=1] [content-length=9] | x", 0)),
    ("content-length beyond 64 bits", ALL, b"SEND\ncontent-length:99999999999999999999999\n\nx\0", Err(Over(Limit::Body), 145)),
    ("content-length over the limit, before any of it came", ALL, b"SEND\ncontent-length:101\n\n", Err(Over(Limit::Body), 125)),
    ("content-length at the limit", ALL, b"SEND\ncontent-length:100\n\n", More),
    ("Content-Length is another header", ALL, b"SEND\nContent-Length:9\n\nx\0", Ok("SEND [Content-Length=9] | x", 0)),
    ("a body is waited for", ALL, b"SEND\ncontent-length:3\n\nab", More),
    ("its NUL is waited for", ALL, b"SEND\ncontent-length:2\n\nab", More),

    // Body.
    // shows: stomp12/content-length/first-nul, stomp11/content-length/first-nul,
    // shows: stomp10/content-length/first-nul
    ("the first NUL ends a body", ALL, b"SEND\n\nab\0cd\0", Ok("SEND | ab", 3)),
    ("two frames", ALL, b"SEND\n\na\0SEND\n\nb\0", Ok("SEND | a", 8)),
    ("EOLs behind a frame are left", ALL, b"SEND\n\na\0\n\n", Ok("SEND | a", 2)),
    ("bodies are bytes", ALL, b"SEND\n\n\xff\xfe\n\n\\x\0", Ok("SEND | \u{fffd}\u{fffd}\n\n\\x", 0)),
    // shows: stomp12/server-frames/commands, stomp11/server-frames/commands,
    // shows: stomp10/server-frames/commands
    ("MESSAGE has a body", ALL, b"MESSAGE\n\nx\0", Ok("MESSAGE | x", 0)),
    // shows: stomp12/server-frames/commands, stomp11/server-frames/commands,
    // shows: stomp10/server-frames/commands
    ("ERROR has a body", ALL, b"ERROR\n\nx\0", Ok("ERROR | x", 0)),
    // shows: stomp12/body/allowed, stomp11/body/allowed
    ("ACK with a body", NEW, b"ACK\nid:1\n\nx\0", Err(BodyNotAllowed(Command::Ack), 10)),
    // shows: stomp12/body/allowed, stomp11/body/allowed
    ("BEGIN with a body by content-length", NEW, b"BEGIN\ncontent-length:1\n\nx\0", Err(BodyNotAllowed(Command::Begin), 24)),
    // Clients of RabbitMQ (PHP's among them) copy the headers of a MESSAGE into its ACK.
    ("a content-length of a body that is not there", ALL, b"ACK\ncontent-length:5\n\n\0BEGIN\n", Ok("ACK [content-length=5] | ", 6)),
    ("so far it may be there", ALL, b"ACK\ncontent-length:5\n\n", More),
    ("even if the body could not be", ALL, b"ACK\ncontent-length:101\n\n\0", Ok("ACK [content-length=101] | ", 0)),
    ("SEND has one", ALL, b"SEND\ncontent-length:1\n\n\0", More),
    ("an EOL too many is a body", NEW, b"DISCONNECT\n\n\n\0", Err(BodyNotAllowed(Command::Disconnect), 12)),
    // shows: stomp12/content-length/on-any-frame
    ("content-length 0 is no body", ALL, b"BEGIN\ncontent-length:0\n\n\0", Ok("BEGIN [content-length=0] | ", 0)),
    // shows: stomp10/body/of-subscribe
    ("1.0 SUBSCRIBE: the body is ignored", &[V1_0], b"SUBSCRIBE\ndestination:a\n\nx\0", Ok("SUBSCRIBE [destination=a] | x", 0)),
    ("SUBSCRIBE with a body", NEW, b"SUBSCRIBE\nid:1\n\nx\0", Err(BodyNotAllowed(Command::Subscribe), 16)),
    // Clients of 1.0 write blank lines before the NUL.
    ("blank lines after the headers of CONNECT", ALL, b"CONNECT\nlogin:a\n\n\n\n\0", Ok("CONNECT [login=a] | ", 0)),
    ("blank lines of CR LF", &[V1_2], b"CONNECT\r\nlogin:a\r\n\r\n\r\n\r\n\0", Ok("CONNECT [login=a] | ", 0)),
    ("blank lines and a body", ALL, b"CONNECT\n\n\n\nx\0", Err(BodyNotAllowed(Command::Connect), 9)),
    ("blank lines without an end", ALL, b"CONNECT\n\n\n\n", More),
    ("as many blank lines as a body may be long", ALL, &CONNECT_AND_100_LF, More),
    ("one more", ALL, &CONNECT_AND_101_LF, Err(Over(Limit::Body), 109)),
    ("1.0: the body of CONNECT is empty", ALL, b"CONNECT\n\nx\0", Err(BodyNotAllowed(Command::Connect), 9)),
    // shows: stomp10/body/of-receipt
    ("1.0: the body of RECEIPT is empty", ALL, b"RECEIPT\n\nx\0", Err(BodyNotAllowed(Command::Receipt), 9)),
    ("a body of 100 bytes", ALL, b"SEND\n\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\0", Ok("SEND | 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789", 0)),
    // shows: stomp12/size-limits/body, stomp11/size-limits/body
    ("a body of 101 bytes", ALL, b"SEND\n\n01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\0", Err(Over(Limit::Body), 106)),

    ("a content-length of 2^64 + 4 is not 4", ALL, b"SEND\ncontent-length:18446744073709551620\n\nabcd\0", Err(Over(Limit::Body), 142)),

    // Size Limits: a header line of 40 bytes, 4 headers, 80 bytes of headers.
    ("a header line of 40 bytes", ALL, b"SEND\na:23456789012345678901234567890123456789\n\n\0", Ok("SEND [a=23456789012345678901234567890123456789] | ", 0)),
    // shows: stomp12/size-limits/header-line, stomp11/size-limits/header-line
    ("a header line of 41 bytes", ALL, b"SEND\na:234567890123456789012345678901234567890\n\n\0", Err(Over(Limit::HeaderLine), 45)),
    ("a header line of 40 bytes that ends with a NUL", ALL, b"SEND\na:23456789012345678901234567890123456789\0", Err(NulInHeaders, 45)),
    ("its CR does not count", &[V1_2], b"SEND\na:23456789012345678901234567890123456789\r\n\n\0", Ok("SEND [a=23456789012345678901234567890123456789] | ", 0)),
    ("a header line too long and without a colon", ALL, b"SEND\n01234567890123456789012345678901234567890\n", Err(Over(Limit::HeaderLine), 45)),
    ("four headers", ALL, b"SEND\na:1\nb:2\nc:3\nd:4\n\n\0", Ok("SEND [a=1] [b=2] [c=3] [d=4] | ", 0)),
    // shows: stomp12/size-limits/header-count, stomp11/size-limits/header-count
    ("five headers", ALL, b"SEND\na:1\nb:2\nc:3\nd:4\ne:5\n\n\0", Err(Over(Limit::HeaderCount), 21)),
    ("80 bytes of headers", ALL, b"SEND\na:012345678901234567890123\nb:012345678901234567890123\nc:01234567890123456789012\n\n\0", Ok("SEND [a=012345678901234567890123] [b=012345678901234567890123] [c=01234567890123456789012] | ", 0)),
    ("81 bytes of headers", ALL, b"SEND\na:012345678901234567890123\nb:012345678901234567890123\nc:012345678901234567890123\n\n\0", Err(Over(Limit::Headers), 85)),
];

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.header_line = 40;
    limits.header_count = 4;
    limits.headers = 80;
    limits.body = 100;
    limits
}

fn text(frame: &Frame<'_>) -> String {
    let mut text = frame.command().to_string();
    for header in frame.headers() {
        text += &format!(" [{}={}]", header.name, header.value);
    }
    text += " | ";
    text += &String::from_utf8_lossy(frame.body());
    text
}

#[test]
fn each_version_reads_what_it_says() {
    assert!(TABLE.len() > 120, "{}", TABLE.len());
    let limits = limits();
    for (section, versions, input, expected) in TABLE {
        for &version in *versions {
            let found = decode(input, version, &limits);
            let place = format!("{version} {section}");
            match (expected, found) {
                (Ok(meaning, left), Result::Ok(Some((frame, taken)))) => {
                    assert_eq!(text(&frame), *meaning, "{place}");
                    assert_eq!(input.len() - taken, *left, "{place}");
                    assert_eq!(frame.version(), version, "{place}");
                }
                (Err(kind, offset), Result::Err(error)) => {
                    assert_eq!((error.kind, error.offset), (*kind, *offset), "{place}");
                }
                (More, Result::Ok(None)) => {}
                (_, found) => panic!("{place}: {found:?}"),
            }
        }
    }
}

// shows: stomp12/frames/any-segmentation, stomp11/frames/any-segmentation,
// shows: stomp10/frames/any-segmentation
#[test]
fn cut_at_every_byte_it_reads_the_same() {
    let limits = limits();
    for (section, versions, input, _) in TABLE {
        for &version in *versions {
            let whole = decode(input, version, &limits);
            let mut scan = Scan::default();
            let mut end = None;
            for have in 0..=input.len() {
                let prefix = &input[..have];
                let fresh = decode(prefix, version, &limits);
                let resumed = scan.decode(prefix, version, &limits);
                assert_eq!(fresh, resumed, "{version} {section}, {have} bytes");
                if let Result::Ok(None) = resumed {
                    assert!(scan.min_len() > have, "{version} {section}, {have} bytes");
                    continue;
                }
                end = Some(resumed);
                break;
            }
            match end {
                Some(found) => assert_eq!(found, whole, "{version} {section}"),
                None => assert_eq!(whole, Result::Ok(None), "{version} {section}"),
            }
        }
    }
}

/// `min_len` is never more than what the frame takes, and exact once the
/// length of the body is known.
#[test]
fn min_len_is_a_lower_bound() {
    let limits = limits();
    for (section, versions, input, expected) in TABLE {
        let Ok(_, left) = expected else { continue };
        for &version in *versions {
            let mut scan = Scan::default();
            for have in 0..input.len() - left {
                assert_eq!(
                    scan.decode(&input[..have], version, &limits),
                    Result::Ok(None)
                );
                assert!(scan.min_len() <= input.len() - left, "{version} {section}");
            }
        }
    }
    let mut scan = Scan::default();
    let start = b"SEND\ncontent-length:50\n\n";
    assert_eq!(scan.decode(start, V1_2, &limits), Result::Ok(None));
    assert_eq!(scan.min_len(), start.len() + 51);
}

// shows: stomp12/repeated-headers/first
#[test]
fn the_first_of_repeated_headers_is_the_value() {
    let input = b"MESSAGE\nfoo:World\nfoo:Hello\nx\\cy:1\n\n\0";
    let (frame, _) = decode(input, V1_2, &limits()).unwrap().unwrap();
    assert_eq!(frame.header("foo").unwrap(), "World");
    assert_eq!(frame.header("x:y").unwrap(), "1");
    assert_eq!(frame.header("x\\cy"), None);
    assert_eq!(frame.header("bar"), None);
}

#[test]
fn a_value_without_an_escape_is_borrowed() {
    let input = b"MESSAGE\na:plain\nb:with\\cescape\n\n\0";
    let (frame, _) = decode(input, V1_2, &limits()).unwrap().unwrap();
    let borrowed = |name| matches!(frame.header(name), Some(std::borrow::Cow::Borrowed(_)));
    assert!(borrowed("a"));
    assert!(!borrowed("b"));
}

/// A scan that is given other bytes than it was promised begins again.
#[test]
fn a_scan_survives_a_shorter_input() {
    let mut scan = Scan::default();
    assert_eq!(
        scan.decode(b"SEND\na:b\nc:d\n\nlong body", V1_2, &limits()),
        Result::Ok(None)
    );
    let (frame, _) = scan
        .decode(b"BEGIN\n\n\0", V1_2, &limits())
        .unwrap()
        .unwrap();
    assert_eq!(frame.command(), Command::Begin);
}

/// A frame of 1.0 may have a body whatever its command, and clients also write a
/// `content-length` in an ACK without one. Only the first byte of the body tells.
#[test]
fn what_is_missing_of_an_ack_with_a_body() {
    let bytes = b"ACK\nmessage-id:1\ncontent-length:5\n\nabcde\0";
    let head = bytes.len() - 6;
    let mut scan = Scan::default();
    for end in 0..bytes.len() {
        let frame = scan.decode(&bytes[..end], Version::V1_0, &Limits::default());
        assert_eq!(frame.unwrap(), None, "{end}");
        let least = scan.min_len();
        assert!(least > end, "{least} at {end}");
        if end > head {
            assert_eq!(least, bytes.len(), "at {end}");
        }
    }
    let whole = scan.decode(bytes, Version::V1_0, &Limits::default());
    assert_eq!(whole.unwrap().unwrap().0.body(), b"abcde");
}
