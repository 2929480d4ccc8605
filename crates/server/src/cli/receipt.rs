//! What a revocation ended, in one or two sentences.

use serde_json::Value;

use super::Context;
use super::failure::Failure;
use super::show::{find, member};

/// Prints the answer of a revoking verb: the receipt is the answer, or a member of it.
pub(crate) fn print(context: &mut Context, answer: &Value, done: &str) -> Result<(), Failure> {
    if context.output.json {
        return context.output.json(answer);
    }
    let receipt = match answer.get("receipt") {
        Some(receipt) => receipt,
        None => answer,
    };
    if receipt.is_null() {
        return context.output.line(&sentence(done));
    }
    let preview = find(receipt, "preview").and_then(Value::as_bool).unwrap_or_default();
    let summary = member(receipt, "summary");
    if preview {
        context.output.line(&format!("Nothing was changed. Doing it {summary}."))?;
    } else {
        context.output.line(&sentence(done))?;
        context.output.line(&sentence(&summary))?;
    }
    let words = context.output.words;
    if let Some(by) = find(receipt, "access_tokens_expire_by").and_then(Value::as_str) {
        context.output.note(&format!(
            "Servers that follow the feed or ask introspection refuse its access tokens at once; the last one expires {}.",
            words.api_relative(by)
        ));
    }
    Ok(())
}

/// The text with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.')),
        None => String::new(),
    }
}
