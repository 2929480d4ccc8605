//! What went wrong, for people.

/// The error page.
#[derive(Debug, Clone)]
pub struct ErrorPage {
    /// What went wrong; it decides the title, the sentence and the advice.
    pub fault: Fault,
    /// A sentence for the application's developer, as in `error_description`. Nothing internal.
    pub detail: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// Where "Go back" leads.
    pub back_url: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client is not registered.
    UnknownClient,
    /// The redirect URI is not the client's.
    BadRedirect,
    /// Anything else about the request.
    BadRequest,
    /// The form's token is old or another browser's.
    FormExpired,
    /// The person may not see this.
    NotAllowed,
    /// No such page.
    NotFound,
    /// Too many requests.
    TooMany,
    /// The store is away.
    Unavailable,
    /// A bug.
    Internal,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 9] = [
        Self::UnknownClient,
        Self::BadRedirect,
        Self::BadRequest,
        Self::FormExpired,
        Self::NotAllowed,
        Self::NotFound,
        Self::TooMany,
        Self::Unavailable,
        Self::Internal,
    ];
}

page! {
    /// The error page.
    error, "error.html", ErrorPage
}
