//! The grammar of selectors:
//!
//! ```text
//! or        = and { OR and }
//! and       = not { AND not }
//! not       = { NOT } predicate
//! predicate = sum [ comparison sum
//!                 | [NOT] BETWEEN sum AND sum
//!                 | [NOT] IN "(" string { "," string } ")"     of an identifier
//!                 | [NOT] LIKE string [ ESCAPE string ]        of an identifier
//!                 | IS [NOT] NULL ]                            of an identifier
//! sum       = product { ("+" | "-") product }
//! product   = unary { ("*" | "/") unary }
//! unary     = { "+" | "-" } primary
//! primary   = identifier | number | string | TRUE | FALSE | "(" or ")"
//! ```
//!
//! It recurs for parentheses alone, and these are counted: chains of NOT, signs and
//! operators are loops.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, one_of};
use nom::combinator::{all_consuming, map, opt, recognize, success, value, verify};
use nom::error::{Error, ErrorKind};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, pair, preceded, terminated};
use nom::{Finish, IResult, Parser};

use super::pattern::Pattern;
use super::{Comparison, DEEPEST, Expression, Literal, Operation};
use crate::model::message::Name;

type Parsed<'a, T> = IResult<&'a str, T>;

/// Words that are no identifiers, in any case.
const KEYWORDS: &[&str] = &[
    "NOT", "AND", "OR", "BETWEEN", "LIKE", "ESCAPE", "IN", "IS", "NULL", "TRUE", "FALSE",
];

/// Header fields that a selector cannot name.
const NOT_SELECTABLE: &[&str] = &[
    "JMSDestination",
    "JMSReplyTo",
    "JMSExpiration",
    "JMSRedelivered",
    "JMSDeliveryTime",
];

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c' | '\r' | '\n')
}

/// Whether there is nothing in it.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Reads a whole selector, or returns what is left where it is wrong.
pub(super) fn parse(text: &str) -> Result<Expression, &str> {
    let whole = delimited(spaces, |input| condition(input, 0), success(()));
    all_consuming(whole)
        .parse(text)
        .finish()
        .map(|(_, expression)| expression)
        .map_err(|error| error.input)
}

fn wrong<T>(at: &str) -> Parsed<'_, T> {
    Err(nom::Err::Failure(Error::new(at, ErrorKind::Verify)))
}

fn spaces(input: &str) -> Parsed<'_, ()> {
    value((), take_while(is_space)).parse(input)
}

/// A symbol, and the white space after it.
fn symbol<'a>(
    text: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Error<&'a str>> {
    terminated(tag(text), spaces)
}

/// Letters and digits of Java's identifiers, and the white space after them.
fn word(input: &str) -> Parsed<'_, &str> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let starts = |word: &&str| word.starts_with(|c: char| part(c) && !c.is_numeric());
    terminated(verify(take_while1(part), starts), spaces).parse(input)
}

fn keyword<'a>(
    name: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Error<&'a str>> {
    verify(word, |word: &str| word.eq_ignore_ascii_case(name))
}

fn identifier(input: &str) -> Parsed<'_, Name> {
    let is_free = |word: &str| {
        !KEYWORDS.iter().any(|k| word.eq_ignore_ascii_case(k)) && !NOT_SELECTABLE.contains(&word)
    };
    map(verify(word, is_free), Name::from).parse(input)
}

/// `'it''s'`.
fn string(input: &str) -> Parsed<'_, String> {
    let quote = "''";
    let piece = alt((tag(quote), take_while1(|c| c != '\'')));
    let pieces = terminated(delimited(char('\''), many0(piece), char('\'')), spaces);
    map(pieces, |pieces| {
        let plain = |piece| if piece == quote { "'" } else { piece };
        pieces.into_iter().map(plain).collect()
    })
    .parse(input)
}

/// A number without its sign: exact ones up to 2^63, which only a sign makes one of 64
/// bits.
enum Number {
    Exact(u64),
    Approximate(f64),
}

impl Number {
    fn signed(self, negative: bool) -> Option<Literal> {
        match self {
            Self::Approximate(number) => {
                Some(Literal::Double(if negative { -number } else { number }))
            }
            Self::Exact(magnitude) => {
                let number = i128::from(magnitude);
                let number = i64::try_from(if negative { -number } else { number }).ok()?;
                Some(i32::try_from(number).map_or(Literal::Long(number), Literal::Int))
            }
        }
    }
}

