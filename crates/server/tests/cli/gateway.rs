//! nginx in front of an API, configured as `docs/gateways.md` says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::ask::{Answer, ask};
use crate::program::{Place, Server, free_port};

const GUIDE: &str = include_str!("../../../../docs/gateways.md");

/// Ended when it is dropped.
struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// With the guide's configuration; only the addresses are those of this test.
    fn start(place: &Place, server: &Server, api: u16) -> Self {
        let port = free_port();
        let server = server.public.strip_prefix("http://").unwrap();
        let guide = GUIDE.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
        let guide = replaced(guide, "listen 8080;", &format!("listen 127.0.0.1:{port};"));
        let guide = replaced(&guide, "http://127.0.0.1:8420/", &format!("http://{server}/"));
        let guide = replaced(&guide, "http://127.0.0.1:3000;", &format!("http://127.0.0.1:{api};"));
        let dir = place.path("nginx");
        std::fs::create_dir(&dir).unwrap();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display()))
            .collect();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr warn;\nevents {{}}\n\
             http {{\naccess_log off;\n{paths}{guide}}}\n",
            dir.display()
        );
        let file = dir.join("nginx.conf");
        std::fs::write(&file, main).unwrap();
        let mut programs = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter();
        let program = programs.find(|path| std::fs::exists(path).unwrap());
        assert!(program.is_some(), "nginx is not installed: `.ci/run` does so");
        let mut command = Command::new(program.unwrap());
        command.args(["-p", dir.to_str().unwrap(), "-c", file.to_str().unwrap()]);
        let log = std::fs::File::create(place.path("nginx.log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || std::fs::read_to_string(place.path("nginx.log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "nginx ended: {}", log());
            std::thread::yield_now();
        }
        Self { child, port }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        ask(self.port, method, path, headers, body)
    }

    fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from} in the guide");
    text.replace(from, to)
}

/// An API that answers with what it was sent: the request's head, an empty line, the body.
fn api() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                stream.read_line(&mut head).unwrap();
                if let Some(text) = head[start..].to_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let said = [head.as_bytes(), &body].concat();
            let mut stream = stream.into_inner();
            write!(stream, "HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n", said.len()).unwrap();
            stream.write_all(&said).unwrap();
        }
    });
    port
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn nginx_lets_good_tokens_pass_and_says_whose_they_are() {
    let place = Place::new();
    let user = place.json(&["user", "add", "ana", "--role", "reader", "--role", "a, b", "--tenant", "acme"]);
    for (client, format) in [("web", "jwt"), ("dim", "opaque")] {
        let add = [
            "client",
            "add",
            client,
            "--kind",
            "web",
            "--scope",
            "read write",
            "--audience",
            "https://api.example",
        ];
        place.run(&[&add[..], &["--token-format", format]].concat()).assert_ok();
    }
    let other =
        ["client", "add", "other", "--kind", "web", "--scope", "read", "--audience", "https://other.example"];
    place.run(&other).assert_ok();
    let start = |client: &str, scope: &str| {
        place.json(&["session", "add", "--user", "ana", "--client", client, "--scope", scope])
    };
    let server = Server::start(&place, &[]);
    let nginx = Nginx::start(&place, &server, api());

    let nobody = nginx.ask("GET", "/api/x", &[("countersign-subject", "admin")], "");
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, "Bearer realm=\"api\""));

    let pair = start("web", "read write");
    let token = text(&pair, "access_token").to_owned();
    let bearer = format!("Bearer {token}");
    let tricks = [
        ("authorization", bearer.as_str()),
        ("countersign-subject", "admin"),
        ("Countersign-Roles", "admin"),
        ("COUNTERSIGN-CLIENT", "admin"),
        ("countersign_subject", "admin"),
        ("countersign-acr", "admin"),
    ];
    let passed = nginx.ask("POST", "/api/x?audience=other&path=/y", &tricks, "what is sent");
    assert_eq!(passed.status, 200, "{passed:?}");
    let seen = passed.body.to_lowercase();
    assert!(seen.starts_with("post /api/x?audience=other&path=/y "), "{seen}");
    assert!(seen.ends_with("what is sent"), "{seen}");
    assert!(!seen.contains("admin"), "{seen}");
    for line in [
        format!("countersign-subject: {}", text(&user, "user_id")),
        "countersign-scope: read write".to_owned(),
        "countersign-tenant: acme".to_owned(),
        "countersign-roles: a%2c%20b,reader".to_owned(),
    ] {
        assert!(seen.contains(&format!("{line}\r\n")), "no {line} in {seen}");
    }
    let opaque = start("dim", "read");
    assert_eq!(nginx.get("/api/x", text(&opaque, "access_token")).status, 200);

    let refresh = nginx.get("/api/x", text(&pair, "refresh_token"));
    assert_eq!(refresh.status, 401);
    assert!(refresh.header("www-authenticate").contains("this is a refresh token"), "{refresh:?}");
    let foreign = start("other", "read");
    let foreign = nginx.get("/api/x", text(&foreign, "access_token"));
    assert_eq!(foreign.status, 401);
    assert!(foreign.header("www-authenticate").contains("another API"), "{foreign:?}");
    let narrow = start("web", "write");
    let narrow = nginx.get("/api/x", text(&narrow, "access_token"));
    assert_eq!(narrow.status, 403, "{narrow:?}");
    let challenge = narrow.header("www-authenticate");
    assert!(challenge.contains("insufficient_scope") && challenge.contains("scope=\"read\""), "{challenge}");

    place.run(&["session", "revoke", text(&pair, "session_id")]).assert_ok();
    let revoked = nginx.get("/api/x", &token);
    assert_eq!(revoked.status, 401);
    assert!(revoked.header("www-authenticate").contains("was revoked"), "{revoked:?}");

    let bare = nginx.ask("GET", "/api/x", &[("authorization", "Bearer")], "");
    assert_eq!((bare.status, bare.header("retry-after")), (400, ""), "{bare:?}");
    assert!(bare.header("www-authenticate").contains("invalid_request"), "{bare:?}");
    let basic = nginx.ask("GET", "/api/x", &[("authorization", "Basic eDp4")], "");
    assert_eq!(basic.status, 401, "{basic:?}");
    assert!(!basic.header("www-authenticate").contains("error"), "{basic:?}");
    // nginx refuses two of them by itself.
    let twice = [("authorization", bearer.as_str()); 2];
    assert_eq!(nginx.ask("GET", "/api/x", &twice, "").status, 400);

    // The gateway's own location is not the client's to ask.
    assert_eq!(nginx.get("/_countersign", &token).status, 404);
    drop(server);
    let undecided = nginx.get("/api/x", text(&opaque, "access_token"));
    assert_eq!((undecided.status, undecided.header("retry-after")), (503, "1"), "{undecided:?}");
}
