//! The languages of the pages, and which one a person gets.

use crate::time::Timestamp;

use super::texts::Texts;

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// English, also for everyone whose languages are not spoken here.
    #[default]
    En,
    /// German.
    De,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// The language for a request: the first spoken one of `ui_locales` (OpenID Connect Core,
    /// section 3.1.2.1: the application's wish comes first), or else the best of the
    /// `Accept-Language` header (RFC 9110, section 12.5.4), or else English.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let wished = ui_locales.unwrap_or_default().split_ascii_whitespace().find_map(Self::from_tag);
        wished.or_else(|| Self::accepted(accept_language?)).unwrap_or_default()
    }

    /// The language tag, as `<html lang>` and `Content-Language` have it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// All short texts in this language.
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::En => &Texts::EN,
            Self::De => &Texts::DE,
        }
    }

    /// A time in words, to the minute, in UTC; a script shows the person's own time zone instead.
    pub(super) fn moment(self, at: &Timestamp) -> String {
        let Ok(at) = jiff::Timestamp::from_millisecond(at.0) else { return "\u{2013}".to_owned() };
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        let months = match self {
            Self::En => MONTHS_EN,
            Self::De => MONTHS_DE,
        };
        let month = usize::try_from(at.month() - 1).ok().and_then(|month| months.get(month)).unwrap_or(&"");
        let (day, year, hour, minute) = (at.day(), at.year(), at.hour(), at.minute());
        match self {
            Self::En => format!("{day} {month} {year}, {hour:02}:{minute:02} UTC"),
            Self::De => format!("{day}. {month} {year}, {hour:02}:{minute:02} UTC"),
        }
    }

    /// The spoken one of the header's languages with the highest weight; the first of equals.
    fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let weight = weight.map_or(Some(1000), thousandths).unwrap_or(0);
            let lang = if tag == "*" { Some(Self::default()) } else { Self::from_tag(tag) };
            if let Some(lang) = lang
                && weight > 0
                && best.is_none_or(|(most, _)| weight > most)
            {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }

    /// By the primary subtag: `de-AT` is German.
    fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|lang| primary.eq_ignore_ascii_case(lang.tag()))
    }
}

/// A weight `0.123` in thousandths; none when it is not one.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = whole.parse::<u16>().ok()?.checked_mul(1000)? + format!("{part:0<3}").parse::<u16>().ok()?;
    (value <= 1000).then_some(value)
}

const MONTHS_EN: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTHS_DE: [&str; 12] =
    ["Jan.", "Feb.", "März", "April", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."];

#[cfg(test)]
mod tests {
    use super::Lang::{self, De, En};
    use crate::time::Timestamp;

    #[test]
    fn the_application_is_heard_first_and_then_the_browser() {
        let cases: &[(Option<&str>, Option<&str>, Lang)] = &[
            (None, None, En),
            (Some("de"), None, De),
            (Some("fr de-CH en"), Some("en"), De),
            (Some("fr"), Some("de"), De),
            (Some(""), Some("fr, it"), En),
            (None, Some("de-AT,de;q=0.9,en;q=0.8"), De),
            (None, Some("en;q=0.8,de;q=0.9"), De),
            (None, Some("en;q=0.81, de;q=0.809"), En),
            (None, Some("en,de"), En),
            (None, Some("de;q=0, en;q=0.1"), En),
            (None, Some("fr, *;q=0.5, de;q=0.4"), En),
            (None, Some("DE"), De),
            (None, Some("de;q=2"), En),
            (None, Some("de;q=NaN,,;;q="), En),
            (None, Some("den, deutsch"), En),
        ];
        for (locales, header, lang) in cases {
            assert_eq!(Lang::negotiate(*locales, *header), *lang, "{locales:?} {header:?}");
        }
    }

    #[test]
    fn times_are_told_in_the_language() {
        let at = Timestamp(1_772_528_640_000);
        assert_eq!(
            [En.moment(&at), De.moment(&at), En.moment(&Timestamp(i64::MAX))],
            ["3 Mar 2026, 09:04 UTC", "3. März 2026, 09:04 UTC", "\u{2013}"]
        );
    }
}
