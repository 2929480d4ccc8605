//! Where people have signed in from. Guessing elsewhere does not keep them out of there, and a
//! sign-in from another place is shown to them until they say that it was theirs.
//!
//! Known by the store and not by a cookie: a cookie would follow whoever travels, but it goes with
//! the browser's other cookies, and who steals one could guess from everywhere.

use countersign_wire::{BrowserSessionId, UserId};

use super::browser::{self, BrowserStanding};
use super::{FlowResult, Origin};
use crate::app::App;
pub use crate::store::Place;
use crate::store::{NewPlace, Reason};
use crate::throttle::Attempt;
use crate::time::Timestamp;

/// A sign-in that the person has yet to say something of.
#[derive(Debug, Clone)]
pub struct NewSignIn {
    /// Where.
    pub place: Place,
    /// Whether the browser that looks may say that it was the person: see [`may_vouch`].
    pub may_vouch: bool,
}

/// What came of saying that a sign-in was somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nobody is signed in there any more.
    Ended,
    /// There is no such place, or it was settled meanwhile.
    Gone,
}

/// The place of a sign-in that is about to be recorded.
///
/// # Errors
/// The store's silence.
pub(super) async fn of_sign_in(app: &App, user: UserId, origin: &Origin) -> FlowResult<NewPlace> {
    let known = app.store.places(user).await?;
    let device = device_of(&origin.agent);
    // There is nobody to ask about the first one.
    let asks = !known.is_empty() && find(&known, origin).is_none();
    Ok(NewPlace { device, asks })
}

/// Whether a person has signed in from there before.
///
/// # Errors
/// The store's silence.
pub(super) async fn is_known(app: &App, user: UserId, origin: &Origin) -> FlowResult<bool> {
    Ok(find(&app.store.places(user).await?, origin).is_some())
}

/// An attempt to sign in to an account, as it is counted. `account` is the canonical name, or what
/// stands for one of its parts.
///
/// # Errors
/// The store's silence.
pub(super) async fn attempt<'a>(
    app: &App,
    canonical: &str,
    account: &'a str,
    origin: &'a Origin,
) -> FlowResult<Attempt<'a>> {
    // Asked for every name, whether there is such a user or not.
    let at_home = app.store.has_place_in(canonical, &origin.network).await?;
    Ok(Attempt { account, network: &origin.network, at_home })
}

/// The sign-ins that are new to the person, the newest first: all but the one of the place where they
/// are being looked at, of which its own browser has nothing to say.
///
/// # Errors
/// The store's silence.
pub async fn new_sign_ins(
    app: &App,
    standing: &BrowserStanding,
    origin: &Origin,
) -> FlowResult<Vec<NewSignIn>> {
    let known = app.store.places(standing.session.user).await?;
    let here = find(&known, origin);
    let is_told = |place: &&Place| place.is_new && here.is_none_or(|here| here.id != place.id);
    Ok(known
        .iter()
        .filter(is_told)
        .map(|place| NewSignIn { place: place.clone(), may_vouch: may_vouch(place, here, standing) })
        .collect())
}

/// The person says that it was them. False: this browser may not say so, or there is nothing to say.
///
/// # Errors
/// The store's silence.
pub async fn accept(
    app: &App,
    standing: &BrowserStanding,
    id: BrowserSessionId,
    origin: &Origin,
) -> FlowResult<bool> {
    let all = new_sign_ins(app, standing, origin).await?;
    if !all.iter().any(|new| new.place.id == id && new.may_vouch) {
        return Ok(false);
    }
    Ok(app.store.settle_place(standing.session.user, id).await?)
}

