//! Paths of the admin API.

use std::fmt::Write as _;

/// Where the admin API begins.
const PREFIX: &str = "/admin/v1";

/// A path with its query, built from parts that are each encoded on their own.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    path: String,
    query: Vec<(&'static str, String)>,
}

impl Route {
    /// The path of these segments.
    pub(crate) fn to(segments: &[&str]) -> Self {
        let mut path = PREFIX.to_owned();
        for segment in segments {
            path.push('/');
            push_segment(&mut path, segment);
        }
        Self { path, query: Vec::new() }
    }

    /// With a query parameter.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// With a query parameter that may be missing.
    #[must_use]
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With `preview=true` if nothing is to be changed yet.
    #[must_use]
    pub(crate) fn preview(self, preview: bool) -> Self {
        self.with_some("preview", preview.then_some("true"))
    }

    /// The request target below a base path.
    pub(crate) fn target(&self, base: &str) -> String {
        let mut target = format!("{base}{}", self.path);
        if !self.query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
            let _ = write!(target, "?{query}");
        }
        target
    }
}

/// RFC 3986 section 3.3, with all but the unreserved characters encoded; dots too where they alone
/// would make a segment that says "up".
fn push_segment(path: &mut String, segment: &str) {
    let dots = !segment.is_empty() && segment.bytes().all(|b| b == b'.');
    for byte in segment.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !dots);
        if plain {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_leave_its_segment() {
        let target = |name| Route::to(&["users", name]).target("");
        assert_eq!(target("ana"), "/admin/v1/users/ana");
        assert_eq!(target("a/../b?c#d%2F"), "/admin/v1/users/a%2F..%2Fb%3Fc%23d%252F");
        assert_eq!(target(".."), "/admin/v1/users/%2E%2E");
        assert_eq!(target("zoë.x"), "/admin/v1/users/zo%C3%AB.x");
        assert_eq!(
            Route::to(&["clients"])
                .with("cursor", "a+b&c")
                .preview(true)
                .with_some("x", None::<u8>)
                .target("/base"),
            "/base/admin/v1/clients?cursor=a%2Bb%26c&preview=true"
        );
    }
}
