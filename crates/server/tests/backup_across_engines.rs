//! What was SQLite can come back as PostgreSQL, and the other way round.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with tests that use more of it")]
#[path = "support/cluster.rs"]
mod cluster;

use std::sync::Arc;
use std::time::Duration;

use countersign::entropy;
use countersign::store::postgres::PostgresStore;
use countersign::store::sqlite::SqliteStore;
use countersign::store::{
    Client, ClientKind, ClientSettings, Context, Factor, FactorKind, KeyPurpose, KeyRecord, LifetimeSettings,
    NewBrowserSession, NewPlace, NewSession, Page, Profile, Reason, Resource, RotateSession, Rotation,
    Session, SessionFilter, SignInSettings, Started, Store, TABLES, Target, TokenFormat, User, UserChange,
};
use countersign::time::Timestamp;
use countersign_wire::{BrowserSessionId, EncryptionJwk, SessionId, UserId};

const T0: Timestamp = Timestamp(1_800_000_000_000);
const LATER: Timestamp = Timestamp(T0.0 + 60_000);

async fn postgres() -> Arc<dyn Store> {
    PostgresStore::open(&cluster::shared().database().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_moves_from_engine_to_engine() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = |name: &str| -> Arc<dyn Store> { SqliteStore::open(&directory.path().join(name)).unwrap() };
    let first = sqlite("first");
    let session = fill(&first).await;

    let second = postgres().await;
    copy(&first, &second).await;
    let third = sqlite("third");
    copy(&second, &third).await;
    for table in TABLES {
        let rows = export(&first, table.name).await;
        assert!(!rows.is_empty(), "{}", table.name);
        assert_eq!(export(&second, table.name).await, rows, "{}", table.name);
        assert_eq!(export(&third, table.name).await, rows, "{}", table.name);
    }

    // Either goes on where the first stood.
    for store in [second, third] {
        let moved = store.rotate(&refresh_of(&session)).await.unwrap().unwrap();
        assert_eq!(moved.session.generation, session.generation + 1);
        let position = store.position().await.unwrap();
        let receipt = store.revoke(&Target::Everything, Reason::Operator, LATER, LATER).await.unwrap();
        assert_eq!((receipt.sessions_ended, receipt.number), (1, Some(position + 1)));
    }
}

async fn export(store: &Arc<dyn Store>, table: &str) -> Vec<serde_json::Value> {
    let mut rows = Vec::new();
    loop {
        let page = store.export(table, rows.len() as u64, 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

async fn copy(from: &Arc<dyn Store>, to: &Arc<dyn Store>) {
    for table in TABLES {
        to.import(table.name, &export(from, table.name).await).await.unwrap();
    }
}

/// Something in every table; returns the one session that lives.
async fn fill(store: &Arc<dyn Store>) -> Session {
    let user = User {
        id: UserId(entropy::uuid_v7(T0)),
        username: "Ádá “A”".to_owned(),
        canonical: "ádá “a”".to_owned(),
        email: None,
        password_hash: Some("$argon2id$x".to_owned()),
        enabled: true,
        stamp: 1,
        tenant: Some("acme".to_owned()),
        roles: vec!["editor".to_owned()],
        created_at: T0,
        profile: Profile::default(),
    };
    store.add_user(&user).await.unwrap();
    let client = Client {
        id: "web".parse().unwrap(),
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: None,
        created_at: T0,
        settings: settings(),
    };
    store.add_client(&client).await.unwrap();
    let key = KeyRecord {
        id: "k".to_owned(),
        purpose: KeyPurpose::Opaque,
        number: 255,
        created_at: T0,
        active_at: T0,
        expires_at: None,
        sealed: vec![0, 1, 127, 128, 255],
    };
    store.add_key(&key).await.unwrap();
    let resource = Resource {
        audience: "https://api.example/ü".to_owned(),
        encryption_key: EncryptionJwk {
            kty: "EC".to_owned(),
            kid: "a".to_owned(),
            alg: "ECDH-ES".to_owned(),
            use_: "enc".to_owned(),
            crv: "P-256".to_owned(),
            x: "eA".to_owned(),
            y: "eQ".to_owned(),
        },
        created_at: T0,
        changed_at: LATER,
    };
    store.replace_resource(&resource).await.unwrap();
    let browser = NewBrowserSession {
        id: BrowserSessionId(entropy::uuid_v7(T0)),
        user: user.id,
        secret_hash: [200; 32],
        user_stamp: 1,
        remember: true,
        acr: "1".to_owned(),
        amr: vec!["pwd".to_owned()],
        idle_lifetime: Duration::from_secs(3600),
        absolute_lifetime: Duration::from_secs(7200),
        network: None,
        agent: Some("“Browser”".to_owned()),
        place: NewPlace { device: "“Browser”".to_owned(), asks: true },
        now: T0,
    };
    assert!(store.start_browser_session(&browser).await.unwrap().is_some());
    for client in ["web", "app"] {
        let scope = "read".parse().unwrap();
        store.grant_consent(user.id, &client.parse().unwrap(), &scope, T0).await.unwrap();
    }
    let bob = User { id: UserId(entropy::uuid_v7(T0)), canonical: "bob".to_owned(), ..user.clone() };
    store.add_user(&bob).await.unwrap();
    let factor = Factor {
        id: entropy::uuid_v7(T0),
        user: bob.id,
        kind: FactorKind::Totp,
        label: "ein Telefön".to_owned(),
        created_at: T0,
        used_at: None,
        counter: 7,
        body: "sealed".to_owned(),
    };
    store.change_user(bob.id, &UserChange::AddFactors(vec![factor]), T0, LATER).await.unwrap();
    store.revoke(&Target::Tenant("acme".to_owned()), Reason::Operator, T0, LATER).await.unwrap();
    let mut last = None;
    for _ in 0..5 {
        if let Some(Session { id, .. }) = last {
            store.revoke(&Target::Session(id), Reason::Reuse, T0, LATER).await.unwrap();
        }
        let started = store.start_session(&new_session(user.id, &client)).await.unwrap();
        let Started::Session { standing, .. } = started else { panic!("{started:?}") };
        last = Some(store.rotate(&refresh_of(&standing.session)).await.unwrap().unwrap().session);
    }
    let live = SessionFilter { live: Some(true), ..SessionFilter::default() };
    assert_eq!(store.sessions(&live, &Page { after: None, limit: 10 }, T0).await.unwrap().len(), 1);
    last.unwrap()
}

fn settings() -> ClientSettings {
    ClientSettings {
        kind: ClientKind::Web,
        public: true,
        secrets: Vec::new(),
        redirect_uris: Vec::new(),
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
    }
}

fn new_session(user: UserId, client: &Client) -> NewSession {
    NewSession {
        id: SessionId(entropy::uuid_v7(T0)),
        user,
        client: client.id.clone(),
        client_revision: client.revision,
        scope: "read".parse().unwrap(),
        audience: vec!["https://api.example".to_owned()],
        device: Some("phone".to_owned()),
        network: None,
        agent: None,
        remember: true,
        auth_time: T0,
        acr: None,
        amr: vec!["pwd".to_owned()],
        sign_in: None,
        status_positions: vec![7],
        nonce_hash: std::array::from_fn(|i| i as u8 ^ 0xa5),
        key_number: 1,
        idle_lifetime: Duration::from_secs(3600),
        absolute_lifetime: Duration::from_secs(24 * 3600),
        context: Context { network: u32::MAX, agent: 1 },
        limit: 10,
        now: T0,
        keep_until: LATER,
    }
}

fn refresh_of(session: &Session) -> RotateSession {
    RotateSession {
        id: session.id,
        generation: session.generation,
        advance: true,
        nonce_hash: session.nonce_hash,
        client: session.client.clone(),
        client_revision: 1,
        key_number: 2,
        retry_hash: Some([9; 16]),
        context: Context::default(),
        now: T0,
    }
}
