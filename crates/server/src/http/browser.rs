//! What a person's browser brings and gets: cookies, the token that each form carries, and the
//! headers of a page.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{BrowserSecret, Parameters};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::body as request_body;
use super::error::OAuthError;
use super::form;
use super::peer::Peer;
use super::request::origin;
use super::{Links, Public};
use crate::flows::browser::{self, BrowserStanding};
use crate::flows::{FlowError, Origin, authorize, operator};
use crate::pages::{self, Chrome, ErrorPage, Fault, Lang};
use crate::telemetry::RequestId;
use crate::time::Timestamp;

/// Longest cookie that is looked at, in bytes.
const MAX_COOKIE: usize = 128;

/// A request that a person's browser makes.
pub(super) struct Visit {
    /// When.
    pub(super) now: Timestamp,
    /// From where.
    pub(super) origin: Origin,
    /// Who is signed in.
    pub(super) standing: Option<BrowserStanding>,
    /// The query's parameters, as they came.
    pub(super) query: Vec<(String, String)>,
    /// The request's id, for error pages.
    request_id: String,
    /// The page's language, unless the request for a sign-in names another.
    accept_language: Option<String>,
    /// The cookie that forms and sign-ins are bound to.
    binding: BrowserSecret,
    /// Whether the browser did not send that cookie.
    binding_is_new: bool,
    /// Whether it may be given one. A form of another site comes without our cookies (SameSite): a new
    /// one would take the place of one that is there, with the forms and sign-ins that hang on it.
    may_bind: bool,
    /// The session's cookie, good or not.
    session: Option<BrowserSecret>,
    /// Whether the browser says that the request comes from a page of ours.
    is_own: bool,
}

/// A request that a person's browser makes with a form.
pub(super) struct Submission {
    /// The request.
    pub(super) visit: Visit,
    /// The form's fields, each once.
    pub(super) fields: Parameters,
    /// Whether the form is one that we gave this browser.
    pub(super) is_genuine: bool,
}

impl Visit {
    /// Takes a request apart.
    ///
    /// # Errors
    /// A page that says that the store is away, or that the request is broken.
    pub(super) async fn read(public: &Public, request: &Parts) -> Result<Self, Response> {
        let now = public.app.clock.now();
        let headers = &request.headers;
        let peer = request.extensions.get().copied().unwrap_or(Peer::Unix { uid: None });
        let origin = origin(headers, peer, public);
        let session = cookie(headers, public.links.session_cookie()).map(BrowserSecret::new);
        let known = cookie(headers, public.links.binding_cookie()).map(BrowserSecret::new);
        let accept_language = text(headers, header::ACCEPT_LANGUAGE).map(str::to_owned);
        let request_id =
            request.extensions.get::<RequestId>().map(|id| id.as_str().to_owned()).unwrap_or_default();
        let chrome = public.chrome(Lang::negotiate(None, accept_language.as_deref()), None);
        let standing = match &session {
            None => None,
            Some(secret) => match browser::find(&public.app, secret, &origin, now).await {
                Ok(standing) => standing,
                Err(error) => return Err(failed(&chrome, &request_id, &error)),
            },
        };
        // As in queries and forms: it names nothing.
        if request.uri.path().contains("%00") {
            return Err(fault(&chrome, &request_id, StatusCode::BAD_REQUEST, Fault::BadRequest));
        }
        let query = request.uri.query().unwrap_or_default();
        let query = form::parse_pairs(query.as_bytes())
            .map_err(|_| fault(&chrome, &request_id, StatusCode::BAD_REQUEST, Fault::BadRequest))?;
        let is_own = is_own(headers, &public.links.origin);
        Ok(Self {
            now,
            request_id,
            origin,
            standing,
            query,
            accept_language,
            binding_is_new: known.is_none(),
            binding: known.unwrap_or_else(|| BrowserSecret::new(fresh())),
            session,
            may_bind: is_own || request.method == Method::GET,
            is_own,
        })
    }

