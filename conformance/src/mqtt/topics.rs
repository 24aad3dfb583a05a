//! Which topics a filter matches (4.7), and the characters of both (1.5.4).

use super::play::{Play, Played};
use super::property::text;
use super::wire::{Publish, string, subscribe, unsubscribe};
use crate::case::Section;
use crate::target::Protocol;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Topics and filters",
    cases: cases! {
        "multi-level" Must [V31 "SUBSCRIBE", V311 "4.7.1.2", V5 "4.7.1.2"]
            "# matches the level above it and any number of levels below"
            |p| matching(p, "/s/#", &["/s", "/s/", "/s/a", "/s/a/b", "/s//"], &["", "/", "/sx", "/S/a"]);
        "single-level" Must [V31 "SUBSCRIBE", V311 "4.7.1.3", V5 "4.7.1.3"]
            "+ matches one level, whatever it is"
            |p| matching(p, "/+", &["/a", "/ab", "/"], &["", "/a/b", "//", "/a/"]);
        "single-level-inside" Must [V31 "SUBSCRIBE", V311 "MQTT-4.7.1-3", V5 "MQTT-4.7.1-2"]
            "+ matches one level between others"
            |p| matching(p, "/+/x", &["/a/x", "//x"], &["/x", "/a/b/x", "/a/x/", "/a/y"]);
        "both-wildcards" Must [V31 "SUBSCRIBE", V311 "4.7.1.3", V5 "4.7.1.3"]
            "+ and # work in one filter"
            |p| matching(p, "/+/x/#", &["/a/x", "/a/x/y/z"], &["/x", "/a/y", "/x/x1"]);
        "empty-levels" Must [V31 "SUBSCRIBE", V311 "4.7.3", V5 "4.7.3"]
            "A slash at the end makes another topic, with an empty level"
            |p| matching(p, "/a/", &["/a/"], &["/a", "/a//", "//a"]);
        "case-and-space" Must [V31 "SUBSCRIBE", V311 "4.7.3", V5 "4.7.3"]
            "Filters tell upper from lower case, and take spaces as they are"
            |p| matching(p, "/Ab c", &["/Ab c"], &["/ab c", "/Abc", "/Ab  c", "/Ab c "]);
        "octets-not-normalized" Must [V311 "MQTT-4.7.3-4", V5 "MQTT-4.7.3-4"]
            "A letter and its decomposed form are different topics"
            |p| matching(p, "/\u{e9}", &["/\u{e9}"], &["/e\u{301}", "/e", "/\u{c9}"]);
        "no-pattern-but-wildcards" Must [V311 "MQTT-4.7.3-4", V5 "MQTT-4.7.3-4"]
            "Dots, stars, percent signs and backslashes are plain characters"
            |p| matching(p, "/a.b*%\\", &["/a.b*%\\"], &["/axb*%\\", "/a.b", "/a.bxx%\\", "/a/b*%\\"]);
        "dollar-and-plus" Must [V311 "MQTT-4.7.2-1", V5 "MQTT-4.7.2-1"]
            "A filter that begins with + does not match a topic that begins with $"
            |p| dollar(p, &format!("+/{}", p.name("t")));
        "dollar-and-hash" Must [V311 "MQTT-4.7.2-1", V5 "MQTT-4.7.2-1"]
            "The filter # does not match a topic that begins with $"
            |p| dollar(p, "#");
        "topic-matches-filter" Must [V31 "PUBLISH", V311 "MQTT-3.3.2-3", V5 "MQTT-3.3.2-3"]
            "A message comes with the topic that it was published to"
            |p| matching(p, "/+/#", &["/a/b"], &[]);
        "byte-order-mark" Must [V311 "MQTT-1.5.3-3", V5 "MQTT-1.5.4-3"]
            "U+FEFF is a character of a topic like any other, and stays"
            |p| matching(p, "/\u{feff}a", &["/\u{feff}a"], &["/a"]);
        "four-octet-characters" Must [V311 "MQTT-1.5.3-1", V5 "MQTT-1.5.4-1"]
            "Characters beyond U+FFFF are taken in topics and filters"
            |p| matching(p, "/\u{1F600}/+", &["/\u{1F600}/\u{10FFFD}"], &["/\u{1F601}/a"]);
        "topic-null" Must [V311 "MQTT-4.7.3-2", V5 "MQTT-4.7.3-2"]
            "A topic with U+0000 closes the connection"
            |p| topic_refused(p, b"a\0b");
        "topic-surrogate" Must [V311 "MQTT-1.5.3-1", V5 "MQTT-1.5.4-1"]
            "A topic with an encoded surrogate closes the connection"
            |p| topic_refused(p, b"a\xED\xA0\x80");
        "topic-overlong" Must [V311 "MQTT-1.5.3-1", V5 "MQTT-1.5.4-1"]
            "A topic with a slash in two octets closes the connection"
            |p| topic_refused(p, b"a\xC0\xAF");
        "topic-beyond-unicode" Must [V311 "MQTT-1.5.3-1", V5 "MQTT-1.5.4-1"]
            "A topic with a character beyond U+10FFFF closes the connection"
            |p| topic_refused(p, b"a\xF4\x90\x80\x80");
        "topic-cut-character" Must [V311 "MQTT-1.5.3-1", V5 "MQTT-1.5.4-1"]
            "A topic that ends inside a character closes the connection"
            |p| topic_refused(p, b"a\xE2\x82");
        "filter-null" Must [V311 "MQTT-4.7.3-2", V5 "MQTT-4.7.3-2"]
            "A filter with U+0000 closes the connection"
            |p| filter_not_utf8(p, b"a\0b");
        "filter-not-utf8" Must [V311 "MQTT-3.8.3-1", V5 "MQTT-3.8.3-1"]
            "A filter that is not UTF-8 closes the connection"
            |p| filter_not_utf8(p, b"a/\xFF");
        "unsubscribe-not-utf8" Must [V311 "MQTT-3.10.3-1", V5 "MQTT-3.10.3-1"]
            "A filter in UNSUBSCRIBE that is not UTF-8 closes the connection"
            |p| p.refuses(
                &unsubscribe(p.version, 1, &[b"a"]),
                &unsubscribe(p.version, 1, &[b"a/\xFF"]),
            );
        "user-property-not-utf8" Must [V5 "MQTT-1.5.7-1"]
            "A user property that is not UTF-8 closes the connection"
            |p| property_refused(p, [&[0x26][..], &string("a"), &string(b"\xFF")].concat());
        "user-property-null" Must [V5 "MQTT-1.5.4-2"]
            "A user property with U+0000 closes the connection"
            |p| property_refused(p, [&[0x26][..], &string("a\0"), &string("b")].concat());
        "response-topic-not-utf8" Must [V5 "MQTT-3.3.2-13"]
            "A response topic that is not UTF-8 closes the connection"
            |p| property_refused(p, text(0x08, b"\xC3\x28"));
        "content-type-not-utf8" Must [V5 "MQTT-3.3.2-19"]
            "A content type that is not UTF-8 closes the connection"
            |p| property_refused(p, text(0x03, b"\xF8\x88\x80\x80\x80"));
    },
};

