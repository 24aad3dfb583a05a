//! The rules of Jakarta Messaging, section 3.8.1.

use bytes::Bytes;
use core::time::Duration;
use proptest::prelude::*;

use super::*;
use crate::model::Body;
use crate::model::message::{Headers, Integer, Origin, Properties, Text, Value};
use crate::model::meter::Counted;

fn message(properties: Properties) -> Message {
    Message {
        exchange: Name::from(""),
        routing_key: Name::from("q"),
        properties,
        body: Body::default(),
        published: Duration::ZERO,
        origin: Origin::Broker,
        counted: Counted::default(),
    }
}

fn with(headers: &[(&str, Value)]) -> Message {
    let mut properties = Properties::default();
    for (name, value) in headers {
        properties.headers.push(name, value.clone());
    }
    message(properties)
}

fn truth(selector: &str, message: &Message) -> Option<bool> {
    let holds = |text: &str| Selector::parse(text).unwrap().unwrap().matches(message);
    match (holds(selector), holds(&alloc::format!("NOT ({selector})"))) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
        (true, true) => panic!("{selector} is both"),
    }
}

fn int(number: i64) -> Value {
    Value::Int(Integer::I32, number)
}

fn long(number: i64) -> Value {
    Value::Int(Integer::I64, number)
}

fn text(text: &str) -> Value {
    Value::string(text)
}

const T: Option<bool> = Some(true);
const F: Option<bool> = Some(false);
/// Unknown.
const U: Option<bool> = None;