    /// A parameter of the query, if it came once.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut values = self.query.iter().filter(|(n, v)| n == name && !v.is_empty());
        let first = values.next().map(|(_, value)| value.as_str());
        first.filter(|_| values.next().is_none())
    }

    /// What a sign-in that begins in this browser is bound to.
    pub(super) fn binding(&self) -> String {
        URL_SAFE_NO_PAD.encode(hash(&["binding", self.binding.expose()]))
    }

    /// The token that a form of this browser carries. It changes when the person signs in or out.
    pub(super) fn csrf(&self) -> String {
        let session = self.session.as_ref().map_or("", BrowserSecret::expose);
        URL_SAFE_NO_PAD.encode(hash(&["csrf", self.binding.expose(), "\0", session]))
    }

    /// Whether the browser sent a session's cookie, good or not.
    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// What every page is made with.
    pub(super) fn chrome(&self, public: &Public, ui_locales: Option<&str>) -> Chrome {
        let user = self.standing.as_ref().map(|standing| &standing.user);
        let lang = Lang::negotiate(ui_locales, self.accept_language.as_deref());
        let chrome = public.chrome(lang, user.map(|user| user.username.clone()));
        let is_operator = user.is_some_and(operator::may);
        Chrome { console_url: is_operator.then(|| format!("{}/console", public.links.base)), ..chrome }
    }

    /// An error page for this browser.
    pub(super) fn fault(&self, public: &Public, status: StatusCode, what: Fault) -> Response {
        fault(&self.chrome(public, None), &self.request_id, status, what)
    }

    /// The page for a flow that has no answer.
    pub(super) fn failed(&self, public: &Public, error: &FlowError) -> Response {
        failed(&self.chrome(public, None), &self.request_id, error)
    }

    /// A page for this browser.
    pub(super) fn page(
        &self,
        public: &Public,
        status: StatusCode,
        html: Result<String, askama::Error>,
    ) -> Response {
        self.page_that_leads_to(public, status, html, None)
    }

    /// The same, for one whose forms end at another origin: browsers follow redirects with
    /// `form-action` in hand.
    pub(super) fn page_that_leads_to(
        &self,
        public: &Public,
        status: StatusCode,
        html: Result<String, askama::Error>,
        target: Option<&str>,
    ) -> Response {
        self.with_binding(public, page(status, html, target))
    }

    /// Sends the browser to a page of ours.
    pub(super) fn see_other(&self, public: &Public, path: &str) -> Response {
        self.with_binding(public, see_other(&format!("{}{path}", public.links.base)))
    }

    /// A page for who begins too much; `None` for who is signed in, or does not.
    pub(super) fn too_many(&self, public: &Public) -> Option<Response> {
        if self.standing.is_some() {
            return None;
        }
        let wait = public.app.strangers.admit(&self.origin.network, self.now).err()?.0;
        let mut response = self.fault(public, StatusCode::TOO_MANY_REQUESTS, Fault::TooMany);
        let seconds = wait.as_secs().saturating_add(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        Some(response)
    }

    /// Sends the browser to the sign-in page, and then to a page of ours.
    pub(super) async fn to_sign_in(&self, public: &Public, path: &str) -> Response {
        if let Some(page) = self.too_many(public) {
            return page;
        }
        match authorize::begin_page(&public.app, path, None, &self.binding(), self.now).await {
            Ok(secret) => self.see_other(public, &format!("/signin?i={}", secret.expose())),
            Err(error) => self.failed(public, &error),
        }
    }

    /// Gives the browser the cookie that its forms are bound to, when it has none.
    pub(super) fn with_binding(&self, public: &Public, mut response: Response) -> Response {
        if self.binding_is_new && self.may_bind {
            set_cookie(&mut response, public.links.binding_cookie(), &self.binding, None, &public.links);
        }
        response
    }
}

