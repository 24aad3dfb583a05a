//! Well-formed wire bytes out of raw entropy, written against the grammar of
//! section 4.2 and on purpose without the crate's encoder.

use amqp_codec::method::{FieldType, MethodInfo};
use arbitrary::{Result, Unstructured};

pub(crate) fn shortstr(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let len = u.int_in_range(0..=20)?;
    let mut text = String::new();
    for _ in 0..len {
        text.push(u.arbitrary()?);
    }
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
    Ok(())
}

/// Entropy as long as there is any, then zeros.
fn fill(u: &mut Unstructured<'_>, len: usize, out: &mut Vec<u8>) {
    out.extend((0..len).map(|_| u.arbitrary::<u8>().unwrap_or(0)));
}

pub(crate) fn longstr(u: &mut Unstructured<'_>, out: &mut Vec<u8>) -> Result<()> {
    let len = u.int_in_range(0..=40)?;
    out.extend((len as u32).to_be_bytes());
    fill(u, len, out);
    Ok(())
}

fn sized(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let mut inner = Vec::new();
    fill(&mut inner)?;
    out.extend((inner.len() as u32).to_be_bytes());
    out.extend(inner);
    Ok(())
}

pub(crate) fn value(u: &mut Unstructured<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    let letters: &[u8] = if depth == 0 {
        b"tbBsuIilLfdDSxTV"
    } else {
        b"tbBsuIilLfdDSxTVAF"
    };
    let letter = *u.choose(letters)?;
    out.push(letter);
    let fixed = match letter {
        b't' => {
            out.push(u8::from(u.arbitrary::<bool>()?));
            0
        }
        b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'S' | b'x' => {
            longstr(u, out)?;
            0
        }
        b'A' => {
            sized(out, |out| {
                for _ in 0..u.int_in_range(0..=4)? {
                    value(u, depth - 1, out)?;
                }
                Ok(())
            })?;
            0
        }
        b'F' => {
            table(u, depth - 1, out)?;
            0
        }
        _ => 0,
    };
    fill(u, fixed, out);
    Ok(())
}

pub(crate) fn table(u: &mut Unstructured<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    sized(out, |out| {
        for _ in 0..u.int_in_range(0..=4)? {
            shortstr(u, out)?;
            value(u, depth, out)?;
        }
        Ok(())
    })
}

/// The payload of a method frame. `reserved` tells whether reserved fields
/// get entropy too, rather than zeros.
pub(crate) fn method(
    u: &mut Unstructured<'_>,
    info: &MethodInfo,
    reserved: bool,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.extend(info.id.class_id.to_be_bytes());
    out.extend(info.id.method_id.to_be_bytes());
    let mut bits = None;
    let mut none = Unstructured::new(&[]);
    for field in info.fields {
        let u = if field.name == "reserved" && !reserved {
            &mut none
        } else {
            &mut *u
        };
        if field.field_type == FieldType::Bit {
            let bit = u8::from(u.arbitrary::<bool>()?);
            bits = match bits {
                None => {
                    out.push(bit);
                    Some(1)
                }
                Some(count) => {
                    *out.last_mut().unwrap() |= bit << count;
                    (count < 7).then_some(count + 1)
                }
            };
            continue;
        }
        bits = None;
        match field.field_type {
            FieldType::Octet => out.push(u.arbitrary()?),
            FieldType::Short => out.extend(u.arbitrary::<u16>()?.to_be_bytes()),
            FieldType::Long => out.extend(u.arbitrary::<u32>()?.to_be_bytes()),
            FieldType::LongLong => out.extend(u.arbitrary::<u64>()?.to_be_bytes()),
            FieldType::ShortStr => shortstr(u, out)?,
            FieldType::LongStr => longstr(u, out)?,
            FieldType::Table => table(u, 3, out)?,
            other => unreachable!("{other:?}"),
        }
    }
    Ok(())
}

/// The payload of a content header with any of the fourteen properties.
pub(crate) fn content_header(
    u: &mut Unstructured<'_>,
    body_size: u64,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.extend([0, 60, 0, 0]);
    out.extend(body_size.to_be_bytes());
    let flags = u.arbitrary::<u16>()? & !0b11;
    out.extend(flags.to_be_bytes());
    for bit in (2..=15).rev() {
        if flags & (1 << bit) == 0 {
            continue;
        }
        match bit {
            13 => table(u, 3, out)?,
            12 | 11 => out.push(u.arbitrary()?),
            6 => out.extend(u.arbitrary::<u64>()?.to_be_bytes()),
            _ => shortstr(u, out)?,
        }
    }
    Ok(())
}

pub(crate) fn frame(frame_type: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![frame_type];
    bytes.extend(channel.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(0xCE);
    bytes
}
