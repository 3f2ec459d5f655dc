//! Reads a TOML file table by table and key by key, and collects every problem with its place.
//!
//! 1. [`read`] parses the text. If it is not TOML, everything that is not is reported, and nothing else.
//! 2. The caller walks the tables with one [`Reader`] each: it names a key, what it [expects](super::expect) there and
//!    what holds if the key is absent. A bad value is reported and read as absent, so the walk goes on to the end.
//! 3. [`Reader::finish`] reports the keys that nobody asked for; so a section asks for all its keys first, finishes,
//!    and only then gives up over a missing one:
//!
//! ```ignore
//! let name = section.required("name", string());
//! let tolerance = section.or("tolerance", duration(SECOND..=HOUR), 5 * MINUTE);
//! section.finish();
//! Some(Spec { name: name?, tolerance })
//! ```
//!
//! Whatever may be a secret is masked before a problem leaves this module.

use std::{cell::RefCell, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    expect::Expect,
    mask,
    problem::{Problem, Problems, excerpt, line, position},
    syntax,
};

/// Reads `text`, the content of the file at `path`: parses it and lets `walk` read its tables.
///
/// `Ok` holds what `walk` made and the warnings, `Err` every problem.
pub fn read<T>(text: &str, path: &Path, walk: impl FnOnce(Reader<'_>) -> Option<T>) -> Result<(T, Problems), Problems> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let root = root.get_ref();
    let file = File {
        text,
        name: path.display().to_string(),
        directory: path.parent().unwrap_or(Path::new("")),
        found: RefCell::default(),
        masks: RefCell::new([mask::suspects(root), mask::signing_secrets(text)].concat()),
    };
    let made =
        if syntax::report(&file, &errors) { walk(Reader::new(&file, String::new(), None, Some(root))) } else { None };
    if made.is_none() && file.found.borrow().is_empty() {
        // Never end with an error that says nothing.
        let (message, hint) = ("a section was refused without a reason", "this is a bug: please report it");
        file.report(Level::Problem, None, String::new(), message.to_owned(), Some(hint.to_owned()));
    }
    let (problems, warnings) = file.into_problems();
    match made {
        Some(made) if problems.list.is_empty() => Ok((made, warnings)),
        _ => Err(problems),
    }
}

/// Reads one table.
pub struct Reader<'a> {
    file: &'a File<'a>,
    /// Dotted path; empty for the whole file.
    path: String,
    /// Where the table starts; `None` for the whole file and for a table that is not there.
    header: Option<Range<usize>>,
    table: Option<&'a DeTable<'a>>,
    /// The keys asked for, in that order.
    known: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a File<'a>, path: String, header: Option<Range<usize>>, table: Option<&'a DeTable<'a>>) -> Self {
        Self { file, path, header, table, known: Vec::new() }
    }

    /// Whether the table is in the file.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Whether the table has this key, good or bad.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// The value of a key that must be there. `None` is already reported.
    pub fn required<T: 'static>(&mut self, key: &str, expect: Expect<T>) -> Option<T> {
        if !self.has(key) {
            self.know(key);
            let section = if self.path.is_empty() { "the file".to_owned() } else { format!("`[{}]`", self.path) };
            self.problem(key, "is missing", Some(format!("add `{}` to {section}", expect.line(key))));
            return None;
        }
        self.optional(key, expect)
    }

    /// The value of a key that may be absent.
    pub fn optional<T: 'static>(&mut self, key: &str, expect: Expect<T>) -> Option<T> {
        self.know(key);
        expect.read(&self.item(key)?)
    }

    /// The value of a key that has a default.
    pub fn or<T: 'static>(&mut self, key: &str, expect: Expect<T>, default: T) -> T {
        self.optional(key, expect.example_of(&default)).unwrap_or(default)
    }

    /// The table at a key. If it is absent, a reader that finds every key absent.
    pub fn table(&mut self, key: &str) -> Reader<'a> {
        self.know(key);
        let absent = || Reader::new(self.file, self.join(key), None, None);
        let Some(item) = self.item(key) else { return absent() };
        item.table().unwrap_or_else(|| {
            item.problem(
                "expected a section",
                format!("write `[{}]` on its own line, and its keys below it", item.key),
            );
            absent()
        })
    }

    /// The tables at the keys that nobody asked for yet, in the order of the keys.
    pub fn rest_of_tables(&mut self) -> Vec<(String, Reader<'a>)> {
        let tables = self.unknown().into_iter().map(|key| (self.table(&key), key));
        tables.filter(|(table, _)| table.is_present()).map(|(table, key)| (key, table)).collect()
    }

    /// Reports a problem with a key: at its value, else at its table. With an empty key, it is about the table.
    pub fn problem(&self, key: &str, message: impl Into<String>, hint: Option<String>) {
        self.file.report(Level::Problem, self.place(key), self.join(key), message.into(), hint);
    }

    /// Reports something that deserves a look but does not stop the daemon.
    pub fn warning(&self, key: &str, message: impl Into<String>, hint: Option<String>) {
        self.file.report(Level::Warning, self.place(key), self.join(key), message.into(), hint);
    }

    /// Reports every key that nobody asked for. How many there were.
    pub fn finish(self) -> usize {
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        let unknown = self.unknown();
        for key in &unknown {
            let Some((spanned, value)) = self.table.and_then(|table| table.get_key_value(key.as_str())) else {
                continue;
            };
            // Nobody knows what it is: it may be a secret under a misspelt key.
            self.file.masks.borrow_mut().extend(mask::scalars(value));
            let inline = self.file.text.get(value.span()).is_some_and(|written| written.starts_with('{'));
            let noun = if value.get_ref().is_table() && !inline { "section" } else { "key" };
            let guess = closest(key, &known).map_or_else(String::new, |guess| format!("did you mean `{guess}`? "));
            let hint = format!("{guess}known here: {}", quoted(&known));
            self.file.report(
                Level::Problem,
                Some(spanned.span()),
                self.join(key),
                format!("unknown {noun}"),
                (!known.is_empty()).then_some(hint),
            );
        }
        unknown.len()
    }

    fn item(&self, key: &str) -> Option<Item<'a>> {
        let (_, value) = self.table?.get_key_value(key)?;
        Some(Item { file: self.file, key: self.join(key), name: Some(key.to_owned()), value })
    }

    fn place(&self, key: &str) -> Option<Range<usize>> {
        self.item(key).map(|item| item.value.span()).or_else(|| self.header.clone())
    }

    fn know(&mut self, key: &str) {
        self.known.push(key.to_owned());
    }

    fn unknown(&self) -> Vec<String> {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        keys.map(|key| key.get_ref().to_string()).filter(|key| !self.known.contains(key)).collect()
    }

    fn join(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}