impl Submission {
    /// Takes a form's request apart.
    ///
    /// # Errors
    /// A page that says what is wrong.
    pub(super) async fn read(public: &Public, request: Request<Body>) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let visit = Visit::read(public, &parts).await?;
        if !is_form(&parts.headers) {
            return Err(visit.fault(public, StatusCode::UNSUPPORTED_MEDIA_TYPE, Fault::BadRequest));
        }
        let bytes = request_body::read(body, &public.limits)
            .await
            .map_err(|error| visit.fault(public, error.status(), Fault::BadRequest))?;
        let fields = form::parse_form(&bytes)
            .map_err(|_| visit.fault(public, StatusCode::BAD_REQUEST, Fault::BadRequest))?;
        let sent = fields.get("csrf").unwrap_or_default();
        let is_genuine = visit.is_own
            && !visit.binding_is_new
            && verify_slices_are_equal(sent.as_bytes(), visit.csrf().as_bytes()).is_ok();
        Ok(Self { visit, fields, is_genuine })
    }
}

/// Where no route leads: a page for people who mistyped an address, nothing for programs.
pub(super) async fn nothing_here(State(public): State<Arc<Public>>, request: Request) -> Response {
    let parts = request.into_parts().0;
    let is_person = text(&parts.headers, header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    if !(is_person && parts.method == Method::GET) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match Visit::read(&public, &parts).await {
        Ok(visit) => visit.fault(&public, StatusCode::NOT_FOUND, Fault::NotFound),
        Err(page) => page,
    }
}

/// Whether a body is a form, by what is said of it.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    text(headers, header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// Whether a browser that says where a request comes from says that it is a page of ours. The
/// origin of a form is `null` under our own referrer policy (Fetch section 3.2), and browsers that
/// say no more than that are still in use (Safari before 16.4): so the newer header counts first, and
/// where neither says anything the token of the form decides alone.
fn is_own(headers: &HeaderMap, own: &str) -> bool {
    match text(headers, http::HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        None => text(headers, header::ORIGIN).is_none_or(|origin| origin == own || origin == "null"),
    }
}

/// A page with the headers that pages have. `target`: where its forms may lead besides here.
pub(super) fn page(
    status: StatusCode,
    html: Result<String, askama::Error>,
    target: Option<&str>,
) -> Response {
    let html = match html {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            return OAuthError::new(&FlowError::Internal("a page could not be made"), false).into_response();
        }
    };
    let target = target.and_then(form_target).map(|target| format!(" {target}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// The source expression of a redirect URI: its origin; or its scheme when it has none, or one that
/// the grammar of sources has no words for (CSP section 2.3.1: a host is not an IPv6 address).
fn form_target(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri).ok()?;
    let origin = url.origin();
    let has_words = origin.is_tuple() && !matches!(url.host(), Some(url::Host::Ipv6(_)));
    Some(if has_words { origin.ascii_serialization() } else { format!("{}:", url.scheme()) })
}

/// 303, so that a form is not sent again (OAuth 2.1 section 7.5.3).
pub(super) fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(location) {
        Ok(location) => {
            response.headers_mut().insert(header::LOCATION, location);
        }
        // A registered URI is printable, and what is added to it is encoded.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// Gives a browser its session.
pub(super) fn give_session(
    response: &mut Response,
    public: &Public,
    secret: &BrowserSecret,
    standing: &BrowserStanding,
    now: Timestamp,
) {
    // Without being remembered it ends with the browser.
    let session = &standing.session;
    let max_age = session.remember.then(|| session.expires_at.since(now).as_secs());
    set_cookie(response, public.links.session_cookie(), secret, max_age, &public.links);
}

/// Takes a browser's session away.
pub(super) fn take_session(response: &mut Response, public: &Public) {
    let nothing = BrowserSecret::new(String::new());
    set_cookie(response, public.links.session_cookie(), &nothing, Some(0), &public.links);
}

/// HttpOnly, for our host alone, not with requests that other sites make but for plain navigation.
fn set_cookie(
    response: &mut Response,
    name: &str,
    value: &BrowserSecret,
    max_age: Option<u64>,
    links: &Links,
) {
    let secure = if links.is_https { "; Secure" } else { "" };
    let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}{max_age}", value.expose());
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// The value of a cookie that came once and is of the form that ours have. A name that came twice
/// is somebody's trick (RFC 6265 section 8.6), so neither counts.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = None;
    for header in headers.get_all(header::COOKIE) {
        for pair in header.to_str().ok()?.split(';') {
            let Some((n, value)) = pair.trim().split_once('=') else { continue };
            if n == name && found.replace(value.to_owned()).is_some() {
                return None;
            }
        }
    }
    let is_ours = |value: &String| {
        (1..=MAX_COOKIE).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    found.filter(is_ours)
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn hash(parts: &[&str]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(b"countersign browser\0");
    parts.iter().for_each(|part| context.update(part.as_bytes()));
    context.finish().as_ref().try_into().unwrap_or_default()
}

fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<32>())
}

fn failed(chrome: &Chrome, request_id: &str, error: &FlowError) -> Response {
    let answer = OAuthError::new(error, false);
    let what = match error {
        FlowError::Store(_) => Fault::Unavailable,
        FlowError::Internal(_) => Fault::Internal,
        FlowError::Refused(_) => Fault::BadRequest,
    };
    let answered = answer.into_response();
    let mut response = fault(chrome, request_id, answered.status(), what);
    // The store's failure is counted where every answer passes.
    *response.extensions_mut() = answered.extensions().clone();
    if let Some(value) = answered.headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, value.clone());
    }
    response
}

