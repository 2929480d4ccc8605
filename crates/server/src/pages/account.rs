//! A person's own page: where they are signed in, how, and what they allowed.

use super::{Flash, PasskeyPrompt, ScopeLine};
use crate::time::Timestamp;

/// The account page.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The token of every form.
    pub csrf: String,
    /// Where the forms post to.
    pub actions: AccountActions,
    /// What was just done.
    pub flash: Option<Flash>,
    /// Sign-ins that the person has yet to say something of.
    pub new_sign_ins: Vec<NewSignInRow>,
    /// The username, for password managers.
    pub username: String,
    /// Browser sessions, this one first.
    pub browsers: Vec<BrowserRow>,
    /// Sessions of applications, live ones first.
    pub applications: Vec<ApplicationRow>,
    /// The length that a new password needs.
    pub password_min: usize,
    /// What was wrong about the change of password.
    pub password_problem: Option<PasswordProblem>,
    /// Since when there is an authenticator app.
    pub totp_since: Option<Timestamp>,
    /// The passkeys.
    pub passkeys: Vec<PasskeyRow>,
    /// Adding one. Its form posts `label` too.
    pub add_passkey: Option<PasskeyPrompt>,
    /// How many recovery codes are left; none when none were made.
    pub recovery_left: Option<usize>,
    /// What applications may do.
    pub permissions: Vec<PermissionRow>,
}

/// Where the account page's forms post to. What concerns one row posts its `id`.
#[derive(Debug, Clone, Default)]
pub struct AccountActions {
    /// The person says that a new sign-in was theirs: `id`.
    pub accept_sign_in: String,
    /// The person says that it was not, which ends it: `id`.
    pub refuse_sign_in: String,
    /// Ends a browser session: `id`.
    pub end_browser: String,
    /// Ends an application's session: `id`.
    pub end_session: String,
    /// Ends everything but this browser session.
    pub end_others: String,
    /// Changes the password: `current_password`, `new_password`.
    pub change_password: String,
    /// Begins to add an authenticator app.
    pub add_totp: String,
    /// Removes it.
    pub remove_totp: String,
    /// Removes a passkey: `id`.
    pub remove_passkey: String,
    /// Makes new recovery codes.
    pub new_recovery_codes: String,
    /// Withdraws a permission: `id`.
    pub withdraw: String,
}

/// A sign-in from a place or a device that was not known.
#[derive(Debug, Clone, Default)]
pub struct NewSignInRow {
    /// What the forms are told.
    pub id: String,
    /// The browser and system in words.
    pub device: String,
    /// The network in words.
    pub network: Option<String>,
    /// When it was.
    pub at: Timestamp,
    /// Whether this browser may say that it was the person.
    pub may_accept: bool,
}

/// A browser session.
#[derive(Debug, Clone, Default)]
pub struct BrowserRow {
    /// Its id.
    pub id: String,
    /// The browser and system in words.
    pub device: String,
    /// The network in words.
    pub network: Option<String>,
    /// When it began.
    pub first_seen: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// It is the one that looks at this page.
    pub current: bool,
}

/// An application's session.
#[derive(Debug, Clone, Default)]
pub struct ApplicationRow {
    /// Its id.
    pub id: String,
    /// The application's name.
    pub client: String,
    /// The device's label.
    pub device: Option<String>,
    /// The network in words.
    pub network: Option<String>,
    /// When it began.
    pub first_seen: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Why it ended, once it did.
    pub ended: Option<EndedRow>,
}

/// How a session ended.
#[derive(Debug, Clone, Default)]
pub struct EndedRow {
    /// Why, in a sentence.
    pub why: String,
    /// When, where it is known: what ended with everything else has no time of its own.
    pub at: Option<Timestamp>,
    /// The person should look at it: a stolen token.
    pub alarming: bool,
}

/// A passkey.
#[derive(Debug, Clone, Default)]
pub struct PasskeyRow {
    /// Its id.
    pub id: String,
    /// The name that the person gave it.
    pub label: String,
    /// When it was added.
    pub added: Timestamp,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

/// What an application may do.
#[derive(Debug, Clone, Default)]
pub struct PermissionRow {
    /// What `withdraw` is told: the client's id.
    pub id: String,
    /// The application's name.
    pub client: String,
    /// The scopes.
    pub scopes: Vec<ScopeLine>,
    /// Since when.
    pub since: Timestamp,
}

/// What was wrong about a change of password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordProblem {
    /// The current one was not right.
    WrongCurrent,
    /// The new one is too short.
    TooShort,
    /// The new one is on a list of common passwords.
    TooCommon,
    /// The new one is the old one.
    Same,
    /// Too many attempts.
    TooMany,
}

/// What was just done, as the head of the account page says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A browser session or an application's session was ended.
    SessionEnded,
    /// All others were ended: how many.
    OthersEnded(usize),
    /// The password was changed, and this many sessions ended.
    PasswordChanged(usize),
    /// An authenticator app was added.
    TotpAdded,
    /// It was removed.
    TotpRemoved,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// A passkey could not be added.
    PasskeyRefused,
    /// A permission was withdrawn.
    PermissionWithdrawn,
    /// A new sign-in was the person's.
    SignInAccepted,
    /// It was not, and has ended.
    SignInRefused,
    /// What was to be changed is not there any more.
    Gone,
}

impl Notice {
    /// Every notice, with a number where there is one.
    pub const ALL: [Self; 12] = [
        Self::SessionEnded,
        Self::OthersEnded(3),
        Self::PasswordChanged(3),
        Self::TotpAdded,
        Self::TotpRemoved,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::PasskeyRefused,
        Self::PermissionWithdrawn,
        Self::SignInAccepted,
        Self::SignInRefused,
        Self::Gone,
    ];
}

impl Account {
    fn has_others(&self) -> bool {
        self.browsers.iter().any(|browser| !browser.current)
            || self.applications.iter().any(|session| session.ended.is_none())
    }
}

impl ApplicationRow {
    fn is_alarming(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.alarming)
    }
}

page! {
    /// The account page.
    account, "account.html", Account
}

/// Adding an authenticator app. Its form posts `code`.
#[derive(Debug, Clone, Default)]
pub struct TotpEnrol {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The QR code as `<svg>`: written out as it is, so it must be made by us.
    pub qr_svg: String,
    /// The secret in base32, to type.
    pub secret: String,
    /// The code was wrong before.
    pub wrong: bool,
    /// Where "Cancel" leads.
    pub cancel_url: String,
}

impl TotpEnrol {
    /// The secret in groups of four, as people read and type.
    fn secret_groups(&self) -> Vec<String> {
        let letters: Vec<char> = self.secret.chars().collect();
        letters.chunks(4).map(|group| group.iter().collect()).collect()
    }
}

page! {
    /// The page that adds an authenticator app.
    totp_enrol, "totp_enrol.html", TotpEnrol
}

/// New recovery codes, shown this once.
#[derive(Debug, Clone, Default)]
pub struct RecoveryCodes {
    /// The codes.
    pub codes: Vec<String>,
    /// Where the page leads afterwards.
    pub continue_url: String,
}

page! {
    /// The page of new recovery codes.
    recovery_codes, "recovery_codes.html", RecoveryCodes
}
