//! Where a line of Rust stands: in which function, type or table, told by the
//! indentation that rustfmt gives.

/// One file of a crate.
pub(crate) struct Source<'a> {
    /// The path of its module: `connection::session`, `tests/delivery`, empty for `lib`.
    module: String,
    lines: Vec<&'a str>,
}

/// What a line is that begins an item.
struct Head<'a> {
    name: &'a str,
    is_function: bool,
}

/// Where a marker stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The path.
    pub(crate) path: String,
    /// A function that is not a test.
    pub(crate) is_plain_function: bool,
    /// In a module of unit tests, or under `tests`.
    pub(crate) is_in_tests: bool,
}

impl<'a> Source<'a> {
    /// `path` is relative to the crate, with `/`.
    pub(crate) fn new(path: &str, text: &'a str) -> Self {
        Self {
            module: module(path),
            lines: text.lines().collect(),
        }
    }

    /// The marker lines of `word`: line, and what stands behind the colon.
    pub(crate) fn markers(&self, word: &str) -> impl Iterator<Item = (usize, &'a str)> {
        self.lines.iter().enumerate().filter_map(move |(at, line)| {
            let rest = line.trim_start().strip_prefix("// ")?;
            Some((at, rest.strip_prefix(word)?.strip_prefix(':')?))
        })
    }

    /// The lines of code that mention `word`, as a whole word.
    pub(crate) fn mentions(&self, word: &str) -> impl Iterator<Item = usize> {
        self.lines
            .iter()
            .enumerate()
            .filter(move |(_, line)| {
                let code = line.split("//").next().unwrap_or_default();
                code.match_indices(word).any(|(at, _)| {
                    !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word)
                })
            })
            .map(|(at, _)| at)
    }

    /// What a marker in line `at` stands above: the first line below that is neither
    /// comment nor attribute.
    pub(crate) fn below(&self, at: usize) -> Option<Place> {
        let mut attribute = false;
        for (at, line) in self.lines.iter().enumerate().skip(at + 1) {
            let code = line.trim();
            attribute |= code.starts_with("#[");
            if attribute {
                // A comment may stand behind it.
                let code = code.split(" //").next().unwrap_or_default();
                attribute = !code.ends_with(']');
            } else if !code.starts_with("//") {
                return self.place(at).filter(|_| !code.is_empty());
            }
        }
        None
    }

    /// The path of what line `at` begins, or else of what it stands in.
    pub(crate) fn place(&self, at: usize) -> Option<Place> {
        let around = self.around(at);
        let mut path: Vec<&str> = around
            .iter()
            .filter_map(|&at| Some(head(self.lines[at])?.name))
            .collect();
        let own = head(self.lines[at]);
        let innermost = around.last().copied();
        let function = match &own {
            Some(own) => own.is_function.then_some(at),
            None => {
                innermost.filter(|&at| head(self.lines[at]).is_some_and(|head| head.is_function))
            }
        };
        match own {
            Some(own) => path.push(own.name),
            None if function.is_none() => {
                // A row of a type, table or macro.
                innermost?;
                let row = first_word(behind_visibility(self.lines[at]));
                path.extend((!row.is_empty()).then_some(row));
            }
            None => {}
        }
        let is_in_tests = self.module.starts_with("tests/") || path.first() == Some(&"tests");
        if !self.module.is_empty() {
            path.insert(0, &self.module);
        }
        Some(Place {
            path: path.join("::"),
            is_plain_function: function.is_some_and(|at| !self.is_test(at)),
            is_in_tests,
        })
    }

    /// The lines that begin what line `at` stands in, outermost first: items, and calls
    /// of macros in their place.
    fn around(&self, at: usize) -> Vec<usize> {
        let mut lines = Vec::new();
        let mut inside = indentation(self.lines[at]);
        for (at, line) in self.lines[..at].iter().enumerate().rev() {
            let code = line.trim_start();
            let indent = indentation(line);
            if code.is_empty() || indent >= inside {
                continue;
            }
            // Such a line goes on with what a line of the same indentation began.
            let goes_on = code.starts_with([')', '}', ']', '{']) || code == "where";
            inside = indent + usize::from(goes_on);
            if head(line).is_some() || (indent == 0 && code.ends_with("! {")) {
                lines.push(at);
            }
        }
        lines.reverse();
        lines
    }

    /// Whether an attribute above the function in line `at` makes it a test.
    fn is_test(&self, at: usize) -> bool {
        self.lines[..at]
            .iter()
            .rev()
            .map(|line| line.trim_start())
            .take_while(|code| code.starts_with("#[") || code.starts_with("//"))
            .any(|code| code.starts_with("#[test]"))
    }
}