/// The person says that it was somebody else: what was signed in there is ended, and the place is
/// not known any more. A browser that may not vouch for it ends what is there, and the question stays.
///
/// # Errors
/// The store's silence.
pub async fn refuse(
    app: &App,
    standing: &BrowserStanding,
    id: BrowserSessionId,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Refused> {
    let user = standing.session.user;
    let all = new_sign_ins(app, standing, origin).await?;
    let Some(new) = all.into_iter().find(|new| new.place.id == id) else { return Ok(Refused::Gone) };
    for live in app.store.browser_sessions(user, now).await? {
        let session = &live.session;
        let is_there = session.network.as_deref().unwrap_or_default() == new.place.network
            && device_of(session.agent.as_deref().unwrap_or_default()) == new.place.device;
        if session.id != standing.session.id && (is_there || session.id == new.place.browser) {
            browser::end(app, session.id, Reason::Person, now).await?;
        }
    }
    if new.may_vouch {
        app.store.forget_place(user, id).await?;
    }
    Ok(Refused::Ended)
}

/// Only what is older than a sign-in can vouch for it: the browser session itself, or the place in
/// which it is. So whoever got in cannot put away the sign of it, not even by signing in once more:
/// of all their places the first stays, until somebody comes who was there before.
fn may_vouch(place: &Place, here: Option<&Place>, standing: &BrowserStanding) -> bool {
    here.is_some_and(|here| here.since < place.since) || standing.session.created_at < place.since
}

fn find<'a>(places: &'a [Place], origin: &Origin) -> Option<&'a Place> {
    let device = device_of(&origin.agent);
    places.iter().find(|place| place.network == origin.network && device_of(&place.agent) == device)
}

/// A user agent without its numbers, which change every few weeks.
fn device_of(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '_')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::fixtures::{T0, at, user_named};
    use crate::store::{BrowserSession, User};

    fn origin(network: &str, agent: &str) -> Origin {
        Origin { network: network.to_owned(), agent: agent.to_owned() }
    }

    fn place(user: &User, origin: &Origin, since: Timestamp) -> Place {
        let id = BrowserSessionId(crate::entropy::uuid_v7(since));
        Place {
            id,
            user: user.id,
            network: origin.network.clone(),
            device: device_of(&origin.agent),
            agent: origin.agent.clone(),
            since,
            seen_at: since,
            browser: id,
            is_new: true,
        }
    }

    #[test]
    fn a_device_is_known_again_after_an_update() {
        let agent =
            |version| format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/{version} Safari");
        let known = [place(&user_named("ana"), &origin("n", &agent("156.0.1")), T0)];
        assert!(find(&known, &origin("n", &agent("157.0"))).is_some());
        assert!(find(&known, &origin("m", &agent("156.0.1"))).is_none());
        assert!(find(&known, &origin("n", "Mozilla/5.0 (Windows NT 10.0) Chrome/156.0.1")).is_none());
    }

    #[test]
    fn only_what_is_older_vouches() {
        let user = user_named("ana");
        let (home, inn) = (origin("home", "laptop"), origin("inn", "laptop"));
        let (old, new) = (place(&user, &home, at(1)), place(&user, &inn, at(5)));
        let session = |at: Timestamp| BrowserStanding {
            session: BrowserSession {
                id: new.id,
                user: user.id,
                secret_hash: [1; 32],
                user_stamp: 1,
                born: 0,
                remember: false,
                created_at: at,
                auth_time: at,
                acr: String::new(),
                amr: Vec::new(),
                seen_at: at,
                idle_lifetime: std::time::Duration::ZERO,
                idle_expires_at: at,
                expires_at: at,
                network: None,
                agent: None,
                ended: None,
            },
            user: user.clone(),
            cut: 0,
        };
        assert!(may_vouch(&new, Some(&old), &session(at(9))), "an old place");
        assert!(may_vouch(&new, None, &session(at(2))), "an old session on the way");
        assert!(!may_vouch(&new, Some(&new), &session(at(5))), "its own");
        assert!(!may_vouch(&new, None, &session(at(5))), "its own, moved on");
        let later = place(&user, &origin("den", "phone"), at(7));
        assert!(!may_vouch(&new, Some(&later), &session(at(7))), "one that came after it");
        assert!(may_vouch(&later, Some(&new), &session(at(5))), "that one stays itself");
    }
}
