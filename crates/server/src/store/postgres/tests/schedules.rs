//! Every schedule of the steps of two and three operations on one session (S1 to S8). Each
//! operation runs on a node of its own, statement by statement, in every order that there is; one
//! that waits for a lock is passed over until the lock is free. Whatever the order, what the
//! operations answered and what is stored is what one after the other would have given, and a
//! refresh that begins after an ending was answered gets nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign_wire::BrowserSessionId;
use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::{Client, NoTls};

use super::database;
use super::steps::{Said, Steps};
use crate::store::contract::fixtures::*;
use crate::store::contract::sign_in::own_change;
use crate::store::postgres::PostgresStore;
use crate::store::{
    EventFilter, NewBrowserSession, Reason, Receipt, RotateSession, SessionFilter, SignIn, Standing, Started,
    Store, StoreError, StoreResult, Target, Ticket, TicketKind, UserChange,
};
use crate::time::Timestamp;

/// What a person signs in with: known by the user's id, so that nothing need be passed on.
impl World {
    fn browser_of_user(&self) -> NewBrowserSession {
        let id = BrowserSessionId(self.user.id.0);
        NewBrowserSession { id, secret_hash: self.code_of_user().hash, ..new_browser(&self.user, T0) }
    }

    fn code_of_user(&self) -> Ticket {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(self.user.id.0.as_bytes());
        Ticket { hash, ..new_ticket(TicketKind::Code, T0) }
    }
}

const READ_COMMITTED: &str = "BEGIN";
const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// The deadline of a call: it holds the time in which others have their turns, which on a machine
/// that runs every test at once is more than a product's call may take.
const WAITING_FOR_TURNS: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    /// The live token.
    Refresh,
    /// The token before it, with all that its replay writes.
    Replay,
    Revoke,
    Disable,
    /// Another password: the stamp moves.
    Stamp,
    ClientDisable,
    /// Of what has expired a day from now, which the session has, then.
    Purge,
    /// Starts another session, with the code and the browser session of the world.
    Redeem,
    /// Ends that browser session.
    SignOut,
    /// A change by the person in that browser, which goes on.
    Own,
}

impl Op {
    fn ends(self) -> bool {
        matches!(self, Self::Revoke | Self::Disable | Self::Stamp | Self::ClientDisable)
    }

    /// Runs it and says in words what it answered.
    async fn run(self, store: Arc<PostgresStore>, world: World, standing: Standing) -> StoreResult<String> {
        let session = &standing.session;
        let revision = world.client.revision;
        let generation = |outcome: Option<Standing>| outcome.map(|s| s.session.generation);
        let receipt = |receipt: Option<Receipt>| {
            let receipt = receipt.unwrap();
            format!("ended {}, logged {}", receipt.sessions_ended, receipt.number.is_some())
        };
        let now = at(2);
        Ok(match self {
            Self::Refresh => {
                let rotate = RotateSession { now, ..rotation_of(session, revision, now) };
                format!("{:?}", generation(store.rotate(&rotate).await?))
            }
            Self::Replay => {
                format!("{:?}", generation(store.replay(&replay_of(session, revision, now)).await?))
            }
            Self::Revoke => {
                let target = Target::Session(session.id);
                receipt(Some(store.revoke(&target, Reason::Operator, now, keep(now)).await?))
            }
            Self::Disable => {
                receipt(store.change_user(world.user.id, &UserChange::Disable, now, keep(now)).await?)
            }
            Self::Stamp => {
                let change = UserChange::Password("x".to_owned());
                receipt(store.change_user(world.user.id, &change, now, keep(now)).await?)
            }
            Self::ClientDisable => {
                receipt(store.set_client_enabled(&world.client.id, false, now, keep(now)).await?)
            }
            Self::Redeem => {
                let mut new = new_session(world.user.id, &world.client, now);
                let (ticket, browser) = (world.code_of_user().hash, world.browser_of_user().id);
                new.sign_in = Some(SignIn { ticket, browser, ends_with_browser: true });
                match store.start_session(&new).await? {
                    Started::Session { .. } => "started".to_owned(),
                    Started::Refused(why) => format!("{why:?}"),
                }
            }
            Self::SignOut => {
                let (browser, reason) = (world.browser_of_user().id, Reason::BrowserSignOut);
                receipt(store.end_browser_session(browser, reason, now, keep(now)).await?)
            }
            Self::Own => {
                let browser = store.browser_session(&world.code_of_user().hash).await?.unwrap();
                let own = own_change(&browser, UserChange::SignOut, now);
                match store.change_own_user(&own).await? {
                    Some(done) => receipt(Some(done)),
                    None => "refused".to_owned(),
                }
            }
            Self::Purge => {
                store.purge(Timestamp(T0.0).plus(ABSOLUTE).plus(ABSOLUTE), Timestamp(0), 1000).await?;
                String::new()
            }
        })
    }
}