/// Java's integers (decimal, `0x` hexadecimal, octal after a `0`, and `L` after any of
/// them), `7.`, `.5`, `6.2`, `7E3`.
fn number(input: &str) -> Parsed<'_, Number> {
    let digits = |input| take_while1(|c: char| c.is_ascii_digit())(input);
    let exponent = |input| {
        recognize((
            one_of("eE"),
            opt(one_of("+-")),
            take_while1(|c: char| c.is_ascii_digit()),
        ))
        .parse(input)
    };
    let approximate = alt((
        recognize((digits, char('.'), opt(digits), opt(exponent))),
        recognize((char('.'), digits, opt(exponent))),
        recognize(pair(digits, exponent)),
    ));
    let approximate = map(approximate, |text: &str| {
        text.parse().ok().map(Number::Approximate)
    });
    let hexadecimal = preceded(
        alt((tag("0x"), tag("0X"))),
        take_while1(|c: char| c.is_ascii_hexdigit()),
    );
    let exact = alt((
        map(hexadecimal, |text| u64::from_str_radix(text, 16)),
        map(digits, |text: &str| match text.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8),
            _ => text.parse(),
        }),
    ));
    let exact = map(terminated(exact, opt(one_of("lL"))), |number| {
        number.ok().map(Number::Exact)
    });
    let (rest, number) = alt((approximate, exact)).parse(input)?;
    match number {
        // `12abc` is no number, and no name either.
        Some(number) if !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
            let (rest, ()) = spaces(rest)?;
            Ok((rest, number))
        }
        _ => wrong(input),
    }
}

fn condition(input: &str, depth: u8) -> Parsed<'_, Expression> {
    let (rest, expression) = or(input, depth)?;
    if expression.can_be_condition() {
        Ok((rest, expression))
    } else {
        wrong(input)
    }
}

fn or(input: &str, depth: u8) -> Parsed<'_, Expression> {
    chain(input, "OR", Expression::Or, |input| and(input, depth))
}

fn and(input: &str, depth: u8) -> Parsed<'_, Expression> {
    chain(input, "AND", Expression::And, |input| not(input, depth))
}

/// One condition or several with a word between them.
fn chain<'a>(
    input: &'a str,
    between: &'static str,
    join: fn(Vec<Expression>) -> Expression,
    part: impl Fn(&'a str) -> Parsed<'a, Expression>,
) -> Parsed<'a, Expression> {
    let (mut rest, first) = part(input)?;
    let mut parts = Vec::from([first]);
    while let Ok((after, _)) = keyword(between).parse(rest) {
        let (next, expression) = part(after)?;
        // A single part may be a value: whoever asked for it checks that.
        if parts.len() == 1 && !parts.iter().all(Expression::can_be_condition) {
            return wrong(input);
        }
        if !expression.can_be_condition() {
            return wrong(after);
        }
        parts.push(expression);
        rest = next;
    }
    Ok((
        rest,
        match parts.len() {
            1 => parts.remove(0),
            _ => join(parts),
        },
    ))
}

fn not(input: &str, depth: u8) -> Parsed<'_, Expression> {
    let mut rest = input;
    let mut count = 0_u32;
    while let Ok((after, _)) = keyword("NOT").parse(rest) {
        rest = after;
        count += 1;
    }
    let (rest, expression) = predicate(rest, depth)?;
    if count == 0 {
        return Ok((rest, expression));
    }
    if !expression.can_be_condition() {
        return wrong(input);
    }
    // NOT of NOT is the same again, also of what is unknown.
    Ok((rest, expression.negated(count % 2 == 1)))
}

fn predicate(input: &str, depth: u8) -> Parsed<'_, Expression> {
    let (rest, left) = sum(input, depth)?;
    if let Ok((after, comparison)) = comparison(rest) {
        let (end, right) = sum(after, depth)?;
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordered && (left.has_no_order() || right.has_no_order()) {
            return wrong(input);
        }
        let (left, right) = (Box::new(left), Box::new(right));
        let compare = Expression::Compare {
            comparison,
            left,
            right,
        };
        return Ok((end, compare));
    }
    let name = match &left {
        Expression::Name(name) => Some(name.clone()),
        _ => None,
    };
    if let (Ok((after, _)), Some(name)) = (keyword("IS").parse(rest), &name) {
        let (after, negated) = map(opt(keyword("NOT")), |not| not.is_some()).parse(after)?;
        let (end, _) = keyword("NULL").parse(after)?;
        return Ok((end, Expression::IsNull(name.clone()).negated(negated)));
    }
    let (after, negated) = map(opt(keyword("NOT")), |not| not.is_some()).parse(rest)?;
    if let Ok((after, _)) = keyword("BETWEEN").parse(after) {
        let (after, low) = sum(after, depth)?;
        let (after, _) = keyword("AND").parse(after)?;
        let (end, high) = sum(after, depth)?;
        if [&left, &low, &high]
            .into_iter()
            .any(Expression::has_no_order)
        {
            return wrong(input);
        }
        let between = Expression::Between {
            value: Box::new(left),
            low: Box::new(low),
            high: Box::new(high),
        };
        return Ok((end, between.negated(negated)));
    }
    let Some(name) = name else {
        return if negated {
            wrong(rest)
        } else {
            Ok((rest, left))
        };
    };
    if let Ok((after, _)) = keyword("IN").parse(after) {
        let values = separated_list1(symbol(","), map(string, Name::from));
        let (end, values) = delimited(symbol("("), values, symbol(")")).parse(after)?;
        return Ok((end, Expression::In { name, values }.negated(negated)));
    }
    if let Ok((after, _)) = keyword("LIKE").parse(after) {
        let (after, text) = string(after)?;
        let (end, escape) = opt(preceded(keyword("ESCAPE"), string)).parse(after)?;
        let mut chars = escape.iter().flat_map(|escape| escape.chars());
        let (first, second) = (chars.next(), chars.next());
        if second.is_some() || escape.is_some() != first.is_some() {
            return wrong(after);
        }
        let Some(pattern) = Pattern::new(&text, first) else {
            return wrong(after);
        };
        return Ok((end, Expression::Like { name, pattern }.negated(negated)));
    }
    if negated {
        return wrong(rest);
    }
    Ok((rest, Expression::Name(name)))
}