#[test]
fn conditions() {
    let yes = Value::Bool(true);
    type Row<'a> = (&'a str, &'a [(&'a str, Value)], Option<bool>);
    let rows: &[Row<'_>] = &[
        ("a = 1", &[("a", int(1))], T),
        ("a = 1", &[], U),
        ("a <> 1", &[], U),
        ("NOT (a = 1)", &[], U),
        ("NOT a = 1", &[("a", int(2))], T),
        ("NOT NOT a = 1", &[("a", int(1))], T),
        ("a = 1 OR TRUE", &[], T),
        ("a = 1 OR FALSE", &[], U),
        ("a = 1 AND FALSE", &[], F),
        ("a = 1 AND TRUE", &[], U),
        ("a = 1 OR b = 2", &[("b", int(2))], T),
        ("a = '1'", &[("a", int(1))], F),
        ("a <> '1'", &[("a", int(1))], F),
        ("a > 1", &[("a", text("2"))], F),
        ("convert_string_expressions:a > 1", &[("a", text("2"))], T),
        ("convert_string_expressions:a > 1", &[("a", text("b"))], F),
        (
            "convert_string_expressions: 2.5 = a",
            &[("a", text("2.5"))],
            T,
        ),
        ("a = 1.0", &[("a", int(1))], T),
        ("a = 2", &[("a", Value::F64(2.0))], T),
        ("a = 0.5", &[("a", Value::F32(0.5))], T),
        (
            "a = 1.25",
            &[(
                "a",
                Value::Decimal {
                    scale: 2,
                    value: 125,
                },
            )],
            T,
        ),
        ("A = 1", &[("a", int(1))], U),
        ("a IS NULL", &[], T),
        ("a is null", &[("a", Value::Void)], T),
        ("a IS NOT NULL", &[("a", text(""))], T),
        ("a IS NULL", &[("a", Value::Table(Headers::default()))], F),
        ("a = 1", &[("a", Value::Table(Headers::default()))], F),
        ("a BETWEEN 15 AND 19", &[("a", int(19))], T),
        ("a BETWEEN 19 AND 15", &[("a", int(17))], F),
        ("a NOT BETWEEN 15 AND 19", &[("a", int(14))], T),
        ("a BETWEEN 1 AND b", &[("a", int(0))], F),
        ("a BETWEEN 1 AND b", &[("a", int(5))], U),
        (
            "a BETWEEN 1 AND 3 AND b = 2",
            &[("a", int(2)), ("b", int(2))],
            T,
        ),
        ("c IN ('UK','US')", &[("c", text("UK"))], T),
        ("c NOT IN ('UK','US')", &[("c", text("Peru"))], T),
        ("c NOT IN ('UK')", &[], U),
        ("c IN ('1')", &[("c", int(1))], F),
        ("p LIKE '12%3'", &[("p", text("12993"))], T),
        ("p LIKE '12%3'", &[("p", text("123"))], T),
        ("p LIKE '12%3'", &[("p", text("1234"))], F),
        ("w LIKE 'l_se'", &[("w", text("lose"))], T),
        ("w LIKE 'l_se'", &[("w", text("loose"))], F),
        ("w NOT LIKE 'l_se'", &[("w", text("loose"))], T),
        ("w LIKE '%'", &[("w", text("\n"))], T),
        ("w LIKE ''", &[("w", text(""))], T),
        ("w LIKE '%a%b'", &[("w", text("xaxxabab"))], T),
        ("w LIKE '_'", &[("w", text("é"))], T),
        ("w LIKE 'a'", &[], U),
        ("w LIKE '1'", &[("w", int(1))], F),
        ("u LIKE '\\_%' ESCAPE '\\'", &[("u", text("_foo"))], T),
        ("u LIKE '\\_%' ESCAPE '\\'", &[("u", text("bar"))], F),
        ("u LIKE '\\a' ESCAPE '\\'", &[("u", text("\\a"))], T),
        ("u LIKE '\\\\' ESCAPE '\\'", &[("u", text("\\"))], T),
        ("w LIKE 'a.c'", &[("w", text("abc"))], F),
        ("s = 'it''s'", &[("s", text("it's"))], T),
        ("s <> ''", &[("s", text("it's"))], T),
        ("a + 2 * 3 = 7", &[("a", int(1))], T),
        ("(a + 2) * 3 = 9", &[("a", int(1))], T),
        ("a - 1 - 1 = 1", &[("a", int(3))], T),
        ("8 / 2 / 2 = a", &[("a", int(2))], T),
        ("a / 2 = 3", &[("a", int(7))], T),
        ("a / 2 = 3.5", &[("a", Value::F64(7.0))], T),
        ("a / 0 = 1", &[("a", int(7))], U),
        ("a / 0.0 > 1", &[("a", int(7))], T),
        ("a - b > 0", &[("a", int(5))], U),
        ("a + 1 = 2", &[("a", text("1"))], U),
        ("a + 1 = -2147483648", &[("a", int(2_147_483_647))], T),
        ("a + 1 = 2147483648", &[("a", long(2_147_483_647))], T),
        ("-a < 0", &[("a", int(3))], T),
        ("- -a = 3", &[("a", int(3))], T),
        ("a = -3", &[("a", int(-3))], T),
        ("b", &[("b", yes.clone())], T),
        ("b", &[("b", text("true"))], F),
        ("b", &[], U),
        ("b = TRUE AND NOT b = FALSE", &[("b", yes.clone())], T),
        ("(a = 1) = b", &[("a", int(1)), ("b", yes)], T),
        ("a = 1 OR a = 2 AND b = 3", &[("a", int(1))], T),
        ("a-b = 1", &[("a", int(3)), ("b", int(2))], T),
        ("l = 9223372036854775807", &[("l", long(i64::MAX))], T),
        ("l = -9223372036854775808", &[("l", long(i64::MIN))], T),
        // As doubles both are 2^53.
        (
            "l = 9007199254740992.0",
            &[("l", long(9_007_199_254_740_993))],
            F,
        ),
        ("l > 9.3E18", &[("l", long(i64::MAX))], F),
        ("d < -0.5", &[("d", Value::F64(-0.75))], T),
        ("a > 2.5", &[("a", int(3))], T),
        ("a < 2.5", &[("a", int(2))], T),
        ("a > -2.5", &[("a", int(-2))], T),
        ("a = 0x1F", &[("a", int(31))], T),
        ("a = 017", &[("a", int(15))], T),
        ("a = 15L", &[("a", int(15))], T),
        ("a = .5", &[("a", Value::F64(0.5))], T),
        ("a = 7.", &[("a", int(7))], T),
        ("a = 7E1", &[("a", int(70))], T),
        ("a = 7e-1", &[("a", Value::F64(0.7))], T),
        ("a\t=\n1", &[("a", int(1))], T),
        ("(((a)))=1", &[("a", int(1))], T),
        ("$a_1 = 1", &[("$a_1", int(1))], T),
        ("größe = 1", &[("größe", int(1))], T),
        // What is not a number is unlike everything, itself too.
        ("d <> d", &[("d", Value::F64(f64::NAN))], T),
        ("d >= d", &[("d", Value::F64(f64::NAN))], F),
    ];
    for (selector, headers, expected) in rows {
        let message = with(headers);
        if selector.contains(CONVERTS) {
            let selector = Selector::parse(selector).unwrap().unwrap();
            assert_eq!(selector.matches(&message), *expected == T, "{selector:?}");
        } else {
            assert_eq!(
                truth(selector, &message),
                *expected,
                "{selector} of {headers:?}"
            );
        }
    }
}

