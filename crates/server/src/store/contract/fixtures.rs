//! What the cases start from: one user, one client, and short ways to say what happens to them.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{BrowserSessionId, ClientId, EncryptionJwk, SessionId, UserId};

use crate::entropy;
use crate::store::{
    Added, BrowserStanding, Client, ClientKind, ClientSettings, Context, LifetimeSettings, NewBrowserSession,
    NewPlace, NewSession, Page, Profile, Reason, Receipt, Replay, Resource, RotateSession, Rotation, Session,
    SignIn, SignInSettings, Standing, StartRefusal, Started, Store, Target, Ticket, TicketKind, TokenFormat,
    User,
};
use crate::time::Timestamp;

/// The time at which every case begins; a whole second.
pub(crate) const T0: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const IDLE: Duration = Duration::from_secs(3600);
pub(crate) const ABSOLUTE: Duration = Duration::from_secs(24 * 3600);
pub(crate) const HERE: Context = Context { network: 7, agent: 9 };
/// So many at once.
pub(crate) const CROWD: usize = 64;

/// `T0` and so many milliseconds.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp(T0.0 + ms)
}

/// How long an entry written at `now` is kept.
pub(crate) fn keep(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(900))
}

pub(crate) fn user_named(name: &str) -> User {
    User {
        id: UserId(entropy::uuid_v7(T0)),
        username: name.to_uppercase(),
        canonical: name.to_owned(),
        email: Some(format!("{name}@example.org")),
        password_hash: None,
        enabled: true,
        stamp: 1,
        tenant: None,
        roles: vec!["editor".to_owned(), "reader".to_owned()],
        created_at: T0,
        profile: Profile::default(),
    }
}

pub(crate) fn client_named(name: &str) -> Client {
    Client {
        id: name.parse().unwrap(),
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: None,
        created_at: T0,
        settings: ClientSettings {
            kind: ClientKind::Web,
            public: true,
            secrets: Vec::new(),
            redirect_uris: vec!["https://app.example/back".to_owned()],
            scope: "read write".parse().unwrap(),
            audience: vec!["https://api.example".to_owned()],
            token_format: TokenFormat::Jwt,
            signing_alg: None,
            rotation: Rotation::Rotate,
            overlap_ms: 10_000,
            lifetimes: LifetimeSettings::default(),
            allow_long_access_tokens: false,
            introspects: Vec::new(),
            longest_access: 900,
            extra_claims: Vec::new(),
            sign_in: SignInSettings::default(),
        },
    }
}

/// Keys are checked before they come to the store.
pub(crate) fn resource_named(audience: &str, kid: &str) -> Resource {
    Resource {
        audience: audience.to_owned(),
        encryption_key: EncryptionJwk {
            kty: "EC".to_owned(),
            kid: kid.to_owned(),
            alg: "ECDH-ES".to_owned(),
            use_: "enc".to_owned(),
            crv: "P-256".to_owned(),
            x: "eA".to_owned(),
            y: "eQ".to_owned(),
        },
        created_at: T0,
        changed_at: T0,
    }
}

pub(crate) fn new_session(user: UserId, client: &Client, now: Timestamp) -> NewSession {
    NewSession {
        id: SessionId(entropy::uuid_v7(now)),
        user,
        client: client.id.clone(),
        client_revision: client.revision,
        scope: "read write".parse().unwrap(),
        audience: vec!["https://api.example".to_owned()],
        device: None,
        network: None,
        agent: None,
        remember: false,
        auth_time: now,
        acr: None,
        amr: vec!["pwd".to_owned()],
        sign_in: None,
        status_positions: Vec::new(),
        nonce_hash: [5; 32],
        key_number: 1,
        idle_lifetime: IDLE,
        absolute_lifetime: ABSOLUTE,
        context: HERE,
        limit: 1000,
        now,
        keep_until: keep(now),
    }
}

/// The refresh of the session's current generation.
pub(crate) fn rotation_of(session: &Session, client_revision: u64, now: Timestamp) -> RotateSession {
    RotateSession {
        id: session.id,
        generation: session.generation,
        advance: true,
        nonce_hash: session.nonce_hash,
        client: session.client.clone(),
        client_revision,
        key_number: 2,
        retry_hash: None,
        context: HERE,
        now,
    }
}

/// A replay that is answered with the session's current generation.
pub(crate) fn replay_of(session: &Session, client_revision: u64, now: Timestamp) -> Replay {
    Replay {
        id: session.id,
        generation: session.generation,
        nonce_hash: session.nonce_hash,
        client: session.client.clone(),
        client_revision,
        seen: session.lockstep,
        lockstep: session.lockstep,
        now,
        detail: "a replay".to_owned(),
    }
}

/// All of a list.
pub(crate) fn all<K>() -> Page<K> {
    Page { after: None, limit: 1000 }
}

/// A store with a user and a client in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) user: User,
    pub(crate) client: Client,
}

