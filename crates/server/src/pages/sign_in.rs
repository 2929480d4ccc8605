//! Signing in: username and password or a passkey, and the second step.

use super::PasskeyPrompt;

/// The sign-in page. Its form posts `username`, `password`, `remember` (`1`) and `action`
/// (`sign_in` or `cancel`).
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The application that asks; none for our own pages.
    pub client: Option<String>,
    /// What was typed before, or the person's name when `reauthenticate`.
    pub username: String,
    /// A signed-in person confirms that it is them: the username is fixed.
    pub reauthenticate: bool,
    /// Whether to ask about staying signed in.
    pub offer_remember: bool,
    /// Whether that box is ticked.
    pub remember: bool,
    /// Whether the person can go back (`action=cancel`).
    pub can_cancel: bool,
    /// What went wrong before.
    pub problem: Option<SignInProblem>,
    /// Signing in with a passkey.
    pub passkey: Option<PasskeyPrompt>,
}

/// Why signing in did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInProblem {
    /// Unknown username, wrong password, disabled: one answer for all.
    Wrong,
    /// The wrong password, of a person who is known already.
    WrongPassword,
    /// A field was empty.
    Missing,
    /// Too many attempts.
    TryLater {
        /// How long to wait.
        seconds: u64,
    },
    /// The passkey was refused.
    Passkey,
    /// The browser session ended in between.
    Expired,
}

page! {
    /// The sign-in page.
    sign_in, "sign_in.html", SignIn
}

/// The second step of signing in. Its form posts `code` or `recovery_code`, and `action`
/// (`verify` or `cancel`).
#[derive(Debug, Clone, Default)]
pub struct SecondFactor {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The application that asks; none for our own pages.
    pub client: Option<String>,
    /// Which code is asked for.
    pub method: SecondFactorMethod,
    /// Where the page with the other kind of code is (`GET`), if the person has it.
    pub other_url: Option<String>,
    /// What went wrong before.
    pub problem: Option<FactorProblem>,
    /// A passkey instead.
    pub passkey: Option<PasskeyPrompt>,
}

/// Which code is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondFactorMethod {
    /// An authenticator app's: field `code`.
    #[default]
    Totp,
    /// A recovery code: field `recovery_code`.
    Recovery,
    /// None: only the passkey.
    Passkey,
}

/// Why the second step did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorProblem {
    /// The wrong code of an app.
    Wrong,
    /// The wrong recovery code.
    WrongRecovery,
    /// The right code, a second time.
    Used,
    /// The passkey was refused.
    Passkey,
    /// Too many attempts.
    TryLater {
        /// How long to wait.
        seconds: u64,
    },
}

page! {
    /// The page of the second step.
    second_factor, "second_factor.html", SecondFactor
}

impl SecondFactor {
    fn is_totp(&self) -> bool {
        self.method == SecondFactorMethod::Totp
    }

    fn is_passkey(&self) -> bool {
        self.method == SecondFactorMethod::Passkey
    }
}
