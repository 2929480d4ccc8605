//! Where operations run one step at a time, each on a node of its own, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_postgres::{Client, NoTls, Statement};

use super::ops::Op;
use super::touch::Touch;
use crate::store::contract::fixtures::*;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::tests::database;
use crate::store::postgres::tests::steps::{Said, Steps};
use crate::store::{EventFilter, SessionFilter, Standing, Store, StoreError};

/// The deadline of a call: it holds the time in which others have their turns, which on a machine
/// that runs every test at once is more than a product's call may take.
const WAITING_FOR_TURNS: Duration = Duration::from_secs(120);

/// What all that happened comes to: the answers, and what is stored.
pub(super) type Outcome = (Vec<(usize, String)>, String);

/// Operations and the nodes they run on.
pub(super) struct Stage {
    pub(super) ops: Vec<Op>,
    nodes: Vec<Arc<PostgresStore>>,
    watcher: Client,
    /// Counts the backends that wait for another's lock.
    blocked: Statement,
    tables: BTreeSet<String>,
    worlds: AtomicU32,
    begin: &'static str,
    /// What transactions have touched, by the statement that they begin with.
    seen: Mutex<BTreeMap<String, Touch>>,
    /// How many sessions the user has beside the one.
    pub(super) more_sessions: usize,
}

/// One schedule, run to its end.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Whose turn it was.
    pub(super) order: Vec<usize>,
    /// Whether an operation waited for a lock.
    pub(super) waited: bool,
    /// Why an operation was answered so.
    pub(super) unavailable: Option<String>,
}

/// An operation that waits for its turn, and what its step will touch.
pub(super) type Waiting = (usize, Touch);

/// An operation under way.
struct Under {
    turns: Arc<Semaphore>,
    /// What it said last; nothing while its step runs, or waits for a lock.
    said: Option<Said>,
    /// What its transaction has touched so far.
    open: Touch,
    /// The statement that began it.
    first: String,
    began: bool,
    /// Whether the last turn was for the end of a transaction.
    ended: bool,
    /// Who was done when it began.
    began_after: Vec<usize>,
}

