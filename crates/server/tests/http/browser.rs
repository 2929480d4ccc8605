//! A person's browser, as far as the server can tell: it keeps cookies, follows 303s one by one,
//! reads forms out of pages, and sends the headers by which a form of ours is known.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ::http::{Request, StatusCode, header};
use axum::body::Body;
use countersign::http::peer::Peer;

use crate::support::{Answer, TestServer};

/// The issuer's origin, as browsers see it.
pub(crate) const ORIGIN: &str = "https://auth.example";

/// A browser.
pub(crate) struct Browser<'a> {
    server: &'a TestServer,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) address: IpAddr,
    /// What it says it is; nothing when this is empty.
    pub(crate) agent: &'static str,
    /// The issuer's path, which a proxy takes away from every request.
    pub(crate) base: &'static str,
}

/// Where a browser has come to rest.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A page of ours, by the path and query that it was asked by.
    Page(Page),
    /// Another site's address.
    Away(Away),
}

/// A page of ours.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) answer: Answer,
}

/// An address of another site.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    pub(crate) url: String,
}

/// The first form of a page: where it goes, and what is in it already.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a TestServer) -> Self {
        Self::at(server, Ipv4Addr::new(192, 0, 2, 1))
    }

    /// At an address of its own.
    pub(crate) fn at(server: &'a TestServer, address: impl Into<IpAddr>) -> Self {
        Self { server, cookies: BTreeMap::new(), address: address.into(), agent: "", base: "" }
    }

    /// One request by a link or an address; no redirect is followed.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header("sec-fetch-site", "none").body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// One form of a page of ours; no redirect is followed. Under the pages' referrer policy a
    /// browser sends `null` for the origin.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await
    }

    /// The same with other headers.
    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let path = path.strip_prefix(self.base).unwrap();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        if !self.agent.is_empty() {
            request.headers_mut().insert(header::USER_AGENT, self.agent.parse().unwrap());
        }
        request.extensions_mut().insert(Peer::Tcp(SocketAddr::new(self.address, 50_000)));
        let answer = self.server.send(request).await;
        self.keep_cookies(&answer);
        // OAuth 2.1 section 7.5.3: a form with a password is never sent on.
        assert!(!matches!(answer.status.as_u16(), 301 | 302 | 307 | 308), "{answer:?}");
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for value in answer.headers.get_all(header::SET_COOKIE) {
            let text = value.to_str().unwrap();
            let mut parts = text.split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let attributes: Vec<_> = parts.collect();
            for attribute in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
                assert!(attributes.contains(&attribute), "{attribute}: {text}");
            }
            assert!(name.starts_with("__Host-"), "{text}");
            assert!(!attributes.iter().any(|attribute| attribute.starts_with("Domain")), "{text}");
            match attributes.contains(&"Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }

    /// Follows redirects until there is a page, or another site.
    pub(crate) async fn follow(&mut self, path: &str, mut answer: Answer) -> Stop {
        let mut path = path.to_owned();
        for _ in 0..8 {
            if answer.status != StatusCode::SEE_OTHER {
                return Stop::Page(Page { path, answer });
            }
            let to = answer.header(header::LOCATION).to_owned();
            path = match to.strip_prefix(ORIGIN).unwrap_or(&to).strip_prefix(self.base).unwrap_or(&to) {
                local if local.starts_with('/') && !local.starts_with("//") => local.to_owned(),
                _ => return Stop::Away(Away { url: to }),
            };
            answer = self.get(&path).await;
        }
        panic!("redirects without end: {path}");
    }

    /// Goes to an address and on from there.
    pub(crate) async fn open(&mut self, path: &str) -> Stop {
        let answer = self.get(path).await;
        self.follow(path, answer).await
    }

    /// Fills a page's form and sends it, and goes on from there.
    pub(crate) async fn submit(&mut self, page: &Page, typed: &[(&str, &str)]) -> Stop {
        let form = page.form();
        let answer = self.post(&form.action, &form.with(typed)).await;
        self.follow(&form.action, answer).await
    }

    /// Signs in on a page that asks for it.
    pub(crate) async fn sign_in(&mut self, page: &Page, username: &str, password: &str) -> Stop {
        assert!(page.path.starts_with("/signin?"), "{}", page.path);
        let typed = [("username", username), ("password", password), ("action", "sign_in")];
        self.submit(page, &typed).await
    }

    /// The cookie of the browser session.
    pub(crate) fn session(&self) -> Option<&str> {
        self.cookies.get("__Host-countersign").map(String::as_str)
    }
}

impl Stop {
    #[track_caller]
    pub(crate) fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Away(away) => panic!("the browser left for {}", away.url),
        }
    }

    /// The page, if it is that one and all is well.
    #[track_caller]
    pub(crate) fn page_at(self, path: &str) -> Page {
        let page = self.page();
        assert!(
            page.path.split('?').next() == Some(path) && page.answer.status.is_success(),
            "{} {}: {}",
            page.path,
            page.answer.status,
            page.answer.text
        );
        page
    }

    #[track_caller]
    pub(crate) fn away(self) -> Away {
        match self {
            Self::Away(away) => away,
            Self::Page(page) => panic!("{} {}: {}", page.path, page.answer.status, page.answer.text),
        }
    }
}

impl Page {
    /// The page's first form.
    #[track_caller]
    pub(crate) fn form(&self) -> Form {
        let html = &self.answer.text;
        let form = html.split_once("<form ").unwrap_or_else(|| panic!("no form in {html}")).1;
        let form = form.split_once("</form>").unwrap().0;
        let action = attribute(form, "action").unwrap();
        let inputs = form.split("<input ").skip(1).map(|input| input.split_once('>').unwrap().0);
        let fields = inputs.filter(|input| attribute(input, "type").as_deref() == Some("hidden"));
        let fields =
            fields.map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap()));
        Form { action, fields: fields.collect() }
    }

    /// The value of a visible field.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let input = self.answer.text.split("<input ").find(|i| i.contains(&format!("name=\"{name}\"")))?;
        attribute(input.split_once('>')?.0, "value")
    }
}

impl Form {
    /// The form's own fields and what a person typed.
    pub(crate) fn with<'a>(&'a self, typed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(typed.iter().copied()).collect()
    }

    /// The token of the form.
    #[track_caller]
    pub(crate) fn csrf(&self) -> &str {
        &self.fields.iter().find(|(name, _)| name == "csrf").unwrap().1
    }
}

impl Away {
    /// What the client receives; each parameter once.
    #[track_caller]
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            assert!(parameters.insert(name, value).is_none(), "{}", self.url);
        }
        parameters
    }

    #[track_caller]
    pub(crate) fn parameter(&self, name: &str) -> String {
        self.parameters().remove(name).unwrap_or_else(|| panic!("no {name} in {}", self.url))
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split_once('"')?.0;
    let plain =
        value.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">");
    Some(
        plain
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#38;", "&")
            .replace("&amp;", "&"),
    )
}
