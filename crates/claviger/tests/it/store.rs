//! The store as a whole, moved by the commands of an operator.

use crate::harness::{Place, eventually};
use claviger_testkit::Postgres;

const PASSPHRASE: (&str, &str) = ("CLAVIGER_BACKUP_PASSPHRASE", "correct horse battery");

/// A key made through a running service stands for everything else; the store's own tests look
/// at the rest.
#[test]
fn backup_lose_everything_restore() {
    let place = Place::new();
    let (data, file) = (place.data(), place.path("today.backup"));
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let at = ["--data-dir", data];
    let first = place.serve(&[], &[]);
    let (_, err) = first.stop();
    let pair = crate::harness::shown_pair(&err);
    let mut service = place.serve(&[], &[]);
    service.keys.clone_from(&pair);
    let made = service
        .run(&["key", "create", "--role", "auditor", "--json"])
        .json();
    let id = made["id"].as_str().unwrap();

    let line = place.run(&["backup", file, at[0], at[1]]).one_line(2);
    assert!(line.contains("CLAVIGER_BACKUP_PASSPHRASE"), "{line}");
    // While the service runs.
    let done = place.run_with(&["backup", file, at[0], at[1]], &[PASSPHRASE]);
    assert!(done.fine().contains("access_key"));
    let line = place
        .run_with(&["restore", file, at[0], at[1]], &[PASSPHRASE])
        .one_line(1);
    assert!(line.contains("a service is running"), "{line}");
    assert_eq!(service.stop().0, 0);
    let line = place
        .run_with(&["restore", file, at[0], at[1]], &[PASSPHRASE])
        .one_line(1);
    assert!(line.contains("is not empty"), "{line}");

    // The disk is gone; the master key and the backup are kept elsewhere.
    for name in ["claviger.db", "claviger.db-wal", "claviger.db-shm"] {
        let _ = std::fs::remove_file(place.data().join(name));
    }
    let wrong = [(PASSPHRASE.0, "correct horse batterz")];
    let line = place
        .run_with(&["restore", file, at[0], at[1]], &wrong)
        .one_line(1);
    assert!(line.contains("passphrase is wrong"), "{line}");
    place
        .run_with(&["restore", file, at[0], at[1]], &[PASSPHRASE])
        .fine();
    let mut service = place.serve(&[], &[]);
    service.keys = pair;
    assert!(service.run(&["key", "list"]).fine().contains(id));
    service.stop();

    let key = place.data().join("master.key");
    std::fs::rename(&key, place.path("elsewhere")).unwrap();
    let other = place.path("other.backup");
    let line = place
        .run_with(
            &["backup", other.to_str().unwrap(), at[0], at[1]],
            &[PASSPHRASE],
        )
        .one_line(1);
    assert!(line.contains("master key file") && !key.exists(), "{line}");
}

#[test]
fn an_embedded_installation_moves_to_postgres() {
    let test = "an_embedded_installation_moves_to_postgres";
    let Some(server) = Postgres::for_test(test) else {
        return;
    };
    let url = server.database("claviger").unwrap();
    let place = Place::new();
    let data = place.data();
    let at = ["--data-dir", data.to_str().unwrap()];
    let (_, err) = place.serve(&[], &[]).stop();
    let pair = crate::harness::shown_pair(&err);
    let mut service = place.serve(&[], &[]);
    service.keys.clone_from(&pair);
    let project = service.run(&["info", "--json"]).json()["project_id"].clone();
    let copy = ["store", "copy", "sqlite", url.as_str(), at[0], at[1]];
    let line = place.run(&copy).one_line(1);
    assert!(line.contains("a service is running"), "{line}");
    service.stop();
    place.run(&copy).fine();

    let with_password = url.replace("claviger@", "claviger:topsecret@");
    for args in [
        vec!["serve", "--store", &with_password, at[0], at[1]],
        vec!["store", "copy", "sqlite", &with_password, at[0], at[1]],
    ] {
        let line = place.run(&args).one_line(2);
        assert!(
            line.contains("password") && !line.contains("topsecret"),
            "{line}"
        );
    }

    let mut service = place.serve(&["--store", &url], &[]);
    service.keys.clone_from(&pair);
    assert_eq!(
        service.run(&["info", "--json"]).json()["project_id"],
        project
    );
    let found = place.run(&["doctor", "--store", &url, at[0], at[1], "--json"]);
    assert!(found.out.contains("opens and can be read"), "{found:?}");
    // Another one with another master key, or with none, is told which it needs.
    let stranger = Place::new();
    let line = stranger
        .run(&["serve", "--listen", "127.0.0.1:0", "--store", &url])
        .err;
    assert!(line.contains("another master key"), "{line}");
    assert!(!stranger.path("claviger-data/master.key").exists());
    // The way back, once nobody serves.
    let back = Place::new();
    std::fs::create_dir(back.data()).unwrap();
    std::fs::copy(data.join("master.key"), back.data().join("master.key")).unwrap();
    let target = back.data();
    let args = [
        "store",
        "copy",
        &url,
        "sqlite",
        "--data-dir",
        target.to_str().unwrap(),
    ];
    let line = back.run(&args).one_line(1);
    assert!(line.contains("a service is running"), "{line}");
    service.stop();
    eventually("it may be copied", || back.run(&args).code == 0);
    let mut service = back.serve(&[], &[]);
    service.keys = pair;
    assert_eq!(
        service.run(&["info", "--json"]).json()["project_id"],
        project
    );
    back.run(&["migrate", "--data-dir", target.to_str().unwrap()])
        .one_line(1);
}

#[test]
fn two_services_on_one_file_are_refused() {
    let place = Place::new();
    let service = place.serve(&[], &[]);
    let data = place.data();
    let args = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let done = place.run(&args);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("another process has this store open"),
        "{done:?}"
    );
    assert_eq!(service.stop().0, 0);
}
