//! Things of the admin API as a person reads them.

use serde_json::Value;

use super::Context;
use super::failure::Failure;
use super::words::{self, Words};

/// A member of a thing, and how it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name for people.
    pub(crate) label: &'static str,
    /// Its name in the JSON; dots lead into objects.
    pub(crate) member: &'static str,
    /// What it holds.
    pub(crate) form: Form,
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text, a number, a list.
    Plain,
    /// A time.
    Time,
    /// A length of time in seconds.
    Seconds,
    /// True or false, told by these two words.
    Flag(&'static str, &'static str),
}

/// A member that is told as it is.
pub(crate) const fn plain(label: &'static str, member: &'static str) -> Field {
    Field { label, member, form: Form::Plain }
}

/// A member that is a time.
pub(crate) const fn time(label: &'static str, member: &'static str) -> Field {
    Field { label, member, form: Form::Time }
}

/// A member that is a length of time.
pub(crate) const fn seconds(label: &'static str, member: &'static str) -> Field {
    Field { label, member, form: Form::Seconds }
}

/// A member that is true or false.
pub(crate) const fn flag(
    label: &'static str,
    member: &'static str,
    yes: &'static str,
    no: &'static str,
) -> Field {
    Field { label, member, form: Form::Flag(yes, no) }
}

/// A field in a table: short.
pub(crate) fn column(field: &Field, item: &Value, words: Words) -> String {
    let value = find(item, field.member);
    match (field.form, value) {
        (Form::Time, Some(Value::String(text))) => words.api_relative(text),
        _ => tell(field.form, value, words),
    }
}

/// Prints one thing: the named fields first, then whatever else it has under its own name.
pub(crate) fn thing(context: &mut Context, item: &Value, fields: &[Field]) -> Result<(), Failure> {
    let words = context.output.words;
    let mut rows = Vec::new();
    for field in fields {
        let told = tell(field.form, find(item, field.member), words);
        if !told.is_empty() {
            rows.push((field.label.to_owned(), told));
        }
    }
    let named = |name: &str| fields.iter().any(|f| f.member.split('.').next() == Some(name));
    if let Value::Object(members) = item {
        for (name, value) in members.iter().filter(|(name, _)| !named(name)) {
            rest(&mut rows, name, value, words);
        }
    }
    context.output.block(&rows)
}

fn rest(rows: &mut Vec<(String, String)>, name: &str, value: &Value, words: Words) {
    match value {
        Value::Object(members) => {
            for (inner, value) in members {
                rest(rows, &format!("{name} {inner}"), value, words);
            }
        }
        _ => {
            let form = if name.ends_with("_at") || name == "auth_time" { Form::Time } else { Form::Plain };
            let told = tell(form, Some(value), words);
            if !told.is_empty() {
                rows.push((name.replace('_', " "), told));
            }
        }
    }
}

fn tell(form: Form, value: Option<&Value>, words: Words) -> String {
    match (form, value) {
        (_, None | Some(Value::Null)) => String::new(),
        (Form::Time, Some(Value::String(text))) => words.api_time(text),
        (Form::Seconds, Some(Value::Number(number))) => match number.as_u64() {
            Some(seconds) => words::span(std::time::Duration::from_secs(seconds)),
            None => number.to_string(),
        },
        (Form::Flag(yes, no), Some(Value::Bool(value))) => (if *value { yes } else { no }).to_owned(),
        (_, Some(value)) => text(value),
    }
}

/// A value as text: lists by spaces or lines, objects as JSON.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(text).collect();
            let lines = values.iter().any(Value::is_object) || texts.iter().any(|t| t.contains(' '));
            texts.join(if lines { "\n" } else { " " })
        }
        Value::Object(members) => {
            let texts: Vec<String> = members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), text(value)))
                .collect();
            texts.join(", ")
        }
    }
}

/// The member of that name; dots lead into objects.
pub(crate) fn find<'a>(item: &'a Value, member: &str) -> Option<&'a Value> {
    member.split('.').try_fold(item, |value, name| value.get(name))
}

/// The text of a member, empty when there is none.
pub(crate) fn member(item: &Value, name: &str) -> String {
    find(item, name).map(text).unwrap_or_default()
}