impl Stage {
    pub(super) async fn new(ops: &[Op], begin: &'static str) -> Self {
        // By one of this database: a NOTIFY also waits for those of the other tests' databases.
        const BLOCKED: &str = "SELECT count(*) FROM pg_stat_activity a
            WHERE a.datname = current_database() AND EXISTS (
                SELECT 1 FROM unnest(pg_blocking_pids(a.pid)) AS blocker (pid)
                JOIN pg_stat_activity b ON b.pid = blocker.pid WHERE b.datname = current_database())";
        // Through a foreign key a statement touches what it does not name.
        const HIDDEN: &str = "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f')
            + (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)";
        const TABLES: &str = "SELECT relname::text FROM pg_class
            WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
        let url = database().await;
        let (watcher, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let name: String = watcher.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
        watcher.batch_execute(&format!("ALTER DATABASE {name} SET deadlock_timeout = '50ms'")).await.unwrap();
        assert_eq!(watcher.query_one(HIDDEN, &[]).await.unwrap().get::<_, i64>(0), 0);
        let tables = watcher.query(TABLES, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        // Prepared once: it is asked again and again, and a backend that parses it each time grows by gigabytes.
        let blocked = watcher.prepare(BLOCKED).await.unwrap();
        let mut nodes = Vec::new();
        for _ in ops {
            let node = PostgresStore::open_with(&url, WAITING_FOR_TURNS).await.unwrap();
            // What a node does by itself is not in the script.
            node.background.iter().for_each(tokio::task::AbortHandle::abort);
            nodes.push(node);
        }
        Self {
            ops: ops.to_vec(),
            nodes,
            watcher,
            blocked,
            tables,
            worlds: AtomicU32::new(0),
            begin,
            seen: Mutex::default(),
            more_sessions: 0,
        }
    }

    /// How many backends wait for another's lock.
    async fn blocked(&self) -> usize {
        let row = self.watcher.query_one(&self.blocked, &[]).await.unwrap();
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
        for _ in 0..self.more_sessions {
            world.start(T0).await;
        }
        let first = world.start(T0).await;
        let standing = world.rotate(&first, at(1)).await.unwrap();
        (world, standing)
    }

    /// Runs the operations; `choose` says whose turn it is of those that wait for one. When it
    /// names nobody, the rest runs as it comes and is nobody's concern.
    ///
    /// # Errors
    ///
    /// What no order of the operations may come to.
    pub(super) async fn run(
        &self,
        mut choose: impl FnMut(&[Waiting]) -> Option<usize>,
    ) -> Result<Option<Ran>, String> {
        let (world, standing) = self.world().await;
        let (script, mut hears) = mpsc::unbounded_channel();
        let (mut tasks, mut under) = (Vec::new(), Vec::new());
        for (number, op) in self.ops.iter().copied().enumerate() {
            let node = self.nodes[number].clone();
            let turns = Arc::new(Semaphore::new(0));
            let steps = Steps { number, turns: turns.clone(), script: script.clone(), begin: self.begin };
            node.pool.steps.put(Some(steps.clone()));
            node.rotator_pool.steps.put(Some(steps));
            let open = Touch::default();
            let first = String::new();
            under.push(Under {
                turns,
                said: None,
                open,
                first,
                began: false,
                ended: false,
                began_after: Vec::new(),
            });
            let (world, standing, script) = (world.clone(), standing.clone(), script.clone());
            tasks.push(tokio::spawn(async move {
                let answer = op.run(node, world, standing).await;
                let _ = script.send((number, Said::Done));
                answer
            }));
        }

        let (mut order, mut waited) = (Vec::new(), false);
        self.settle(&mut under, &mut hears).await;
        let whole = loop {
            let waiting = self.waiting(&under);
            waited |= under.iter().any(|u| u.said.is_none());
            if waiting.is_empty() {
                if under.iter().all(|u| u.said == Some(Said::Done)) {
                    break true;
                }
                // They wait for each other: the database ends one of them.
                let (number, said) = hears.recv().await.unwrap();
                under[number].said = Some(said);
                self.settle(&mut under, &mut hears).await;
                continue;
            }
            let Some(number) = choose(&waiting) else { break false };
            order.push(number);
            self.take_turn(number, &mut under);
            self.settle(&mut under, &mut hears).await;
        };
        if !whole {
            drop(hears);
            under.iter().for_each(|u| u.turns.add_permits(1));
        }
        let mut answers = Vec::new();
        let mut unavailable = None;
        for (number, task) in tasks.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(answer) => answers.push((number, answer)),
                Err(StoreError::Unavailable(why)) => unavailable = Some(why),
                Err(error) => return Err(error.to_string()),
            }
        }
        for node in &self.nodes {
            node.pool.steps.put(None);
            node.rotator_pool.steps.put(None);
        }
        if !whole {
            return Ok(None);
        }
        self.judge(&answers, &under, &standing)?;
        let outcome = (self.compared(answers), self.stored(&world, &standing, &self.ops).await);
        Ok(Some(Ran { outcome, order, waited, unavailable }))
    }

    /// Who waits for a turn. An end lets those go on that wait for its locks, and is theirs too.
    fn waiting(&self, under: &[Under]) -> Vec<Waiting> {
        let stuck = under.iter().filter(|u| u.said.is_none());
        let stuck = stuck.fold(Touch::default(), |all, u| all.and(&u.open));
        let step = |(number, u): (usize, &Under)| match &u.said {
            Some(Said::Waits { sql, begins }) => {
                let mut touch = Touch::of(sql, &u.open, &self.tables);
                if touch.ends() {
                    touch = touch.and(&stuck);
                }
                // It sees for all its statements what was there when it began.
                if *begins
                    && self.begin == super::SERIALIZABLE
                    && let Some(later) = self.seen.lock().unwrap().get(sql)
                {
                    touch = touch.seeing(later);
                }
                Some((number, touch))
            }
            _ => None,
        };
        under.iter().enumerate().filter_map(step).collect()
    }

    fn take_turn(&self, number: usize, under: &mut [Under]) {
        let done = (0..under.len()).filter(|other| under[*other].said == Some(Said::Done)).collect();
        let u = &mut under[number];
        let Some(Said::Waits { sql, begins }) = u.said.take() else { panic!("not its turn") };
        if !u.began {
            (u.began, u.began_after) = (true, done);
        }
        if begins {
            (u.open, u.first) = (Touch::default(), sql.clone());
        }
        u.open = Touch::of(&sql, &u.open, &self.tables).and(&u.open);
        u.ended = u.open.ends();
        let mut seen = self.seen.lock().unwrap();
        let seen = seen.entry(u.first.clone()).or_default();
        *seen = seen.and(&u.open);
        u.turns.add_permits(1);
    }

