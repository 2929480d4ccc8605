//! How well a person was authenticated (OpenID Connect Core section 2, `acr`).

/// One factor.
pub const ACR_ONE_FACTOR: &str = "aal1";
/// Two factors, or a passkey that verified its user.
pub const ACR_TWO_FACTORS: &str = "aal2";
/// Every value of ours, the weakest first.
pub const ACR_VALUES: [&str; 2] = [ACR_ONE_FACTOR, ACR_TWO_FACTORS];

/// Whether an authentication was as good as is wanted, or better. Values that are not ours are
/// compared as text.
pub fn acr_satisfies(acr: Option<&str>, wanted: &str) -> bool {
    let level = |acr: &str| ACR_VALUES.iter().position(|known| *known == acr);
    acr.is_some_and(|acr| acr == wanted || level(wanted).is_some_and(|wanted| level(acr) > Some(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_authentication_is_good_enough() {
        assert!(acr_satisfies(Some("aal1"), "aal1") && acr_satisfies(Some("aal2"), "aal1"));
        assert!(!acr_satisfies(Some("aal1"), "aal2") && !acr_satisfies(None, "aal1"));
        assert!(acr_satisfies(Some("gold"), "gold"));
        assert!(!acr_satisfies(Some("gold"), "aal1") && !acr_satisfies(Some("aal2"), "gold"));
    }
}
