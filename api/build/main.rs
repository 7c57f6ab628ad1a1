//! Compiles `proto/` into messages, services, the JSON mapping, the table of methods, the gateway's routes, what
//! is counted while requests are decoded, and the descriptor set.

mod bindings;
mod bounds;
mod json;
mod methods;
mod routes;

use std::error::Error;
use std::path::PathBuf;

use prost::Message;
use prost_reflect::DescriptorPool;

/// Services first, in the order in which a reader wants them.
const FILES: [&str; 18] = [
    "mvccpb/kv.proto",
    "etcdserverpb/header.proto",
    "etcdserverpb/kv.proto",
    "etcdserverpb/watch.proto",
    "etcdserverpb/lease.proto",
    "etcdserverpb/cluster.proto",
    "etcdserverpb/maintenance.proto",
    "etcdserverpb/auth.proto",
    "v3lockpb/v3lock.proto",
    "v3electionpb/v3election.proto",
    "authpb/auth.proto",
    "leasepb/lease.proto",
    "membershippb/membership.proto",
    "raftpb/raft.proto",
    "walpb/record.proto",
    "snappb/snap.proto",
    "etcdserverpb/etcdserver.proto",
    "etcdserverpb/raft_internal.proto",
];

/// A service of gRPC's own, with nothing of etcd's in it: gRPC alone leads there.
const HEALTH: &str = "grpc/health/v1/health.proto";

/// Packages that have a JSON form: all but those of the log and its files.
const JSON_PACKAGES: [&str; 7] =
    ["mvccpb", "authpb", "leasepb", "membershippb", "etcdserverpb", "v3lockpb", "v3electionpb"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    let descriptors = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptors.bin"), &descriptors)?;

    let mut prost = tonic_prost_build::Config::new();
    prost.bytes(["."]);
    let set = prost_types::FileDescriptorSet::decode(descriptors.as_slice())?;
    tonic_prost_build::configure().codec_path("crate::codec::BoundedCodec").compile_fds_with_config(set, prost)?;

    pbjson_build::Builder::new()
        .register_descriptors(&descriptors)?
        .preserve_proto_field_names()
        .ignore_unknown_fields()
        .build(&JSON_PACKAGES.map(|package| format!(".{package}")))?;

    let health = protox::compile([HEALTH], ["proto"])?;
    std::fs::write(out.join("health.bin"), health.encode_to_vec())?;
    let (pool, health_pool) = (compiler.descriptor_pool(), DescriptorPool::from_file_descriptor_set(health.clone())?);
    tonic_prost_build::configure().compile_fds(health)?;

    std::fs::write(out.join("bounds.rs"), bounds::generate(&pool)?)?;
    std::fs::write(out.join("json.rs"), json::generate(&pool, &JSON_PACKAGES)?)?;
    std::fs::write(out.join("methods.rs"), methods::generate(&pool, &health_pool)?)?;
    std::fs::write(out.join("routes.rs"), routes::generate(&pool)?)?;
    Ok(())
}
