//! A log with damage: what is the trace of a crash is cut off, what is not is refused, and
//! repair keeps the rest.

use super::bad_disk::BadDisk;
use super::{batches, recover};
use crate::store::gathered::Gathered;
use crate::store::repair::repair_files;
use crate::store::segment;
use crate::store::{Batch, Store, StoreError};

/// Three groups: positions 0..100 and 100..200, and 200..300 in two batches.
fn written() -> (BadDisk, Vec<Batch>) {
    let disk = BadDisk::default();
    let (mut log, ..) = recover(disk.clone(), 1 << 20).unwrap();
    let groups = [
        batches(0, &[100]),
        batches(100, &[100]),
        batches(200, &[60, 40]),
    ];
    for group in &groups {
        log.append(group).unwrap();
    }
    (disk, groups.concat())
}

const FIRST: &str = "00000000000000000000.log";

/// The file has a head of 20 bytes, and a head of 24 bytes in front of each batch.
const BLOCKS: [usize; 5] = [
    20,
    20 + 124,
    20 + 2 * 124,
    20 + 2 * 124 + 84,
    20 + 2 * 124 + 84 + 64,
];

#[test]
fn the_end_is_cut_where_it_is_torn() {
    for len in BLOCKS[2]..BLOCKS[4] {
        let (disk, all) = written();
        disk.edit(FIRST, |bytes| bytes.truncate(len));
        let (mut log, read, torn) = recover(disk.clone(), 1 << 20).unwrap();
        let whole = if len < BLOCKS[3] { 2 } else { 3 };
        assert_eq!(read, all[..whole], "{len} bytes");
        assert_eq!(torn as usize, len - BLOCKS[whole]);
        // It goes on from there.
        log.append(&batches(read.last().unwrap().end(), &[7]))
            .unwrap();
        drop(log);
        let (_, read, torn) = recover(disk, 1 << 20).unwrap();
        assert_eq!((read.len(), torn), (whole + 1, 0));
    }
}