    /// What holds in every order, so that a rule missing from all orders is seen too.
    fn judge(&self, answers: &[(usize, String)], under: &[Under], before: &Standing) -> Result<(), String> {
        for (number, answer) in answers {
            let late = under[*number].began_after.iter().any(|other| self.ops[*other].ends());
            if !under[*number].ended {
                return Err(format!("answered before its transaction's end: {answer}"));
            }
            if late && self.ops[*number].presents() && answer != "None" {
                return Err(format!("issued after an answered ending: {answer}"));
            }
        }
        let refreshed: Vec<_> = answers
            .iter()
            .filter(|(number, answer)| self.ops[*number].refreshes() && answer != "None")
            .map(|(_, answer)| answer)
            .collect();
        let successor = format!("Some({})", before.session.generation + 1);
        if refreshed.len() > 1 || refreshed.iter().any(|answer| **answer != successor) {
            return Err(format!("one token, and rotations to {refreshed:?}"));
        }
        let ending = |number: usize| self.ops[number].ends() && self.ops[number] != Op::BlindRevoke;
        let mut endings = answers.iter().filter(|(number, _)| ending(*number)).peekable();
        // What a purge has taken nobody counts.
        if endings.peek().is_some()
            && !self.ops.contains(&Op::Purge)
            && answers.len() == self.ops.len()
            && endings.all(|(_, answer)| answer.starts_with("ended 0"))
        {
            return Err("an ending, and nobody has counted the session".to_owned());
        }
        Ok(())
    }

    /// Of the answers, what one after the other would have given too.
    fn compared(&self, mut answers: Vec<(usize, String)>) -> Vec<(usize, String)> {
        answers.sort();
        // Whether a purge passed the session over is seen in what is stored.
        answers.retain(|(number, _)| self.ops[*number] != Op::Purge);
        // Two endings at one time may both count the session, which each has seen alive.
        if self.ops.iter().filter(|op| op.ends()).count() > 1 {
            for (_, answer) in &mut answers {
                if let Some(("ended 0" | "ended 1", logged)) = answer.split_once(", ") {
                    *answer = logged.to_owned();
                }
            }
        }
        answers
    }

    /// One after the other with no script.
    pub(super) async fn one_by_one(&self, order: &[usize]) -> Outcome {
        let (world, standing) = self.world().await;
        let mut answers = Vec::new();
        for number in order {
            let node = self.nodes[*number].clone();
            answers
                .push((*number, self.ops[*number].run(node, world.clone(), standing.clone()).await.unwrap()));
        }
        (self.compared(answers), self.stored(&world, &standing, &self.ops).await)
    }

    /// Until each operation waits for its turn, is done, or waits for a lock.
    async fn settle(&self, under: &mut [Under], hears: &mut mpsc::UnboundedReceiver<(usize, Said)>) {
        loop {
            let busy = under.iter().filter(|u| u.said.is_none()).count();
            if busy == 0 {
                return;
            }
            tokio::select! {
                biased;
                said = hears.recv() => {
                    let (number, said) = said.unwrap();
                    under[number].said = Some(said);
                }
                blocked = self.blocked() => {
                    if blocked == busy && hears.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// How many sessions are marked as ended themselves.
    pub(super) async fn marked(&self) -> i64 {
        const MARKED: &str = "SELECT count(*) FROM session_head WHERE ended_at IS NOT NULL";
        self.watcher.query_one(MARKED, &[]).await.unwrap().get(0)
    }

    /// What is stored in the end. After a purge only whether the session is there, and as what.
    pub(super) async fn stored(&self, world: &World, standing: &Standing, ops: &[Op]) -> String {
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
        assert_eq!(spent, others.len() > self.more_sessions, "{ops:?}: the code and its session");
        let browsers = world.store.browser_sessions(world.user.id, at(3)).await.unwrap().len();
        format!("{row:?}, log {log:?}, events {events:?}, others {others:?}, browsers {browsers}")
    }
}
