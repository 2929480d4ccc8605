//! Texts of the sign-in pages.

use crate::pages::{FactorProblem, Lang, SignInProblem};

texts! {
    /// Username and password.
    SignIn {
        title: "Sign in", "Anmelden";
        title_again: "Confirm that it is you", "Bestätigen Sie, dass Sie es sind";
        why_again: "Before you go on, please enter your password again, so that nobody else can do this in your name.", "Bitte geben Sie Ihr Passwort noch einmal ein, bevor es weitergeht, damit niemand anders das in Ihrem Namen tun kann.";
        username: "Username", "Benutzername";
        password: "Password", "Passwort";
        remember: "Stay signed in on this device", "Auf diesem Gerät angemeldet bleiben";
        submit: "Sign in", "Anmelden";
        submit_again: "Confirm", "Bestätigen";
        or: "or", "oder";
        passkey: "Use a passkey", "Mit Passkey anmelden";
        passkey_failed: "The passkey was not used. You can try again or choose another way.", "Der Passkey wurde nicht verwendet. Versuchen Sie es erneut oder wählen Sie einen anderen Weg.";
        cancel: "Cancel", "Abbrechen";
    }
}

texts! {
    /// The second step.
    Factor {
        title: "One more step", "Noch ein Schritt";
        totp_intro: "Open your authenticator app and enter the code that it shows for this service.", "Öffnen Sie Ihre Authenticator-App und geben Sie den Code ein, den sie für diesen Dienst anzeigt.";
        totp: "Six-digit code", "Sechsstelliger Code";
        recovery_intro: "Enter one of the recovery codes that you wrote down. Each works once.", "Geben Sie einen der Wiederherstellungscodes ein, die Sie notiert haben. Jeder gilt einmal.";
        recovery: "Recovery code", "Wiederherstellungscode";
        submit: "Continue", "Weiter";
        use_recovery: "Use a recovery code instead", "Stattdessen einen Wiederherstellungscode verwenden";
        use_other: "Use another way instead", "Stattdessen einen anderen Weg verwenden";
        passkey_only: "Confirm with your passkey.", "Bestätigen Sie mit Ihrem Passkey.";
        passkey_script: "This needs a browser with passkeys and JavaScript.", "Dafür muss der Browser Passkeys können und JavaScript erlauben.";
        passkey: "Use a passkey", "Passkey verwenden";
    }
}

impl Lang {
    /// Who is asking.
    pub(in crate::pages) fn to_continue_to(self, client: &str) -> String {
        match self {
            Self::En => format!("to continue to {client}"),
            Self::De => format!("um mit {client} fortzufahren"),
        }
    }

    /// The text of the button that leads back.
    pub(in crate::pages) fn cancel_to(self, client: &str) -> String {
        match self {
            Self::En => format!("Cancel and go back to {client}"),
            Self::De => format!("Abbrechen und zurück zu {client}"),
        }
    }

    /// Why signing in did not work. It never tells whether the username exists.
    pub(in crate::pages) fn sign_in_problem(self, problem: &SignInProblem) -> String {
        match (self, problem) {
            (Self::En, SignInProblem::Wrong) => "That username and password do not match.".to_owned(),
            (Self::De, SignInProblem::Wrong) => "Benutzername und Passwort passen nicht zusammen.".to_owned(),
            (Self::En, SignInProblem::WrongPassword) => "That is not the password.".to_owned(),
            (Self::De, SignInProblem::WrongPassword) => "Das ist nicht das Passwort.".to_owned(),
            (Self::En, SignInProblem::Missing) => "Enter your username and your password.".to_owned(),
            (Self::De, SignInProblem::Missing) => "Geben Sie Benutzernamen und Passwort ein.".to_owned(),
            (Self::En, SignInProblem::TryLater { seconds }) => {
                format!("Too many attempts. Try again in {}.", self.wait(*seconds))
            }
            (Self::De, SignInProblem::TryLater { seconds }) => {
                format!("Zu viele Versuche. Versuchen Sie es in {} wieder.", self.wait(*seconds))
            }
            (Self::En, SignInProblem::Passkey) => {
                "That passkey is not known here. Sign in with your password, or try another passkey.".to_owned()
            }
            (Self::De, SignInProblem::Passkey) => {
                "Dieser Passkey ist hier nicht bekannt. Melden Sie sich mit Passwort an, oder nehmen Sie einen anderen.".to_owned()
            }
            (Self::En, SignInProblem::Expired) => {
                "You were signed out in the meantime. Please sign in again.".to_owned()
            }
            (Self::De, SignInProblem::Expired) => {
                "Sie wurden inzwischen abgemeldet. Bitte melden Sie sich erneut an.".to_owned()
            }
        }
    }

    /// Why the second step did not work.
    pub(in crate::pages) fn factor_problem(self, problem: &FactorProblem) -> String {
        match (self, problem) {
            (Self::En, FactorProblem::Wrong) => {
                "That code is not right. Codes change every 30 seconds: enter the newest.".to_owned()
            }
            (Self::De, FactorProblem::Wrong) => {
                "Dieser Code stimmt nicht. Er wechselt alle 30 Sekunden: nehmen Sie den neuesten.".to_owned()
            }
            (Self::En, FactorProblem::WrongRecovery) => {
                "That code is not right, or it was used before.".to_owned()
            }
            (Self::De, FactorProblem::WrongRecovery) => {
                "Dieser Code stimmt nicht, oder er ist schon verwendet.".to_owned()
            }
            (Self::En, FactorProblem::Used) => {
                "That code was used already. Wait until your app shows the next one.".to_owned()
            }
            (Self::De, FactorProblem::Used) => {
                "Dieser Code ist schon verwendet. Warten Sie, bis Ihre App den nächsten anzeigt.".to_owned()
            }
            (Self::En, FactorProblem::Passkey) => "That passkey did not work.".to_owned(),
            (Self::De, FactorProblem::Passkey) => "Dieser Passkey hat nicht funktioniert.".to_owned(),
            (_, FactorProblem::TryLater { seconds }) => {
                self.sign_in_problem(&SignInProblem::TryLater { seconds: *seconds })
            }
        }
    }

    /// A wait in words, rounded up: `45 seconds`, `5 minutes`.
    fn wait(self, seconds: u64) -> String {
        let minutes = seconds.div_ceil(60);
        match (self, seconds) {
            (Self::En, ..=1) => "1 second".to_owned(),
            (Self::De, ..=1) => "1 Sekunde".to_owned(),
            (Self::En, ..=90) => format!("{seconds} seconds"),
            (Self::De, ..=90) => format!("{seconds} Sekunden"),
            (Self::En, _) => format!("{minutes} minutes"),
            (Self::De, _) => format!("{minutes} Minuten"),
        }
    }
}
