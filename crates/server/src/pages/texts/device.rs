//! Texts of the pages that allow a device.

use crate::pages::{DeviceProblem, Lang};

texts! {
    /// A device's code.
    Device {
        title: "Connect a device", "Ein Gerät verbinden";
        intro: "Enter the code that your device shows.", "Geben Sie den Code ein, den Ihr Gerät anzeigt.";
        code: "Code on the device", "Code auf dem Gerät";
        confirm_title: "Connect this device?", "Dieses Gerät verbinden?";
        same_code: "Your device must show this same code:", "Ihr Gerät muss genau diesen Code anzeigen:";
        warning: "Only continue if you started this yourself, on your own device. Did someone send you this code or a link? Then deny: they want to get into your account.", "Fahren Sie nur fort, wenn Sie das selbst auf Ihrem eigenen Gerät begonnen haben. Hat Ihnen jemand den Code oder einen Link geschickt? Dann lehnen Sie ab: man will in Ihr Konto.";
        allowed_title: "The device is connected", "Das Gerät ist verbunden";
        denied_title: "The device is not connected", "Das Gerät ist nicht verbunden";
    }
}

impl Lang {
    /// Where the device is.
    pub(in crate::pages) fn device_asked_from(self, place: &str) -> String {
        match self {
            Self::En => format!("The device asked from {place}."),
            Self::De => format!("Das Gerät fragte von {place} aus."),
        }
    }

    /// After it was allowed.
    pub(in crate::pages) fn device_allowed(self, client: &str) -> String {
        match self {
            Self::En => format!("{client} on your device goes on by itself. You can close this page."),
            Self::De => {
                format!("{client} macht auf Ihrem Gerät von selbst weiter. Sie können diese Seite schließen.")
            }
        }
    }

    /// After it was denied.
    pub(in crate::pages) fn device_denied(self, client: &str) -> String {
        match self {
            Self::En => format!("{client} on that device got nothing. You can close this page."),
            Self::De => {
                format!("{client} hat auf jenem Gerät nichts bekommen. Sie können diese Seite schließen.")
            }
        }
    }

    /// Why a code did not work.
    pub(in crate::pages) fn device_problem(self, problem: &DeviceProblem) -> &'static str {
        match (self, problem) {
            (Self::En, DeviceProblem::Unknown) => {
                "No device is waiting with that code. Check it and try again."
            }
            (Self::De, DeviceProblem::Unknown) => {
                "Mit diesem Code wartet kein Gerät. Prüfen Sie ihn und versuchen Sie es erneut."
            }
            (Self::En, DeviceProblem::OldForm) => {
                "You signed in again in the meantime. Please send the code once more."
            }
            (Self::De, DeviceProblem::OldForm) => {
                "Sie haben sich inzwischen neu angemeldet. Bitte senden Sie den Code noch einmal."
            }
            (Self::En, DeviceProblem::Used) => "That code was answered already. Start again on the device.",
            (Self::De, DeviceProblem::Used) => {
                "Dieser Code ist schon beantwortet. Beginnen Sie auf dem Gerät von vorn."
            }
            (Self::En, DeviceProblem::TooMany) => "Too many attempts. Wait a few minutes.",
            (Self::De, DeviceProblem::TooMany) => "Zu viele Versuche. Warten Sie einige Minuten.",
        }
    }
}