impl World {
    pub(crate) async fn new(store: Arc<dyn Store>) -> Self {
        let user = add_user(&store, user_named("ada")).await;
        let client = add_client(&store, client_named("web")).await;
        Self { store, user, client }
    }

    pub(crate) fn client_id(&self) -> ClientId {
        self.client.id.clone()
    }

    /// Starts a session of the user at the client.
    pub(crate) async fn start(&self, now: Timestamp) -> Standing {
        self.start_as(&new_session(self.user.id, &self.client, now)).await
    }

    pub(crate) async fn start_as(&self, new: &NewSession) -> Standing {
        match self.store.start_session(new).await.unwrap() {
            Started::Session { standing, .. } => *standing,
            Started::Refused(why) => panic!("refused: {why:?}"),
        }
    }

    /// Refreshes the session's current generation.
    pub(crate) async fn rotate(&self, standing: &Standing, now: Timestamp) -> Option<Standing> {
        let rotate = rotation_of(&standing.session, self.client.revision, now);
        self.store.rotate(&rotate).await.unwrap()
    }

    pub(crate) async fn revoke(&self, target: &Target, reason: Reason, now: Timestamp) -> Receipt {
        self.store.revoke(target, reason, now, keep(now)).await.unwrap()
    }

    /// The session as it stands.
    pub(crate) async fn standing(&self, standing: &Standing) -> Standing {
        self.store.standing(standing.session.id).await.unwrap().unwrap()
    }

    pub(crate) async fn is_live(&self, standing: &Standing, now: Timestamp) -> bool {
        self.standing(standing).await.is_live(now)
    }
}

pub(crate) async fn add_user(store: &Arc<dyn Store>, user: User) -> User {
    assert_eq!(store.add_user(&user).await.unwrap(), Added::Yes);
    user
}

/// Adds a client and reads it back, as the store may set its revision and cut.
pub(crate) async fn add_client(store: &Arc<dyn Store>, client: Client) -> Client {
    assert_eq!(store.add_client(&client).await.unwrap(), Added::Yes);
    store.client(&client.id).await.unwrap().unwrap()
}

/// A browser session of the user, for somebody who was just authenticated.
pub(crate) fn new_browser(user: &User, now: Timestamp) -> NewBrowserSession {
    let id = BrowserSessionId(entropy::uuid_v7(now));
    NewBrowserSession {
        id,
        user: user.id,
        secret_hash: hash_of(id.0),
        user_stamp: user.stamp,
        remember: false,
        acr: "1".to_owned(),
        amr: vec!["pwd".to_owned()],
        idle_lifetime: IDLE,
        absolute_lifetime: ABSOLUTE,
        network: Some("192.0.2.0/24".to_owned()),
        agent: Some("Browser".to_owned()),
        place: NewPlace { device: "device".to_owned(), asks: false },
        now,
    }
}

/// A ticket that is good for a minute and remembered for an hour.
pub(crate) fn new_ticket(kind: TicketKind, now: Timestamp) -> Ticket {
    Ticket {
        hash: hash_of(entropy::uuid_v7(now)),
        kind,
        expires_at: now.plus(Duration::from_secs(60)),
        kept_until: now.plus(Duration::from_secs(3600)),
        revision: 1,
        body: r#"{"a":1}"#.to_owned(),
        session: None,
    }
}

/// A hash that no other thing has.
fn hash_of(id: uuid::Uuid) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(id.as_bytes());
    hash
}

impl World {
    /// The user as stored now.
    pub(crate) async fn user_now(&self) -> User {
        self.store.user(self.user.id).await.unwrap().unwrap()
    }

    /// Starts a browser session of the user as stored now.
    pub(crate) async fn browse(&self, now: Timestamp) -> BrowserStanding {
        let new = new_browser(&self.user_now().await, now);
        self.store.start_browser_session(&new).await.unwrap().unwrap()
    }

    pub(crate) async fn browser_now(&self, browser: &BrowserStanding) -> BrowserStanding {
        self.store.browser_session(&browser.session.secret_hash).await.unwrap().unwrap()
    }

    /// Adds a code.
    pub(crate) async fn code(&self, now: Timestamp) -> Ticket {
        let ticket = new_ticket(TicketKind::Code, now);
        assert_eq!(self.store.add_ticket(&ticket).await.unwrap(), Added::Yes);
        ticket
    }

    /// What starts a session with a new code in that browser session.
    pub(crate) async fn redemption(&self, browser: &BrowserStanding, now: Timestamp) -> NewSession {
        let mut new = new_session(self.user.id, &self.client, now);
        let ticket = self.code(now).await.hash;
        new.sign_in = Some(SignIn { ticket, browser: browser.session.id, ends_with_browser: true });
        new
    }

    pub(crate) async fn refused(&self, new: &NewSession) -> Option<StartRefusal> {
        match self.store.start_session(new).await.unwrap() {
            Started::Session { .. } => None,
            Started::Refused(why) => Some(why),
        }
    }
}
