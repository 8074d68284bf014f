//! For administrators.

use axum::Json;
use axum::extract::State;

use super::Web;
use super::extract::SignedIn;
use crate::chat::admin::{self, Stats};
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
