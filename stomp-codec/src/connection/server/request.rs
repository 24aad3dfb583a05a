//! What can be told of a client's frame that is wrong.

use alloc::borrow::Cow;

use crate::version::Syntax;
use crate::{DecodeError, escape};

/// The receipt that a frame asks for whose decoding failed, if the header came
/// before the error ("the ERROR frame SHOULD set the receipt-id header").
// keeps: stomp12/ERROR/receipt-id, stomp11/ERROR/receipt-id
pub(super) fn receipt_before(
    frame: &[u8],
    error: DecodeError,
    syntax: Syntax,
) -> Option<Cow<'_, str>> {
    let good = frame.get(..error.offset)?;
    let mut lines = good.split_inclusive(|&byte| byte == b'\n').skip(1);
    let value = lines
        .by_ref()
        .take_while(|line| !matches!(line, [b'\n'] | [b'\r', b'\n']))
        .find_map(|line| line.strip_prefix(b"receipt:")?.strip_suffix(b"\n"))?;
    let value = value
        .strip_suffix(b"\r")
        .filter(|_| syntax.crlf)
        .unwrap_or(value);
    let value = core::str::from_utf8(value).ok()?;
    let value = if syntax.trim {
        escape::trim(value)
    } else {
        value
    };
    let defined = escape::undefined_escape(syntax.escapes, value.as_bytes()).is_none();
    defined.then(|| escape::unescape(syntax.escapes, value))
}