#[test]
fn what_is_not_a_selector() {
    for text in [
        "c IN (1,2)",
        "c IN ()",
        "1 IN ('a')",
        "u LIKE 'a%' ESCAPE 'ab'",
        "u LIKE 'a%' ESCAPE ''",
        "u LIKE x",
        "'a' LIKE 'a'",
        "s = 'abc",
        "a == 1",
        "a != 1",
        "a = NULL",
        "not = 1",
        "1 IS NULL",
        "a = 1 AND",
        "a = 1 b",
        "1 + 2",
        "1",
        "'a'",
        "-a",
        "'abc' > 'abb'",
        "a > 'abb'",
        "a > TRUE",
        "a BETWEEN 'a' AND 'b'",
        "a + 'b' = 1",
        "-'a' = 1",
        "a NOT",
        "a NOT = 1",
        "(a = 1",
        "a = 1)",
        "()",
        "a.b = 1",
        "a = 08",
        "a = 0x",
        "a = 12b",
        "a = 9223372036854775808",
        "a = 1 OR 2",
        "1 AND a = 1",
        "\"a\" = 1",
        "JMSDestination = 'a'",
    ] {
        assert!(Selector::parse(text).is_err(), "{text}");
    }
    for blank in ["", " \t\r\n\x0c"] {
        assert!(Selector::parse(blank).unwrap().is_none());
    }
}

#[test]
fn header_fields() {
    let properties = Properties {
        kind: Some(Text::from("car")),
        priority: Some(7),
        delivery_mode: Some(2),
        timestamp: Some(12),
        message_id: Some(Text::from("ID:1")),
        correlation_id: Some(Bytes::from_static(b"c")),
        user_id: Some(Text::from("u")),
        app_id: Some(Text::from("a")),
        ..Properties::default()
    };
    let message = message(properties);
    for selector in [
        "JMSType = 'car'",
        "JMSPriority >= 5",
        "JMSDeliveryMode = 'PERSISTENT'",
        "JMSTimestamp = 12000",
        "JMSMessageID = 'ID:1'",
        "JMSCorrelationID = 'c'",
        "JMSXUserID = 'u'",
        "JMSXAppID = 'a'",
    ] {
        assert_eq!(truth(selector, &message), T, "{selector}");
    }
    let plain = with(&[]);
    assert_eq!(truth("JMSPriority = 4", &plain), T);
    assert_eq!(truth("JMSDeliveryMode = 'NON_PERSISTENT'", &plain), T);
    assert_eq!(truth("JMSType = 'car'", &plain), U);
}

