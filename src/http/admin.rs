//! For administrators.

use axum::Json;
use axum::extract::State;

use super::Web;
use super::answers::Ok200;
use super::extract::{ApiQuery, SignedIn};
use crate::chat::admin::{self, Stats};
use crate::chat::samples::{self, Samples, Wanted};
use crate::chat::server_state;
use crate::error::{Error, Result};

/// `GET /admin/stats`, in the original's shape. There it was open to everyone.
pub async fn stats(State(web): State<Web>, actor: Result<SignedIn>) -> Result<Json<Stats>> {
    let SignedIn(actor) = match actor {
        Err(Error::Unauthenticated(_)) => {
            return Err(Error::Forbidden("This is for administrators. Sign in first.".into()));
        }
        actor => actor?,
    };
    admin::stats(&web.app, &actor).await.map(Json)
}

/// `GET /api/server/samples?days=`
pub async fn samples(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Ok200<Samples>> {
    samples::list(&web.app, &actor, wanted).await.map(Ok200)
}

/// `GET /api/server/state`
pub async fn state(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<server_state::State>> {
    server_state::state(&web.app, &actor).await.map(Ok200)
}
