//! The API as a program: `ISSUER`, `AUDIENCE`, `CLIENT_ID`, `CLIENT_SECRET` and `LISTEN` say where.

use std::process::ExitCode;

use countersign_verify::ResourceMetadata;
use profile_api::{Settings, app, guard};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let settings = Settings {
        issuer: variable("ISSUER")?,
        audience: variable("AUDIENCE")?,
        client_id: variable("CLIENT_ID")?,
        client_secret: variable("CLIENT_SECRET")?,
    };
    let about = ResourceMetadata::new(&settings.audience, &settings.issuer);
    let guard = guard(settings).map_err(|error| format!("{error:?}"))?;
    // The API answers 503 until the issuer is there; a wrong address is better said at once.
    if let Err(error) = guard.ready().await {
        say(&format!("not yet: {error}"));
    }
    let app = app(&guard, about).map_err(|error| format!("{error:?}"))?;
    let listen = variable("LISTEN").unwrap_or_else(|_| "127.0.0.1:8430".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&listen).await.map_err(|error| format!("{listen}: {error}"))?;
    say(&format!("listening on http://{listen}"));
    axum::serve(listener, app).await.map_err(|error| error.to_string())
}

fn variable(name: &str) -> Result<String, String> {
    #[expect(clippy::disallowed_methods, reason = "this program's only configuration")]
    std::env::var(name).map_err(|_| format!("set {name}"))
}

#[expect(clippy::print_stderr, reason = "this program's only output")]
fn say(text: &str) {
    eprintln!("{text}");
}
