//! The SQL files, included at compile time. A test prepares each of them against a migrated store.

pub(super) const BINDING_GET: &str = include_str!("../../sql/binding/get.sql");
pub(super) const BINDING_PUT: &str = include_str!("../../sql/binding/put.sql");
pub(super) const CHANGE_INSERT: &str = include_str!("../../sql/change/insert.sql");
pub(super) const DELIVERY_AWAITING: &str = include_str!("../../sql/delivery/awaiting.sql");
pub(super) const DELIVERY_COUNT: &str = include_str!("../../sql/delivery/count.sql");
pub(super) const DELIVERY_GET: &str = include_str!("../../sql/delivery/get.sql");
pub(super) const DELIVERY_INSERT: &str = include_str!("../../sql/delivery/insert.sql");
pub(super) const DELIVERY_KNOWN: &str = include_str!("../../sql/delivery/known.sql");
pub(super) const DELIVERY_LATEST: &str = include_str!("../../sql/delivery/latest.sql");
pub(super) const DELIVERY_TAKEN: &str = include_str!("../../sql/delivery/taken.sql");
pub(super) const FORM_GET: &str = include_str!("../../sql/form/get.sql");
pub(super) const FORM_PUT: &str = include_str!("../../sql/form/put.sql");
pub(super) const JOB_ATTEMPT: &str = include_str!("../../sql/job/attempt.sql");
pub(super) const JOB_CLAIM: &str = include_str!("../../sql/job/claim.sql");
pub(super) const JOB_CLAIMABLE: &str = include_str!("../../sql/job/claimable.sql");
pub(super) const JOB_DECIDE: &str = include_str!("../../sql/job/decide.sql");
pub(super) const JOB_DISCARD: &str = include_str!("../../sql/job/discard.sql");
pub(super) const JOB_DUE_NOW: &str = include_str!("../../sql/job/due_now.sql");
pub(super) const JOB_EXPIRE: &str = include_str!("../../sql/job/expire.sql");
pub(super) const JOB_FETCHED: &str = include_str!("../../sql/job/fetched.sql");
pub(super) const JOB_FINISH: &str = include_str!("../../sql/job/finish.sql");
pub(super) const JOB_GET: &str = include_str!("../../sql/job/get.sql");
pub(super) const JOB_HISTORY: &str = include_str!("../../sql/job/history.sql");
pub(super) const JOB_ID: &str = include_str!("../../sql/job/id.sql");
pub(super) const JOB_INSERT: &str = include_str!("../../sql/job/insert.sql");
pub(super) const JOB_LIST: &str = include_str!("../../sql/job/list.sql");
pub(super) const JOB_LIST_PARKED: &str = include_str!("../../sql/job/list_parked.sql");
pub(super) const JOB_NEXT_DUE: &str = include_str!("../../sql/job/next_due.sql");
pub(super) const JOB_OUTCOME: &str = include_str!("../../sql/job/outcome.sql");
pub(super) const JOB_PARKED_KEYS: &str = include_str!("../../sql/job/parked_keys.sql");
pub(super) const JOB_RELEASE_ALL: &str = include_str!("../../sql/job/release_all.sql");
pub(super) const JOB_RETRY: &str = include_str!("../../sql/job/retry.sql");
pub(super) const LEARNED_GET: &str = include_str!("../../sql/learned/get.sql");
pub(super) const LEARNED_PUT: &str = include_str!("../../sql/learned/put.sql");
pub(super) const LISTED_COUNTS: &str = include_str!("../../sql/listed/counts.sql");
pub(super) const LISTED_INSERT: &str = include_str!("../../sql/listed/insert.sql");
pub(super) const META_DELETE: &str = include_str!("../../sql/meta/delete.sql");
pub(super) const META_GET: &str = include_str!("../../sql/meta/get.sql");
pub(super) const META_SET: &str = include_str!("../../sql/meta/set.sql");
pub(super) const MIRROR_DELETE: &str = include_str!("../../sql/mirror/delete.sql");
pub(super) const MIRROR_GET: &str = include_str!("../../sql/mirror/get.sql");
pub(super) const MIRROR_GET_NAME: &str = include_str!("../../sql/mirror/get_name.sql");
pub(super) const MIRROR_IN_RANGE: &str = include_str!("../../sql/mirror/in_range.sql");
pub(super) const MIRROR_NEWEST_WRITE_DATE: &str = include_str!("../../sql/mirror/newest_write_date.sql");
pub(super) const MIRROR_PUT: &str = include_str!("../../sql/mirror/put.sql");
pub(super) const MIRROR_PUT_NAME: &str = include_str!("../../sql/mirror/put_name.sql");
pub(super) const MIRROR_STATE: &str = include_str!("../../sql/mirror/state.sql");
pub(super) const REPLAY_CLAIM: &str = include_str!("../../sql/replay/claim.sql");
pub(super) const REPLAY_KEPT: &str = include_str!("../../sql/replay/kept.sql");
pub(super) const REPLAY_KNOWN: &str = include_str!("../../sql/replay/known.sql");
pub(super) const REPLAY_PUT: &str = include_str!("../../sql/replay/put.sql");
pub(super) const REPLAY_RECORDS: &str = include_str!("../../sql/replay/records.sql");
pub(super) const RETENTION_BODIES: &str = include_str!("../../sql/retention/bodies.sql");
pub(super) const RETENTION_CHANGES: &str = include_str!("../../sql/retention/changes.sql");
pub(super) const RETENTION_DELIVERIES: &str = include_str!("../../sql/retention/deliveries.sql");
pub(super) const RETENTION_JOBS: &str = include_str!("../../sql/retention/jobs.sql");
pub(super) const RETENTION_LISTED: &str = include_str!("../../sql/retention/listed.sql");
pub(super) const SAMPLE_PAGE: &str = include_str!("../../sql/sample/page.sql");
pub(super) const SAMPLE_PURGE: &str = include_str!("../../sql/sample/purge.sql");
pub(super) const SAMPLE_PUT: &str = include_str!("../../sql/sample/put.sql");
pub(super) const STATS_COUNT: &str = include_str!("../../sql/stats/count.sql");
pub(super) const STATS_OLDEST: &str = include_str!("../../sql/stats/oldest.sql");
pub(super) const STATS_OPEN: &str = include_str!("../../sql/stats/open.sql");
pub(super) const STATS_TALLY: &str = include_str!("../../sql/stats/tally.sql");

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    const ALL: &[(&str, &str)] = &[
        ("binding/get.sql", BINDING_GET),
        ("binding/put.sql", BINDING_PUT),
        ("change/insert.sql", CHANGE_INSERT),
        ("delivery/awaiting.sql", DELIVERY_AWAITING),
        ("delivery/count.sql", DELIVERY_COUNT),
        ("delivery/get.sql", DELIVERY_GET),
        ("delivery/insert.sql", DELIVERY_INSERT),
        ("delivery/known.sql", DELIVERY_KNOWN),
        ("delivery/latest.sql", DELIVERY_LATEST),
        ("delivery/taken.sql", DELIVERY_TAKEN),
        ("form/get.sql", FORM_GET),
        ("form/put.sql", FORM_PUT),
        ("job/attempt.sql", JOB_ATTEMPT),
        ("job/claim.sql", JOB_CLAIM),
        ("job/claimable.sql", JOB_CLAIMABLE),
        ("job/decide.sql", JOB_DECIDE),
        ("job/discard.sql", JOB_DISCARD),
        ("job/due_now.sql", JOB_DUE_NOW),
        ("job/expire.sql", JOB_EXPIRE),
        ("job/fetched.sql", JOB_FETCHED),
        ("job/finish.sql", JOB_FINISH),
        ("job/get.sql", JOB_GET),
        ("job/history.sql", JOB_HISTORY),
        ("job/id.sql", JOB_ID),
        ("job/insert.sql", JOB_INSERT),
        ("job/list.sql", JOB_LIST),
        ("job/list_parked.sql", JOB_LIST_PARKED),
        ("job/next_due.sql", JOB_NEXT_DUE),
        ("job/outcome.sql", JOB_OUTCOME),
        ("job/parked_keys.sql", JOB_PARKED_KEYS),
        ("job/release_all.sql", JOB_RELEASE_ALL),
        ("job/retry.sql", JOB_RETRY),
        ("learned/get.sql", LEARNED_GET),
        ("learned/put.sql", LEARNED_PUT),
        ("listed/counts.sql", LISTED_COUNTS),
        ("listed/insert.sql", LISTED_INSERT),
        ("meta/delete.sql", META_DELETE),
        ("meta/get.sql", META_GET),
        ("meta/set.sql", META_SET),
        ("mirror/delete.sql", MIRROR_DELETE),
        ("mirror/get.sql", MIRROR_GET),
        ("mirror/get_name.sql", MIRROR_GET_NAME),
        ("mirror/in_range.sql", MIRROR_IN_RANGE),
        ("mirror/newest_write_date.sql", MIRROR_NEWEST_WRITE_DATE),
        ("mirror/put.sql", MIRROR_PUT),
        ("mirror/put_name.sql", MIRROR_PUT_NAME),
        ("mirror/state.sql", MIRROR_STATE),
        ("replay/claim.sql", REPLAY_CLAIM),
        ("replay/kept.sql", REPLAY_KEPT),
        ("replay/known.sql", REPLAY_KNOWN),
        ("replay/put.sql", REPLAY_PUT),
        ("replay/records.sql", REPLAY_RECORDS),
        ("retention/bodies.sql", RETENTION_BODIES),
        ("retention/changes.sql", RETENTION_CHANGES),
        ("retention/deliveries.sql", RETENTION_DELIVERIES),
        ("retention/jobs.sql", RETENTION_JOBS),
        ("retention/listed.sql", RETENTION_LISTED),
        ("sample/page.sql", SAMPLE_PAGE),
        ("sample/purge.sql", SAMPLE_PURGE),
        ("sample/put.sql", SAMPLE_PUT),
        ("stats/count.sql", STATS_COUNT),
        ("stats/oldest.sql", STATS_OLDEST),
        ("stats/open.sql", STATS_OPEN),
        ("stats/tally.sql", STATS_TALLY),
    ];

    fn migrated() -> Connection {
        let mut connection = Connection::open_in_memory().expect("opened");
        super::super::migrations::run(&mut connection).expect("migrated");
        connection
    }

    #[test]
    fn every_query_fits_the_schema() {
        let connection = migrated();
        for (file, sql) in ALL {
            if let Err(error) = connection.prepare(sql) {
                panic!("{file}: {error}");
            }
        }
    }

    /// A query that reads a growing table from end to end is fast in tests and slow in a year.
    #[test]
    fn no_hot_query_scans_a_growing_table() {
        let connection = migrated();
        // `latest` looks at the newest rows only.
        let may_scan = ["delivery/latest.sql", "job/list.sql", "stats/tally.sql"];
        for (file, sql) in ALL.iter().filter(|(file, _)| !may_scan.contains(file)) {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("prepared");
            let empty = vec![rusqlite::types::Null; plan.parameter_count()];
            let steps: Vec<String> = plan
                .query_map(rusqlite::params_from_iter(empty), |row| row.get("detail"))
                .expect("planned")
                .collect::<Result<_, _>>()
                .expect("read");
            for step in steps {
                let scans = ["job", "delivery", "change", "mirror", "attempt", "candidate", "earlier", "listed"]
                    .iter()
                    .any(|table| step == format!("SCAN {table}"));
                assert!(!scans, "{file}: {step}");
            }
        }
    }
}
