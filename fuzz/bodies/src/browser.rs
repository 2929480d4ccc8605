//! What comes by way of a person's browser, without a server around it.

use std::sync::OnceLock;

use countersign::factors::passkey::Passkeys;
use countersign::flows::redirect;
use countersign::http::form::parse_form;
use countersign_wire::AuthorizationRequest;
use url::{Host, Url};
use uuid::Uuid;

use crate::parsers::repeats_nothing;
use crate::server::ISSUER;

pub(crate) fn authorization(data: &[u8]) {
    let Ok(parameters) = parse_form(data) else { return };
    match AuthorizationRequest::parse(&parameters) {
        Err(body) => repeats_nothing(&body.error_description, data),
        Ok(request) => {
            // It is kept as JSON while a person signs in.
            let kept = serde_json::to_string(&request).expect("what is read can be kept");
            assert_eq!(serde_json::from_str::<AuthorizationRequest>(&kept).expect("and read again"), request);
            let prompt = request.prompt;
            assert!(!(prompt.none && (prompt.login || prompt.consent || prompt.select_account)));
        }
    }
}

/// Two lines: what was registered, and what was sent. Another parser of addresses must agree that
/// the answer ends up at the same place, but for the port on loopback.
pub(crate) fn redirect(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((registered, sent)) = text.split_once('\n') else { return };
    assert!(redirect::matches(registered, registered));
    if registered == sent || !redirect::matches(registered, sent) {
        return;
    }
    // The part before the `#`, `?` or `/` is what a parser could take for another host.
    let (Ok(registered), Ok(sent)) = (Url::parse(registered), Url::parse(sent)) else {
        // What is registered was parsed then; edits of it that are none match nothing but themselves.
        assert!(Url::parse(registered).is_err(), "{sent:?} is no address, and {registered:?} is");
        return;
    };
    let is_loopback = match sent.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    assert!(is_loopback && sent.scheme() == "http", "{sent} is not {registered}");
    assert_eq!((sent.username(), sent.password()), ("", None));
    assert_eq!(sent.host(), registered.host());
    assert_eq!((sent.path(), sent.query()), (registered.path(), registered.query()));
}

/// What a browser says of a passkey. Nobody knows the challenge here, so nothing is ever right.
pub(crate) fn passkey(data: &[u8]) {
    struct Ceremony {
        passkeys: Passkeys,
        registration: String,
        authentication: String,
    }
    static CEREMONY: OnceLock<Ceremony> = OnceLock::new();
    let ceremony = CEREMONY.get_or_init(|| {
        let passkeys = Passkeys::new(ISSUER, "Fuzz").expect("an issuer").expect("one with a name");
        let (_, registration) = passkeys.start_registration(Uuid::nil(), "ana", &[]).expect("a ceremony");
        let (_, authentication) = passkeys.start_discoverable().expect("a ceremony");
        Ceremony { passkeys, registration, authentication }
    });
    let Ok(answer) = std::str::from_utf8(data) else { return };
    let Ceremony { passkeys, registration, authentication } = ceremony;
    let _ = passkeys.identify(answer);
    assert!(passkeys.finish_registration(answer, registration).is_err());
    assert!(passkeys.finish_discoverable(answer, authentication, &[]).is_err());
}
