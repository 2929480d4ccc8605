//! `countersign event`.

use clap::{Args, Subcommand};

use super::Context;
use super::failure::Failure;
use super::list::{self, Extent};
use super::route::Route;
use super::show::{Field, plain, time};
use super::transport::{Admin, Need};
use crate::store::EventKind;

/// What happened.
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Lists notable events, newest first; of one session, oldest first.
    List(List),
}

/// The arguments of `event list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Of this session.
    #[arg(long, value_name = "SID")]
    session: Option<String>,
    /// Of this user: a name or an id.
    #[arg(long)]
    user: Option<String>,
    /// Of this client.
    #[arg(long)]
    client: Option<String>,
    /// Of this kind.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(EventKind::ALL.map(EventKind::as_str)))]
    kind: Option<String>,
    #[command(flatten)]
    extent: Extent,
}

const COLUMNS: [Field; 5] = [
    time("when", "at"),
    plain("kind", "kind"),
    plain("detail", "detail"),
    plain("client", "client_id"),
    plain("session", "session_id"),
];

impl Event {
    /// Does it.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let Self::List(list) = self;
        let admin = Admin::connect(&context.global, Need::Existing).await?;
        let route = Route::to(&["events"])
            .with_some("session", list.session)
            .with_some("user", list.user)
            .with_some("client", list.client)
            .with_some("kind", list.kind);
        let outcome = list::print(context, &admin, &route, list.extent, &COLUMNS).await;
        admin.close().await;
        outcome
    }
}
