//! What an API says of itself, so that clients find its issuer: RFC 9728.

use serde::Serialize;

/// The document at [`ResourceMetadata::path`] (RFC 9728 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceMetadata {
    /// The API's identifier: the audience of its tokens, an https URL.
    pub resource: String,
    /// Who issues its tokens.
    pub authorization_servers: Vec<String>,
    /// The scopes that it knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How tokens are sent: in the header, and not otherwise.
    pub bearer_methods_supported: Vec<&'static str>,
    /// Its name, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// Where its developers read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
}

/// Put between host and path (RFC 9728 section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl ResourceMetadata {
    /// An API with one issuer.
    pub fn new(resource: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self {
            resource: resource.into(),
            authorization_servers: vec![issuer.into()],
            scopes_supported: Vec::new(),
            bearer_methods_supported: vec!["header"],
            resource_name: None,
            resource_documentation: None,
        }
    }

    /// The path at which the API serves the document.
    pub fn path(&self) -> String {
        format!("{WELL_KNOWN}{}", self.split().1)
    }

    /// The document's address, for [`crate::Challenge::resource_metadata`].
    pub fn url(&self) -> String {
        format!("{}{}", self.split().0, self.path())
    }

    /// Origin and path, without a query, and without the slash that ends a host.
    fn split(&self) -> (&str, &str) {
        let resource = self.resource.split(['?', '#']).next().unwrap_or_default();
        let after_scheme = resource.find("://").map_or(0, |at| at + 3);
        let path_at = resource.get(after_scheme..).and_then(|rest| rest.find('/'));
        let (origin, path) = path_at.map_or((resource, ""), |at| resource.split_at(after_scheme + at));
        (origin, if path == "/" { "" } else { path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_where_rfc_9728_3_1_says() {
        for (resource, url) in [
            ("https://api.example", "https://api.example/.well-known/oauth-protected-resource"),
            ("https://api.example/", "https://api.example/.well-known/oauth-protected-resource"),
            (
                "https://api.example:8443/v1/a",
                "https://api.example:8443/.well-known/oauth-protected-resource/v1/a",
            ),
            ("https://api.example/v1/", "https://api.example/.well-known/oauth-protected-resource/v1/"),
        ] {
            assert_eq!(ResourceMetadata::new(resource, "https://login.example").url(), url);
        }
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let json =
            serde_json::to_value(ResourceMetadata::new("https://api.example", "https://login.example"));
        let expected = serde_json::json!({
            "resource": "https://api.example", "authorization_servers": ["https://login.example"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(json.unwrap(), expected);
    }
}
