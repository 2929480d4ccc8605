//! Everything that is wrong with a request, told at once: whoever fixes one mistake should not
//! meet the next only then.

use super::Refusal;

/// What is wrong, each with the member that it is about and the way to mend it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaints(Vec<String>);

impl Complaints {
    /// Adds one about a member.
    pub fn add(&mut self, member: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("{member}: {problem}"));
    }

    /// Keeps the value, or the problem.
    pub fn keep<T>(&mut self, member: &str, result: Result<T, impl std::fmt::Display>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.add(member, problem);
                None
            }
        }
    }

    /// The complaints in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The value, if there is nothing to complain about.
    ///
    /// # Errors
    /// The complaints.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Complaints> for Refusal {
    fn from(complaints: Complaints) -> Self {
        Self::invalid_request(complaints.0.join("; "))
    }
}

impl From<Complaints> for super::FlowError {
    fn from(complaints: Complaints) -> Self {
        Refusal::from(complaints).into()
    }
}

/// Shows a value in a complaint: only when it is short and plain, so that a complaint never
/// carries control characters or a wall of text into a terminal.
pub(super) fn quote(value: &str) -> String {
    const SHORT: usize = 80;
    if value.len() <= SHORT && value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\')) {
        value.to_owned()
    } else {
        format!("(a text of {} bytes)", value.len())
    }
}

/// Checks a tenant's name: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, as of a client id, but it
/// may have a UUID's form.
pub(super) fn tenant(name: &str) -> Result<(), &'static str> {
    const MAX_LEN: usize = 64;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_LEN || !name.bytes().all(allowed) {
        return Err("must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    Ok(())
}

/// Characters that are not seen, or that change the order in which others are seen: with them two
/// names can look the same.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_complaints_are_told_in_one_refusal() {
        let mut complaints = Complaints::default();
        complaints.add("a", "is wrong");
        assert_eq!(complaints.keep("b", "x".parse::<u8>().map_err(|_| "must be a number")), None);
        let Refusal::Request(body) = Refusal::from(complaints) else { panic!() };
        assert_eq!(body.error_description, "a: is wrong; b: must be a number");
    }

    #[test]
    fn strange_values_are_not_shown() {
        assert_eq!(quote("read:all"), "read:all");
        assert_eq!(quote("a\u{1b}[31m"), "(a text of 6 bytes)");
        assert_eq!(quote(&"x".repeat(81)), "(a text of 81 bytes)");
    }
}
