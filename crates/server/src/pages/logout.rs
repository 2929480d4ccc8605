//! Signing out.

/// The question. Its form posts `action`: `yes` or `no`.
#[derive(Debug, Clone, Default)]
pub struct LogoutConfirm {
    /// Where the form posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The application that asked for it.
    pub client: Option<String>,
    /// Parameters of the request that the form carries along.
    pub fields: Vec<(String, String)>,
}

page! {
    /// Asks whether to sign out.
    logout_confirm, "logout_confirm.html", LogoutConfirm
}

/// The page after signing out.
#[derive(Debug, Clone, Default)]
pub struct SignedOut {
    /// The application to go back to.
    pub client: Option<String>,
    /// Where it is: a registered address of that application.
    pub back_url: Option<String>,
}

page! {
    /// Says that the person is signed out.
    signed_out, "signed_out.html", SignedOut
}
