//! A log in a PostgreSQL database.

use std::str::FromStr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use postgres::{Client, Config, NoTls, Row, Statement};

use super::{Batch, Recovered, Storage, Store, StoreError};

/// A log in the table `mq_log` of a PostgreSQL database, which is made if it is not there.
/// One server can use it at one time.
///
/// The server holds an advisory lock for as long as it is connected, and writes down a number
/// of its own when it starts. After a lost connection it goes on only if that number still
/// stands: a server that another one has replaced meanwhile appends nothing any more.
///
/// A batch is durable when PostgreSQL has committed it, with `synchronous_commit` on. The
/// connection has no TLS: the database is on this machine, or in a network that is trusted.
#[derive(Clone, Debug)]
pub struct Postgres {
    config: Config,
}

impl FromStr for Postgres {
    type Err = StoreError;

    /// Takes a URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or the form of libpq,
    /// `host=/run/postgresql dbname=mq`.
    fn from_str(url: &str) -> Result<Self, StoreError> {
        let config = Config::from_str(url).map_err(|error| failed("read the address", &error))?;
        Ok(Self { config })
    }
}

impl Storage for Postgres {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let mut session = Session::open(&self.config)?;
        let sql = "update mq_log_writer set epoch = epoch + 1 returning epoch";
        let writer = session.client.query_one(sql, &[]);
        let writer = writer.map_err(|error| failed("begin to write", &error))?;
        Ok(Box::new(Log {
            config: self.config.clone(),
            epoch: writer.get(0),
            session: Some(session),
            is_in_doubt: false,
        }))
    }

    /// Without the password.
    fn describe(&self) -> String {
        let name = self.config.get_dbname().or(self.config.get_user());
        let hosts = self.config.get_hosts();
        format!("PostgreSQL: {} at {hosts:?}", name.unwrap_or("the default"))
    }
}

/// How long a server that was killed may keep its lock: PostgreSQL ends its session when it
/// notices.
const LOCK_TIME: Duration = Duration::from_secs(5);
const LOCK_AGAIN: Duration = Duration::from_millis(50);

/// What compresses is left to the file system: bodies have to be read in part, and fast.
const SCHEMA: &str = "
    set client_min_messages = warning;
    set synchronous_commit = on;
    create table if not exists mq_log (position bigint primary key, bytes bytea not null);
    alter table mq_log alter column bytes set storage external;
    create table if not exists mq_log_writer (
        id boolean primary key default true check (id), epoch bigint not null);
    insert into mq_log_writer (epoch) values (0) on conflict do nothing;
";

const LOCK: &str =
    "select pg_try_advisory_lock(hashtextextended('mq_log in ' || current_schema(), 0))";

/// A connection that holds the lock.
struct Session {
    client: Client,
    append: Statement,
    read: Statement,
}

impl Session {
    fn open(config: &Config) -> Result<Self, StoreError> {
        let mut config = config.clone();
        if config.get_application_name().is_none() {
            config.application_name("mq-server");
        }
        let mut client = config
            .connect(NoTls)
            .map_err(|error| failed("connect", &error))?;
        let begun = Instant::now();
        loop {
            let locked = client.query_one(LOCK, &[]);
            if locked
                .map_err(|error| failed("lock the log", &error))?
                .get(0)
            {
                break;
            }
            if begun.elapsed() >= LOCK_TIME {
                return Err(StoreError::DatabaseInUse);
            }
            std::thread::sleep(LOCK_AGAIN);
        }
        let prepared = client.batch_execute(SCHEMA).and_then(|()| {
            Ok(Self {
                append: client.prepare(
                    "insert into mq_log select * from unnest($1::bigint[], $2::bytea[])",
                )?,
                // The batch that begins at or before the first byte, and those after it.
                read: client.prepare(
                    "select position, bytes from mq_log where position < $2 and position >= \
                     coalesce((select max(position) from mq_log where position <= $1), $1) \
                     order by position",
                )?,
                client,
            })
        });
        prepared.map_err(|error| failed("prepare the table mq_log", &error))
    }
}

struct Log {
    config: Config,
    /// That of the newest server.
    epoch: i64,
    /// None after an error, until the next call.
    session: Option<Session>,
    /// Nobody knows whether the last append is there.
    is_in_doubt: bool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("config", &self.config)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Does something, after an error on a new connection.
    fn with<T>(
        &mut self,
        doing: &'static str,
        act: impl FnOnce(&mut Session) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        let mut session = self.take_session()?;
        let done = act(&mut session).map_err(|error| failed(doing, &error))?;
        self.session = Some(session);
        Ok(done)
    }

