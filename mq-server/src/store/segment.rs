//! The content of one file of the log.
//!
//! ```text
//! file   = head block*
//! head   = "mqlog\r\n" version:u8 start:u64 crc32c:u32             20 bytes
//! block  = kind:u8 len:u24 crc32c:u32 position:u64 durable:u64 payload[len]
//! ```
//!
//! Numbers are little-endian. `start` is the position of the file's first byte, and its
//! name: `00000000000000004096.log`. A batch is one block of the kind "whole" (1), or, where
//! it is larger than 64 KiB, a "first" (2), any number of "middle" (3) and a "last" (4). The
//! checksum of a block covers its kind, length, position, `durable` and payload.
//!
//! `durable` says that everything before that position was on disk when the block was
//! written. So a reader knows which damage is the trace of a crash: a block that is no block
//! any more, and of which a later one says that it was durable, was lost afterwards.
//!
//! A "gap" (5) takes the place of what a repair could not read. Its payload is the position at
//! which the log goes on.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::Batch;
use super::gathered::Gathered;

const MAGIC: [u8; 7] = *b"mqlog\r\n";

/// The version of this format.
const VERSION: u8 = 1;

/// Bytes before the first block.
pub(super) const HEAD: usize = 20;

/// Bytes before a block's payload.
pub(super) const BLOCK_HEAD: usize = 24;

/// Bytes of a block's payload at most: what is read at least to verify a small part.
const PAYLOAD: usize = 64 * 1024;

/// The name of the file that begins at a position.
pub(super) fn name(start: u64) -> String {
    format!("{start:020}.log")
}

/// The position at which a file of the log begins.
pub(super) fn start_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let is_name = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_name.then(|| digits.parse().ok())?
}

pub(super) fn write_head(out: &mut Vec<u8>, start: u64) {
    let from = out.len();
    out.extend(MAGIC);
    out.push(VERSION);
    out.extend(start.to_le_bytes());
    let crc = crc32c::crc32c(&out[from..]);
    out.extend(crc.to_le_bytes());
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Good,
    Bad,
    /// Another version of the format, and intact.
    Version(u8),
}

pub(super) fn read_head(bytes: &[u8], start: u64) -> Head {
    let Some((head, crc)) = bytes
        .get(..HEAD)
        .and_then(|head| head.split_last_chunk::<4>())
    else {
        return Head::Bad;
    };
    if crc32c::crc32c(head) != u32::from_le_bytes(*crc) || head[..7] != MAGIC {
        return Head::Bad;
    }
    match head[7] {
        VERSION if head[8..] == start.to_le_bytes() => Head::Good,
        VERSION => Head::Bad,
        other => Head::Version(other),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Whole = 1,
    First = 2,
    Middle = 3,
    Last = 4,
    Gap = 5,
}

const KINDS: [Kind; 5] = [
    Kind::Whole,
    Kind::First,
    Kind::Middle,
    Kind::Last,
    Kind::Gap,
];

/// A whole and intact block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    kind: Kind,
    pub(super) position: u64,
    /// Everything before that position was on disk when this was written.
    pub(super) durable: u64,
    /// Where the payload lies.
    pub(super) payload: Range<usize>,
    /// The position of what follows.
    pub(super) next: u64,
}

impl Block {
    /// The block at an offset, if there is one.
    pub(super) fn at(bytes: &[u8], offset: usize) -> Option<Self> {
        let head: &[u8; BLOCK_HEAD] = bytes.get(offset..)?.first_chunk()?;
        let kind = KINDS.into_iter().find(|kind| *kind as u8 == head[0])?;
        let len = u32::from_le_bytes([head[1], head[2], head[3], 0]) as usize;
        let crc = u32::from_le_bytes(head[4..8].try_into().ok()?);
        let position = u64::from_le_bytes(head[8..16].try_into().ok()?);
        let durable = u64::from_le_bytes(head[16..24].try_into().ok()?);
        if len == 0 || len > PAYLOAD || durable > position {
            return None;
        }
        let payload = offset + BLOCK_HEAD..offset + BLOCK_HEAD + len;
        let content = bytes.get(payload.clone())?;
        let next = match kind {
            Kind::Gap => u64::from_le_bytes(content.try_into().ok()?),
            _ => position.checked_add(len as u64)?,
        };
        (next > position && checksum(head, [content]) == crc).then_some(Self {
            kind,
            position,
            durable,
            payload,
            next,
        })
    }

    /// The position and the length of what the head there is of, not verified.
    pub(super) fn peek(bytes: &[u8], offset: usize) -> Option<(u64, usize)> {
        let head: &[u8; BLOCK_HEAD] = bytes.get(offset..)?.first_chunk()?;
        let len = u32::from_le_bytes([head[1], head[2], head[3], 0]) as usize;
        let position = u64::from_le_bytes(head[8..16].try_into().ok()?);
        (len <= PAYLOAD).then_some((position, BLOCK_HEAD + len))
    }

    /// The first block at or after an offset that a test likes.
    pub(super) fn find(
        bytes: &[u8],
        from: usize,
        test: impl Fn(&Self) -> bool,
    ) -> Option<(usize, Self)> {
        (from..bytes.len().saturating_sub(BLOCK_HEAD))
            // Most bytes are seen through at once.
            .filter(|offset| (1..=KINDS.len() as u8).contains(&bytes[*offset]))
            .filter_map(|offset| Some((offset, Self::at(bytes, offset)?)))
            .find(|(_, block)| test(block))
    }

    pub(super) fn is_gap(&self) -> bool {
        self.kind == Kind::Gap
    }

    /// Whether a batch begins with it.
    pub(super) fn begins_batch(&self) -> bool {
        matches!(self.kind, Kind::Whole | Kind::First)
    }

