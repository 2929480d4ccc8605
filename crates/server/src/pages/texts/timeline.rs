//! Texts of a session's life.

use crate::pages::{Lang, PointKind};

texts! {
    /// The timeline.
    Timeline {
        picture: "The session's life as a picture; the list says the same.", "Das Leben der Sitzung als Bild; die Liste sagt dasselbe.";
    }
}

impl Lang {
    /// What happened, in a sentence.
    pub(in crate::pages) fn point(self, kind: &PointKind) -> String {
        match (self, kind) {
            (Self::En, PointKind::Start) => "Signed in: the session begins.".to_owned(),
            (Self::De, PointKind::Start) => "Angemeldet: die Sitzung beginnt.".to_owned(),
            (Self::En, PointKind::Earlier { count }) => format!("{count} more refreshes."),
            (Self::De, PointKind::Earlier { count }) => format!("{count} weitere Erneuerungen."),
            (Self::En, PointKind::Rotation { generation }) => {
                format!("Refreshed: generation {} became {generation}.", generation.saturating_sub(1))
            }
            (Self::De, PointKind::Rotation { generation }) => {
                format!("Erneuert: aus Generation {} wurde {generation}.", generation.saturating_sub(1))
            }
            (Self::En, PointKind::Replay { generation }) => {
                format!(
                    "Generation {generation} came again and got the same answer: an answer was lost on the way."
                )
            }
            (Self::De, PointKind::Replay { generation }) => {
                format!(
                    "Generation {generation} kam noch einmal und bekam dieselbe Antwort: eine Antwort ging unterwegs verloren."
                )
            }
            (Self::En, PointKind::Network) => "Seen from a new network or browser.".to_owned(),
            (Self::De, PointKind::Network) => "Aus einem neuen Netz oder Browser gesehen.".to_owned(),
            (Self::En, PointKind::Reuse { generation }) => format!(
                "Generation {generation} was used a second time. Two parties hold this token, so one of them stole it."
            ),
            (Self::De, PointKind::Reuse { generation }) => format!(
                "Generation {generation} wurde ein zweites Mal verwendet. Zwei besitzen dieses Token, also hat es einer gestohlen."
            ),
            (Self::En, PointKind::End) => "The session ended, for good.".to_owned(),
            (Self::De, PointKind::End) => "Die Sitzung ist beendet, endgültig.".to_owned(),
        }
    }
}
