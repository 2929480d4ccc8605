//! Texts of the account page and what belongs to it.

use crate::pages::{Flash, FlashKind, Lang, Notice, PasswordProblem};

texts! {
    /// The account page.
    Account {
        title: "Your account", "Ihr Konto";
        lead: "Where you are signed in, how you sign in, and what you have allowed.", "Wo Sie angemeldet sind, wie Sie sich anmelden und was Sie erlaubt haben.";
        new_title: "New sign-in: was this you?", "Neue Anmeldung: Waren Sie das?";
        new_lead: "Someone signed in to your account from a place or with a device that we did not know. If that was not you, sign it out and then change your password, because whoever it was may know it.", "Jemand hat sich an Ihrem Konto von einem Ort oder mit einem Gerät angemeldet, das wir noch nicht kannten. Waren das nicht Sie, dann melden Sie es ab und ändern danach Ihr Passwort, denn wer es war, kennt es vielleicht.";
        new_yes: "Yes, that was me", "Ja, das war ich";
        new_no: "No, sign it out", "Nein, abmelden";
        new_elsewhere: "That it was you can only be said in a browser that you have used for longer.", "Dass Sie es waren, können Sie nur in einem Browser sagen, den Sie schon länger benutzen.";
        browsers: "Where you are signed in", "Wo Sie angemeldet sind";
        browsers_lead: "If you do not recognise one of these, end it and change your password.", "Wenn Sie etwas davon nicht wiedererkennen, beenden Sie es und ändern Sie Ihr Passwort.";
        this_one: "this browser", "dieser Browser";
        last_seen: "last used", "zuletzt benutzt";
        since: "since", "seit";
        end: "End", "Beenden";
        end_others: "End all others", "Alle anderen beenden";
        applications: "Applications", "Anwendungen";
        applications_lead: "Each line is one sign-in to an application. Ending it signs that application out.", "Jede Zeile ist eine Anmeldung bei einer Anwendung. Beenden meldet die Anwendung ab.";
        no_applications: "You are not signed in to any application.", "Sie sind bei keiner Anwendung angemeldet.";
        ended: "ended", "beendet";
        methods: "Sign-in methods", "Anmeldewege";
        password: "Password", "Passwort";
        password_ends: "A new password signs you out everywhere but in this browser, and ends every application's session.", "Ein neues Passwort meldet Sie überall außer in diesem Browser ab und beendet die Sitzungen aller Anwendungen.";
        current: "Current password", "Bisheriges Passwort";
        new: "New password", "Neues Passwort";
        change: "Change password", "Passwort ändern";
        totp: "Authenticator app", "Authenticator-App";
        totp_lead: "A code from an app on your phone, asked for after the password.", "Ein Code aus einer App auf Ihrem Telefon, nach dem wir nach dem Passwort fragen.";
        totp_add: "Set up", "Einrichten";
        totp_remove: "Remove the app", "App entfernen";
        on: "on", "aktiv";
        passkeys: "Passkeys", "Passkeys";
        passkeys_lead: "Sign in with your fingerprint, your face or your device's PIN, with no password that could be stolen.", "Melden Sie sich mit Fingerabdruck, Gesicht oder der PIN Ihres Geräts an, ohne ein Passwort, das gestohlen werden könnte.";
        passkey_label: "A name for the new passkey", "Ein Name für den neuen Passkey";
        passkey_add: "Add a passkey", "Passkey hinzufügen";
        passkey_failed: "No passkey was added. You can try again.", "Es wurde kein Passkey hinzugefügt. Sie können es erneut versuchen.";
        passkey_script: "To add a passkey, this browser needs passkeys and JavaScript.", "Um einen Passkey hinzuzufügen, muss dieser Browser Passkeys können und JavaScript erlauben.";
        added: "added", "hinzugefügt";
        last_used: "last used", "zuletzt benutzt";
        remove: "Remove", "Entfernen";
        recovery: "Recovery codes", "Wiederherstellungscodes";
        recovery_none: "For when your phone is lost: codes on paper, each good for one sign-in.", "Für den Fall, dass Ihr Telefon weg ist: Codes auf Papier, jeder gut für eine Anmeldung.";
        recovery_new: "Make new codes", "Neue Codes erzeugen";
        permissions: "Permissions", "Berechtigungen";
        permissions_lead: "What you have allowed applications. Withdrawing it ends their sessions too; they will ask again.", "Was Sie Anwendungen erlaubt haben. Ein Widerruf beendet auch deren Sitzungen; sie fragen dann erneut.";
        no_permissions: "You have allowed nothing so far.", "Sie haben bisher nichts erlaubt.";
        withdraw: "Withdraw", "Widerrufen";
    }
}

texts! {
    /// Adding an authenticator app.
    Enrol {
        title: "Set up your authenticator app", "Authenticator-App einrichten";
        scan: "Scan this picture with the app, then enter the code that it shows.", "Scannen Sie dieses Bild mit der App und geben Sie dann den Code ein, den sie anzeigt.";
        qr: "QR code with the secret; below it is there as text.", "QR-Code mit dem Geheimnis; darunter steht es als Text.";
        by_hand: "Type the secret instead", "Geheimnis stattdessen abtippen";
        code: "Code from the app", "Code aus der App";
        submit: "Turn on", "Aktivieren";
        wrong: "That code is not right. Check that the clock of your phone is right, and enter the newest code.", "Dieser Code stimmt nicht. Prüfen Sie, ob die Uhr Ihres Telefons stimmt, und nehmen Sie den neuesten Code.";
    }
}

