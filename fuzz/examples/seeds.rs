//! Writes the corpus to start from, out of the phrasebooks:
//! `cargo +nightly run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::fs;
use std::io;
use std::path::Path;

use mq_fuzz::phrase;

fn main() -> io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let versions = ["1.0", "1.1", "1.2"];

    // Single frames: what each client may say, and how it logs in.
    let mut frames = vec![("amqp_frame", phrase::amqp())];
    frames.extend([4, 5].map(|level| ("mqtt_packet", phrase::mqtt(level))));
    frames.push(("stomp_frame", phrase::stomp("1.2")));
    for (target, book) in frames {
        for phrase in [book.login].iter().chain(&book.phrases) {
            write(&seeds, target, phrase)?;
        }
    }

    // Conversations: two bytes that say how the target goes about it, and all
    // phrases in a row; the login is the target's own.
    write(
        &seeds,
        "amqp_connection",
        &conversation(1, &phrase::amqp().phrases),
    )?;
    write(&seeds, "amqp_connection", &[2, 7])?;
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
