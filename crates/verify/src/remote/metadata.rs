//! Where the issuer has what: RFC 8414, and OpenID Connect Discovery for issuers that have only that.

use serde::Deserialize;

use super::http::answer;
use super::{Http, RemoteError};

/// What of the metadata is used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    pub(crate) jwks_uri: String,
    #[cfg(feature = "feed")]
    pub(crate) token_endpoint: Option<String>,
    #[cfg(feature = "introspect")]
    pub(crate) introspection_endpoint: Option<String>,
    #[cfg(feature = "feed")]
    pub(crate) countersign_revocation_feed_uri: Option<String>,
}

impl Metadata {
    /// Reads the metadata of an issuer and makes sure that it is this issuer's.
    pub(crate) async fn discover(http: &Http, issuer: &str) -> Result<Self, RemoteError> {
        let [oauth, openid] = addresses(issuer);
        let (url, metadata) = match Self::read(http, &oauth).await {
            Ok(metadata) => (oauth, metadata),
            Err(first) => match Self::read(http, &openid).await {
                Ok(metadata) => (openid, metadata),
                Err(_) => return Err(first),
            },
        };
        // RFC 8414 section 3.3: by exact text, or the keys would be someone else's.
        if metadata.issuer != issuer {
            let problem = format!("is the metadata of {:?}, not of {issuer:?}", metadata.issuer);
            return Err(answer(&url, &problem));
        }
        Ok(metadata)
    }

    async fn read(http: &Http, url: &str) -> Result<Self, RemoteError> {
        http.get(url).await?.json(url)
    }
}

/// RFC 8414 section 3.1: between host and path; OpenID Connect Discovery section 4: after the path.
fn addresses(issuer: &str) -> [String; 2] {
    let issuer = issuer.trim_end_matches('/');
    let after_scheme = issuer.find("://").map_or(0, |at| at + 3);
    let path_at = issuer.get(after_scheme..).and_then(|rest| rest.find('/')).map(|at| after_scheme + at);
    let (origin, path) = path_at.map_or((issuer, ""), |at| issuer.split_at(at));
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{issuer}/.well-known/openid-configuration"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_where_the_standards_say() {
        assert_eq!(
            addresses("https://login.example"),
            [
                "https://login.example/.well-known/oauth-authorization-server",
                "https://login.example/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            addresses("https://login.example:1/a/b/"),
            [
                "https://login.example:1/.well-known/oauth-authorization-server/a/b",
                "https://login.example:1/a/b/.well-known/openid-configuration",
            ]
        );
    }
}
