//! Revocation: asked, previewed, done.

use super::{ConsoleUrls, Section, table::Cell};
use crate::{
    pages::{Chrome, texts::Texts},
    time::Timestamp,
};

/// The form that asks what to revoke. It posts `kind` (a name of [`RevokeKind`]) and `target`, and leads to the
/// preview.
#[derive(Debug, Clone, Default)]
pub struct RevokeForm {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// What was chosen before.
    pub kind: RevokeKind,
    /// What was typed before.
    pub target: String,
    /// Nothing like it was found.
    pub not_found: bool,
}

/// What is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevokeKind {
    /// One access token, by its `jti`.
    Token,
    /// A session.
    #[default]
    Session,
    /// Everything of a user.
    User,
    /// Everything of a client.
    Client,
    /// Everything of a tenant.
    Tenant,
    /// Everything.
    Everything,
}

impl RevokeKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Token, Self::Session, Self::User, Self::Client, Self::Tenant, Self::Everything];

    /// The name as the form posts it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::User => "user",
            Self::Client => "client",
            Self::Tenant => "tenant",
            Self::Everything => "everything",
        }
    }

    /// The kind of a posted name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn label(&self, t: &Texts) -> &'static str {
        match self {
            Self::Token => t.console.kind_token,
            Self::Session => t.console.session,
            Self::User => t.console.user,
            Self::Client => t.console.client,
            Self::Tenant => t.console.tenant,
            Self::Everything => t.console.kind_everything,
        }
    }
}

/// What a revocation would end. The form posts `kind`, `target` and `action=revoke`.
#[derive(Debug, Clone, Default)]
pub struct RevokePreview {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// What is revoked.
    pub kind: RevokeKind,
    /// Which.
    pub target: String,
    /// How many sessions end.
    pub sessions: u64,
    /// How many browser sessions end; none for all of them, uncounted.
    pub browser_sessions: Option<u64>,
    /// When the last access token that it concerns expires; none when there is none.
    pub access_until: Option<Timestamp>,
    /// Where "Cancel" leads.
    pub cancel_url: String,
}

/// What a revocation ended.
#[derive(Debug, Clone, Default)]
pub struct RevokeReceipt {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// What was revoked.
    pub kind: RevokeKind,
    /// Which.
    pub target: String,
    /// How many sessions ended.
    pub sessions: u64,
    /// How many browser sessions ended; none for all of them, uncounted.
    pub browser_sessions: Option<u64>,
    /// When the last access token that it concerns expires.
    pub access_until: Option<Timestamp>,
    /// When it took effect.
    pub at: Timestamp,
    /// Its number in the revocation log.
    pub number: Option<u64>,
}

#[derive(askama::Template)]
#[template(path = "console_revoke.html")]
struct FormPage<'a> {
    chrome: &'a Chrome,
    t: &'static Texts,
    urls: &'a ConsoleUrls,
    section: Section,
    view: &'a RevokeForm,
}

/// The form that asks what to revoke.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn revoke_form(chrome: &Chrome, view: &RevokeForm) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    askama::Template::render(&FormPage { chrome, t, urls: &view.urls, section: Section::Revoke, view })
}

#[derive(askama::Template)]
#[template(path = "console_effect.html")]
struct EffectPage<'a> {
    chrome: &'a Chrome,
    t: &'static Texts,
    urls: &'a ConsoleUrls,
    section: Section,
    title: &'static str,
    facts: Vec<(&'static str, Cell)>,
    preview: Option<&'a RevokePreview>,
}

/// What a revocation would end.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn revoke_preview(chrome: &Chrome, view: &RevokePreview) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    let c = &t.console;
    askama::Template::render(&EffectPage {
        chrome,
        t,
        urls: &view.urls,
        section: Section::Revoke,
        title: c.preview_title,
        facts: vec![
            (view.kind.label(t), subject(c.all_of_them, &view.target)),
            (c.would_sessions, Cell::number(view.sessions)),
            (c.would_browsers, counted(c.all_of_them, view.browser_sessions)),
            (c.access_until, Cell::time(chrome.lang, view.access_until)),
        ],
        preview: Some(view),
    })
}

/// What a revocation ended.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn revoke_receipt(chrome: &Chrome, view: &RevokeReceipt) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    let c = &t.console;
    let mut facts = vec![
        (view.kind.label(t), subject(c.all_of_them, &view.target)),
        (c.did_sessions, Cell::number(view.sessions)),
        (c.did_browsers, counted(c.all_of_them, view.browser_sessions)),
        (c.access_until, Cell::time(chrome.lang, view.access_until)),
        (c.when, Cell::time(chrome.lang, Some(view.at))),
    ];
    facts.extend(view.number.map(|number| (c.log_number, Cell::number(number))));
    askama::Template::render(&EffectPage {
        chrome,
        t,
        urls: &view.urls,
        section: Section::Revoke,
        title: c.receipt_title,
        facts,
        preview: None,
    })
}

/// What is named; everything has no name.
fn subject(all: &str, target: &str) -> Cell {
    if target.is_empty() { Cell::text(all) } else { Cell::code(target) }
}

fn counted(all: &str, number: Option<u64>) -> Cell {
    number.map_or_else(|| Cell::text(all), Cell::number)
}
