//! A person at a browser, without the browser: follows redirects, keeps cookies, fills in the
//! forms; and what the programs are told by their environment.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use url::Url;

/// What goes wrong in a program ends it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the person presses: the first of these that the form has.
const BUTTONS: [&str; 3] = ["sign_in", "allow", "yes"];
/// More pages than any way through needs.
const MOST_PAGES: usize = 20;

/// A variable of the environment, which must be there.
pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Somebody who can sign in.
pub struct Person {
    http: reqwest::Client,
    issuer: Url,
    cookies: BTreeMap<String, String>,
    username: String,
    password: String,
}

impl Person {
    /// The person that the environment names.
    pub fn from_env() -> Result<Self, Failure> {
        Ok(Self {
            http: reqwest::Client::builder().redirect(Policy::none()).build()?,
            issuer: env("ISSUER").parse()?,
            cookies: BTreeMap::new(),
            username: env("PERSON"),
            password: env("PASSWORD"),
        })
    }

    /// Goes to an address and does what the pages ask for. Returns where it ended: at the
    /// application, or on a page that asks for nothing.
    pub async fn go_to(&mut self, address: &str) -> Result<Url, Failure> {
        let mut url: Url = address.parse()?;
        let mut form = None;
        for _ in 0..MOST_PAGES {
            if url.origin() != self.issuer.origin() {
                return Ok(url);
            }
            let response = self.send(&url, form.take()).await?;
            if let Some(location) = response.headers().get(LOCATION) {
                url = url.join(location.to_str()?)?;
                continue;
            }
            let status = response.status();
            let html = response.text().await?;
            if !status.is_success() {
                return Err(format!("{url} answered {status}: {html}").into());
            }
            let Some((action, fields)) = self.fill_in(&html) else { return Ok(url) };
            url = url.join(&action)?;
            form = Some(fields);
        }
        Err(format!("still no end at {url}").into())
    }

    async fn send(
        &mut self,
        url: &Url,
        form: Option<Vec<(String, String)>>,
    ) -> Result<reqwest::Response, Failure> {
        let request = match form {
            None => self.http.get(url.clone()),
            Some(fields) => self.http.post(url.clone()).form(&fields),
        };
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await?;
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str()?;
            let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }

    /// Where the page's first form goes, and what is in it.
    fn fill_in(&self, html: &str) -> Option<(String, Vec<(String, String)>)> {
        let (_, rest) = html.split_once("<form ")?;
        let (tag, rest) = rest.split_once('>')?;
        let (inside, _) = rest.split_once("</form>")?;
        let mut fields = Vec::new();
        // A box is ticked only by somebody who wants it.
        for input in tags(inside, "<input ").filter(|tag| attribute(tag, "type") != Some("checkbox")) {
            let name = attribute(input, "name")?;
            let value = match name {
                "username" => self.username.clone(),
                "password" => self.password.clone(),
                _ => unescaped(attribute(input, "value").unwrap_or_default()),
            };
            fields.push((name.to_owned(), value));
        }
        let buttons: Vec<_> = tags(inside, "<button ").filter_map(|tag| attribute(tag, "value")).collect();
        if let Some(pressed) = BUTTONS.iter().find(|button| buttons.contains(button)) {
            fields.push(("action".to_owned(), (*pressed).to_owned()));
        }
        Some((unescaped(attribute(tag, "action")?), fields))
    }
}

fn tags<'a>(html: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    html.split(start).skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}