#[test]
fn bounds() {
    let nested = |depth: usize| alloc::format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Selector::parse(&nested(DEEPEST.into())).is_ok());
    assert!(Selector::parse(&nested(usize::from(DEEPEST) + 1)).is_err());
    assert!(Selector::parse(&"(".repeat(LONGEST)).is_err());
    assert!(Selector::parse(&alloc::format!("a = {}1", "-".repeat(8000))).is_ok());
    assert!(Selector::parse(&alloc::format!("{}a", "NOT ".repeat(2000))).is_ok());
    let chain = alloc::format!("a = 1{}", " OR a".repeat(1600));
    assert!(
        Selector::parse(&chain)
            .unwrap()
            .unwrap()
            .matches(&with(&[("a", int(1))]))
    );
    assert!(Selector::parse(&" ".repeat(LONGEST + 1)).is_err());
}

/// A condition over three variables that are true, false or unknown, and what the
/// specification's tables make of it.
#[derive(Debug, Clone)]
enum Naive {
    Variable(usize),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Naive {
    fn text(&self) -> alloc::string::String {
        match self {
            Self::Variable(index) => ["x", "y", "z"][*index].into(),
            Self::Not(a) => alloc::format!("NOT ({})", a.text()),
            Self::And(a, b) => alloc::format!("({}) AND ({})", a.text(), b.text()),
            Self::Or(a, b) => alloc::format!("({}) OR ({})", a.text(), b.text()),
        }
    }

    /// With 2 for true, 1 for unknown and 0 for false: AND is the smaller one, OR the
    /// greater one, NOT what is left of 2.
    fn value(&self, variables: &[u8; 3]) -> u8 {
        match self {
            Self::Variable(index) => variables[*index],
            Self::Not(a) => 2 - a.value(variables),
            Self::And(a, b) => a.value(variables).min(b.value(variables)),
            Self::Or(a, b) => a.value(variables).max(b.value(variables)),
        }
    }
}

fn naive() -> impl Strategy<Value = Naive> {
    let leaf = (0_usize..3).prop_map(Naive::Variable);
    leaf.prop_recursive(5, 24, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.prop_map(|a| Naive::Not(a.into())),
            two.clone()
                .prop_map(|(a, b)| Naive::And(a.into(), b.into())),
            two.prop_map(|(a, b)| Naive::Or(a.into(), b.into())),
        ]
    })
}

/// LIKE as its definition reads.
fn naive_like(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((&'%', rest)), _) => (0..=text.len()).any(|n| naive_like(rest, &text[n..])),
        (Some((&'_', rest)), Some((_, after))) => naive_like(rest, after),
        (Some((a, rest)), Some((b, after))) => a == b && naive_like(rest, after),
        _ => false,
    }
}

proptest! {
    #[test]
    fn logic_has_three_values(condition in naive(), variables in proptest::array::uniform3(0_u8..3)) {
        let headers: Vec<_> = ["x", "y", "z"].into_iter().zip(variables)
            .filter(|(_, value)| *value != 1)
            .map(|(name, value)| (name, Value::Bool(value == 2)))
            .collect();
        let expected = [F, U, T][usize::from(condition.value(&variables))];
        prop_assert_eq!(truth(&condition.text(), &with(&headers)), expected);
    }

    #[test]
    fn like_is_as_it_is_defined(pattern in "[ab%_]{0,8}", subject in "[ab]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = naive_like(&chars(&pattern), &chars(&subject));
        prop_assert_eq!(Pattern::new(&pattern, None).unwrap().matches(&subject), expected);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,64}") {
        let _ = Selector::parse(&text);
    }

    #[test]
    fn any_row_of_tokens_is_read_or_refused(tokens in proptest::collection::vec(
        prop::sample::select(&["a", "1", "'s'", "(", ")", "NOT", "AND", "OR", "IN", "LIKE", "IS",
            "NULL", "BETWEEN", "=", "<>", "<", "+", "-", "*", ",", "TRUE", "2.5", "ESCAPE"][..]), 0..24)) {
        if let Ok(Some(selector)) = Selector::parse(&tokens.join(" ")) {
            selector.matches(&with(&[("a", int(1))]));
        }
    }
}
