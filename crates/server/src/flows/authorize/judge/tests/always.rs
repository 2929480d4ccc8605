//! What holds for every row of the table.

use countersign_wire::Prompt;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn ages() -> impl Strategy<Value = Timestamp> {
    select(vec![T, T.minus(MINUTE), T.minus(5 * MINUTE), T.minus(600 * MINUTE), T.plus(MINUTE)])
}

prop_compose! {
    fn browsers()(
        user in select(vec![ana(), bob()]),
        auth_time in ages(),
        acr in select(ACR_VALUES.to_vec()),
        tenant in select(vec![None, Some("acme".to_owned())]),
    ) -> BrowserStanding {
        let mut standing = standing(user, auth_time);
        standing.session.acr = acr.to_owned();
        standing.user.tenant = tenant;
        standing
    }
}

prop_compose! {
    fn requests()(
        scope in prop::option::of(select(vec!["read", "openid read", "openid write offline_access"])),
        login in any::<bool>(),
        consent in any::<bool>(),
        select_account in any::<bool>(),
        max_age in prop::option::of(select(vec![0_u64, 60, 300, u64::MAX])),
        acr_values in prop::collection::vec(select(vec!["aal1", "aal2", "urn:other"]), 0..3),
        redirect_uri in select(vec!["https://shop.example/cb", "http://127.0.0.1:9/cb"]),
    ) -> Asked {
        let mut asked = asked(scope.unwrap_or("read"));
        if scope.is_none() {
            asked.request.scope = None;
        }
        asked.redirect_uri = redirect_uri.to_owned();
        asked.request.prompt = Prompt { none: false, login, consent, select_account };
        asked.request.max_age = max_age;
        asked.request.acr_values = acr_values.into_iter().map(str::to_owned).collect();
        asked
    }
}

prop_compose! {
    fn cases()(
        (public, first_party) in any::<(bool, bool)>(),
        tenant in select(vec![None, Some("acme".to_owned())]),
        asked in requests(),
        browser in prop::option::of(browsers()),
        consent in prop::option::of(select(vec!["read", "openid read write offline_access"])),
        has_second_factor in any::<bool>(),
        hinted in prop::option::of(select(vec![ana(), bob()])),
        sensitive in prop::collection::vec(select(vec!["read".to_owned(), "write".to_owned()]), 0..2),
        started_at in ages(),
        agreed_by in prop::option::of(select(vec![ana(), bob()])),
    ) -> Case {
        let mut client = client();
        client.tenant = tenant;
        client.settings.public = public;
        client.settings.sign_in.first_party = first_party;
        let sensitive = Sensitive { scopes: sensitive, max_age: 5 * MINUTE };
        let consent = consent.map(scope_of);
        Case { client, asked, browser, consent, has_second_factor, hinted, sensitive, started_at, agreed_by, now: T }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn prompt_none_never_has_a_person_do_anything(mut case in cases()) {
        case.asked.request.prompt = Prompt { none: true, ..Prompt::default() };
        prop_assert!(!matches!(case.judge(), Decision::Do(_)), "{case:?}");
    }

    /// Whatever is asked, the code is for the right person, recent enough, and agreed to.
    #[test]
    fn a_code_is_issued_only_when_every_wish_is_met(case in cases()) {
        let Decision::Issue(scope) = case.judge() else { return Ok(()) };
        let standing = case.browser.as_ref().unwrap();
        let (session, request) = (&standing.session, &case.asked.request);
        prop_assert!(case.client.tenant.is_none() || case.client.tenant == standing.user.tenant);
        prop_assert!(case.hinted.is_none_or(|user| user == session.user));
        let is_new = session.auth_time >= case.started_at;
        prop_assert!(is_new || !request.prompt.login && !request.prompt.select_account);
        let age = T.since(session.auth_time);
        let moment = if is_new { MOMENT } else { Duration::ZERO };
        let is_young = |most| age <= Duration::from_secs(most).saturating_add(moment);
        prop_assert!(request.max_age.is_none_or(is_young));
        let is_sensitive = case.sensitive.scopes.iter().any(|sensitive| scope.contains(sensitive));
        prop_assert!(!is_sensitive || age <= 5 * MINUTE);
        let agreed = case.agreed_by == Some(session.user);
        let known = case.consent.as_ref().is_some_and(|known| scope.is_subset(known));
        prop_assert!(agreed || !request.prompt.consent);
        prop_assert!(agreed || known || case.client.settings.sign_in.first_party);
    }

    /// A person who does what is asked comes to an end: there is no circle.
    #[test]
    fn doing_what_is_asked_leads_somewhere(mut case in cases()) {
        case.started_at = case.started_at.min(T);
        for _ in 0..4 {
            match case.judge() {
                Decision::Issue(_) | Decision::Refuse(..) => return Ok(()),
                Decision::Do(Todo::SignIn | Todo::Confirm) => {
                    let user = case.hinted.or(case.browser.as_ref().map(|b| b.session.user)).unwrap_or(ana());
                    let mut standing = standing(user, T);
                    standing.user.tenant.clone_from(&case.client.tenant);
                    case.browser = Some(standing);
                }
                Decision::Do(Todo::SecondFactor) => case.session().acr = ACR_TWO_FACTORS.to_owned(),
                Decision::Do(Todo::Consent(_)) => case.agreed_by = Some(case.browser.as_ref().unwrap().session.user),
            }
        }
        prop_assert!(false, "{case:?}");
    }
}
