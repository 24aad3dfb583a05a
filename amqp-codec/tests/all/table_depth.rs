//! How deep tables and arrays nest that are built here: what is sent can be read,
//! and what can be read can be printed.

use std::thread;

use amqp_codec::method::queue;
use amqp_codec::{ArrayBuf, EncodeError, FieldValue, Frame, Limits, TableBuf};

const MOST: usize = Limits::MAX_TABLE_DEPTH as usize;

/// A table that nests so deep: tables only, or tables and arrays by turns.
fn nested(depth: usize, arrays: bool) -> TableBuf {
    let mut table = TableBuf::new();
    table.insert("", true).unwrap();
    let mut reached = 1;
    while reached < depth {
        let mut outer = TableBuf::new();
        if arrays && reached + 1 < depth {
            let mut array = ArrayBuf::new();
            array.push(&table).unwrap();
            outer.insert("", &array).unwrap();
            reached += 2;
        } else {
            outer.insert("", &table).unwrap();
            reached += 1;
        }
        table = outer;
    }
    table
}

/// What is built is taken by a peer whose limits are the widest.
#[test]
fn what_nests_deeper_than_can_be_read_is_not_built() {
    let widest = Limits::default().with_table_depth(Limits::MAX_TABLE_DEPTH);
    let too_deep = EncodeError::TableDepth(Limits::MAX_TABLE_DEPTH);
    for arrays in [false, true] {
        let deepest = nested(MOST, arrays);
        let frame = Frame::Method {
            channel: 1,
            method: queue::Declare {
                arguments: deepest.as_table(),
                ..Default::default()
            }
            .into(),
        };
        let kept = frame.to_buf().unwrap();
        assert!(kept.as_frame() == frame);
        let read = amqp_codec::decode(kept.as_bytes(), &widest);
        assert!(read == Ok(Some((frame, kept.as_bytes().len()))));

        let mut outer = TableBuf::new();
        outer.insert("a", 1).unwrap();
        assert_eq!(outer.insert("b", &deepest), Err(too_deep));
        let mut array = ArrayBuf::new();
        assert_eq!(array.push(&deepest), Err(too_deep));
        // Nothing was written, and what is flatter may still be.
        assert_eq!(outer.as_table().iter().count(), 1);
        assert!(array.as_array().is_empty());
        assert_eq!(outer.insert("b", &nested(MOST - 1, arrays)), Ok(()));
        assert_eq!(array.push(&nested(MOST - 1, arrays)), Ok(()));
    }
    // An array of the greatest depth stands in no table.
    let mut array = ArrayBuf::new();
    array.push(&nested(MOST - 1, false)).unwrap();
    assert_eq!(TableBuf::new().insert("", &array), Err(too_deep));
    assert_eq!(ArrayBuf::new().push(&array), Err(too_deep));
}

/// Thirty-two levels are shown, whatever was built, and little stack is enough.
#[test]
fn printing_is_bounded() {
    for arrays in [false, true] {
        let table = nested(MOST, arrays);
        let printed = thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || {
                let declare = queue::Declare {
                    arguments: table.as_table(),
                    ..Default::default()
                };
                let value = FieldValue::from(&table);
                let alternate = format!("{value:#?}");
                [
                    format!("{value:?}"),
                    format!("{declare}"),
                    alternate.replace([' ', '\n', ','], ""),
                ]
            })
            .unwrap()
            .join()
            .unwrap();
        for printed in printed {
            let levels = printed.matches(['{', '[']).count();
            assert_eq!(levels, 33, "{printed}");
            let rest = printed.split_once("..").map(|(_, rest)| rest);
            assert_eq!(rest.unwrap().len(), 33, "{printed}");
        }
    }
    let shown = format!("{:?}", nested(32, false));
    assert!(
        shown.ends_with(&format!("true{}", "}".repeat(32))),
        "{shown}"
    );
    // Of the level that is left out, only that it is not empty.
    let mut table = TableBuf::new();
    table.insert("", &TableBuf::new()).unwrap();
    table.insert("", &ArrayBuf::new()).unwrap();
    for _ in 1..32 {
        let mut outer = TableBuf::new();
        outer.insert("", &table).unwrap();
        table = outer;
    }
    let shown = format!("{table:?}");
    assert!(shown.contains(r#"{"": {}, "": []}"#), "{shown}");
}
