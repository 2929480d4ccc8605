//! The demo of `serve --dev`: a sample application in which a newcomer sees a token pair live, and a theft end.

use super::{Lang, TimelinePoint, timeline_svg};
use crate::time::Timestamp;

/// The demo before signing in.
#[derive(Debug, Clone, Default)]
pub struct DemoStart {
    /// Where the button posts to.
    pub action: String,
    /// The form's token against forged requests.
    pub csrf: String,
    /// The demo user's name and password, to be typed on the next page.
    pub login: Option<(String, String)>,
}

page! {
    /// The demo before signing in.
    demo_start, "demo_start.html", DemoStart
}

/// The demo after signing in. All of its state: the page remembers nothing.
#[derive(Debug, Clone, Default)]
pub struct Demo {
    /// The token of every form.
    pub csrf: String,
    /// Where the buttons post to.
    pub actions: DemoActions,
    /// The person's name.
    pub user: String,
    /// The access token.
    pub access: DemoAccess,
    /// The refresh token.
    pub refresh: DemoRefresh,
    /// Whether the API was called yet.
    pub called: bool,
    /// What the thief holds.
    pub stolen: Option<DemoStolen>,
    /// How it ended, once it did.
    pub ended: Option<DemoEnd>,
    /// The session's life.
    pub timeline: Vec<TimelinePoint>,
    /// What was said between the parties, in order.
    pub log: Vec<DemoStep>,
}

/// Where the demo's buttons post to.
#[derive(Debug, Clone, Default)]
pub struct DemoActions {
    /// Calls the API with the access token.
    pub call: String,
    /// Refreshes.
    pub refresh: String,
    /// Copies the refresh token for the thief.
    pub steal: String,
    /// The thief refreshes with the copy.
    pub use_stolen: String,
    /// Forgets everything and starts again.
    pub restart: String,
}

/// The access token.
#[derive(Debug, Clone, Default)]
pub struct DemoAccess {
    /// Its beginning and end, with dots between: never all of it.
    pub masked: String,
    /// Its claims, decoded.
    pub claims: Vec<(String, String)>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How long it lives in all, in seconds.
    pub lifetime: u64,
}

/// The refresh token.
#[derive(Debug, Clone, Default)]
pub struct DemoRefresh {
    /// Its beginning and end, with dots between.
    pub masked: String,
    /// Its generation.
    pub generation: u32,
    /// The generation before, when this answer is that of a refresh: the card shows the step.
    pub previous: Option<u32>,
    /// The session that it belongs to.
    pub session_id: String,
    /// When it expires if it is not used.
    pub expires_at: Timestamp,
    /// How long it lives unused, in seconds.
    pub lifetime: u64,
}

/// The thief's copy.
#[derive(Debug, Clone, Default)]
pub struct DemoStolen {
    /// Its beginning and end, with dots between.
    pub masked: String,
    /// Its generation.
    pub generation: u32,
    /// The thief has refreshed with it and got a pair.
    pub used: bool,
}

/// How the session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoEnd {
    /// Who presented the spent token.
    pub by: DemoWho,
    /// When the last access token of the session would have expired.
    pub access_until: Timestamp,
}

/// One step.
#[derive(Debug, Clone)]
pub struct DemoStep {
    /// Who did it.
    pub who: DemoWho,
    /// What it was; it decides the sentence.
    pub event: DemoEvent,
    /// The request's first line and what matters of its body, tokens masked.
    pub request: String,
    /// The answer's status; none when nothing was sent.
    pub status: Option<u16>,
    /// The answer's body, tokens masked.
    pub body: String,
}

/// Who acts in the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoWho {
    /// The person at the sample application.
    You,
    /// The thief.
    Thief,
    /// The server.
    Server,
}

impl DemoWho {
    fn class(&self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Thief => "thief",
            Self::Server => "server",
        }
    }

    fn is_thief(&self) -> bool {
        *self == Self::Thief
    }
}

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoEvent {
    /// The code was exchanged for the first pair.
    SignedIn,
    /// The API answered.
    ApiAnswered,
    /// The API refused the access token.
    ApiRefused,
    /// A refresh gave a new pair.
    Refreshed {
        /// The generation that was presented.
        from: u32,
    },
    /// The thief copied the refresh token.
    Copied {
        /// Its generation.
        generation: u32,
    },
    /// A spent token was presented, and the session was ended.
    Reused {
        /// The generation that was presented.
        generation: u32,
    },
    /// A token of the ended session was refused.
    Refused,
    /// The server could not answer.
    Unavailable,
}

impl DemoStep {
    fn is_good(&self) -> bool {
        self.status.is_some_and(|status| status < 400)
    }
}

impl Demo {
    /// The steps of the tour: done or not, and which comes next.
    fn progress(&self) -> [(usize, bool); 5] {
        let refreshed = self.refresh.generation > 1 || self.stolen.is_some();
        let reached =
            [true, self.called || refreshed, refreshed, self.stolen.is_some(), self.ended.is_some()];
        let mut place = 0;
        reached.map(|done| {
            place += 1;
            (place, done)
        })
    }

    /// The first step that is not done.
    fn next(&self) -> usize {
        self.progress().into_iter().find(|(_, done)| !done).map_or(0, |(place, _)| place)
    }

    /// What to do next.
    fn advice(&self, lang: &Lang) -> &'static str {
        let used = self.stolen.as_ref().is_some_and(|stolen| stolen.used);
        let spent = self.stolen.as_ref().is_some_and(|stolen| self.refresh.generation > stolen.generation);
        lang.demo_next(self.next(), spent, used)
    }

    fn timeline_svg(&self, title: &str) -> String {
        timeline_svg(title, &self.timeline)
    }
}

page! {
    /// The demo after signing in.
    demo, "demo.html", Demo
}
