//! Services that stop for longer than their lease and go on as if nothing had been; a trail of
//! several services that somebody edits.

use crate::harness::{Place, Running, eventually};
use crate::scale_out::{add_instance, call, create, engine, in_sync, serve, users};
use claviger_testkit::{Postgres, Server, ServerOptions, Session};
use std::time::Instant;

/// Deletes what `name` is, gives `kept` another password, and makes `made`: all by that service.
fn change(service: &Running<'_>, name: &str, kept: &str, password: &str, made: &str) {
    let own = |account: &'static str, value: &str| (account, value.to_owned());
    let ask = |action: &str, params: &[(&str, String)]| {
        let params: Vec<_> = params.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let (status, text) = call(&service.endpoint, action, &params);
        assert_eq!(status, 200, "{text}");
    };
    let id = own("InstanceId", "r-1");
    ask("DeleteAccount", &[id.clone(), own("AccountName", name)]);
    let new = [
        id,
        own("AccountName", kept),
        own("AccountPassword", password),
    ];
    ask("ResetAccountPassword", &new);
    let (status, text) = create(&service.endpoint, "r-1", made);
    assert_eq!(status, 200, "{text}");
}

fn logs_in(server: &Server, name: &str, password: &str) -> bool {
    Session::login(&server.address(), name, password).is_ok()
}

/// Whichever of two drives: it is stopped in the middle of its work, the other takes over and
/// brings the node further, and the one that comes back moves nothing backwards.
#[test]
fn a_driver_that_was_away_moves_nothing_backwards() {
    let test = "a_driver_that_was_away_moves_nothing_backwards";
    let (Some(engine), Some(database)) = (engine(test), Postgres::for_test(test)) else {
        return;
    };
    let url = database.database("claviger").unwrap();
    let places = [Place::new(), Place::new()];
    let services = [serve(&places[0], &url), serve(&places[1], &url)];
    let server = Server::start(&engine, &ServerOptions::default()).unwrap();
    add_instance(&services[0], "r-1", &server);
    for name in ["gone_0", "gone_1", "kept"] {
        let (status, text) = create(&services[0].endpoint, "r-1", name);
        assert_eq!(status, 200, "{text}");
    }
    eventually("all is in sync", || in_sync(&services[1], "r-1"));
    for (round, away) in services.iter().enumerate() {
        let here = &services[1 - round];
        // Work for it to be stopped in: accounts that come and go.
        for n in 0..5 {
            let (status, text) = create(&here.endpoint, "r-1", &format!("busy_{round}_{n}"));
            assert_eq!(status, 200, "{text}");
        }
        away.signal("STOP");
        let since = Instant::now();
        let (gone, made) = (format!("gone_{round}"), format!("made_{round}"));
        let password = format!("After-Pause-{round}");
        change(here, &gone, "kept", &password, &made);
        eventually("the other one has brought the node further", || {
            in_sync(here, "r-1")
                && users(&server).contains(&made)
                && !users(&server).contains(&gone)
                && logs_in(&server, "kept", &password)
        });
        // Past the end of every lease that it may hold: seven seconds.
        eventually("it was away for long", || since.elapsed().as_secs() >= 9);
        away.signal("CONT");
        let (status, text) = create(&away.endpoint, "r-1", &format!("back_{round}"));
        assert_eq!(status, 200, "{text}");
        eventually("it is back, and all agree", || {
            users(&server).contains(&format!("back_{round}"))
                && services.iter().all(|service| in_sync(service, "r-1"))
        });
        assert!(users(&server).contains(&made) && !users(&server).contains(&gone));
        assert!(logs_in(&server, "kept", &password));
    }
    for service in services {
        service.run(&["audit", "verify"]).fine();
        service.stop();
    }
}

/// What an edit of the shared trail looks like to who follows it.
#[test]
fn an_edit_of_a_shared_trail_shows() {
    let test = "an_edit_of_a_shared_trail_shows";
    let (Some(engine), Some(database)) = (engine(test), Postgres::for_test(test)) else {
        return;
    };
    let url = database.database("claviger").unwrap();
    let place = Place::new();
    let service = serve(&place, &url);
    let server = Server::start(&engine, &ServerOptions::default()).unwrap();
    add_instance(&service, "r-1", &server);
    for n in 0..5 {
        create(&service.endpoint, "r-1", &format!("a{n}"));
    }
    eventually("all is in sync", || in_sync(&service, "r-1"));
    service.run(&["audit", "verify"]).fine();
    for (edit, back) in [
        (
            "UPDATE audit SET access_key = access_key || 'x' WHERE id = 3",
            "UPDATE audit SET access_key = left(access_key, -1) WHERE id = 3",
        ),
        (
            "CREATE TABLE aside AS SELECT * FROM audit WHERE id = 4; DELETE FROM audit WHERE id = 4",
            "INSERT INTO audit SELECT * FROM aside",
        ),
        (
            "CREATE TABLE aside2 AS SELECT * FROM audit WHERE id = (SELECT max(id) FROM audit);
             DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
            "INSERT INTO audit SELECT * FROM aside2",
        ),
    ] {
        database.sql("claviger", edit).unwrap();
        let said = service.run(&["audit", "verify"]);
        assert_ne!(said.code, 0, "{edit}: {said:?}");
        database.sql("claviger", back).unwrap();
        service.run(&["audit", "verify"]).fine();
    }
    service.stop();
}
