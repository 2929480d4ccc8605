//! Texts of the demo.

use crate::{
    pages::{DemoEvent, DemoWho, Lang},
    time::Timestamp,
};

texts! {
    /// The demo.
    Demo {
        start_title: "See a stolen token caught", "Sehen Sie, wie ein gestohlenes Token auffliegt";
        start_lead: "This is a sample application. Sign in, and it shows you what an application normally hides.", "Das ist eine Beispielanwendung. Melden Sie sich an, und sie zeigt, was Anwendungen sonst verbergen.";
        see_pair: "You get two tokens: one that opens the API for minutes, and one that renews it.", "Sie bekommen zwei Token: eines öffnet für Minuten die API, das andere erneuert es.";
        see_refresh: "Each refresh spends the renewing token and hands out the next: a counter goes up by one.", "Jede Erneuerung verbraucht das erneuernde Token und gibt das nächste aus: ein Zähler steigt um eins.";
        see_theft: "Then play the thief. The moment a spent token is used again, the session is over for both.", "Dann spielen Sie den Dieb. Sobald ein verbrauchtes Token noch einmal kommt, ist die Sitzung für beide vorbei.";
        sign_in: "Sign in", "Anmelden";
        login: "On the next page, sign in as", "Auf der nächsten Seite melden Sie sich an als";
        login_with: "with the password", "mit dem Passwort";
        title: "One session, live", "Eine Sitzung, live";
        tour: "The tour", "Der Rundgang";
        step_1: "Signed in", "Angemeldet";
        step_2: "Call the API", "API aufrufen";
        step_3: "Refresh", "Erneuern";
        step_4: "Steal", "Stehlen";
        step_5: "Caught", "Erwischt";
        access: "Access token", "Access-Token";
        access_lead: "Opens the API. Anyone who has it can use it, so it lives for minutes.", "Öffnet die API. Wer es hat, kann es benutzen, darum lebt es nur Minuten.";
        refresh: "Refresh token", "Refresh-Token";
        refresh_lead: "Gets the next pair, once. Then it is spent.", "Holt das nächste Paar, ein Mal. Dann ist es verbraucht.";
        generation: "generation", "Generation";
        session: "session", "Sitzung";
        claims: "What is inside", "Was darin steht";
        decoder: "Look into a token of your own", "In ein eigenes Token hineinsehen";
        until: "valid until", "gültig bis";
        unused_until: "if unused, until", "unbenutzt bis";
        left: "left", "übrig";
        over: "expired", "abgelaufen";
        call: "Call the API", "API aufrufen";
        refresh_button: "Refresh", "Erneuern";
        steal: "Steal this refresh token", "Dieses Refresh-Token stehlen";
        thief: "The thief", "Der Dieb";
        thief_has: "has a copy of", "hat eine Kopie von";
        use_stolen: "Thief: use the stolen token", "Dieb: das gestohlene Token benutzen";
        ended_title: "Caught: the session has ended", "Erwischt: die Sitzung ist beendet";
        ended_why: "The server cannot know which of the two is the thief. It does know that one of them is, so it stops both.", "Der Server kann nicht wissen, wer von beiden der Dieb ist. Er weiß aber, dass es einer ist, also hält er beide an.";
        you_get: "What you get now", "Was Sie jetzt bekommen";
        you_get_text: "Your next refresh is refused with invalid_grant. You sign in again, with your password, which the thief does not have, and go on.", "Ihre nächste Erneuerung wird mit invalid_grant abgelehnt. Sie melden sich neu an, mit Ihrem Passwort, das der Dieb nicht hat, und machen weiter.";
        thief_gets: "What the thief gets now", "Was der Dieb jetzt bekommt";
        restart: "Start again", "Noch einmal von vorn";
        life: "The session's life", "Das Leben der Sitzung";
        log: "What was said, newest first", "Was gesagt wurde, das Neueste zuerst";
        all_steps: "All steps", "Alle Schritte";
        request: "Request", "Anfrage";
        answer: "Answer", "Antwort";
        try_it: "The buttons below still work: try what the two are told now.", "Die Knöpfe unten gehen noch: probieren Sie, was den beiden jetzt gesagt wird.";
    }
}

