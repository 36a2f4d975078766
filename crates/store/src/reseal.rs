//! Sealing again under the current master key what is sealed under a former one: a little at a
//! time, stopped and gone on with anywhere.

use crate::audit::end_place;
use crate::fault::Fault;
use crate::seal::{Place, Sealer};
use crate::sealed::{self, CANARY};
use rusqlite::Connection;

/// A column that is sealed, on either database.
pub(crate) struct Column {
    /// Rows that are sealed under another key than ?1, at most ?2: two parts of the row's
    /// identity, and the blob.
    pub(crate) find: &'static str,
    /// How many.
    pub(crate) count: &'static str,
    /// Sets the blob ?3 of the row of identity ?1, ?2.
    pub(crate) set: &'static str,
    /// Where the row's blob is sealed.
    pub(crate) place: for<'a> fn(&'a str, &'a str) -> Place<'a>,
}

/// All of them. The key's id stands in bytes 2 to 9 of a blob (see `seal`).
pub(crate) const COLUMNS: [Column; 10] = [
    Column {
        find: "SELECT '1', '', sealed FROM canary WHERE substr(sealed, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM canary WHERE substr(sealed, 2, 8) <> ?1",
        set: "UPDATE canary SET sealed = ?3 WHERE CAST(id AS TEXT) = ?1 AND ?2 = ''",
        place: |_, _| CANARY,
    },
    Column {
        find: "SELECT which, '', sealed_end FROM audit_end
               WHERE substr(sealed_end, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM audit_end WHERE substr(sealed_end, 2, 8) <> ?1",
        set: "UPDATE audit_end SET sealed_end = ?3 WHERE which = ?1 AND ?2 = ''",
        place: |which, _| end_place(which),
    },
    Column {
        find: "SELECT id, '', sealed_secret FROM access_key
               WHERE substr(sealed_secret, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM access_key WHERE substr(sealed_secret, 2, 8) <> ?1",
        set: "UPDATE access_key SET sealed_secret = ?3 WHERE id = ?1 AND ?2 = ''",
        place: |id, _| sealed::key_secret(id),
    },
    Column {
        find: "SELECT id, '', sealed_former FROM access_key
               WHERE substr(sealed_former, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM access_key WHERE substr(sealed_former, 2, 8) <> ?1",
        set: "UPDATE access_key SET sealed_former = ?3 WHERE id = ?1 AND ?2 = ''",
        place: |id, _| sealed::former_secret(id),
    },
    Column {
        find: "SELECT id, '', sealed_login FROM instance
               WHERE substr(sealed_login, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM instance WHERE substr(sealed_login, 2, 8) <> ?1",
        set: "UPDATE instance SET sealed_login = ?3 WHERE id = ?1 AND ?2 = ''",
        place: |id, _| sealed::instance_login(id),
    },
    Column {
        find: "SELECT id, '', sealed_default_password FROM instance
               WHERE substr(sealed_default_password, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM instance
                WHERE substr(sealed_default_password, 2, 8) <> ?1",
        set: "UPDATE instance SET sealed_default_password = ?3 WHERE id = ?1 AND ?2 = ''",
        place: |id, _| sealed::default_password(id),
    },
    Column {
        find: "SELECT instance, id, sealed_password FROM account
               WHERE substr(sealed_password, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM account WHERE substr(sealed_password, 2, 8) <> ?1",
        set: "UPDATE account SET sealed_password = ?3 WHERE instance = ?1 AND id = ?2",
        place: |instance, id| sealed::account_password(instance, id),
    },
    Column {
        find: "SELECT instance, id, sealed_leaving FROM account
               WHERE substr(sealed_leaving, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM account WHERE substr(sealed_leaving, 2, 8) <> ?1",
        set: "UPDATE account SET sealed_leaving = ?3 WHERE instance = ?1 AND id = ?2",
        place: |instance, id| sealed::leaving_passwords(instance, id),
    },
    Column {
        find: "SELECT instance, id, sealed_link FROM account
               WHERE substr(sealed_link, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM account WHERE substr(sealed_link, 2, 8) <> ?1",
        set: "UPDATE account SET sealed_link = ?3 WHERE instance = ?1 AND id = ?2",
        place: |instance, id| sealed::link_password(instance, id),
    },
    Column {
        find: "SELECT instance, id || '/' || revision, sealed_password FROM past_password
               WHERE substr(sealed_password, 2, 8) <> ?1 LIMIT ?2",
        count: "SELECT count(*) FROM past_password WHERE substr(sealed_password, 2, 8) <> ?1",
        set: "UPDATE past_password SET sealed_password = ?3
              WHERE instance = ?1 AND id || '/' || revision = ?2",
        place: |instance, row| {
            let (id, _revision) = row.split_once('/').unwrap_or((row, ""));
            sealed::account_password(instance, id)
        },
    },
];

/// How many secrets are sealed under a former key.
pub(crate) fn left(connection: &Connection, sealer: &Sealer) -> Result<u64, Fault> {
    let current = sealer.current_id();
    let mut sum = 0;
    for column in &COLUMNS {
        let mut statement = connection.prepare_cached(column.count)?;
        let count: i64 = statement.query_row([&current[..]], |row| row.get(0))?;
        sum += u64::try_from(count).unwrap_or(0);
    }
    Ok(sum)
}

/// Seals at most `limit` again, within the caller's savepoint; 0 if none is left after that,
/// else another number.
pub(crate) fn reseal(connection: &Connection, sealer: &Sealer, limit: u64) -> Result<u64, Fault> {
    let current = sealer.current_id();
    let mut room = limit;
    for column in &COLUMNS {
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        let mut found: Vec<(String, String, Vec<u8>)> = Vec::new();
        let mut statement = connection.prepare_cached(column.find)?;
        let mut rows = statement.query((&current[..], most))?;
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        drop(rows);
        for (one, two, blob) in &found {
            let place = (column.place)(one, two);
            let clear = sealer.open(place, blob)?;
            let again = sealer.seal((column.place)(one, two), &clear)?;
            connection
                .prepare_cached(column.set)?
                .execute((one, two, again))?;
        }
        room -= found.len() as u64;
        if room == 0 {
            return Ok(1);
        }
    }
    Ok(0)
}