/// Of the topics, each behind a name of its own, the filter matches the first
/// ones and not the others.
fn matching(p: &Play<'_>, filter: &str, yes: &[&str], no: &[&str]) -> Played {
    let root = p.name("t");
    let end = p.name("end");
    let mut client = p.client()?;
    client.subscribe(&format!("{root}{filter}"), 1)?;
    client.subscribe(&end, 1)?;
    let mut publisher = p.client()?;
    for topic in no.iter().chain(yes) {
        publisher.publish(&Publish {
            qos: 1,
            ..p.publish(&format!("{root}{topic}"), b"x")
        })?;
    }
    publisher.publish(&Publish {
        qos: 1,
        ..p.publish(&end, b"end")
    })?;
    let topics: Vec<_> = yes.iter().map(|topic| format!("{root}{topic}")).collect();
    let mut messages: Vec<(&str, &[u8])> = topics
        .iter()
        .map(|topic| (topic.as_str(), &b"x"[..]))
        .collect();
    messages.push((&end, b"end"));
    client.take_all(&messages)?;
    client.expect_silence("no message to a topic that the filter does not match")
}

/// The filter matches a topic that begins otherwise, and not one with `$`.
fn dollar(p: &Play<'_>, filter: &str) -> Played {
    let name = p.name("t");
    let mut client = p.client()?;
    client.subscribe(filter, 0)?;
    let mut publisher = p.client()?;
    publisher.publish(&p.publish(&format!("$x/{name}"), b"hidden"))?;
    publisher.publish(&p.publish(&format!("x/{name}"), b"end"))?;
    client.take_last(&format!("x/{name}"), b"end")
}

fn topic_refused(p: &Play<'_>, topic: &[u8]) -> Played {
    super::malformed::publish(p, |publish| publish.topic = topic.to_vec())
}

fn filter_not_utf8(p: &Play<'_>, filter: &[u8]) -> Played {
    p.refuses(
        &p.subscribe("a", 0),
        &subscribe(p.version, 1, &[], &[(filter, 0)]),
    )
}

fn property_refused(p: &Play<'_>, properties: Vec<u8>) -> Played {
    super::malformed::publish(p, |publish| publish.properties = properties)
}
