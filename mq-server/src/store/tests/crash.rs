//! What was durable is there after a crash, whatever the disk did before.

use super::bad_disk::{BadDisk, Random};
use super::{batch, batches, content, recover};
use crate::store::files::Files;
use crate::store::{Batch, Store};

/// The values of the environment's `MQ_SEED`, or many.
fn seeds() -> std::ops::Range<u64> {
    match std::env::var("MQ_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("MQ_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..60,
    }
}

/// Appends, trims, reads, faults and crashes in any order, with small files. The model is
/// the list of all batches: those that were durable and not trimmed are there, those that
/// were appended may be, and nothing else is.
#[test]
fn nothing_durable_is_lost() {
    for seed in seeds() {
        let mut random = Random(seed);
        let disk = BadDisk::default();
        let segment_size = 1 + random.below(40_000) as u64;
        let (mut durable, mut trimmed) = (0, 0);
        for _ in 0..6 {
            let (mut log, read, _) = recover(disk.clone(), segment_size)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            check(seed, &read, trimmed, durable);
            let mut end = read.last().map_or(durable, Batch::end);
            durable = end;
            for _ in 0..random.below(30) {
                match random.below(10) {
                    0 => {
                        let before =
                            trimmed + random.below((durable - trimmed) as usize + 1) as u64;
                        log.trim(before).unwrap();
                        trimmed = before;
                    }
                    1 => disk.fail_syncs(1 + random.below(2)),
                    2 => disk.set_room(Some(random.below(50_000))),
                    3 => disk.set_room(None),
                    4 if durable > trimmed => {
                        let from = trimmed + random.below((durable - trimmed) as usize) as u64;
                        let len = random.below((durable - from) as usize) + 1;
                        let wanted = content(from, len);
                        assert!(
                            log.read(from, len).unwrap() == wanted,
                            "seed {seed}: {from}"
                        );
                    }
                    _ => {
                        let large = if random.one_in(10) { 200_000 } else { 3_000 };
                        let lens: Vec<usize> = (0..1 + random.below(4))
                            .map(|_| 1 + random.below(large))
                            .collect();
                        let group = batches(end, &lens);
                        // A caller tries again until it succeeds, or the machine crashes.
                        for _ in 0..3 {
                            if log.append(&group).is_ok() {
                                end = group.last().unwrap().end();
                                durable = end;
                                break;
                            }
                        }
                    }
                }
            }
            drop(log);
            disk.crash(&mut random);
        }
    }
}

/// What was read is one piece without a gap, has the bytes that were written, begins no
/// later than what was trimmed, and ends no earlier than what was durable.
fn check(seed: u64, read: &[Batch], trimmed: u64, durable: u64) {
    for pair in read.windows(2) {
        assert_eq!(pair[0].end(), pair[1].position, "seed {seed}: a gap");
    }
    for found in read {
        let written = batch(found.position, found.len());
        assert!(*found == written, "seed {seed}: other bytes");
    }
    let begin = read.first().map_or(trimmed, |batch| batch.position);
    let end = read.last().map_or(0, Batch::end);
    assert!(begin <= trimmed, "seed {seed}: {begin} and not {trimmed}");
    assert!(end >= durable, "seed {seed}: {end} and not {durable}");
}

/// Linux reports a failed write-back to one fsync, and the next one says that all is well,
/// though the pages were dropped (`man 2 fsync`, since 4.13). So the file is left alone.
#[test]
fn a_failed_sync_is_not_tried_again_on_the_same_file() {
    let disk = BadDisk::default();
    let (mut log, ..) = recover(disk.clone(), 1 << 20).unwrap();
    let (first, second) = (batches(0, &[100]), batches(100, &[50]));
    log.append(&first).unwrap();
    disk.fail_syncs(1);
    log.append(&second).unwrap_err();
    log.append(&second).unwrap();
    disk.crash(&mut Random(1));
    let (_, read, _) = recover(disk, 1 << 20).unwrap();
    assert_eq!(read, [first, second].concat());
}

#[test]
fn a_full_disk_takes_the_same_batches_when_there_is_room() {
    let disk = BadDisk::default();
    let (mut log, ..) = recover(disk.clone(), 1 << 20).unwrap();
    log.append(&batches(0, &[100])).unwrap();
    let group = batches(100, &[400, 500]);
    for room in [0, 1, 30, 500] {
        disk.set_room(Some(room));
        let error = log.append(&group).unwrap_err().to_string();
        assert!(
            error.contains("00000000000000000100.log") || error.contains("0000.log"),
            "{error}"
        );
    }
    disk.set_room(None);
    log.append(&group).unwrap();
    assert_eq!(log.read(90, 800).unwrap(), content(90, 800));
}

/// Room is given back by whole files: where it is short, what is consumed must not wait until a
/// large one is full.
#[test]
fn files_are_small_where_there_is_little_room() {
    const PART: usize = 1 << 20;
    for (room, files) in [(None, 1), (Some(8 * PART), 2)] {
        let disk = BadDisk::default();
        let (mut log, ..) = recover(disk.clone(), 64 << 20).unwrap();
        log.append(&batches(0, &[3 * PART])).unwrap();
        disk.set_room(room);
        log.append(&batches(3 * PART as u64, &[10])).unwrap();
        assert_eq!(disk.names().unwrap().len(), files, "{room:?}");
        log.trim(3 * PART as u64).unwrap();
        assert_eq!(disk.names().unwrap().len(), 1, "{room:?}");
    }
}

/// All batches of one group cost one sync.
#[test]
fn a_group_is_synced_once() {
    let disk = BadDisk::default();
    let (mut log, ..) = recover(disk.clone(), 1 << 20).unwrap();
    log.append(&batches(0, &[1; 1000])).unwrap();
    let before = disk.syncs();
    log.append(&batches(1000, &[1; 1000])).unwrap();
    assert_eq!(disk.syncs() - before, 1);
}

#[test]
fn a_batch_has_to_follow_the_one_before() {
    let (mut log, ..) = recover(BadDisk::default(), 1 << 20).unwrap();
    log.append(&[batch(0, 10)]).unwrap();
    for position in [0, 9, 11] {
        log.append(&[batch(position, 1)]).unwrap_err();
    }
    log.append(&[batch(10, 1)]).unwrap();
    log.read(10, 2).unwrap_err();
}
