//! The JSON mapping on the hot paths: requests in, answers out, each beside pbjson.
//!
//! `cargo bench -p keyport-api --bench json`

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keyport_api::etcdserverpb::response_op::Response;
use keyport_api::etcdserverpb::{
    PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
    WatchResponse,
};
use keyport_api::json::{FromJson, ToJson, from_slice};
use keyport_api::mvccpb::{Event, KeyValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader {
        cluster_id: 14841639068965178418,
        member_id: 10276657743932975437,
        revision: 123456,
        raft_term: 2,
    })
}

fn key_value(value_bytes: usize) -> KeyValue {
    KeyValue {
        key: Bytes::from_static(b"/registry/pods/x"),
        create_revision: 1234,
        mod_revision: 123456,
        version: 7,
        value: Bytes::from(vec![0xa5; value_bytes]),
        lease: 0,
    }
}

fn decode<T: FromJson + DeserializeOwned>(criterion: &mut Criterion, name: &str, text: &str) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("keyport", |b| b.iter(|| from_slice::<T>(black_box(text.as_bytes()))));
    group.bench_function("pbjson", |b| b.iter(|| serde_json::from_slice::<T>(black_box(text.as_bytes()))));
    group.finish();
}

fn encode<T: ToJson + Serialize>(criterion: &mut Criterion, name: &str, message: &T) {
    let mut out = Vec::new();
    let _ = message.write(&mut out);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(out.len() as u64));
    // A fresh buffer each time: that is what an answer costs.
    group.bench_function("keyport", |b| {
        b.iter(|| {
            let mut out = Vec::new();
            black_box(message).write(&mut out).map(|()| out)
        });
    });
    group.bench_function("pbjson", |b| b.iter(|| serde_json::to_vec(black_box(message))));
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let value = base64_simd::STANDARD.encode_to_string(vec![0xa5; 256]);
    decode::<PutRequest>(
        criterion,
        "decode put 256 B",
        &format!("{{\"key\":\"L3JlZ2lzdHJ5L3BvZHMveA==\",\"value\":\"{value}\"}}"),
    );
    decode::<RangeRequest>(criterion, "decode range", "{\"key\":\"L3JlZ2lzdHJ5L3BvZHMveA==\"}");
    let txn = format!(
        "{{\"compare\":[{{\"key\":\"L3JlZ2lzdHJ5\",\"target\":\"VERSION\",\"version\":\"1\"}}],\
         \"success\":[{{\"request_put\":{{\"key\":\"L3JlZ2lzdHJ5\",\"value\":\"{value}\"}}}}],\
         \"failure\":[{{\"request_range\":{{\"key\":\"L3JlZ2lzdHJ5\"}}}}]}}"
    );
    decode::<TxnRequest>(criterion, "decode txn", &txn);
}

fn answers(criterion: &mut Criterion) {
    let range = |count: i64| RangeResponse {
        header: header(),
        kvs: (0..count).map(|_| key_value(256)).collect(),
        more: false,
        count,
    };
    encode(criterion, "encode put", &PutResponse { header: header(), prev_kv: None });
    encode(criterion, "encode range of 1", &range(1));
    encode(criterion, "encode range of 1000", &range(1000));
    let responses = vec![
        ResponseOp { response: Some(Response::ResponsePut(PutResponse { header: header(), prev_kv: None })) },
        ResponseOp { response: Some(Response::ResponseRange(range(1))) },
    ];
    encode(criterion, "encode txn", &TxnResponse { header: header(), succeeded: true, responses });
    let event = Event { r#type: 0, kv: Some(key_value(256)), prev_kv: None };
    encode(
        criterion,
        "encode watch event",
        &WatchResponse { header: header(), events: vec![event], ..Default::default() },
    );
}

criterion_group!(benches, requests, answers);
criterion_main!(benches);
