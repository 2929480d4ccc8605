//! What may be said of a user: pure, with all complaints at once.

use unicode_normalization::UnicodeNormalization as _;

use super::profile::{self, ProfileFields};
use crate::flows::complaints::{Complaints, is_invisible, quote, tenant};
use crate::store::Profile;
use crate::time::Timestamp;

/// Longest user name, in characters, as given and in canonical form.
pub const MAX_NAME: usize = 128;
/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const MAX_EMAIL: usize = 254;
/// Most roles of a user.
pub const MAX_ROLES: usize = 32;
/// Longest role, in characters.
pub const MAX_ROLE: usize = 64;
/// Most bytes of all roles of a user: they stand in each access token.
pub const MAX_ROLE_BYTES: usize = 1024;

/// Who a user is to be, but for the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The name by which users are told apart.
    pub canonical: String,
    /// The roles, sorted, each once.
    pub roles: Vec<String>,
    /// The address.
    pub email: Option<String>,
    /// What clients may be told of the person.
    pub profile: Profile,
}

/// Checks a user to add.
pub fn new_user(
    username: &str,
    person: &ProfileFields,
    tenant_name: Option<&str>,
    roles: &[String],
    now: Timestamp,
) -> Result<Checked, Complaints> {
    let mut complaints = Complaints::default();
    let canonical = complaints.keep("username", self::username(username));
    let (email, profile) = profile::judge((&None, &Profile::default()), person, now, &mut complaints);
    if let Some(name) = tenant_name {
        complaints.keep("tenant", tenant(name));
    }
    let roles = judge_roles(roles, &mut complaints);
    match canonical {
        Some(canonical) => complaints.or(Checked { canonical, roles, email, profile }),
        None => Err(complaints),
    }
}

/// Checks roles, and sorts them.
pub fn roles(roles: &[String]) -> Result<Vec<String>, Complaints> {
    let mut complaints = Complaints::default();
    let roles = judge_roles(roles, &mut complaints);
    complaints.or(roles)
}

/// The name by which users are told apart: NFKC, lower case, trimmed. Lower case can undo the
/// normal form, so that is taken again.
pub fn canonical(name: &str) -> String {
    fold(name).trim().to_owned()
}

/// The beginning of canonical names: as [`canonical`], but a space at the end counts.
pub(super) fn canonical_prefix(prefix: &str) -> String {
    fold(prefix).trim_start().to_owned()
}

fn fold(name: &str) -> String {
    // Nobody's name has it, and not every store can be asked for it.
    let askable = name.chars().map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c });
    let lower: String = askable.nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().collect()
}

/// The canonical name, if the name may be one.
fn username(name: &str) -> Result<String, &'static str> {
    let canonical = canonical(name);
    if canonical.is_empty() || name.chars().count() > MAX_NAME || canonical.chars().count() > MAX_NAME {
        return Err("must be 1 to 128 characters");
    }
    if name.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err("must not have control or invisible characters");
    }
    // A path of the admin API takes an id or a name.
    if uuid::Uuid::try_parse(&canonical).is_ok() {
        return Err("must not look like a UUID: users' ids do");
    }
    Ok(canonical)
}

/// Only a message can say whether an address works; this finds what cannot be one.
pub(super) fn email(address: &str) -> Result<(), &'static str> {
    if address.len() > MAX_EMAIL {
        return Err("must be at most 254 bytes");
    }
    if address.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)) {
        return Err("must not have spaces or control characters");
    }
    match address.split_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !domain.contains('@') => Ok(()),
        _ => Err("must have one @ with something on both sides"),
    }
}

fn judge_roles(roles: &[String], complaints: &mut Complaints) -> Vec<String> {
    let mut sorted = roles.to_vec();
    sorted.sort();
    sorted.dedup();
    if sorted.len() > MAX_ROLES {
        complaints.add("roles", format_args!("the most is {MAX_ROLES}"));
    }
    if sorted.iter().map(String::len).sum::<usize>() > MAX_ROLE_BYTES {
        complaints.add("roles", format_args!("the most is {MAX_ROLE_BYTES} bytes together"));
    }
    let printable = |c: char| !c.is_control() && !is_invisible(c);
    for role in sorted.iter().take(MAX_ROLES) {
        let good = !role.trim().is_empty() && role.chars().count() <= MAX_ROLE && role.chars().all(printable);
        if !good {
            complaints
                .add("roles", format_args!("{} must be 1 to {MAX_ROLE} printable characters", quote(role)));
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_the_same() {
        for (name, same) in [
            ("Ana", "ana"),
            (" ana ", "ana"),
            ("\u{ff21}na", "ana"),
            ("STRASSE", "strasse"),
            ("\u{212b}", "\u{e5}"),
            ("zo\u{65}\u{308}", "zo\u{eb}"),
        ] {
            assert_eq!(username(name).as_deref(), Ok(same), "{name}");
        }
        for name in ["Ana", "\u{130}stanbul", "\u{1e9e}", "\u{3f4}", "A\u{345}\u{301}"] {
            assert_eq!(canonical(&canonical(name)), canonical(name), "canonical names stay as they are");
        }
    }

    #[test]
    fn bad_names() {
        for bad in [
            "",
            "  ",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}",
            "0190a0a0-0000-7000-8000-000000000001",
            "0190A0A0000070008000000000000001",
            "{0190a0a0-0000-7000-8000-000000000001}",
            "\u{ff10}190a0a0-0000-7000-8000-000000000001",
            &"x".repeat(129),
            &"\u{fdfa}".repeat(128),
        ] {
            assert!(username(bad).is_err(), "{bad}");
        }
        assert!(username(&"\u{1f600}".repeat(128)).is_ok());
    }

    #[test]
    fn addresses() {
        assert_eq!(email("ana@example.com"), Ok(()));
        for bad in ["ana", "@example.com", "ana@", "a@b@c", "a b@example.com", "ana@exa\nmple.com"] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert!(email(&format!("{}@example.com", "x".repeat(243))).is_err());
    }

    #[test]
    fn roles_are_sorted_and_there_once() {
        let list = |roles: &[&str]| roles.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>();
        assert_eq!(roles(&list(&["writer", "admin", "writer"])), Ok(list(&["admin", "writer"])));
        assert!(roles(&list(&["a\u{7}"])).is_err());
        assert!(roles(&list(&[" "])).is_err());
        assert!(roles(&["x".repeat(65)]).is_err());
        let many = |n: usize, len: usize| (0..n).map(|i| format!("{i:0>len$}")).collect::<Vec<_>>();
        assert!(roles(&many(32, 32)).is_ok());
        assert!(roles(&many(33, 2)).is_err());
        assert!(roles(&many(32, 33)).is_err());
    }

    #[test]
    fn all_complaints_come_at_once() {
        let person = ProfileFields {
            email: Some(Some("x".to_owned())),
            claims: [("shoe_size".to_owned(), 42.into())].into_iter().collect(),
            ..ProfileFields::default()
        };
        let complaints = new_user("", &person, Some(""), &[String::new()], Timestamp(0)).unwrap_err();
        let members: Vec<_> = complaints.iter().filter_map(|c| c.split(':').next()).collect();
        assert_eq!(members, ["username", "email", "claims.shoe_size", "tenant", "roles"]);
    }
}
