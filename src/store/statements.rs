//! The few statements of every message that Diesel would prepare anew each time: updates, and what encloses a write.
//! As query fragments of their own they stay prepared.

use diesel::connection::Connection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{BigInt, Binary, Integer, Text};

use super::connection::AnyConnection;

type Backend = <AnyConnection as Connection>::Backend;

/// Encloses one write of a transaction.
pub enum Savepoint {
    Begin,
    Release,
    RollBack,
}

/// Kept prepared under their SQL, not under their type: a type may stand for several statements.
macro_rules! statement {
    ($type:ty) => {
        impl diesel::query_builder::QueryId for $type {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }

        impl diesel::RunQueryDsl<$crate::store::connection::AnyConnection> for $type {}
    };
}

pub(super) use statement;

statement!(Savepoint);
statement!(TakeFile);
statement!(CountMessages<'_>);
statement!(NextSeq);

impl QueryFragment<Backend> for Savepoint {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql(match self {
            Self::Begin => "SAVEPOINT one_write",
            Self::Release => "RELEASE SAVEPOINT one_write",
            Self::RollBack => "ROLLBACK TO SAVEPOINT one_write",
        });
        Ok(())
    }
}

/// Waits until the lane is free on all nodes, and keeps it until the transaction ends. SQLite has one writer: the whole file
/// is taken before anything is read, since what was read from an older state could not be written on.
pub fn lock_lane(connection: &mut AnyConnection, lane: usize) -> QueryResult<()> {
    /// Tells our locks from those of others in the same database: "sc", lanes.
    const LANES: i32 = 0x7363_0001;

    match connection {
        AnyConnection::Sqlite(_) => {
            TakeFile.execute(connection)?;
        }
        AnyConnection::Postgres(connection) => {
            diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
                .bind::<Integer, _>(LANES)
                .bind::<Integer, _>(lane as i32)
                .execute(connection)?;
        }
    }
    Ok(())
}

/// Waits until nobody else writes, on any node, until the transaction ends. For the first lane alone: a writer that has
/// another one would wait in a circle.
pub fn lock_all_lanes(connection: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Postgres(_) = connection {
        (1..super::LANES).try_for_each(|lane| lock_lane(connection, lane))?;
    }
    Ok(())
}

/// A write that changes nothing. SQLite takes its lock for it, or waits until it can.
struct TakeFile;

impl QueryFragment<Backend> for TakeFile {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("DELETE FROM state WHERE FALSE");
        Ok(())
    }
}

/// More messages of a person, the last of them at that time.
pub struct CountMessages<'a> {
    pub user: &'a [u8],
    pub count: i64,
    pub last_active: &'a str,
}

impl QueryFragment<Backend> for CountMessages<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("UPDATE users SET message_count = message_count + ");
        out.push_bind_param::<BigInt, _>(&self.count)?;
        out.push_sql(", last_active = ");
        out.push_bind_param::<Text, _>(self.last_active)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Binary, _>(self.user)
    }
}

/// The next position in a room. On PostgreSQL the row stays locked until the commit, so that the order of positions is the
/// order of commits, on all nodes.
pub struct NextSeq {
    pub room: i64,
}

impl QueryFragment<Backend> for NextSeq {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("UPDATE rooms SET last_seq = last_seq + 1 WHERE id = ");
        out.push_bind_param::<BigInt, _>(&self.room)?;
        out.push_sql(" RETURNING last_seq");
        Ok(())
    }
}

impl diesel::query_builder::Query for NextSeq {
    type SqlType = BigInt;
}