fn comparison(input: &str) -> Parsed<'_, Comparison> {
    alt((
        value(Comparison::NotEqual, symbol("<>")),
        value(Comparison::LessOrEqual, symbol("<=")),
        value(Comparison::GreaterOrEqual, symbol(">=")),
        value(Comparison::Equal, symbol("=")),
        value(Comparison::Less, symbol("<")),
        value(Comparison::Greater, symbol(">")),
    ))
    .parse(input)
}

fn sum(input: &str, depth: u8) -> Parsed<'_, Expression> {
    let operation = alt((
        value(Operation::Add, symbol("+")),
        value(Operation::Subtract, symbol("-")),
    ));
    arithmetic(input, operation, |input| product(input, depth))
}

fn product(input: &str, depth: u8) -> Parsed<'_, Expression> {
    let operation = alt((
        value(Operation::Multiply, symbol("*")),
        value(Operation::Divide, symbol("/")),
    ));
    arithmetic(input, operation, |input| unary(input, depth))
}

/// One value, or several with operators of one rank between them.
fn arithmetic<'a>(
    input: &'a str,
    mut operation: impl Parser<&'a str, Output = Operation, Error = Error<&'a str>>,
    part: impl Fn(&'a str) -> Parsed<'a, Expression>,
) -> Parsed<'a, Expression> {
    let (mut rest, first) = part(input)?;
    let mut others = Vec::new();
    while let Ok((after, operation)) = operation.parse(rest) {
        let (next, operand) = part(after)?;
        if !operand.can_be_number() || !first.can_be_number() {
            return wrong(input);
        }
        others.push((operation, operand));
        rest = next;
    }
    Ok((
        rest,
        match others.is_empty() {
            true => first,
            false => Expression::Arithmetic(Box::new(first), others),
        },
    ))
}

fn unary(input: &str, depth: u8) -> Parsed<'_, Expression> {
    let sign = alt((value(false, symbol("+")), value(true, symbol("-"))));
    let (rest, signs) = many0(sign).parse(input)?;
    let negative = signs.iter().filter(|negative| **negative).count() % 2 == 1;
    if let Ok((end, number)) = number(rest) {
        return match number.signed(negative) {
            Some(literal) => Ok((end, Expression::Literal(literal))),
            None => wrong(rest),
        };
    }
    let (end, expression) = primary(rest, depth)?;
    if !signs.is_empty() && !expression.can_be_number() {
        return wrong(rest);
    }
    Ok((
        end,
        match negative {
            true => Expression::Negative(Box::new(expression)),
            false => expression,
        },
    ))
}

fn primary(input: &str, depth: u8) -> Parsed<'_, Expression> {
    if let Ok((inside, _)) = symbol("(").parse(input) {
        if depth >= DEEPEST {
            return wrong(input);
        }
        return terminated(|input| or(input, depth + 1), symbol(")")).parse(inside);
    }
    alt((
        map(string, |text| Literal::String(Name::from(text))),
        value(Literal::Bool(true), keyword("TRUE")),
        value(Literal::Bool(false), keyword("FALSE")),
    ))
    .map(Expression::Literal)
    .or(map(identifier, Expression::Name))
    .parse(input)
}

impl Expression {
    fn negated(self, negated: bool) -> Self {
        if negated {
            Self::Not(Box::new(self))
        } else {
            self
        }
    }

    /// Whether it can be true or false.
    fn can_be_condition(&self) -> bool {
        !matches!(
            self,
            Self::Arithmetic(..)
                | Self::Negative(_)
                | Self::Literal(
                    Literal::Int(_) | Literal::Long(_) | Literal::Double(_) | Literal::String(_)
                )
        )
    }

    /// Whether it can be a number.
    fn can_be_number(&self) -> bool {
        match self {
            Self::Arithmetic(..) | Self::Negative(_) | Self::Name(_) => true,
            Self::Literal(literal) => !matches!(literal, Literal::Bool(_) | Literal::String(_)),
            _ => false,
        }
    }

    /// Whether it is nothing that can be less or greater than another.
    fn has_no_order(&self) -> bool {
        !self.can_be_number()
    }
}