impl Lang {
    /// What to do next, by the step of the tour, whether the thief's copy is spent, and whether by the thief.
    pub(in crate::pages) fn demo_next(self, step: usize, spent: bool, used: bool) -> &'static str {
        match (self, step, spent, used) {
            (Self::En, 2, ..) => "Start with the API: it accepts the access token without asking anyone.",
            (Self::De, 2, ..) => {
                "Beginnen Sie mit der API: sie nimmt das Access-Token an, ohne jemanden zu fragen."
            }
            (Self::En, 3, ..) => {
                "Now refresh. Watch the generation: the old refresh token is spent from then on."
            }
            (Self::De, 3, ..) => {
                "Jetzt erneuern Sie. Achten Sie auf die Generation: das alte Refresh-Token ist damit verbraucht."
            }
            (Self::En, 4, ..) => {
                "Now be the thief: copy the refresh token, as from a leaked log or a stolen backup."
            }
            (Self::De, 4, ..) => {
                "Jetzt sind Sie der Dieb: kopieren Sie das Refresh-Token, wie aus einem Log oder einer Sicherung."
            }
            (Self::En, 5, _, true) => {
                "The thief was faster and got a fresh pair. Nobody can tell yet. Now refresh as yourself."
            }
            (Self::De, 5, _, true) => {
                "Der Dieb war schneller und hat ein frisches Paar. Noch merkt es niemand. Jetzt erneuern Sie selbst."
            }
            (Self::En, 5, false, _) => {
                "Nothing looks different: copies are silent. Refresh once as yourself, then let the thief try. Or let the thief go first: it ends the same."
            }
            (Self::De, 5, false, _) => {
                "Man sieht nichts: Kopien sind leise. Erneuern Sie einmal selbst, dann lassen Sie den Dieb ran. Oder den Dieb zuerst: es endet gleich."
            }
            (Self::En, 5, true, _) => {
                "You have refreshed, so the thief's copy is spent. The thief does not know that. Let them try."
            }
            (Self::De, 5, true, _) => {
                "Sie haben erneuert, also ist die Kopie des Diebs verbraucht. Er weiß es nicht. Lassen Sie ihn ran."
            }
            _ => "",
        }
    }

    /// What happened when the session ended.
    pub(in crate::pages) fn demo_ended(self, by: &DemoWho) -> &'static str {
        match (self, by) {
            (Self::En, DemoWho::Thief) => "The thief presented a refresh token that you had spent already.",
            (Self::De, DemoWho::Thief) => {
                "Der Dieb legte ein Refresh-Token vor, das Sie schon verbraucht hatten."
            }
            (Self::En, _) => "You presented a refresh token that the thief had spent already.",
            (Self::De, _) => "Sie legten ein Refresh-Token vor, das der Dieb schon verbraucht hatte.",
        }
    }

    /// What the thief gets; `until` is when the last access token would have expired.
    pub(in crate::pages) fn demo_thief_gets(self, until: &Timestamp) -> String {
        let until = self.moment(until);
        match self {
            Self::En => format!(
                "Nothing. Refreshing is refused for good, and APIs that follow the revocation feed refuse the session's access tokens within a second. Even one that does not stops at {until}."
            ),
            Self::De => format!(
                "Nichts. Erneuern wird für immer abgelehnt, und APIs, die dem Widerrufs-Feed folgen, lehnen die Access-Token der Sitzung binnen einer Sekunde ab. Selbst eine, die das nicht tut, hört um {until} auf."
            ),
        }
    }

    /// Who acts.
    pub(in crate::pages) fn demo_who(self, who: &DemoWho) -> &'static str {
        match (self, who) {
            (Self::En, DemoWho::You) => "You",
            (Self::De, DemoWho::You) => "Sie",
            (Self::En, DemoWho::Thief) => "Thief",
            (Self::De, DemoWho::Thief) => "Dieb",
            (_, DemoWho::Server) => "Server",
        }
    }

    /// What a step was.
    pub(in crate::pages) fn demo_event(self, event: &DemoEvent) -> String {
        match (self, event) {
            (Self::En, DemoEvent::SignedIn) => "Signed in and got the first pair.".to_owned(),
            (Self::De, DemoEvent::SignedIn) => "Angemeldet und das erste Paar bekommen.".to_owned(),
            (Self::En, DemoEvent::ApiAnswered) => "Called the API: it answered.".to_owned(),
            (Self::De, DemoEvent::ApiAnswered) => "API aufgerufen: sie hat geantwortet.".to_owned(),
            (Self::En, DemoEvent::ApiRefused) => "Called the API: it refused the token.".to_owned(),
            (Self::De, DemoEvent::ApiRefused) => "API aufgerufen: sie hat das Token abgelehnt.".to_owned(),
            (Self::En, DemoEvent::Refreshed { from }) => {
                format!("Refreshed: generation {from} is spent, {} is the one.", from.saturating_add(1))
            }
            (Self::De, DemoEvent::Refreshed { from }) => {
                format!("Erneuert: Generation {from} ist verbraucht, {} gilt.", from.saturating_add(1))
            }
            (Self::En, DemoEvent::Copied { generation }) => {
                format!("Copied the refresh token of generation {generation}. The server saw nothing.")
            }
            (Self::De, DemoEvent::Copied { generation }) => {
                format!(
                    "Das Refresh-Token der Generation {generation} kopiert. Der Server hat nichts bemerkt."
                )
            }
            (Self::En, DemoEvent::Reused { generation }) => {
                format!("Used generation {generation}, which was spent: the server ended the session.")
            }
            (Self::De, DemoEvent::Reused { generation }) => {
                format!(
                    "Generation {generation} benutzt, die verbraucht war: der Server hat die Sitzung beendet."
                )
            }
            (Self::En, DemoEvent::Refused) => "Tried to refresh: refused, the session is over.".to_owned(),
            (Self::De, DemoEvent::Refused) => {
                "Wollte erneuern: abgelehnt, die Sitzung ist vorbei.".to_owned()
            }
            (Self::En, DemoEvent::Unavailable) => {
                "The server could not answer. Nothing was decided; try again.".to_owned()
            }
            (Self::De, DemoEvent::Unavailable) => {
                "Der Server konnte nicht antworten. Nichts ist entschieden; noch einmal versuchen.".to_owned()
            }
        }
    }
}
