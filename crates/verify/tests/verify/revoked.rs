//! What is revoked, against the table of the feed's page.

use countersign_verify::RevokedSet;
use countersign_wire::{AccessClaims, Revocation, Revoked, SessionId};
use proptest::prelude::*;
use proptest::sample::select;

use crate::issuer::claims;

const NOW: u64 = 1_800_000_000;

fn sid(number: u8) -> SessionId {
    format!("0190a0a0-0000-7000-8000-{number:012}").parse().unwrap()
}

/// Few of everything, so that entries and tokens meet.
fn entry() -> impl Strategy<Value = Revocation> {
    let revoked = prop_oneof![
        (0..4_u8).prop_map(|jti| Revoked::Token { jti: format!("j{jti}") }),
        (0..4_u8).prop_map(|number| Revoked::Session { sid: sid(number) }),
        (0..3_u8, select(vec![0, 1, 2, 3, u64::MAX]))
            .prop_map(|(sub, stv)| Revoked::User { sub: format!("u{sub}"), stv }),
        (0..3_u8).prop_map(|id| Revoked::Client { client_id: format!("c{id}").parse().unwrap() }),
        (0..3_u8).prop_map(|tenant| Revoked::Tenant { tenant: format!("t{tenant}") }),
        Just(Revoked::Everything),
    ];
    (1..20_u64, revoked).prop_map(|(n, revoked)| Revocation { n, exp: NOW + 600, revoked })
}

fn token() -> impl Strategy<Value = AccessClaims> {
    let optional = |most: u64| proptest::option::of(0..most);
    (0..4_u8, optional(4), 0..3_u8, optional(4), 0..3_u8, optional(3), 0..20_u64).prop_map(
        |(jti, session, sub, stv, client, tenant, rev)| {
            let mut claims: AccessClaims = serde_json::from_value(claims(NOW)).unwrap();
            claims.jti = format!("j{jti}");
            claims.sid = session.map(|number| sid(u8::try_from(number).unwrap()));
            claims.sub = format!("u{sub}");
            claims.stv = stv;
            claims.client_id = format!("c{client}").parse().unwrap();
            claims.tenant = tenant.map(|tenant| format!("t{tenant}"));
            claims.rev = rev;
            claims
        },
    )
}

proptest! {
    #[test]
    fn a_token_is_over_when_some_entry_ends_it(
        mut entries in prop::collection::vec(entry(), 0..6),
        tokens in prop::collection::vec(token(), 1..20),
        again in any::<bool>(),
    ) {
        let set = RevokedSet::new();
        for entry in &entries {
            set.add(entry);
        }
        if again {
            // Late, twice and in another order.
            entries.reverse();
            entries.iter().for_each(|entry| set.add(entry));
        }
        for token in &tokens {
            let expected = entries.iter().any(|entry| entry.ends(token));
            prop_assert_eq!(set.ends(token), expected, "{:?} by {:?}", token, entries);
        }
        prop_assert!(set.len() <= entries.len());
        set.clear();
        prop_assert!(set.is_empty());
        prop_assert!(tokens.iter().all(|token| !set.ends(token)));
    }
}

/// Sweeps everything once.
fn forget(set: &RevokedSet, now: u64) {
    for _ in 0..64 {
        set.forget_some(now);
    }
}

#[test]
fn what_concerns_no_token_any_more_is_forgotten_and_nothing_else() {
    let set = RevokedSet::new();
    let mut token: AccessClaims = serde_json::from_value(claims(NOW)).unwrap();
    token.sid = Some(sid(1));
    for number in 0..200 {
        let exp = if number < 100 { NOW + 10 } else { NOW + 20 };
        set.add(&Revocation { n: 1, exp, revoked: Revoked::Session { sid: sid(number) } });
    }
    set.add(&Revocation { n: 1, exp: NOW + 10, revoked: Revoked::User { sub: "u".to_owned(), stv: 2 } });
    set.add(&Revocation { n: 1, exp: NOW + 10, revoked: Revoked::Tenant { tenant: "t".to_owned() } });
    set.add(&Revocation { n: 1, exp: NOW + 10, revoked: Revoked::Everything });
    assert_eq!(set.len(), 203);
    forget(&set, NOW + 9);
    assert_eq!(set.len(), 203);
    assert!(set.ends(&token));
    forget(&set, NOW + 10);
    assert_eq!(set.len(), 100);
    assert!(!set.ends(&token));
    // A token that had expired by then may have been revoked: a clock that is set back does not
    // bring it to life.
    token.exp = NOW + 10;
    assert!(set.ends(&token));
    // A later entry for the same session keeps it for longer.
    set.add(&Revocation { n: 2, exp: NOW + 40, revoked: Revoked::Session { sid: sid(150) } });
    set.add(&Revocation { n: 1, exp: NOW + 20, revoked: Revoked::Session { sid: sid(150) } });
    forget(&set, NOW + 39);
    assert_eq!(set.len(), 1);
    // Beyond the year 2106 it is never forgotten.
    set.add(&Revocation { n: 3, exp: u64::MAX, revoked: Revoked::Session { sid: sid(151) } });
    forget(&set, NOW + 1_000_000);
    assert_eq!(set.len(), 1);
}