fn module(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path.strip_prefix("src/") {
        Some("lib") => String::new(),
        Some(path) => path.replace('/', "::"),
        None => path.to_owned(),
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// The line without indentation and `pub`, `pub(crate)` or `pub(in path)`.
fn behind_visibility(line: &str) -> &str {
    let code = line.trim_start();
    let rest = match code.strip_prefix("pub") {
        Some(path) if path.starts_with('(') => path.split_once(") ").map(|(_, rest)| rest),
        Some(rest) => rest.strip_prefix(' '),
        None => None,
    };
    rest.unwrap_or(code)
}

/// The item that the line begins.
fn head(line: &str) -> Option<Head<'_>> {
    let mut rest = behind_visibility(line);
    for word in ["const ", "async ", "unsafe "] {
        // `const` is a qualifier before `fn` and a keyword elsewhere.
        if let Some(after) = rest.strip_prefix(word)
            && (word != "const " || after.contains("fn "))
        {
            rest = after;
        }
    }
    let (keyword, after) = rest.split_once([' ', '<'])?;
    let name = match keyword {
        "fn" | "struct" | "enum" | "union" | "trait" | "mod" | "const" | "static" | "type"
        | "macro_rules!" => after,
        "impl" => implementor(&rest["impl".len()..]),
        _ => return None,
    };
    let name = first_word(name);
    (!name.is_empty()).then_some(Head {
        name,
        is_function: keyword == "fn",
    })
}

/// The type behind `impl`: `<T> Trait<T> for path::Type<T> {` names `Type`.
fn implementor(line: &str) -> &str {
    let mut depth = 0;
    let parameters = line
        .find(|c| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        })
        .map_or(0, |at| at + 1);
    let ty = line[parameters..].trim_start();
    let ty = ty.split_once(" for ").map_or(ty, |(_, ty)| ty);
    let path = &ty[..ty.find(|c| !is_word(c) && c != ':').unwrap_or(ty.len())];
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each `// keeps: PATH` below names the place that it stands above.
    const TEXT: &str = r#"
// keeps: a::b::Limits
#[derive(
    Debug,
)]
pub struct Limits {
    // keeps: a::b::Limits::size
    pub size: usize,
}

rules! {
    // keeps: a::b::First
    First: "one" { 1 };
}

const TABLE: &[(u8, &str)] = &[
    // keeps: a::b::TABLE
    (1, "one"),
];

impl<'a, T: Into<Vec<T>>> fmt::Display for inner::View<'a, T>
where
    T: Copy,
{
    // keeps: a::b::View::MAX
    const MAX: fn(u8) = f;

    /// Text.
    // keeps: a::b::View::new
    // More text.
    pub(crate) const fn new<I>(
        input: I,
    ) -> Self
    where
        I: Copy,
    {
        match input {
            // keeps: a::b::View::new
            Kind::First => 1,
            _ => {
                if a {
                    b();
                } else {
                    // keeps: a::b::View::new
                    c();
                }
            }
        }
    }

    pub(in crate::a) fn inner(&self) {
        // keeps: a::b::View::inner
        return f();
    }
}

// keeps: nothing

pub fn last() {}

#[cfg(test)]
mod tests {
    // keeps: a::b::tests::works
    #[test]
    fn works() {}

    // keeps: a::b::tests::stands
    #[rustfmt::skip] // Text.
    fn stands() {
        let _ = [1];
    }
}
// keeps: nothing
"#;

    #[test]
    fn a_marker_belongs_to_what_stands_below() {
        let source = Source::new("src/a/b.rs", TEXT);
        let mut count = 0;
        for (at, name) in source.markers("keeps") {
            let place = source
                .below(at)
                .map_or("nothing".into(), |place| place.path);
            assert_eq!(place, name.trim(), "line {at}");
            count += 1;
        }
        assert_eq!(count, 13);
    }

    #[test]
    fn a_mention_is_a_whole_word_in_code() {
        let text = "fn a() {\n    f(Rule::One);\n    f(Rule::OneMore); // Rule::One\n}\n";
        let source = Source::new("src/a.rs", text);
        assert_eq!(source.mentions("Rule::One").collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn tests_are_told_from_helpers() {
        let text = "#[test]\n// Text.\nfn a() {\n    b();\n}\n\nfn b() {\n    c();\n}\n\nconst C: u8 = 1;\n";
        let source = Source::new("tests/t.rs", text);
        for (at, path, is_plain_function) in [
            (3, "tests/t::a", false),
            (7, "tests/t::b", true),
            (10, "tests/t::C", false),
        ] {
            let expected = Place {
                path: path.into(),
                is_plain_function,
                is_in_tests: true,
            };
            assert_eq!(source.place(at), Some(expected));
        }
    }

    #[test]
    fn modules_are_named_by_their_files() {
        for (path, expected) in [
            ("src/lib.rs", ""),
            ("src/packet/mod.rs", "packet"),
            ("src/packet/connect.rs", "packet::connect"),
            ("tests/delivery.rs", "tests/delivery"),
            ("tests/support/mod.rs", "tests/support"),
        ] {
            assert_eq!(module(path), expected);
        }
    }
}
