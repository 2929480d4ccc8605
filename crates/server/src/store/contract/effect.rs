//! The SQL of the conditional updates does what their pure form says: on many random rows.

use std::sync::Arc;

use super::fixtures::*;
use crate::store::{Context, Lockstep, Reason, Standing, Store, Target, UserChange};

/// Sessions that are tried, each with its own user and client, and writes tried on each.
const SESSIONS: usize = 120;
const WRITES: usize = 4;
/// Printed when a case fails, as part of the message.
const SEED: u64 = 0x0c0f_fee5;

pub(crate) async fn the_sql_does_what_the_pure_form_says(store: Arc<dyn Store>) {
    let mut rng = Rng(SEED);
    let other = add_client(&store, client_named("other")).await;
    let (mut changed, mut refused) = (0, 0);
    for number in 0..SESSIONS {
        let mut user = user_named(&format!("user{number}"));
        user.tenant = rng.one_in(3).then(|| format!("tenant{number}"));
        let user = add_user(&store, user).await;
        let mut client = client_named(&format!("client{number}"));
        client.tenant.clone_from(&user.tenant);
        let client = add_client(&store, client).await;
        let world = World { store: Arc::clone(&store), user, client };
        let mut new = new_session(world.user.id, &world.client, T0);
        new.absolute_lifetime = if rng.one_in(4) { IDLE / 2 } else { ABSOLUTE };
        let mut before = world.start_as(&new).await;
        for _ in 0..rng.below(3) {
            before = world.rotate(&before, at(i64::from(rng.below(3)) * 1_000)).await.unwrap();
        }
        close_a_gate(&world, &before, &mut rng).await;
        for _ in 0..WRITES {
            before = world.standing(&before).await;
            let (stored, expected) = if rng.one_in(2) {
                let rotate = perturbed_rotation(&world, &before, &other.id, &mut rng);
                (store.rotate(&rotate).await.unwrap(), before.clone().rotated(&rotate))
            } else {
                let replay = perturbed_replay(&world, &before, &other.id, &mut rng);
                (store.replay(&replay).await.unwrap(), before.clone().replayed(&replay))
            };
            assert_eq!(stored, expected, "seed {SEED:#x}, session {number}");
            let now = world.standing(&before).await;
            assert_eq!(now, expected.clone().unwrap_or(before), "seed {SEED:#x}, session {number}");
            *(if expected.is_some() { &mut changed } else { &mut refused }) += 1;
            before = now;
        }
        let expected = before.revoked(Reason::Operator, at(7)).unwrap_or_else(|| before.clone());
        world.revoke(&Target::Session(before.session.id), Reason::Operator, at(7)).await;
        assert_eq!(world.standing(&before).await, expected, "seed {SEED:#x}, session {number}");
    }
    // Both answers were given often enough to mean something.
    assert!(changed > SESSIONS / 2 && refused > SESSIONS / 2, "{changed} changed, {refused} refused");
}

/// Half of the sessions keep all gates open.
async fn close_a_gate(world: &World, standing: &Standing, rng: &mut Rng) {
    let user = async |change: UserChange| {
        world.store.change_user(world.user.id, &change, at(1), keep(at(1))).await.unwrap().unwrap();
    };
    let client = async |enabled| {
        let id = &world.client.id;
        world.store.set_client_enabled(id, enabled, at(1), keep(at(1))).await.unwrap().unwrap();
    };
    match rng.below(16) {
        0 => user(UserChange::Disable).await,
        1 => {
            user(UserChange::Disable).await;
            user(UserChange::Enable).await;
        }
        2 => user(UserChange::SignOut).await,
        3 => client(false).await,
        4 => {
            client(false).await;
            client(true).await;
        }
        5 => {
            let tenant = world.user.tenant.clone().unwrap_or_else(|| "nobody".to_owned());
            world.revoke(&Target::Tenant(tenant), Reason::Operator, at(1)).await;
        }
        6 => {
            world.revoke(&Target::Session(standing.session.id), Reason::Reuse, at(1)).await;
        }
        7 => assert!(world.store.replace_client(&world.client, world.client.revision).await.unwrap()),
        _ => {}
    }
}

fn perturbed_rotation(
    world: &World,
    standing: &Standing,
    other: &countersign_wire::ClientId,
    rng: &mut Rng,
) -> crate::store::RotateSession {
    let mut rotate = rotation_of(&standing.session, world.client.revision, moment(standing, rng));
    rotate.advance = !rng.one_in(4);
    rotate.key_number = rng.below(3) as u8;
    rotate.retry_hash = rng.one_in(2).then_some([rng.below(250) as u8; 16]);
    rotate.context = Context { network: rng.below(3), agent: rng.below(3) };
    match rng.below(12) {
        0 => rotate.generation = rotate.generation.wrapping_add(1),
        1 => rotate.generation = rotate.generation.wrapping_sub(1),
        2 => rotate.nonce_hash[31] ^= 1,
        3 => rotate.client = other.clone(),
        4 => rotate.client_revision += 1,
        _ => {}
    }
    rotate
}

fn perturbed_replay(
    world: &World,
    standing: &Standing,
    other: &countersign_wire::ClientId,
    rng: &mut Rng,
) -> crate::store::Replay {
    let mut replay = replay_of(&standing.session, world.client.revision, moment(standing, rng));
    replay.lockstep = Lockstep { generation: rng.below(5), streak: rng.below(5) };
    match rng.below(12) {
        0 => replay.generation = replay.generation.wrapping_add(1),
        1 => replay.generation = replay.generation.wrapping_sub(1),
        2 => replay.nonce_hash[0] ^= 1,
        3 => replay.client = other.clone(),
        4 => replay.client_revision += 1,
        5 => replay.seen.streak += 1,
        6 => replay.seen.generation += 1,
        _ => {}
    }
    replay
}

/// Any time, the edges of both expiries included.
fn moment(standing: &Standing, rng: &mut Rng) -> crate::time::Timestamp {
    let session = &standing.session;
    let edge = i64::from(rng.below(3)) - 1;
    match rng.below(8) {
        0 => crate::time::Timestamp(session.idle_expires_at.0 + edge),
        1 => crate::time::Timestamp(session.expires_at.0 + edge),
        2 => crate::time::Timestamp(session.rotated_at.0 + edge),
        _ => at(i64::from(rng.below(5_000))),
    }
}

/// SplitMix64: the same rows on every run and engine.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % u64::from(bound)) as u32
    }

    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}