texts! {
    /// Recovery codes.
    Codes {
        title: "Your recovery codes", "Ihre Wiederherstellungscodes";
        lead: "Each of these signs you in once when your phone or passkey is not at hand. Earlier codes are void from now on.", "Jeder davon meldet Sie einmal an, wenn Telefon oder Passkey nicht zur Hand sind. Frühere Codes gelten ab jetzt nicht mehr.";
        once: "They are shown only now. We cannot show them again.", "Sie werden nur jetzt angezeigt. Wir können sie nicht noch einmal zeigen.";
        print: "Print this page or write the codes down, and keep them away from your devices.", "Drucken Sie diese Seite oder schreiben Sie die Codes auf, und bewahren Sie sie getrennt von Ihren Geräten auf.";
        done: "I have kept them", "Ich habe sie verwahrt";
    }
}

impl Notice {
    /// The notice in words.
    pub fn flash(self, lang: Lang) -> Flash {
        let failed = matches!(self, Self::PasskeyRefused | Self::Gone);
        let kind = if failed { FlashKind::Failed } else { FlashKind::Done };
        Flash { kind, text: lang.notice(self) }
    }
}

impl Lang {
    fn notice(self, notice: Notice) -> String {
        let (en, de) = match notice {
            Notice::SessionEnded => ("That session has ended.", "Diese Sitzung ist beendet."),
            Notice::OthersEnded(count) => return self.others_ended(count),
            Notice::PasswordChanged(count) => {
                let changed = match self {
                    Self::En => "Your password is changed.",
                    Self::De => "Ihr Passwort ist geändert.",
                };
                return format!("{changed} {}", self.others_ended(count));
            }
            Notice::TotpAdded => {
                ("Your authenticator app is set up.", "Ihre Authenticator-App ist eingerichtet.")
            }
            Notice::TotpRemoved => {
                ("The authenticator app is removed.", "Die Authenticator-App ist entfernt.")
            }
            Notice::PasskeyAdded => ("The passkey is added.", "Der Passkey ist hinzugefügt."),
            Notice::PasskeyRemoved => (
                "The passkey is removed. You can delete it on your device too.",
                "Der Passkey ist entfernt. Sie können ihn auch auf Ihrem Gerät löschen.",
            ),
            Notice::PasskeyRefused => {
                ("That passkey could not be added.", "Dieser Passkey ließ sich nicht hinzufügen.")
            }
            Notice::PermissionWithdrawn => (
                "The permission is withdrawn, and the application is signed out.",
                "Die Berechtigung ist widerrufen und die Anwendung abgemeldet.",
            ),
            Notice::SignInAccepted => {
                ("Thank you. We know it from now on.", "Danke. Von nun an kennen wir es.")
            }
            Notice::SignInRefused => (
                "It is signed out. Now change your password, further down on this page.",
                "Es ist abgemeldet. Ändern Sie jetzt Ihr Passwort, weiter unten auf dieser Seite.",
            ),
            Notice::Gone => (
                "That is not there any more; nothing was changed.",
                "Das gibt es nicht mehr; nichts wurde geändert.",
            ),
        };
        match self {
            Self::En => en.to_owned(),
            Self::De => de.to_owned(),
        }
    }

    fn others_ended(self, count: usize) -> String {
        match (self, count) {
            (Self::En, 0) => "There was no other session to end.".to_owned(),
            (Self::De, 0) => "Es gab keine andere Sitzung zu beenden.".to_owned(),
            (Self::En, 1) => "One other session has ended.".to_owned(),
            (Self::De, 1) => "Eine andere Sitzung ist beendet.".to_owned(),
            (Self::En, _) => format!("{count} other sessions have ended."),
            (Self::De, _) => format!("{count} andere Sitzungen sind beendet."),
        }
    }

    /// What a new password must be like.
    pub(in crate::pages) fn password_rule(self, min: &usize) -> String {
        match self {
            Self::En => format!(
                "At least {min} characters. A few words together are good; signs and digits are not required."
            ),
            Self::De => format!(
                "Mindestens {min} Zeichen. Ein paar Wörter hintereinander sind gut; Sonderzeichen müssen nicht sein."
            ),
        }
    }

    /// Why the password was not changed.
    pub(in crate::pages) fn password_problem(self, problem: &PasswordProblem) -> &'static str {
        match (self, problem) {
            (Self::En, PasswordProblem::WrongCurrent) => "The current password is not right.",
            (Self::De, PasswordProblem::WrongCurrent) => "Das bisherige Passwort stimmt nicht.",
            (Self::En, PasswordProblem::TooShort) => "The new password is too short.",
            (Self::De, PasswordProblem::TooShort) => "Das neue Passwort ist zu kurz.",
            (Self::En, PasswordProblem::TooCommon) => "Too many people use that password. Choose another.",
            (Self::De, PasswordProblem::TooCommon) => {
                "Dieses Passwort benutzen zu viele. Wählen Sie ein anderes."
            }
            (Self::En, PasswordProblem::Same) => "That is the password that you have.",
            (Self::De, PasswordProblem::Same) => "Das ist das Passwort, das Sie schon haben.",
            (Self::En, PasswordProblem::TooMany) => "Too many attempts. Try again later.",
            (Self::De, PasswordProblem::TooMany) => "Zu viele Versuche. Versuchen Sie es später wieder.",
        }
    }

    /// How many recovery codes are left.
    pub(in crate::pages) fn recovery_left(self, left: &usize) -> String {
        match (self, left) {
            (Self::En, 0) => "All codes are used up. Make new ones.".to_owned(),
            (Self::De, 0) => "Alle Codes sind verbraucht. Erzeugen Sie neue.".to_owned(),
            (Self::En, 1) => "One code is left.".to_owned(),
            (Self::De, 1) => "Ein Code ist übrig.".to_owned(),
            (Self::En, _) => format!("{left} codes are left."),
            (Self::De, _) => format!("{left} Codes sind übrig."),
        }
    }
}
