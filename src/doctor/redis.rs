//! Whether the Redis of the message queue answers: one PING.

use std::time::Duration;

use redis::{Client, ErrorKind, RedisError};
use tokio::time::timeout;

use super::Finding;

const PATIENCE: Duration = Duration::from_secs(5);
/// What to look at.
const WHERE: &str = "REDIS_URL, or SOCKETIO_MESSAGE_QUEUE, says where it is.";

pub async fn check(client: &Client) -> Finding {
    const CHECK: &str = "redis";

    let place = client.get_connection_info().addr();
    match timeout(PATIENCE, ping(client)).await {
        Ok(Ok(())) => Finding::ok(CHECK, format!("answers at {place}")),
        Ok(Err(error)) if error.kind() == ErrorKind::AuthenticationFailed => {
            Finding::problem(CHECK, format!("Redis at {place} refuses the password. {WHERE}"))
        }
        // The category alone: the library's words could repeat what stands in the URL.
        Ok(Err(error)) => {
            Finding::problem(CHECK, format!("There is no Redis at {place} ({}). {WHERE}", error.category()))
        }
        Err(_) => Finding::problem(CHECK, format!("Redis at {place} does not answer within 5 s. {WHERE}")),
    }
}

async fn ping(client: &Client) -> Result<(), RedisError> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}