fn fault(chrome: &Chrome, request_id: &str, status: StatusCode, what: Fault) -> Response {
    let view = ErrorPage { fault: what, detail: None, request_id: request_id.to_owned(), back_url: None };
    page(status, pages::error(chrome, &view), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_cookie_is_read_when_it_came_once() {
        let of = |text| cookie(&headers(&[("cookie", text)]), "a");
        assert_eq!(of("a=x1").as_deref(), Some("x1"));
        assert_eq!(of("b=2; a=x1").as_deref(), Some("x1"));
        assert_eq!(of("a=x1; a=x2"), None);
        assert_eq!(of("aa=x1"), None);
        assert_eq!(of("a=x 1"), None);
        assert_eq!(of("a="), None);
        let twice = headers(&[("cookie", "a=x1"), ("cookie", "a=x2")]);
        assert_eq!(cookie(&twice, "a"), None);
    }

    #[test]
    fn a_form_comes_from_a_page_of_ours() {
        let own = "https://login.example";
        let is = |pairs| is_own(&headers(pairs), own);
        assert!(is(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(!is(&[("sec-fetch-site", "cross-site"), ("origin", "https://login.example")]));
        assert!(!is(&[("sec-fetch-site", "same-site")]));
        assert!(is(&[("origin", "https://login.example")]));
        assert!(!is(&[("origin", "https://evil.example")]));
        assert!(is(&[("origin", "null")]));
        assert!(!is(&[("sec-fetch-site", "cross-site"), ("origin", "null")]));
        assert!(is(&[]));
    }

    #[test]
    fn a_form_leads_to_an_origin_or_a_scheme() {
        assert_eq!(form_target("https://app.example/cb?x=1").as_deref(), Some("https://app.example"));
        assert_eq!(form_target("http://127.0.0.1:5000/cb").as_deref(), Some("http://127.0.0.1:5000"));
        assert_eq!(form_target("http://[::1]:5000/cb").as_deref(), Some("http:"));
        assert_eq!(form_target("com.example.app:/cb").as_deref(), Some("com.example.app:"));
    }
}
