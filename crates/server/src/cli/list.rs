//! Lists of the admin API: they page by themselves.

use clap::Args;
use serde_json::{Map, Value, json};

use super::Context;
use super::failure::Failure;
use super::route::Route;
use super::show::{Field, column};
use super::transport::Admin;

/// Most items of one request.
const PAGE: u64 = 500;

/// How much of a list is wanted.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Extent {
    /// Most items to print.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Prints all there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Prints a list.
pub(crate) async fn print(
    context: &mut Context,
    admin: &Admin,
    route: &Route,
    extent: Extent,
    fields: &[Field],
) -> Result<(), Failure> {
    let (items, next) = fetch(admin, route, extent).await?;
    if context.output.json {
        let mut answer = Map::new();
        answer.insert("items".to_owned(), Value::Array(items));
        if let Some(next) = next {
            answer.insert("next_cursor".to_owned(), json!(next));
        }
        return context.output.json(&Value::Object(answer));
    }
    table(context, &items, fields)?;
    if next.is_some() {
        let shown = items.len();
        context.output.note(&format!("{shown} are shown and there are more: --limit N, or --all."));
    }
    Ok(())
}

/// Prints items that have been fetched.
pub(crate) fn table(context: &mut Context, items: &[Value], fields: &[Field]) -> Result<(), Failure> {
    if items.is_empty() {
        context.output.note("There are none.");
        return Ok(());
    }
    let words = context.output.words;
    let headings: Vec<&str> = fields.iter().map(|field| field.label).collect();
    let rows: Vec<Vec<String>> =
        items.iter().map(|item| fields.iter().map(|field| column(field, item, words)).collect()).collect();
    context.output.table(&headings, &rows)
}

/// The items of an answer that is a whole list, or one page of it.
pub(crate) fn items(answer: &Value) -> Result<&[Value], Failure> {
    match answer.get("items") {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(Failure::refused("the answer is not a list of the admin API")),
    }
}

/// As many items as wanted, and the cursor to go on with.
pub(crate) async fn fetch(
    admin: &Admin,
    route: &Route,
    extent: Extent,
) -> Result<(Vec<Value>, Option<String>), Failure> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let left = if extent.all { PAGE } else { extent.limit.saturating_sub(items.len() as u64).min(PAGE) };
        if left == 0 {
            return Ok((items, cursor));
        }
        let page = route.clone().with("limit", left).with_some("cursor", cursor.take());
        let mut answer = admin.get(&page).await?;
        let Some(Value::Array(got)) = answer.get_mut("items").map(Value::take) else {
            return Err(Failure::refused("the answer is not a list of the admin API"));
        };
        cursor = answer.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        items.extend(got);
        if cursor.is_none() {
            return Ok((items, None));
        }
    }
}

impl Extent {
    /// Everything.
    pub(crate) const ALL: Self = Self { limit: PAGE, all: true };
}
