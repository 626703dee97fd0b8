use super::*;

#[test]
fn a_newer_store_is_refused_and_a_foreign_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(Store::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(Store::open(&path), Err(StoreError::Newer { found: 99, .. })));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, but a text of more than one hundred bytes, so that SQLite looks at its header and says no").unwrap();
    assert!(matches!(Store::open(&text), Err(StoreError::Foreign(_))));
    assert!(matches!(Store::open_existing(&folder.path().join("none.db")), Err(StoreError::Missing(_))));
}

#[test]
fn many_may_open_a_store_that_is_only_being_made() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let start = std::sync::Barrier::new(8);
        let opened: Vec<_> = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                Store::open(&path).map(drop)
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for one in opened {
            one.unwrap();
        }
    }
}

#[test]
fn a_store_of_the_first_version_keeps_its_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(MIGRATIONS[0]).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let key = Digest::of(b"k");
    connection
        .execute(
            "INSERT INTO exchange VALUES (7, ?1, ?1, 'p/m', x'7b7d', 200, 0, x'7b7d', NULL, x'', 5.0, '[]', 9, 1,
                                          'live', 1)",
            rusqlite::params![key.as_bytes().as_slice()],
        )
        .unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO run VALUES (3, 's-1', 's', 'f', x'00', 1, 2, 'finished', '{}', '0');
               INSERT INTO example VALUES (x'01', '{"id":"one"}'), (x'02', '{"id":"two"}');
               INSERT INTO trial VALUES (3, 'v', 'one', 0, x'01', 7, 0, 1), (3, 'v', 'two', 0, x'02', 7, 1, 1);"#,
        )
        .unwrap();
    drop(connection);
    let store = Store::open(&path).unwrap();
    let trials = "SELECT group_concat(e.document || t.reused) FROM trial t
                  JOIN example e ON e.id = t.example_id AND e.digest = t.example";
    let trials: String = store.connection.query_row(trials, [], |row| row.get(0)).unwrap();
    assert_eq!(trials, r#"{"id":"one"}0,{"id":"two"}1"#);
    let faults: i64 =
        store.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(faults, 0);
    let cached = store.cached(&key).unwrap().unwrap();
    assert_eq!((cached.row, cached.exchange.delivery.as_str()), (7, "direct"));
    assert_eq!(store.unfinished_batches().unwrap(), []);
    assert_eq!(store.check().unwrap(), MIGRATIONS.len());
}

#[test]
fn an_unfinished_run_goes_on_and_a_finished_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("s.db")).unwrap();
    let new = NewRun { suite: "s", folder: Path::new("f"), plan_digest: Digest::of(b"p"), options: "{}", now_ms: 1 };
    let (first, resumed) = store.begin_run(&new).unwrap();
    assert!(!resumed);
    let (second, resumed) = store.begin_run(&new).unwrap();
    assert!(resumed && second.name == first.name);
    store.set_state(first.id, RunState::Finished, Some(2)).unwrap();
    let (third, resumed) = store.begin_run(&new).unwrap();
    assert!(!resumed && third.name != first.name);
    // An older run is behind it, however it stands.
    store.set_state(first.id, RunState::Stopped, Some(3)).unwrap();
    store.set_state(third.id, RunState::Finished, Some(4)).unwrap();
    assert!(!store.begin_run(&new).unwrap().1);
}

#[test]
fn a_store_that_nobody_can_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("50% of #1?.db");
    let new = NewRun { suite: "s", folder: Path::new("f"), plan_digest: Digest::of(b"p"), options: "{}", now_ms: 1 };
    Store::open(&path).unwrap().begin_run(&new).unwrap();
    for immutable in [false, true] {
        let store = Store::read_only(&path, immutable).unwrap();
        assert_eq!(store.runs().unwrap().len(), 1);
        let error = store.begin_run(&new).unwrap_err();
        assert!(error.is_write_protected(), "{error}");
    }
}

#[test]
fn a_new_store_has_no_answer_until_another_run_may_write_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("s.db")).unwrap();
    let new = |plan: &[u8]| NewRun {
        suite: "s",
        folder: Path::new("f"),
        plan_digest: Digest::of(plan),
        options: "{}",
        now_ms: 1,
    };
    let (run, _) = store.begin_run(&new(b"p")).unwrap();
    assert!(store.has_no_answer(run.id).unwrap() && store.has_no_run_but(run.id).unwrap());
    assert!(!store.has_trials(run.id).unwrap());
    let (other, _) = store.begin_run(&new(b"q")).unwrap();
    assert!(!store.has_no_answer(run.id).unwrap() && !store.has_no_run_but(other.id).unwrap());
}
