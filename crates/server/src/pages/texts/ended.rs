//! Why a session is over, as its person is told. Operators are told in other words, in those of the log.

use crate::flows::explain::State;
use crate::pages::Lang;
use crate::store::Reason;

impl Lang {
    /// Why a session is over, in a sentence or two; none while it lives.
    pub fn why_ended(self, state: State) -> Option<&'static str> {
        let (en, de) = match state {
            State::Live => return None,
            State::Row(ended) => reason(ended.reason),
            State::ClientGone => reason(Reason::ClientDisabled),
            State::UserGone => reason(Reason::UserDisabled),
            State::StampMoved => (
                "You signed out everywhere, or your password, your sign-in methods or your rights were changed.",
                "Sie haben sich überall abgemeldet, oder Ihr Passwort, Ihre Anmeldewege oder Ihre Rechte wurden geändert.",
            ),
            State::Cut => reason(Reason::Operator),
            State::Expired => {
                ("It had reached the longest time that it may last.", "Die längste Dauer war erreicht.")
            }
            State::Idle => ("It was not used for a long time.", "Sie wurde lange nicht benutzt."),
        };
        Some(match self {
            Self::En => en,
            Self::De => de,
        })
    }
}

fn reason(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Reuse => (
            "A key of this session was used twice, so somebody else had a copy of it. It was ended for your safety.",
            "Ein Schlüssel dieser Sitzung wurde zweimal benutzt, also hatte jemand anderes eine Kopie. Sie wurde zu Ihrer Sicherheit beendet.",
        ),
        Reason::Lockstep => (
            "Keys of this session kept being used in two places, so somebody else had a copy. It was ended for your safety.",
            "Schlüssel dieser Sitzung wurden an zwei Orten benutzt, also hatte jemand anderes eine Kopie. Sie wurde zu Ihrer Sicherheit beendet.",
        ),
        Reason::CodeReplay => (
            "The code that it began with was used twice, so somebody else may have seen it. It was ended for your safety.",
            "Der Code, mit dem sie begann, wurde zweimal benutzt; vielleicht hat ihn jemand gesehen. Sie wurde zu Ihrer Sicherheit beendet.",
        ),
        Reason::Leaked => (
            "A key of this session was found where others could read it. It was ended for your safety.",
            "Ein Schlüssel dieser Sitzung wurde dort gefunden, wo andere ihn lesen konnten. Sie wurde zu Ihrer Sicherheit beendet.",
        ),
        Reason::ClientRequest => ("The application signed you out.", "Die Anwendung hat Sie abgemeldet."),
        Reason::Operator => {
            ("The people who run this service ended it.", "Die Betreiber dieses Dienstes haben sie beendet.")
        }
        Reason::SignOut => ("You were signed out everywhere.", "Sie wurden überall abgemeldet."),
        Reason::PasswordChange => ("Your password was changed.", "Ihr Passwort wurde geändert."),
        Reason::UserDisabled => ("Your account was disabled.", "Ihr Konto wurde gesperrt."),
        Reason::RoleRemoved => {
            ("A right was taken from your account.", "Ihrem Konto wurde ein Recht entzogen.")
        }
        Reason::ClientDisabled => {
            ("The application is not served any more.", "Die Anwendung wird nicht mehr bedient.")
        }
        Reason::ClientRemoved => ("The application was removed.", "Die Anwendung wurde entfernt."),
        Reason::SessionLimit => (
            "You had as many sessions as there can be, and this was the oldest.",
            "Sie hatten so viele Sitzungen, wie es geben kann, und dies war die älteste.",
        ),
        Reason::Restored => (
            "This service was restored from a backup.",
            "Dieser Dienst wurde aus einer Sicherung wiederhergestellt.",
        ),
        Reason::BrowserSignOut => (
            "You signed out in the browser in which it began.",
            "Sie haben sich in dem Browser abgemeldet, in dem sie begann.",
        ),
        Reason::Person => ("You ended it on this page.", "Sie haben sie auf dieser Seite beendet."),
        Reason::FactorChange => ("Your sign-in methods were changed.", "Ihre Anmeldewege wurden geändert."),
        Reason::EmailChange => ("Your email address was changed.", "Ihre E-Mail-Adresse wurde geändert."),
        Reason::ConsentWithdrawn => {
            ("You withdrew the permission.", "Sie haben die Berechtigung widerrufen.")
        }
        Reason::UserRemoved => ("Your account was removed.", "Ihr Konto wurde entfernt."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Ended;
    use crate::time::Timestamp;

    #[test]
    fn every_end_has_a_sentence_of_its_own_language() {
        let row = |reason| State::Row(Ended { at: Timestamp(0), reason });
        let gates =
            [State::ClientGone, State::UserGone, State::StampMoved, State::Cut, State::Expired, State::Idle];
        for state in Reason::ALL.map(row).into_iter().chain(gates) {
            let [en, de] = Lang::ALL.map(|lang| lang.why_ended(state).unwrap());
            assert!(en != de && en.ends_with('.') && de.ends_with('.'), "{state:?}: {en} {de}");
        }
        assert_eq!(Lang::De.why_ended(State::Live), None);
    }
}
