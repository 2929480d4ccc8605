//! The answer to an application as a form that posts itself (OAuth 2.0 Form Post Response Mode).

/// The page. Its form goes to the application, so it has no `csrf` of ours.
#[derive(Debug, Clone, Default)]
pub struct FormPost {
    /// The redirect URI. The answer's content security policy has to allow it as `form-action`.
    pub action: String,
    /// The parameters of the answer.
    pub fields: Vec<(String, String)>,
}

page! {
    /// The form post page.
    form_post, "form_post.html", FormPost
}
