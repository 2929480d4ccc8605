//! `countersign token`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::decode::{Decoded, decode, from_seconds, seconds};
use super::failure::Failure;
use super::findings::{Finding, findings};
use super::output::{BAD, Output, WARN, paint, safe_line};
use super::route::Route;
use super::transport::{Admin, Need};
use super::verify::Verify;
use super::{Context, input, receipt};
use crate::pages::Level;

/// Single tokens. A token is given as an argument or, better, on standard input: other users of
/// the machine can read command lines.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Shows what a token says of itself and what is suspicious about it. Nothing is sent
    /// anywhere, and nothing is validated.
    Decode(Decode),
    /// Checks a token as an API would: signature by the issuer's published keys, issuer, type,
    /// times, audience.
    Verify(Verify),
    /// Ends a token: a refresh token with its whole session, an access token alone.
    Revoke(Revoke),
}

/// The arguments of `token decode`.
#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// The token; - or nothing reads it from standard input.
    token: Option<String>,
}

/// The arguments of `token revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The token; - or nothing reads it from standard input.
    token: Option<String>,
    /// Says what would be ended, and changes nothing.
    #[arg(long)]
    preview: bool,
}

/// What is said of every decoded token.
const NOT_VALIDATION: &str = "Decoding is not validation: anyone can write a token that reads like this. `countersign token verify` checks it.";

impl Token {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Decode(command) => command.run(context),
            Self::Verify(command) => command.run(context).await,
            Self::Revoke(command) => command.run(context).await,
        }
    }
}

impl Revoke {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let token = input::token(self.token.as_deref())?;
        let admin = Admin::connect(&context.global, Need::Existing).await?;
        let route = Route::to(&["tokens", "revoke"]).preview(self.preview);
        let answer = admin.post(&route, Some(&json!({ "token": token.as_str() }))).await;
        admin.close().await;
        receipt::print(context, &answer?, "the token is revoked")
    }
}

impl Decode {
    fn run(self, context: &mut Context) -> Result<(), Failure> {
        let token = input::token(self.token.as_deref())?;
        let decoded = decode(&token).map_err(|finding| Failure::refused(finding.text()))?;
        let output = &mut context.output;
        let found = findings(&decoded, output.words);
        if output.json {
            return output.json(&as_json(&decoded, &found));
        }
        match &decoded {
            Decoded::Refresh(parts) => {
                output.heading("A refresh token of Countersign")?;
                output.block(&[
                    ("session".to_owned(), parts.session.to_string()),
                    ("generation".to_owned(), parts.generation.to_string()),
                    ("key number".to_owned(), parts.key.to_string()),
                    ("version".to_owned(), parts.version.to_string()),
                ])?;
                output.note(&format!("What became of it: countersign session explain {}", parts.session));
            }
            Decoded::Opaque => output.heading("An opaque access token of Countersign")?,
            Decoded::Jwt { header, claims, signature_len } => {
                output.heading("Header")?;
                members(output, &header.all)?;
                output.line("")?;
                output.heading("Claims")?;
                members(output, &claims.all)?;
                output.line("")?;
                output.line(&match signature_len {
                    0 => "Signature: none.".to_owned(),
                    length => format!("Signature: {length} bytes, not checked."),
                })?;
            }
            Decoded::Encrypted { header } => {
                output.heading("An encrypted token (JWE); its header")?;
                members(output, &header.all)?;
            }
        }
        output.line("")?;
        for finding in &found {
            output.line(&said(finding))?;
        }
        if !found.is_empty() {
            output.line("")?;
        }
        output.heading(NOT_VALIDATION)
    }
}

/// A finding as a line.
fn said(finding: &Finding) -> String {
    let word = match finding.remark.level() {
        Level::Note => "note:".to_owned(),
        Level::Warning => paint(WARN, "suspicious:"),
        Level::Bad => paint(BAD, "bad:"),
    };
    format!("{word} {}", safe_line(&finding.text()))
}

/// Members with their times in words.
pub(crate) fn members(output: &mut Output, members: &Map<String, Value>) -> Result<(), Failure> {
    let words = output.words;
    let rows: Vec<(String, String)> = members
        .iter()
        .map(|(name, value)| {
            let time = ["exp", "iat", "nbf", "auth_time", "updated_at"].contains(&name.as_str());
            let told = match (value, seconds(value).filter(|_| time)) {
                (_, Some(at)) => words.time(from_seconds(at)),
                (Value::String(text), _) => text.clone(),
                // Word for word: what is in a token must not look like something else.
                (value, _) => value.to_string(),
            };
            (name.clone(), told)
        })
        .collect();
    output.block(&rows)
}

fn as_json(decoded: &Decoded, found: &[Finding]) -> Value {
    let findings: Vec<Value> = found
        .iter()
        .map(|f| json!({ "level": f.remark.level(), "code": f.remark.code(), "text": f.text() }))
        .collect();
    let mut answer = match decoded {
        Decoded::Refresh(parts) => json!({
            "kind": "refresh_token", "version": parts.version, "key_number": parts.key,
            "session_id": parts.session, "generation": parts.generation
        }),
        Decoded::Opaque => json!({ "kind": "opaque_access_token" }),
        Decoded::Jwt { header, claims, signature_len } => json!({
            "kind": "jwt", "header": header.all, "claims": claims.all, "signature_bytes": signature_len
        }),
        Decoded::Encrypted { header } => json!({ "kind": "encrypted_jwt", "header": header.all }),
    };
    if let Value::Object(members) = &mut answer {
        members.insert("findings".to_owned(), Value::Array(findings));
        members.insert("validated".to_owned(), Value::Bool(false));
    }
    answer
}