/// What all that happened comes to.
type Outcome = (Vec<(usize, String)>, String);

struct Stage {
    nodes: Vec<Arc<PostgresStore>>,
    watcher: Client,
    worlds: AtomicU32,
    begin: &'static str,
}

struct Ran {
    outcome: Outcome,
    /// Turns that each operation took.
    turns: Vec<usize>,
    /// How many times an operation waited for a lock when its turn came.
    waited: usize,
    /// Why an operation was answered so.
    unavailable: Option<String>,
}

impl Stage {
    async fn new(nodes: usize, begin: &'static str) -> Self {
        let url = database().await;
        let (watcher, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let name: String = watcher.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
        watcher.batch_execute(&format!("ALTER DATABASE {name} SET deadlock_timeout = '50ms'")).await.unwrap();
        let mut stage = Self { nodes: Vec::new(), watcher, worlds: AtomicU32::new(0), begin };
        for _ in 0..nodes {
            let node = PostgresStore::open_with(&url, WAITING_FOR_TURNS).await.unwrap();
            // What a node does by itself is not in the script.
            node.background.iter().for_each(tokio::task::AbortHandle::abort);
            stage.nodes.push(node);
        }
        stage
    }

    /// How many backends wait for another's lock.
    async fn blocked(&self) -> usize {
        // By one of this database: a NOTIFY also waits for those of the other tests' databases.
        const BLOCKED: &str = "SELECT count(*) FROM pg_stat_activity a
            WHERE a.datname = current_database() AND EXISTS (
                SELECT 1 FROM unnest(pg_blocking_pids(a.pid)) AS blocker (pid)
                JOIN pg_stat_activity b ON b.pid = blocker.pid WHERE b.datname = current_database())";
        let row = self.watcher.query_one(BLOCKED, &[]).await.unwrap();
        usize::try_from(row.get::<_, i64>(0)).unwrap()
    }

    async fn world(&self) -> (World, Standing) {
        let number = self.worlds.fetch_add(1, Ordering::SeqCst);
        let store: Arc<dyn Store> = self.nodes[0].clone();
        let user = add_user(&store, user_named(&format!("ada{number}"))).await;
        let client = add_client(&store, client_named(&format!("web{number}"))).await;
        let world = World { store, user, client };
        world.store.start_browser_session(&world.browser_of_user()).await.unwrap().unwrap();
        world.store.add_ticket(&world.code_of_user()).await.unwrap();
        let first = world.start(T0).await;
        let standing = world.rotate(&first, at(1)).await.unwrap();
        (world, standing)
    }

    /// Runs operations by a script of whose turn it is, and to their ends when the script is over.
    async fn run(&self, ops: &[Op], script: &[usize]) -> Ran {
        let (world, standing) = self.world().await;
        let (said, mut hears) = mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        let mut turns_of = Vec::new();
        for (number, op) in ops.iter().copied().enumerate() {
            let node = self.nodes[number].clone();
            let turns = Arc::new(Semaphore::new(0));
            let steps = Steps { number, turns: turns.clone(), script: said.clone(), begin: self.begin };
            node.pool.steps.put(Some(steps.clone()));
            node.rotator_pool.steps.put(Some(steps));
            turns_of.push(turns);
            let (world, standing, said) = (world.clone(), standing.clone(), said.clone());
            tasks.push(tokio::spawn(async move {
                let outcome = op.run(node, world, standing).await;
                let _ = said.send((number, Said::Done));
                outcome
            }));
        }

        let mut state: Vec<Option<Said>> = vec![None; ops.len()];
        let mut turns = vec![0; ops.len()];
        let mut waited = 0;
        let mut began_after: Vec<Vec<usize>> = vec![Vec::new(); ops.len()];
        self.settle(&mut state, &mut hears).await;
        let rest = std::iter::repeat_n(0..ops.len(), 64).flatten();
        for number in script.iter().copied().chain(rest) {
            if state.iter().all(|s| *s == Some(Said::Done)) {
                break;
            }
            match state[number] {
                Some(Said::Waits) => {
                    if turns[number] == 0 {
                        began_after[number] =
                            (0..ops.len()).filter(|other| state[*other] == Some(Said::Done)).collect();
                    }
                    turns[number] += 1;
                    state[number] = None;
                    turns_of[number].add_permits(1);
                    self.settle(&mut state, &mut hears).await;
                }
                Some(Said::Done) => {}
                None => waited += 1,
            }
            // Two that wait for each other: the database ends one of them.
            if state.iter().all(|s| s.is_none_or(|said| said == Said::Done)) && state.contains(&None) {
                let (number, said) = hears.recv().await.unwrap();
                state[number] = Some(said);
                self.settle(&mut state, &mut hears).await;
            }
        }
        for node in &self.nodes {
            node.pool.steps.put(None);
            node.rotator_pool.steps.put(None);
        }
        let mut answers = Vec::new();
        let mut unavailable = None;
        for (number, task) in tasks.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(answer) => answers.push((number, answer)),
                Err(StoreError::Unavailable(why)) => unavailable = Some(why),
                Err(error) => panic!("{ops:?} by {script:?}: {error}"),
            }
        }
        for (number, answer) in &answers {
            let late = began_after[*number].iter().any(|other| ops[*other].ends());
            if late && matches!(ops[*number], Op::Refresh | Op::Replay) {
                assert_eq!(answer, "None", "{ops:?} by {script:?}: issued after an answered ending");
            }
        }
        // What holds in every order, so that a rule missing from all orders is seen too.
        let successor = format!("Some({})", standing.session.generation + 1);
        let refreshed: Vec<_> = answers
            .iter()
            .filter(|(number, answer)| ops[*number] == Op::Refresh && answer != "None")
            .collect();
        assert!(refreshed.len() <= 1, "{ops:?} by {script:?}: one token, several rotations: {refreshed:?}");
        assert!(refreshed.iter().all(|(_, answer)| *answer == successor), "{ops:?} by {script:?}");
        // Whether a purge passed the session over is seen in what is stored.
        answers.retain(|(number, _)| ops[*number] != Op::Purge);
        Ran { outcome: (answers, self.stored(&world, &standing, ops).await), turns, waited, unavailable }
    }

    /// Until each operation waits for its turn, is done, or waits for a lock.
    async fn settle(&self, state: &mut [Option<Said>], hears: &mut mpsc::UnboundedReceiver<(usize, Said)>) {
        loop {
            let before = state.iter().filter(|s| s.is_none()).count();
            if before == 0 {
                return;
            }
            let blocked = self.blocked().await;
            while let Ok((number, said)) = hears.try_recv() {
                state[number] = Some(said);
            }
            let after = state.iter().filter(|s| s.is_none()).count();
            if after == 0 || (after == before && blocked == after) {
                return;
            }
        }
    }

    async fn stored(&self, world: &World, standing: &Standing, ops: &[Op]) -> String {
        let id = standing.session.id;
        const HALVES: &str = "SELECT (SELECT count(*) FROM session_head WHERE id = $1),
                                     (SELECT count(*) FROM session WHERE id = $1)";
        let halves = self.watcher.query_one(HALVES, &[&id.0]).await.unwrap();
        assert_eq!(halves.get::<_, i64>(0), halves.get::<_, i64>(1), "{ops:?}: half a session");
        let row = world.store.standing(id).await.unwrap().map(|s| {
            let session = &s.session;
            let ended = session.ended.map(|ended| ended.reason);
            (session.generation, ended, session.replays, s.gates.user_stamp, s.is_live(at(3)))
        });
        if ops.contains(&Op::Purge) {
            return format!("{row:?}");
        }
        let log = world.store.revocations(0, 100_000, at(3)).await.unwrap();
        let ours = [id.to_string(), world.user.id.to_string(), world.client.id.to_string()];
        let mut log: Vec<_> = log
            .iter()
            .filter(|entry| ours.contains(&entry.target.subject()))
            .map(|entry| (entry.target.kind(), entry.reason))
            .collect();
        log.sort_by_key(|(kind, _)| *kind);
        let filter = EventFilter { session: Some(id), ..EventFilter::default() };
        let mut events: Vec<_> = world
            .store
            .events(&filter, &all())
            .await
            .unwrap()
            .iter()
            .map(|event| event.kind.as_str())
            .collect();
        events.sort_unstable();
        let filter = SessionFilter { user: Some(world.user.id), ..SessionFilter::default() };
        let of_user = world.store.sessions(&filter, &all(), at(3)).await.unwrap();
        let others = of_user.iter().filter(|s| s.session.id != id);
        let mut others: Vec<_> =
            others.map(|s| (s.is_live(at(3)), s.session.ended.map(|e| e.reason.as_str()))).collect();
        others.sort_unstable();
        let code = world.store.ticket(&world.code_of_user().hash).await.unwrap().unwrap();
        let spent = code.session.is_some();
        assert_eq!(spent, !others.is_empty(), "{ops:?}: the code and its session");
        let browsers = world.store.browser_sessions(world.user.id, at(3)).await.unwrap().len();
        format!("{row:?}, log {log:?}, events {events:?}, others {others:?}, browsers {browsers}")
    }
}

