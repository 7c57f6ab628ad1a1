//! Schemas of what is told of the cluster, of what a member did, and of its log.

use utoipa::openapi::Ref;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type,
};

use super::cluster::list;
use super::text;

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema("Sample", sample())
        .schema("Statistics", statistics())
        .schema("MemberState", member_state())
        .schema("Overview", overview())
        .schema("LogLine", log_line())
        .schema(
            "WarningList",
            list("warnings", Ref::from_schema_name("LogLine")).property("last", text("`event_id` of the last one.")),
        )
        .schema("ObservedServerSentEvent", sent())
}

/// Numbers that fit into those of JavaScript.
fn count(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).description(Some(description))
}

fn seconds(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).description(Some(description))
}

fn sample() -> Schema {
    let counts = [
        ("reads", "Requests that were answered without the log: ranges, and transactions that only read."),
        ("writes", "Requests that went through the log."),
        ("streams", "Streams of the RPCs that were begun."),
        ("events", "Events that were sent to watchers."),
        ("fsyncs", "How often the log was synced."),
        ("leader_changes", "Changes of leader that were seen."),
        ("connections", "Open connections of clients."),
        ("watch_streams", "Open streams of watches, of whatever kind."),
        ("watchers", "Watchers."),
        ("leases", "Leases."),
        ("keys", "Keys."),
        ("db_size", "Bytes of the database's file."),
        ("db_size_in_use", "Bytes of it that are not free."),
        ("resident_bytes", "Memory of the process."),
    ];
    let times = [
        ("put_p50", "Half of the puts took no longer, in seconds."),
        ("put_p99", "Of a hundred puts 99 took no longer."),
        ("range_p50", "Half of the ranges took no longer."),
        ("range_p99", "Of a hundred ranges 99 took no longer."),
        ("fsync_p50", "Half of the syncs of the log took no longer."),
        ("fsync_p99", "Of a hundred of them 99 took no longer."),
    ];
    let object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "What happened in a while. Times are as exact as the buckets of the histograms in `/metrics`.",
        ))
        .property("time", text("When it was over: RFC 3339."))
        .property("seconds", seconds("How long it was."))
        .property("cpu_seconds", seconds("Seconds of a core that the process took."))
        .property("revision", text("The store's revision."))
        .property("raft_term", text("The term."));
    let object = counts.iter().fold(object, |object, (name, what)| object.property(*name, count(what)).required(*name));
    let object = times.iter().fold(object, |object, (name, what)| object.property(*name, seconds(what)));
    ["time", "seconds", "cpu_seconds", "revision", "raft_term"]
        .iter()
        .fold(object, |object, name| object.required(*name))
        .into()
}

fn statistics() -> Schema {
    list("samples", Ref::from_schema_name("Sample"))
        .property("member", text("Who did it."))
        .property("step", count("Seconds that a sample is of, if it is not the last one of a minute."))
        .required("member")
        .required("step")
        .into()
}

/// As a member, and how it is.
fn member_state() -> Schema {
    let healths = ["ok", "alarmed", "leaderless", "silent"];
    let state = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "health",
            text("`silent` does not answer, `leaderless` knows no leader, `alarmed` has raised an alarm.")
                .enum_values(Some(healths)),
        )
        .property("took_seconds", seconds("How long it took to answer; absent if it does not."))
        .property("silent_seconds", seconds("Since it last answered; absent if it does, or never did."))
        .property("error", text("Why there is no answer."))
        .property("version", text("The release of etcd's API that it serves."))
        .property("keyport", text("Its own version."))
        .property("revision", text("Its store's revision."))
        .property("raft_term", text("Its term."))
        .property("raft_index", text("The last entry that it knows as committed."))
        .property("raft_applied_index", text("The last entry that it has applied."))
        .property("db_size", count("Bytes of its database's file."))
        .property("db_size_in_use", count("Bytes of it that are not free."))
        .property("db_quota", count("Bytes that it may have; absent if there is no bound."))
        .required("health");
    AllOfBuilder::new().item(Ref::from_schema_name("Member")).item(state).into()
}

fn overview() -> Schema {
    list("members", Ref::from_schema_name("MemberState"))
        .property("member", text("Who was asked."))
        .property("cluster_id", text("Id of the cluster."))
        .property("cluster_version", text("The version that the cluster has agreed on, if it has."))
        .property("leader", text("Who leads, as far as the asked member knows; absent for nobody."))
        .property("raft_term", text("The asked member's term."))
        .property("revision", text("The asked member's revision."))
        .property("voters", count("Members that vote."))
        .property("voters_needed", count("How many of them have to be there."))
        .property("voters_answering", count("How many of them answer."))
        .property("alarms", ArrayBuilder::new().items(Ref::from_schema_name("Alarm")))
        .required("member")
        .required("cluster_id")
        .required("raft_term")
        .required("revision")
        .required("voters")
        .required("voters_needed")
        .required("voters_answering")
        .required("alarms")
        .into()
}

fn log_line() -> Schema {
    let levels = ["warn", "error", "fatal"];
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("A line of the log, with what else it says."))
        .property("event_id", text("Its name in this list."))
        .property("level", text("How bad it is.").enum_values(Some(levels)))
        .property("ts", text("When it was written: RFC 3339."))
        .property("caller", text("Where in the program."))
        .property("msg", text("What is the matter."))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .required("event_id")
        .required("level")
        .required("ts")
        .required("caller")
        .required("msg")
        .into()
}

fn sent() -> Schema {
    let names = ["sample", "overview", "warning", "failed"];
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("An event of what is observed. The first one may be a comment alone."))
        .property("id", text("Where to go on from, for samples and warnings."))
        .property("event", text("What it is.").enum_values(Some(names)))
        .property("data", text("It, as JSON; or a problem."))
        .into()
}
