//! The log in a PostgreSQL database, whose address is `MQ_STORE` in the form of libpq.
//! `.ci/run postgres` starts one; without it nothing is tested here, and each test says so.

use mq_server::store::{Batch, Postgres, Storage, Store, StoreError};
use postgres::{Client, NoTls};

/// A schema that is empty, by a name that no other test has, and the address of the log in it.
fn schema(name: &str) -> Option<(Client, Postgres)> {
    let Ok(address) = std::env::var("MQ_STORE") else {
        println!("not run: MQ_STORE is not set");
        return None;
    };
    let mut client = Client::connect(&address, NoTls).unwrap();
    client
        .batch_execute(&format!(
            "drop schema if exists {name} cascade; create schema {name}"
        ))
        .unwrap();
    let own = format!("{address} application_name={name} options='-c search_path={name}'");
    Some((client, own.parse().unwrap()))
}

fn batch(position: u64, text: &'static str) -> Batch {
    let (begin, end) = text.split_at(2);
    Batch {
        position,
        slices: vec![begin.into(), end.into()],
    }
}

fn recovered(store: &mut dyn Store) -> Vec<Batch> {
    let mut batches = Vec::new();
    let each = &mut |batch| {
        batches.push(batch);
        Ok(())
    };
    store.recover(each).unwrap();
    batches
}

/// Ends the sessions of a log, as a restart of the database does.
fn cut(client: &mut Client, name: &str) {
    let sql = "select pg_terminate_backend(pid, 5000) from pg_stat_activity \
               where application_name = $1";
    assert_eq!(client.query(sql, &[&name]).unwrap().len(), 1);
}

#[test]
fn postgres_keeps_reads_and_forgets() {
    let Some((_client, storage)) = schema("keeps") else {
        return;
    };
    let batches = [batch(0, "first"), batch(5, "second"), batch(11, "third")];
    {
        let mut store = storage.open().unwrap();
        assert_eq!(recovered(store.as_mut()), []);
        store.append(&batches[..1]).unwrap();
        store.append(&batches[1..]).unwrap();
        assert_eq!(store.read(0, 5).unwrap(), "first");
        assert_eq!(store.read(3, 10).unwrap(), "stsecondth");
        let beyond = store.read(11, 6).unwrap_err();
        assert!(matches!(beyond, StoreError::NotThere(16)), "{beyond}");
        // In the middle of the second: that stays.
        store.trim(7).unwrap();
        let gone = store.read(0, 5).unwrap_err();
        assert!(matches!(gone, StoreError::NotThere(0)), "{gone}");
    }
    {
        let mut store = storage.open().unwrap();
        assert_eq!(recovered(store.as_mut()), batches[1..]);
        // The last one stays: it says where the log ends.
        store.trim(16).unwrap();
    }
    let mut store = storage.open().unwrap();
    assert_eq!(recovered(store.as_mut()), batches[2..]);
}

#[test]
fn postgres_has_one_writer() {
    let Some((_client, storage)) = schema("one_writer") else {
        return;
    };
    let _writer = storage.open().unwrap();
    let refused = storage.open().unwrap_err();
    assert!(matches!(refused, StoreError::DatabaseInUse), "{refused}");
}

#[test]
fn postgres_comes_back_and_has_each_batch_once() {
    let Some((mut client, storage)) = schema("comes_back") else {
        return;
    };
    let batches = [batch(0, "first"), batch(5, "second")];
    let mut store = storage.open().unwrap();
    store.append(&batches[..1]).unwrap();
    cut(&mut client, "comes_back");
    store.append(&batches[1..]).unwrap_err();
    store.append(&batches[1..]).unwrap();
    // It was appended, and the answer was lost: here, by another hand.
    cut(&mut client, "comes_back");
    store.append(&[batch(11, "third")]).unwrap_err();
    client
        .execute("insert into comes_back.mq_log values (11, 'third')", &[])
        .unwrap();
    store.append(&[batch(11, "third")]).unwrap();
    let all = [&batches[..], &[batch(11, "third")]].concat();
    assert_eq!(recovered(store.as_mut()), all);
}

#[test]
fn postgres_takes_nothing_from_a_writer_that_was_replaced() {
    let Some((mut client, storage)) = schema("replaced") else {
        return;
    };
    let mut old = storage.open().unwrap();
    cut(&mut client, "replaced");
    let mut new = storage.open().unwrap();
    new.append(&[batch(0, "new")]).unwrap();
    drop(new);
    old.append(&[batch(0, "old")]).unwrap_err();
    for _ in 0..2 {
        let refused = old.append(&[batch(0, "old")]).unwrap_err();
        assert!(matches!(refused, StoreError::Replaced), "{refused}");
    }
    let mut store = storage.open().unwrap();
    assert_eq!(recovered(store.as_mut()), [batch(0, "new")]);
}
