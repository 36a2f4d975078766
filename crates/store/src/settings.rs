//! Named values, and the sequence of task numbers.

use crate::fault::Fault;
use crate::read;
use crate::writer::Desk;
use claviger_core::ids::TaskId;
use rusqlite::Connection;

/// Numbers below this were given, even if their tasks are gone. Set whenever tasks are removed.
pub(crate) const TASK_FLOOR: &str = "store.task-floor";

/// The number of the first task.
const FIRST_TASK: i64 = 1;

/// Sets `name` if it is not set; what holds now.
pub(crate) fn setting_or(desk: &mut Desk, name: &str, value: String) -> Result<String, Fault> {
    if let Some(held) = read::setting(&desk.connection, name)? {
        return Ok(held);
    }
    put(&desk.connection, name, &value)?;
    Ok(value)
}

/// Sets a value.
pub(crate) fn put(connection: &Connection, name: &str, value: &str) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO setting (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute((name, value))?;
    Ok(())
}

/// The number that the next task gets: read once, at the start. Keeping it beside the tasks
/// rather than in a row of its own saves a page in every commit.
pub(crate) fn next_task(connection: &Connection) -> Result<TaskId, Fault> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(id) FROM task", [], |row| row.get(0))?;
    let floor = read::setting(connection, TASK_FLOOR)?
        .map(|text| text.parse::<i64>())
        .transpose()
        .map_err(|_| Fault::unreadable("the task sequence"))?;
    let next = newest.map_or(FIRST_TASK, |newest| newest.saturating_add(1));
    Ok(TaskId(next.max(floor.unwrap_or(FIRST_TASK))))
}

/// Remembers the sequence when tasks are removed.
pub(crate) fn keep_task_floor(desk: &Desk) -> Result<(), Fault> {
    put(&desk.connection, TASK_FLOOR, &desk.next_task.0.to_string())
}
