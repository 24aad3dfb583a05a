//! Writes the corpus to start from, out of the phrasebooks and the scripts of `log.rs`:
//! `cargo run --no-default-features --example seeds` in `fuzz`.

mod log;

use std::fs;
use std::io;
use std::path::Path;

use mq_fuzz::phrase;
use mq_fuzz::targets::ALL;

const MESSAGE: &str =
    "MESSAGE\ndestination:/queue/a\nmessage-id:7\nsubscription:1\ncontent-length:3\n\na\0b\0";
const CLAIM: &[u8] = b"SEND\ndestination:/queue/q\ncontent-length:1000000\n\nfront";
const ERROR: &str = "ERROR\nmessage:no\ncontent-type:text/plain\n\nwhy\0\n";

/// Phrases of the target `broker`.
const PHRASES: u8 = 21;

/// What the holes of a phrase are filled with.
#[derive(Clone, Copy)]
enum Holes {
    /// A number, twice the number and so on, for seven holes: the number is the same for all
    /// phrases.
    Multiples(u8),
    /// Bytes without an order, for more holes: others for each row and phrase.
    Any(u8),
}

impl Holes {
    fn bytes(self, phrase: u8) -> Vec<u8> {
        match self {
            Self::Multiples(number) => (1..8).map(|at: u8| at.wrapping_mul(number)).collect(),
            Self::Any(row) => {
                let seed = 1 + u32::from(row * PHRASES + phrase);
                let mut state = seed.wrapping_mul(0x9E37_79B9);
                let mut next = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                };
                (0..16).map(|_| next()).collect()
            }
        }
    }
}

fn main() -> io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let versions = ["1.0", "1.1", "1.2"];

    // Single frames: what each client may say, and how it logs in.
    let mut frames = vec![("amqp_frame", phrase::amqp())];
    frames.extend([4, 5].map(|level| ("mqtt_packet", phrase::mqtt(level))));
    frames.push(("stomp_frame", phrase::stomp("1.2")));
    for (target, book) in frames {
        let (protocol, _) = target.split_once('_').expect("a protocol and what is run");
        for phrase in [book.login].iter().chain(&book.phrases) {
            write(&seeds, target, phrase)?;
            write(&seeds, &format!("{protocol}_differential"), phrase)?;
        }
    }
    for said in [
        "CONNECTED\nversion:1.2\n\n\0",
        "RECEIPT\nreceipt-id:1\n\n\0",
        MESSAGE,
        ERROR,
    ] {
        write(&seeds, "stomp_frame", said.as_bytes())?;
        write(&seeds, "stomp_differential", said.as_bytes())?;
    }

    // Fronts of what claims to be long.
    write(&seeds, "amqp_frame", b"\x03\0\x01\0\x01\xFF\xF8front")?;
    write(&seeds, "mqtt_packet", b"\x30\xC0\x84\x3D\0\x03a/bfront")?;
    write(&seeds, "stomp_frame", CLAIM)?;

    // What is made of fields or is a list of steps is made of any bytes.
    for target in ALL.map(|(name, _)| name) {
        if target.ends_with("_typed") || target.ends_with("_joined") || target == "broker_bytes" {
            for length in [0, 16, 256] {
                let any: Vec<u8> = (0..length)
                    .map(|at: u32| ((at * at * 37) >> 3) as u8)
                    .collect();
                write(&seeds, target, &any)?;
            }
        }
    }

    // Each phrase of the target `broker`, alone: with a store, in which nothing crashes by
    // itself, or without one, with room for few messages. 1 is a phrase, whose holes follow.
    let ordered = [0, 37, 101, 173].map(Holes::Multiples);
    let any = [0, 1, 2, 3].map(Holes::Any);
    let stores = [0; 6].to_vec();
    let forgets = [1, 0, 0, 0, 0, 0, 0].to_vec();
    for (start, rows) in [(&stores, ordered), (&stores, any), (&forgets, ordered)] {
        for phrase in 0..PHRASES {
            for holes in rows {
                let input = [&start[..], &[1, phrase], &holes.bytes(phrase)].concat();
                write(&seeds, "broker", &input)?;
            }
        }
    }

    for script in [log::amqp(), log::stomp(), log::mqtt(4, 4), log::mqtt(5, 16)] {
        write(&seeds, "recovery", &log::write(script))?;
    }

    // Conversations: two bytes that say how the target goes about it, and all
    // phrases in a row; the login is the target's own.
    write(
        &seeds,
        "amqp_connection",
        &conversation(1, &phrase::amqp().phrases),
    )?;
    write(&seeds, "amqp_connection", &[2, 7])?;
    for (how, level) in [(2, 4), (3, 5)] {
        let said = conversation(how, &phrase::mqtt(level).phrases);
        write(&seeds, "mqtt_connection", &said)?;
    }
    for (how, version) in (1..).zip(versions) {
        let said = conversation(how, &phrase::stomp(version).phrases);
        write(&seeds, "stomp_connection", &said)?;
    }
    Ok(())
}

fn conversation(how: u8, phrases: &[Vec<u8>]) -> Vec<u8> {
    [&[how, 7][..], &phrases.concat()].concat()
}

/// Named by their content, so that a second run writes nothing new.
fn write(seeds: &Path, target: &str, content: &[u8]) -> io::Result<()> {
    let directory = seeds.join(target);
    fs::create_dir_all(&directory)?;
    // FNV-1a.
    let name = content
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    fs::write(directory.join(format!("{name:016x}")), content)
}
