//! Every row of `data/malformed.txt` is refused, where and as the row says.

use crate::support::{bytes, of_version, rows, versions};
use mqtt_codec::{Limits, decode};

const TABLE: &str = include_str!("../data/malformed.txt");

#[test]
fn each_row_is_refused_as_it_says() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in rows(TABLE) {
        let [names, packet, offset, statement, reason, class] = row[..] else {
            panic!("six columns: {row:?}");
        };
        for version in versions(names) {
            judged += 1;
            let input = bytes(packet);
            let got = match decode(&input, version, &Limits::default()) {
                Err(error) => format!(
                    "{} | {} | {:02X}",
                    error.offset(),
                    error.statement(),
                    error.reason_code() as u8
                ),
                other => format!("{other:?}"),
            };
            let expected = format!("{offset} | {} | {reason}", of_version(statement, version));
            if got != expected {
                wrong.push(format!(
                    "{version} | {packet} | {class}\n  expected {expected}\n  got      {got}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(judged >= 150, "{judged} rows");
}

/// A packet that is cut short is never refused for a rule that the whole does not break,
/// and what is refused early is refused alike with more bytes.
#[test]
fn a_cut_row_is_incomplete_or_refused_alike() {
    for row in rows(TABLE) {
        for version in versions(row[0]) {
            let input = bytes(row[1]);
            let whole = decode(&input, version, &Limits::default()).unwrap_err();
            for cut in 0..input.len() {
                match decode(&input[..cut], version, &Limits::default()) {
                    Ok(None) => {}
                    Err(error) => assert_eq!(error, whole, "{row:?} cut at {cut}"),
                    Ok(Some(packet)) => panic!("{row:?} cut at {cut}: {packet:?}"),
                }
            }
        }
    }
}

/// Bytes behind a malformed packet do not change why it is refused.
#[test]
fn what_follows_is_of_no_account() {
    for row in rows(TABLE) {
        for version in versions(row[0]) {
            let mut input = bytes(row[1]);
            let alone = decode(&input, version, &Limits::default()).unwrap_err();
            input.extend_from_slice(&[0xC0, 0x00, 0xFF]);
            let followed = decode(&input, version, &Limits::default()).unwrap_err();
            assert_eq!(followed, alone, "{row:?}");
        }
    }
}