/// A flipped bit in the last group cannot be told from a torn write. Anywhere before it,
/// the last group says that it was durable.
#[test]
fn a_flipped_bit_is_cut_off_at_the_end_and_refused_before() {
    for at in 0..BLOCKS[4] {
        let (disk, all) = written();
        disk.edit(FIRST, |bytes| bytes[at] ^= 0x10);
        let outcome = recover(disk, 1 << 20);
        if at >= BLOCKS[2] {
            let (_, read, _) = outcome.unwrap();
            assert_eq!(read, all[..if at < BLOCKS[3] { 2 } else { 3 }], "byte {at}");
            continue;
        }
        match outcome {
            Err(StoreError::Damaged { offset, .. }) => {
                let block = BLOCKS.iter().rev().find(|block| **block <= at);
                assert_eq!(offset as usize, block.copied().unwrap_or(0), "byte {at}");
            }
            // The head was intact, with another version: it cannot be, by its checksum.
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn the_complaint_is_one_line_that_says_what_to_do() {
    let (disk, _) = written();
    disk.edit(FIRST, |bytes| bytes[BLOCKS[1] + 30] ^= 1);
    let error = recover(disk, 1 << 20).unwrap_err().to_string();
    assert_eq!(
        error,
        "data/00000000000000000000.log is damaged at byte 144, and what follows is not: \
         `mq-server repair --data data` keeps what can be read and sets the damaged file aside"
    );
}

#[test]
fn repair_keeps_all_but_what_is_damaged() {
    // Which block is damaged, and which batches are left.
    let rows: [(usize, &[usize]); 3] = [(0, &[1, 2, 3]), (1, &[0, 2, 3]), (5, &[0, 1, 2, 3])];
    for (block, left) in rows {
        let (disk, all) = written();
        // The head of the file, for the last row.
        let at = BLOCKS.get(block).map_or(3, |offset| offset + 40);
        disk.edit(FIRST, |bytes| bytes[at] ^= 1);
        let repaired = repair_files(&disk).unwrap();
        assert_eq!(repaired.set_aside.len(), 1);
        let lost = if block == 5 { 0 } else { 100 };
        assert_eq!(repaired.lost, lost);
        let (mut log, read, _) = recover(disk.clone(), 1 << 20).unwrap();
        let wanted: Vec<Batch> = left.iter().map(|index| all[*index].clone()).collect();
        assert_eq!(read, wanted);
        if block < 2 {
            log.read(100 * block as u64, 1).unwrap_err();
        }
        log.read(299, 1).unwrap();
        log.append(&batches(300, &[5])).unwrap();
        drop(log);
        // What is whole is left alone.
        assert_eq!(repair_files(&disk).unwrap(), Default::default());
        assert_eq!(recover(disk, 1 << 20).unwrap().1.len(), left.len() + 1);
    }
}

/// Files of one group each.
fn in_files() -> (BadDisk, Vec<Batch>) {
    let disk = BadDisk::default();
    let (mut log, ..) = recover(disk.clone(), 1).unwrap();
    let all = batches(0, &[100, 200_000, 100]);
    for batch in &all {
        log.append(std::slice::from_ref(batch)).unwrap();
    }
    (disk, all)
}

#[test]
fn a_file_that_is_missing_is_refused_and_repaired() {
    let (disk, all) = in_files();
    let middle = segment::name(100);
    crate::store::files::Files::remove(&disk, &middle).unwrap();
    assert!(matches!(
        recover(disk.clone(), 1),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(repair_files(&disk).unwrap().lost, 200_000);
    let (_, read, _) = recover(disk, 1).unwrap();
    assert_eq!(read, [all[0].clone(), all[2].clone()]);
}

/// A batch of several blocks is lost whole.
#[test]
fn a_batch_with_a_damaged_part_is_no_batch() {
    let (disk, all) = in_files();
    disk.edit(&segment::name(100), |bytes| bytes[100_000] ^= 1);
    recover(disk.clone(), 1).unwrap_err();
    assert_eq!(repair_files(&disk).unwrap().lost, 200_000);
    let (_, read, _) = recover(disk, 1).unwrap();
    assert_eq!(read, [all[0].clone(), all[2].clone()]);
}

/// The first write to a new file was cut short: the file before it ends the log.
#[test]
fn a_new_file_that_was_never_durable_is_dropped() {
    for len in [0, 5, 20, 50] {
        let (disk, all) = in_files();
        disk.edit(&segment::name(200_100), |bytes| {
            bytes.truncate(len);
            bytes[len / 2..].fill(0);
        });
        let (_, read, _) = recover(disk, 1).unwrap();
        assert_eq!(read, all[..2], "{len} bytes");
    }
}

#[test]
fn another_format_is_refused() {
    let (disk, _) = written();
    disk.edit(FIRST, |bytes| {
        bytes[7] = 2;
        let crc = crc32c::crc32c(&bytes[..16]);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    });
    let error = recover(disk, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("has format 2"), "{error}");
}

/// Checked-in bytes of the format's version 1: a head, a batch "ab" and a gap up to 9.
#[test]
fn the_format_stays() {
    let mut file = Vec::new();
    segment::write_head(&mut file, 0);
    let batch = Batch {
        position: 0,
        slices: vec!["a".into(), "b".into()],
    };
    let mut group = Gathered::new(file);
    segment::write_batch(&mut group, &batch, 0, |_, _| {});
    let slices = group.slices();
    let mut file: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    segment::write_gap(&mut file, 2, 9);
    assert_eq!(file, FORMAT_1);
}

const FORMAT_1: &[u8] = b"mqlog\r\n\x01\0\0\0\0\0\0\0\0\x98\x68\xD2\x56\
    \x01\x02\0\0\xAF\x3D\xB2\x67\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ab\
    \x05\x08\0\0\x90\x12\xFE\xB7\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0";