/// Every order of so many turns of each.
fn schedules(turns: &[usize]) -> Vec<Vec<usize>> {
    fn go(left: &mut Vec<usize>, so_far: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if left.iter().all(|n| *n == 0) {
            all.push(so_far.clone());
        }
        for number in 0..left.len() {
            if left[number] > 0 {
                left[number] -= 1;
                so_far.push(number);
                go(left, so_far, all);
                so_far.pop();
                left[number] += 1;
            }
        }
    }
    let mut all = Vec::new();
    go(&mut turns.to_vec(), &mut Vec::new(), &mut all);
    all
}

/// One after the other, in every order.
fn serial_orders(numbers: &[usize]) -> Vec<Vec<usize>> {
    let ones = vec![1; numbers.len()];
    schedules(&ones).into_iter().map(|order| order.into_iter().map(|i| numbers[i]).collect()).collect()
}

async fn every_schedule(begin: &'static str, ops: &[Op]) {
    let stage = Stage::new(ops.len(), begin).await;
    let mut serial = BTreeSet::new();
    let mut turns = vec![0; ops.len()];
    let numbers: Vec<usize> = (0..ops.len()).collect();
    for order in serial_orders(&numbers) {
        let script: Vec<usize> = order.iter().flat_map(|number| std::iter::repeat_n(*number, 32)).collect();
        let ran = stage.run(ops, &script).await;
        assert_eq!(ran.unavailable, None);
        for (most, now) in turns.iter_mut().zip(ran.turns) {
            *most = now.max(*most);
        }
        serial.insert(ran.outcome);
    }
    // A purge passes over what is in use, and comes again.
    if let Some(purge) = ops.iter().position(|op| *op == Op::Purge) {
        let others: Vec<usize> = numbers.iter().copied().filter(|number| *number != purge).collect();
        let ops: Vec<Op> = others.iter().map(|number| ops[*number]).collect();
        for order in serial_orders(&(0..ops.len()).collect::<Vec<_>>()) {
            let (world, standing) = stage.world().await;
            let mut answers = Vec::new();
            for number in order {
                let node = stage.nodes[number].clone();
                let answer = ops[number].run(node, world.clone(), standing.clone()).await.unwrap();
                answers.push((others[number], answer));
            }
            answers.sort();
            serial.insert((answers, stage.stored(&world, &standing, &[Op::Purge]).await));
        }
    }
    let all = schedules(&turns);
    let (mut waited, mut unavailable) = (0, 0);
    for script in &all {
        let ran = stage.run(ops, script).await;
        waited += usize::from(ran.waited > 0);
        if let Some(why) = ran.unavailable {
            assert_eq!(begin, SERIALIZABLE, "{ops:?} by {script:?}: 503, {why}");
            unavailable += 1;
            continue;
        }
        assert!(
            serial.contains(&ran.outcome),
            "{ops:?} by {script:?}: {:?}\nserial: {serial:#?}",
            ran.outcome
        );
    }
    println!(
        "{ops:?}: {} schedules of {turns:?} turns, {} outcomes, {waited} with a lock to wait for, {unavailable} 503",
        all.len(),
        serial.len()
    );
    println!("proof: {} schedules, seed none", all.len());
}