/// One value in the file.
pub struct Item<'a> {
    file: &'a File<'a>,
    /// Dotted path, such as `server.tokens[0]`.
    key: String,
    /// The last key; `None` inside a list.
    name: Option<String>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// The value.
    pub fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// The value as a table to read on; `None` if it is not one.
    pub fn table(&self) -> Option<Reader<'a>> {
        let DeValue::Table(table) = self.value() else { return None };
        Some(Reader::new(self.file, self.key.clone(), Some(self.value.span()), Some(table)))
    }

    /// The items of a list; `None` if it is not one.
    pub fn items(&self) -> Option<Vec<Item<'a>>> {
        let DeValue::Array(items) = self.value() else { return None };
        let item = |(index, value)| Item { file: self.file, key: format!("{}[{index}]", self.key), name: None, value };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The directory of the configuration file.
    pub fn directory(&self) -> &'a Path {
        self.file.directory
    }

    /// Reports a problem with the value.
    pub fn problem(&self, message: impl Into<String>, hint: impl Into<String>) {
        let hint = Some(hint.into());
        self.file.report(Level::Problem, Some(self.value.span()), self.key.clone(), message.into(), hint);
    }

    /// Hides the value whenever its line is shown.
    pub fn mask(&self) {
        self.file.masks.borrow_mut().extend(mask::scalars(self.value));
    }

    /// The last key; `None` inside a list.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// A file and what was found in it so far. Readers of all its tables share it, hence the cells.
pub(super) struct File<'a> {
    text: &'a str,
    name: String,
    directory: &'a Path,
    found: RefCell<Vec<Finding>>,
    /// Parts of the text that are never shown.
    masks: RefCell<Vec<Range<usize>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Problem,
    Warning,
}

/// A problem before its line is shown: masks may still come.
struct Finding {
    level: Level,
    place: Option<Range<usize>>,
    key: String,
    message: String,
    hint: Option<String>,
}

impl<'a> File<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The line around a byte offset, without its end.
    pub(super) fn line(&self, offset: usize) -> Range<usize> {
        line(self.text, offset)
    }

    /// Never shows this part of the text.
    pub(super) fn mask(&self, part: Range<usize>) {
        self.masks.borrow_mut().push(part);
    }

    pub(super) fn report(
        &self,
        level: Level,
        place: Option<Range<usize>>,
        key: String,
        message: String,
        hint: Option<String>,
    ) {
        self.found.borrow_mut().push(Finding { level, place, key, message, hint });
    }

    /// The problems and the warnings.
    fn into_problems(self) -> (Problems, Problems) {
        let (mut found, masks) = (self.found.into_inner(), self.masks.into_inner());
        found.sort_by_key(|finding| finding.place.as_ref().map_or(0, |place| place.start));
        let of = |level| Problems {
            file: self.name.clone(),
            list: found.iter().filter(|f| f.level == level).map(|f| f.show(self.text, &masks)).collect(),
        };
        (of(Level::Problem), of(Level::Warning))
    }
}

impl Finding {
    fn show(&self, text: &str, masks: &[Range<usize>]) -> Problem {
        let (line, column) = position(text, self.place.as_ref().map_or(0, |place| place.start));
        let excerpt = self.place.as_ref().map_or_else(String::new, |place| excerpt(text, place, masks));
        Problem { line, column, key: self.key.clone(), message: self.message.clone(), hint: self.hint.clone(), excerpt }
    }
}

/// The name most like `word`, if it is like enough to be meant.
pub(super) fn closest<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    let near = names.iter().map(|name| (strsim::damerau_levenshtein(word, name), *name));
    near.filter(|(distance, name)| *distance <= 1 + name.len() / 4).min().map(|(_, name)| name)
}

/// Names as they are listed in a message.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
