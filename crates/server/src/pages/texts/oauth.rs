//! Texts of the pages of a protocol flow: permission, the way back, signing out.

use crate::pages::Lang;

texts! {
    /// Permission for an application.
    Consent {
        title: "Allow access?", "Zugriff erlauben?";
        first: "You are using this application here for the first time.", "Sie verwenden diese Anwendung hier zum ersten Mal.";
        unverified: "Nobody has verified this application. Continue only if you trust the people who run it.", "Niemand hat diese Anwendung geprüft. Fahren Sie nur fort, wenn Sie den Betreibern vertrauen.";
        nothing: "It only learns that you have signed in.", "Sie erfährt nur, dass Sie sich angemeldet haben.";
        new: "new", "neu";
        allow: "Allow", "Erlauben";
        deny: "Deny", "Ablehnen";
        later: "You can take this back on your account page at any time.", "Sie können das jederzeit auf Ihrer Kontoseite zurücknehmen.";
    }
}

texts! {
    /// The page that posts an answer to the application.
    FormPost {
        title: "You are being sent back", "Sie werden zurückgeleitet";
        text: "If nothing happens, use the button.", "Wenn nichts geschieht, benutzen Sie den Knopf.";
        submit: "Continue", "Weiter";
    }
}

texts! {
    /// Signing out.
    Logout {
        title: "Sign out?", "Abmelden?";
        text: "This ends your session in this browser, and with it the applications that you signed in to from it.", "Das beendet Ihre Sitzung in diesem Browser, und mit ihr die der Anwendungen, bei denen Sie sich von hier aus angemeldet haben.";
        yes: "Sign out", "Abmelden";
        no: "Stay signed in", "Angemeldet bleiben";
        done_title: "You are signed out", "Sie sind abgemeldet";
        done: "Your session in this browser has ended. If others use this device too, close the browser.", "Ihre Sitzung in diesem Browser ist beendet. Wenn andere dieses Gerät mitbenutzen, schließen Sie den Browser.";
    }
}

impl Lang {
    /// What the list of permissions is headed by.
    pub(in crate::pages) fn wants(self, client: &str) -> String {
        match self {
            Self::En => format!("{client} will be able to:"),
            Self::De => format!("{client} darf dann:"),
        }
    }

    /// As [`Lang::wants`], when some was allowed before.
    pub(in crate::pages) fn wants_more(self, client: &str) -> String {
        match self {
            Self::En => format!("{client} asks for more than you have allowed so far:"),
            Self::De => format!("{client} bittet um mehr, als Sie bisher erlaubt haben:"),
        }
    }

    /// Where the browser goes afterwards.
    pub(in crate::pages) fn then_sent_to(self, host: &str) -> String {
        match self {
            Self::En => format!("Afterwards you are sent to {host}."),
            Self::De => format!("Danach werden Sie zu {host} geleitet."),
        }
    }

    /// Which application asked for the signing out.
    pub(in crate::pages) fn logout_asked_by(self, client: &str) -> String {
        match self {
            Self::En => format!("{client} asks to sign you out."),
            Self::De => format!("{client} bittet darum, Sie abzumelden."),
        }
    }

    /// A link back.
    pub(in crate::pages) fn back_to(self, client: &str) -> String {
        match self {
            Self::En => format!("Back to {client}"),
            Self::De => format!("Zurück zu {client}"),
        }
    }

    /// What the scopes of the standards mean (OpenID Connect Core, sections 5.4 and 11); none for
    /// others, which the operator has to put in words.
    pub fn scope_in_words(self, scope: &str) -> Option<&'static str> {
        Some(match (self, scope) {
            (Self::En, "openid") => "know that you signed in, and your account's number",
            (Self::De, "openid") => "wissen, dass Sie sich angemeldet haben, und die Nummer Ihres Kontos",
            (Self::En, "profile") => "see your name and profile",
            (Self::De, "profile") => "Ihren Namen und Ihr Profil sehen",
            (Self::En, "email") => "see your email address",
            (Self::De, "email") => "Ihre E-Mail-Adresse sehen",
            (Self::En, "phone") => "see your phone number",
            (Self::De, "phone") => "Ihre Telefonnummer sehen",
            (Self::En, "address") => "see your postal address",
            (Self::De, "address") => "Ihre Anschrift sehen",
            (Self::En, "offline_access") => "keep access while you are away",
            (Self::De, "offline_access") => "den Zugriff behalten, während Sie weg sind",
            _ => return None,
        })
    }
}