    fn take_session(&mut self) -> Result<Session, StoreError> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => self.reopen(),
        }
    }

    fn reopen(&self) -> Result<Session, StoreError> {
        let mut session = Session::open(&self.config)?;
        let writer = session
            .client
            .query_one("select epoch from mq_log_writer", &[]);
        let writer = writer.map_err(|error| failed("look who writes", &error))?;
        match writer.get::<_, i64>(0) == self.epoch {
            true => Ok(session),
            false => Err(StoreError::Replaced),
        }
    }
}

impl Store for Log {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<Recovered, StoreError> {
        let mut session = self.take_session()?;
        let sql = "select position, bytes from mq_log order by position";
        let reading = |error: postgres::Error| failed("read the log", &error);
        let none: [i64; 0] = [];
        let mut rows = session.client.query_raw(sql, none).map_err(reading)?;
        let mut end = None;
        while let Some(row) = rows.next().map_err(reading)? {
            let batch = Batch::new(row_position(&row), row_bytes(&row));
            if end.is_some_and(|end| end != batch.position) {
                return Err(StoreError::Unusable(format!(
                    "rows of the table mq_log are missing before position {}",
                    batch.position
                )));
            }
            end = Some(batch.end());
            each(batch)?;
        }
        drop(rows);
        self.session = Some(session);
        Ok(Recovered::default())
    }

    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let Some(first) = batches.first() else {
            return Ok(());
        };
        let positions: Vec<i64> = batches.iter().map(|batch| signed(batch.position)).collect();
        let bytes: Vec<Slices<'_>> = batches.iter().map(|batch| Slices(&batch.slices)).collect();
        let first = signed(first.position);
        // The caller appends the same again after an error, and it is open what of the last
        // try is there.
        let is_in_doubt = std::mem::replace(&mut self.is_in_doubt, true);
        self.with("append to the log", |session| {
            let Session { client, append, .. } = session;
            if is_in_doubt {
                client.execute("delete from mq_log where position >= $1", &[&first])?;
            }
            client.execute(&*append, &[&positions, &bytes]).map(drop)
        })?;
        self.is_in_doubt = false;
        Ok(())
    }

    fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError> {
        let end = signed(position + len as u64);
        let rows = self.with("read the log", |session| {
            let Session { client, read, .. } = session;
            client.query(&*read, &[&signed(position), &end])
        })?;
        let mut found = BytesMut::with_capacity(len);
        for row in &rows {
            let bytes = row_bytes(row);
            let at = position + found.len() as u64;
            let skip = at.checked_sub(row_position(row));
            let Some(rest) = skip.and_then(|skip| bytes.get(skip as usize..)) else {
                return Err(StoreError::NotThere(at));
            };
            found.extend_from_slice(&rest[..rest.len().min(len - found.len())]);
        }
        match found.len() == len {
            true => Ok(found.freeze()),
            false => Err(StoreError::NotThere(position + found.len() as u64)),
        }
    }

    fn trim(&mut self, before: u64) -> Result<(), StoreError> {
        // The batch that has the byte before `before` in it, or after it, stays: its own end
        // is not known by an index. So the last one always does, and says where the log ends.
        let sql = "delete from mq_log where position < \
                   (select max(position) from mq_log where position <= $1)";
        self.with("trim the log", |session| {
            session.client.execute(sql, &[&signed(before)]).map(drop)
        })
    }
}

/// What is in a batch, as one `bytea`.
#[derive(Debug)]
struct Slices<'a>(&'a [Bytes]);

impl ToSql for Slices<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        for slice in self.0 {
            out.extend_from_slice(slice);
        }
        Ok(IsNull::No)
    }

    accepts!(BYTEA);
    to_sql_checked!();
}

fn row_position(row: &Row) -> u64 {
    row.get::<_, i64>(0).cast_unsigned()
}

fn row_bytes(row: &Row) -> Vec<u8> {
    row.get(1)
}

/// A log has less than 2^63 bytes.
fn signed(position: u64) -> i64 {
    position.cast_signed()
}

fn failed(doing: &'static str, error: &dyn std::error::Error) -> StoreError {
    // The message of PostgreSQL itself is the cause.
    let reason = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    StoreError::Database { doing, reason }
}
