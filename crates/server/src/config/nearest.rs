//! The name that a misspelt one was probably meant to be.

/// The candidate with the smallest edit distance, if it is near enough to be worth naming.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, candidate) =
        candidates.map(|candidate| (distance(name, candidate), candidate)).min_by_key(|(d, _)| *d)?;
    // Half of the letters wrong is another word.
    (distance <= candidate.chars().count().div_ceil(2)).then_some(candidate)
}

/// Levenshtein's distance: insertions, deletions and replacements, by character.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.chars().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(x != y)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("listen", "lisetn"), 2);
    }

    #[test]
    fn far_names_are_not_guessed() {
        let names = ["listen", "issuer", "limits.body"];
        assert_eq!(nearest("listne", names.into_iter()), Some("listen"));
        assert_eq!(nearest("limit.body", names.into_iter()), Some("limits.body"));
        assert_eq!(nearest("zzzzzzzzzz", names.into_iter()), None);
    }
}