    /// Whether no part of a batch comes next that begins before it.
    pub(super) fn ends_batch(&self) -> bool {
        matches!(self.kind, Kind::Whole | Kind::Last | Kind::Gap)
    }

    /// The offset of what follows.
    pub(super) fn end(&self) -> usize {
        self.payload.end
    }
}

fn checksum<'a>(head: &[u8; BLOCK_HEAD], payload: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let crc = crc32c::crc32c(&head[..4]);
    let crc = crc32c::crc32c_append(crc, &head[8..]);
    payload.into_iter().fold(crc, crc32c::crc32c_append)
}

/// Writes a batch. Calls `mark` with the position and the offset of each block.
pub(super) fn write_batch<'a>(
    out: &mut Gathered<'a>,
    batch: &'a Batch,
    durable: u64,
    mut mark: impl FnMut(u64, usize),
) {
    let mut position = batch.position;
    let whole = batch.len();
    let mut pieces = Pieces {
        slices: &batch.slices,
        taken: 0,
        left: 0,
    };
    let mut left = whole;
    while left > 0 {
        mark(position, out.len());
        let len = left.min(PAYLOAD);
        let is_first = left == whole;
        left -= len;
        let kind = match (is_first, left == 0) {
            (true, true) => Kind::Whole,
            (true, false) => Kind::First,
            (false, false) => Kind::Middle,
            (false, true) => Kind::Last,
        };
        pieces.left = len;
        let head = block_head(kind, len, position, durable, pieces.clone());
        out.buffer().extend(head);
        for piece in &mut pieces {
            out.put(piece);
        }
        position += len as u64;
    }
}

/// What comes next in a list of slices.
#[derive(Clone, Debug)]
struct Pieces<'a> {
    slices: &'a [Bytes],
    /// Bytes of the first slice that have been taken.
    taken: usize,
    /// Bytes to be taken.
    left: usize,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.left > 0 {
            let (first, others) = self.slices.split_first()?;
            let rest = &first[self.taken..];
            let piece = &rest[..rest.len().min(self.left)];
            self.taken += piece.len();
            self.left -= piece.len();
            if self.taken == first.len() {
                (self.slices, self.taken) = (others, 0);
            }
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }
}

/// Writes that there is nothing from one position to another.
pub(super) fn write_gap(out: &mut Vec<u8>, from: u64, to: u64) {
    let payload = to.to_le_bytes();
    let head = block_head(Kind::Gap, payload.len(), from, from, [&payload[..]]);
    out.extend(head);
    out.extend(payload);
}

fn block_head<'a>(
    kind: Kind,
    len: usize,
    position: u64,
    durable: u64,
    payload: impl IntoIterator<Item = &'a [u8]>,
) -> [u8; BLOCK_HEAD] {
    let mut head = [0; BLOCK_HEAD];
    head[..4].copy_from_slice(&((len as u32) << 8 | kind as u32).to_le_bytes());
    head[8..16].copy_from_slice(&position.to_le_bytes());
    head[16..24].copy_from_slice(&durable.to_le_bytes());
    let crc = checksum(&head, payload);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Reads the batches of a file one after the other.
#[derive(Debug)]
pub(super) struct Reader {
    content: Bytes,
    /// After the last whole batch.
    pub(super) offset: usize,
    /// The position of what comes there.
    pub(super) position: u64,
}

impl Reader {
    /// A reader that begins after the head.
    pub(super) fn new(content: Bytes, start: u64) -> Self {
        Self {
            content,
            offset: HEAD,
            position: start,
        }
    }

    /// The next whole batch. Calls `mark` with the position and the offset of its blocks.
    /// Gaps are passed over. None where no whole and intact batch follows.
    pub(super) fn next(&mut self, mut mark: impl FnMut(u64, usize)) -> Option<Batch> {
        let mut parts: Option<BytesMut> = None;
        let (mut offset, mut position) = (self.offset, self.position);
        let mut begin = position;
        loop {
            let block = Block::at(&self.content, offset)?;
            if block.position != position {
                return None;
            }
            mark(position, offset);
            (offset, position) = (block.end(), block.next);
            let payload = self.content.slice(block.payload);
            let bytes = match (block.kind, parts.take()) {
                // A copy: what is kept of a batch shall not keep the whole file.
                (Kind::Whole, None) => Bytes::copy_from_slice(&payload),
                (Kind::First, None) => {
                    parts = Some(BytesMut::from(&payload[..]));
                    continue;
                }
                (kind @ (Kind::Middle | Kind::Last), Some(mut sum)) => {
                    sum.extend_from_slice(&payload);
                    if kind == Kind::Middle {
                        parts = Some(sum);
                        continue;
                    }
                    sum.freeze()
                }
                (Kind::Gap, None) => {
                    begin = position;
                    continue;
                }
                _ => return None,
            };
            (self.offset, self.position) = (offset, position);
            return Some(Batch::new(begin, bytes));
        }
    }

    /// The position after the gaps that come next.
    pub(super) fn after_gaps(&self) -> u64 {
        let (mut offset, mut position) = (self.offset, self.position);
        while let Some(block) = Block::at(&self.content, offset)
            && block.position == position
            && block.is_gap()
        {
            (offset, position) = (block.end(), block.next);
        }
        position
    }

    /// Whether what the reader stands before was on disk once, as a later block says.
    pub(super) fn is_damaged(&self) -> bool {
        let later = |block: &Block| block.durable > self.position;
        Block::find(&self.content, self.offset, later).is_some()
    }

    /// Bytes that it has not read.
    pub(super) fn left(&self) -> usize {
        self.content.len().saturating_sub(self.offset)
    }
}
