//! The parameters of a request, whatever carried them.

/// Why a list of parameters was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParametersError {
    /// A parameter other than `resource` came more than once (RFC 6749 section 3.2).
    Repeated(&'static str),
    /// More than [`Parameters::MAX_COUNT`] parameters.
    TooMany,
}

impl std::fmt::Display for ParametersError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repeated(name) => write!(f, "parameter {name} was sent more than once"),
            Self::TooMany => write!(f, "more than {} parameters", Parameters::MAX_COUNT),
        }
    }
}

impl std::error::Error for ParametersError {}

/// Named values in the order they came. An empty value counts as absent (RFC 6749 section 3.2).
#[derive(Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

/// Names that a message may show: everything else in a request is the sender's text.
const KNOWN: [&str; 22] = [
    "grant_type",
    "refresh_token",
    "scope",
    "resource",
    "client_id",
    "client_secret",
    "token",
    "token_type_hint",
    "client_assertion",
    "client_assertion_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "request_uri",
];

impl Parameters {
    /// Most parameters in one request.
    pub const MAX_COUNT: usize = 64;

    /// Collects the pairs.
    ///
    /// # Errors
    /// A repeated name other than `resource` (RFC 8707 allows that one to repeat), or too many.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ParametersError> {
        let mut kept: Vec<(String, String)> = Vec::new();
        for (count, (name, value)) in pairs.into_iter().enumerate() {
            if count >= Self::MAX_COUNT {
                return Err(ParametersError::TooMany);
            }
            if name != "resource" && kept.iter().any(|(n, _)| *n == name) {
                let known = KNOWN.iter().find(|k| **k == name).copied();
                return Err(ParametersError::Repeated(known.unwrap_or("(unknown)")));
            }
            kept.push((name, value));
        }
        Ok(Self(kept))
    }

    /// The value of a parameter, if it came and is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// The pairs as they came.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Every non-empty value of a parameter that may repeat.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }
}

impl std::fmt::Debug for Parameters {
    /// Values can be secrets, and names are the sender's text: neither is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameters({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Result<Parameters, ParametersError> {
        Parameters::new(list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_when_empty() {
        assert_eq!(pairs(&[("scope", ""), ("scope", "a")]).unwrap_err(), ParametersError::Repeated("scope"));
        assert_eq!(
            pairs(&[("evil\n", "1"), ("evil\n", "2")]).unwrap_err(),
            ParametersError::Repeated("(unknown)")
        );
        assert_eq!(pairs(&[("resource", "a:b"), ("resource", "c:d")]).unwrap().all("resource").count(), 2);
    }

    #[test]
    fn an_empty_value_is_absent() {
        assert_eq!(pairs(&[("scope", "")]).unwrap().get("scope"), None);
    }
}
