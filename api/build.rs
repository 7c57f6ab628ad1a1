//! Compiles `proto/` into messages, services, JSON mapping and the descriptor set.

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let files = [
        "mvccpb/kv.proto",
        "authpb/auth.proto",
        "leasepb/lease.proto",
        "membershippb/membership.proto",
        "raftpb/raft.proto",
        "walpb/record.proto",
        "snappb/snap.proto",
        "etcdserverpb/etcdserver.proto",
        "etcdserverpb/raft_internal.proto",
        "etcdserverpb/rpc.proto",
        "v3lockpb/v3lock.proto",
        "v3electionpb/v3election.proto",
    ];
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    let descriptors = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptors.bin"), &descriptors)?;
    let set = prost_types_set(&descriptors)?;
    let mut prost = tonic_prost_build::Config::new();
    prost.bytes(["."]);
    tonic_prost_build::configure().compile_fds_with_config(set, prost)?;
    pbjson_build::Builder::new()
        .register_descriptors(&descriptors)?
        .preserve_proto_field_names()
        .ignore_unknown_fields()
        .build(&[".mvccpb", ".authpb", ".leasepb", ".membershippb", ".etcdserverpb", ".v3lockpb", ".v3electionpb"])?;
    Ok(())
}

fn prost_types_set(bytes: &[u8]) -> Result<prost_types::FileDescriptorSet, prost::DecodeError> {
    prost_types::FileDescriptorSet::decode(bytes)
}
