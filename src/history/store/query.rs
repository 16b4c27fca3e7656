//! A filter as SQL. Words and names only ever travel as parameters.

use rusqlite::types::Value;

use super::write::base;
use crate::call::CallState;
use crate::history::filter::{Cursor, Filter, LONGEST_TEXT, TaskFilter};

/// A select of numbers, and its parameters.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// The trigram index knows no shorter words.
const TRIGRAM: usize = 3;

/// The numbers of at most `limit` calls that `filter` lets through, before `cursor`, the newest first.
///
/// Every way through it ends soon with 100,000 calls: by the word index, by the index of a state, or down the small rows of `calls`
/// in the order of time.
pub(super) fn numbers(filter: &Filter, cursor: Option<Cursor>, limit: usize) -> Query {
    let words = filter.words();
    let one_task = matches!(filter.task, TaskFilter::Is(_));
    if !words.is_empty() || one_task || filter.states.len() < 2 {
        return select(filter, &words, &filter.states, cursor, limit);
    }
    // Of each state the newest, by its index; then the newest of those.
    let mut parts = Vec::new();
    let mut values = Vec::new();
    let mut states: Vec<CallState> = filter.states.clone();
    states.sort_by_key(|state| <&str>::from(*state));
    states.dedup();
    for state in states {
        let part = select(filter, &words, &[state], cursor, limit);
        parts.push(format!("SELECT number FROM ({})", part.sql));
        values.extend(part.values);
    }
    values.push(whole(limit));
    let sql = format!(
        "SELECT number FROM ({}) ORDER BY number DESC LIMIT ?",
        parts.join(" UNION ALL ")
    );
    Query { sql, values }
}

fn select(
    filter: &Filter,
    words: &[String],
    states: &[CallState],
    cursor: Option<Cursor>,
    limit: usize,
) -> Query {
    let mut all = Conditions::default();
    let by_index = words.iter().any(|word| word.chars().count() >= TRIGRAM);
    // The order of the tables is meant: the words lead to the calls.
    let (from, number) = match (words.is_empty(), by_index) {
        (true, _) => ("calls AS c", "c.number"),
        (false, true) => (
            "found AS f CROSS JOIN calls AS c ON c.number = f.rowid",
            "f.rowid",
        ),
        (false, false) => (
            "words AS f CROSS JOIN calls AS c ON c.number = f.number",
            "f.number",
        ),
    };
    for word in words {
        all.add("f.text GLOB ?", Value::Text(part_of(word)));
    }
    if let Some(Cursor(before)) = cursor {
        all.add(&format!("{number} < ?"), Value::Integer(before));
    }
    if let Some(since) = filter.since {
        all.add(&format!("{number} >= ?"), Value::Integer(base(since)));
    }
    match &filter.task {
        TaskFilter::Any => {}
        TaskFilter::Is(task) => all.add("c.task = ?", Value::Text(task.0.clone())),
        TaskFilter::Like(text) => all.add("c.task GLOB ?", Value::Text(glob(text))),
    }
    if let Some(broker) = &filter.broker {
        all.add("c.broker = ?", Value::Text(broker.clone()));
    }
    all.states(states, &filter.task, words);
    all.values.push(whole(limit));
    let sql = format!(
        "SELECT {number} AS number FROM {from}{} ORDER BY {number} DESC LIMIT ?",
        all.clause()
    );
    Query {
        sql,
        values: all.values,
    }
}

#[derive(Default)]
struct Conditions {
    terms: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, term: &str, value: Value) {
        self.terms.push(term.to_owned());
        self.values.push(value);
    }

    fn states(&mut self, states: &[CallState], task: &TaskFilter, words: &[String]) {
        if states.is_empty() {
            return;
        }
        // A plus keeps SQLite from the index of states where another way is the shorter.
        let alone = states.len() == 1 && words.is_empty() && !matches!(task, TaskFilter::Is(_));
        let plus = if alone { "" } else { "+" };
        let marks = vec!["?"; states.len()].join(", ");
        self.terms.push(format!("{plus}c.state IN ({marks})"));
        let names = states.iter().map(|state| Value::Text(state.to_string()));
        self.values.extend(names);
    }

    fn clause(&self) -> String {
        if self.terms.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.terms.join(" AND "))
        }
    }
}

/// A pattern for what holds `text`, every letter of which means itself.
fn part_of(text: &str) -> String {
    let mut pattern = String::from("*");
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            _ => pattern.push(c),
        }
    }
    pattern.push('*');
    pattern
}

fn glob(text: &str) -> String {
    let text: String = text.chars().take(LONGEST_TEXT).collect();
    if text.contains(['*', '?', '[']) {
        text
    } else {
        part_of(&text)
    }
}

fn whole(limit: usize) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}
