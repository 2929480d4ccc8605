//! Where a request has its token (RFC 6750 section 2).

use crate::Refusal;

/// The token of the one `Authorization: Bearer`. One in the query is refused, not looked at.
///
/// # Errors
/// [`Refusal::Missing`], [`Refusal::Malformed`] or [`Refusal::InQuery`].
pub fn bearer_token<'a>(
    authorization: impl IntoIterator<Item = &'a [u8]>,
    query: Option<&str>,
) -> Result<&'a str, Refusal> {
    if query.is_some_and(|query| query.split('&').any(|part| part.starts_with("access_token="))) {
        return Err(Refusal::InQuery);
    }
    let mut values = authorization.into_iter();
    let Some(value) = values.next() else { return Err(Refusal::Missing) };
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let is_plain = |text: &&str| text.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    let text = std::str::from_utf8(value).ok().filter(is_plain).ok_or(Refusal::Malformed)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    match token.trim_start() {
        // RFC 6750 section 3.1: another method is as none.
        _ if !scheme.eq_ignore_ascii_case("bearer") => Err(Refusal::Missing),
        "" => Err(Refusal::Malformed),
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_once_and_in_the_header() {
        let find =
            |values: &[&'static str], query| bearer_token(values.iter().map(|value| value.as_bytes()), query);
        assert_eq!(find(&["Bearer abc"], None), Ok("abc"));
        assert_eq!(find(&["bEARER  abc"], Some("q=access_token")), Ok("abc"));
        assert_eq!(find(&[], None), Err(Refusal::Missing));
        for other in ["", "abc", "Basic abc", "DPoP abc"] {
            assert_eq!(find(&[other], None), Err(Refusal::Missing), "{other}");
        }
        for bad in ["Bearer", "bearer  ", "Bearer\u{a0}abc", "Bearer \u{7f}"] {
            assert_eq!(find(&[bad], None), Err(Refusal::Malformed), "{bad}");
        }
        assert_eq!(find(&["Bearer a", "Bearer a"], None), Err(Refusal::Malformed));
        assert_eq!(find(&["Bearer a"], Some("x=1&access_token=a")), Err(Refusal::InQuery));
    }
}