macro_rules! schedules_of {
    ($($name:ident: $begin:expr, $ops:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            use Op::*;
            every_schedule($begin, &$ops).await;
        }
    )*};
}

schedules_of! {
    refresh_and_refresh: READ_COMMITTED, [Refresh, Refresh];
    refresh_and_replay: READ_COMMITTED, [Refresh, Replay];
    refresh_and_revoke: READ_COMMITTED, [Refresh, Revoke];
    refresh_and_disable: READ_COMMITTED, [Refresh, Disable];
    refresh_and_stamp: READ_COMMITTED, [Refresh, Stamp];
    refresh_and_client_disable: READ_COMMITTED, [Refresh, ClientDisable];
    refresh_and_purge: READ_COMMITTED, [Refresh, Purge];
    replay_and_revoke: READ_COMMITTED, [Replay, Revoke];
    replay_and_disable: READ_COMMITTED, [Replay, Disable];
    revoke_and_revoke: READ_COMMITTED, [Revoke, Revoke];
    redeem_and_sign_out: READ_COMMITTED, [Redeem, SignOut];
    own_change_and_sign_out: READ_COMMITTED, [Own, SignOut];
    revoke_and_purge: READ_COMMITTED, [Revoke, Purge];
    two_refreshes_and_a_revoke: READ_COMMITTED, [Refresh, Refresh, Revoke];
    serializable_refresh_and_refresh: SERIALIZABLE, [Refresh, Refresh];
    serializable_refresh_and_revoke: SERIALIZABLE, [Refresh, Revoke];
    serializable_refresh_and_disable: SERIALIZABLE, [Refresh, Disable];
}
