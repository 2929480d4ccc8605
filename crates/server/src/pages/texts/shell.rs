//! Texts of the frame around the pages, and of the error page.

use crate::pages::{Fault, Lang};

texts! {
    /// The frame.
    Shell {
        skip: "Skip to the content", "Zum Inhalt springen";
        signed_in_as: "Signed in as", "Angemeldet als";
        sign_out: "Sign out", "Abmelden";
        foot: "More about this service", "Mehr über diesen Dienst";
        pages: "Pages", "Seiten";
    }
}

texts! {
    /// The error page.
    Error {
        detail: "For the developer of the application", "Für die Entwicklung der Anwendung";
        request: "Request", "Anfrage";
        request_hint: "Name this number when you ask for help.", "Nennen Sie diese Nummer, wenn Sie um Hilfe bitten.";
        back: "Go back", "Zurück";
    }
}

impl Lang {
    /// The title, the sentence and the advice for what went wrong.
    pub(in crate::pages) fn fault(self, fault: &Fault) -> [&'static str; 3] {
        match (self, fault) {
            (Self::En, Fault::UnknownClient) => [
                "This application is not known here",
                "You came from an application that is not registered with this service.",
                "Go back to the application and try again. If it happens again, tell the people who run it.",
            ],
            (Self::De, Fault::UnknownClient) => [
                "Diese Anwendung ist hier nicht bekannt",
                "Sie kommen von einer Anwendung, die bei diesem Dienst nicht registriert ist.",
                "Gehen Sie zurück und versuchen Sie es erneut. Bleibt es dabei, sagen Sie es den Betreibern der Anwendung.",
            ],
            (Self::En, Fault::BadRedirect) => [
                "We cannot send you back there",
                "The application named an address to return to that is not registered for it, so we stopped here to keep you safe.",
                "You have done nothing wrong. The people who run the application have to correct this.",
            ],
            (Self::De, Fault::BadRedirect) => [
                "Dorthin können wir Sie nicht zurückschicken",
                "Die Anwendung nennt eine Rücksprungadresse, die nicht für sie registriert ist. Zu Ihrer Sicherheit geht es hier nicht weiter.",
                "Sie haben nichts falsch gemacht. Die Betreiber der Anwendung müssen das berichtigen.",
            ],
            (Self::En, Fault::BadRequest) => [
                "We did not understand that",
                "The request was not complete or not in a form that we know.",
                "Go back to the application and start again.",
            ],
            (Self::De, Fault::BadRequest) => [
                "Das haben wir nicht verstanden",
                "Die Anfrage war unvollständig oder in einer Form, die wir nicht kennen.",
                "Gehen Sie zurück zur Anwendung und beginnen Sie von vorn.",
            ],
            (Self::En, Fault::FormExpired) => [
                "This page has been open for too long",
                "For your safety a form can only be sent for a while, and only from the browser that opened it.",
                "Go back, load the page again and send it once more. Cookies have to be allowed for this site.",
            ],
            (Self::De, Fault::FormExpired) => [
                "Diese Seite war zu lange offen",
                "Zu Ihrer Sicherheit lässt sich ein Formular nur eine Zeit lang absenden, und nur aus dem Browser, der es geöffnet hat.",
                "Gehen Sie zurück, laden Sie die Seite neu und senden Sie sie noch einmal. Cookies müssen für diese Seite erlaubt sein.",
            ],
            (Self::En, Fault::NotAllowed) => [
                "You may not do that",
                "Your account does not have the right to open this page.",
                "If you need it, ask the people who run this service.",
            ],
            (Self::De, Fault::NotAllowed) => [
                "Das dürfen Sie nicht",
                "Ihr Konto hat nicht das Recht, diese Seite zu öffnen.",
                "Wenn Sie es brauchen, fragen Sie die Betreiber dieses Dienstes.",
            ],
            (Self::En, Fault::NotFound) => [
                "There is nothing here",
                "The address may be mistyped, or what was here is gone.",
                "Check the address, or go back to where you came from.",
            ],
            (Self::De, Fault::NotFound) => [
                "Hier ist nichts",
                "Vielleicht ist die Adresse vertippt, oder was hier war, gibt es nicht mehr.",
                "Prüfen Sie die Adresse, oder gehen Sie dorthin zurück, woher Sie kamen.",
            ],
            (Self::En, Fault::TooMany) => [
                "That was too often",
                "There were too many attempts in a short time.",
                "Wait a few minutes and try again.",
            ],
            (Self::De, Fault::TooMany) => [
                "Das war zu oft",
                "Es gab in kurzer Zeit zu viele Versuche.",
                "Warten Sie einige Minuten und versuchen Sie es erneut.",
            ],
            (Self::En, Fault::Unavailable) => [
                "We cannot answer right now",
                "A part of this service is not reachable. You are still signed in where you were.",
                "Try again in a moment.",
            ],
            (Self::De, Fault::Unavailable) => [
                "Wir können gerade nicht antworten",
                "Ein Teil dieses Dienstes ist nicht erreichbar. Wo Sie angemeldet waren, sind Sie es weiterhin.",
                "Versuchen Sie es gleich noch einmal.",
            ],
            (Self::En, Fault::Internal) => [
                "Something went wrong on our side",
                "This is our mistake and not yours, and it has been recorded.",
                "Try again. If it happens again, tell the people who run this service.",
            ],
            (Self::De, Fault::Internal) => [
                "Bei uns ist etwas schiefgegangen",
                "Der Fehler liegt bei uns und nicht bei Ihnen; er ist aufgezeichnet.",
                "Versuchen Sie es erneut. Bleibt es dabei, sagen Sie es den Betreibern dieses Dienstes.",
            ],
        }
    }
}
