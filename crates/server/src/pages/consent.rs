//! Permission for an application.

/// The consent page. Its form posts `action`: `allow` or `deny`.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The application's name.
    pub client: String,
    /// Nothing was ever allowed to it by this person.
    pub first_time: bool,
    /// The operator has not vouched for it.
    pub unverified: bool,
    /// What it asks for.
    pub scopes: Vec<ScopeLine>,
    /// The host of the address that the browser is sent to afterwards.
    pub redirect_host: String,
}

/// A scope in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeLine {
    /// Its name.
    pub name: String,
    /// What it means, as the end of "the application may …"; see [`Lang::scope_in_words`](super::Lang::scope_in_words). Empty:
    /// the name is shown alone.
    pub text: String,
    /// Not allowed before.
    pub new: bool,
}

impl Consent {
    /// Whether this widens what was allowed before.
    fn widens(&self) -> bool {
        !self.first_time
            && self.scopes.iter().any(|scope| scope.new)
            && self.scopes.iter().any(|scope| !scope.new)
    }
}

page! {
    /// The consent page.
    consent, "consent.html", Consent
}
