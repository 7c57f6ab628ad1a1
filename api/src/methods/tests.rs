use super::*;
use crate::FILE_DESCRIPTOR_SET;
use crate::routes::ROUTES;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn own() -> impl Iterator<Item = &'static MethodInfo> {
    Method::ALL.into_iter().map(Method::info).filter(|info| !info.foreign)
}

#[test]
fn every_method_of_the_descriptors_is_there_once() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut infos: BTreeMap<&str, &MethodInfo> = BTreeMap::new();
    for info in own() {
        assert!(infos.insert(info.path, info).is_none(), "{} twice", info.path);
    }
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let service = method.parent_service();
        let path = format!("/{}/{}", service.full_name(), method.name());
        let info = infos.remove(path.as_str()).unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!((info.service, info.name), (service.full_name(), method.name()));
        assert_eq!(info.request, method.input().full_name(), "{path}");
        assert_eq!(info.response, method.output().full_name(), "{path}");
        assert_eq!(info.kind.client_streams(), method.is_client_streaming(), "{path}");
        assert_eq!(info.kind.server_streams(), method.is_server_streaming(), "{path}");
    }
    assert!(infos.is_empty(), "{infos:?}");
}

#[test]
fn the_table_keeps_the_contract() {
    let contract: Value = serde_json::from_str(include_str!("../../data/wire-contract.json")).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut expected = BTreeMap::new();
    for rpc in list(&contract["services"]).iter().flat_map(|service| list(&service["rpcs"])) {
        let routes =
            list(&rpc["http"]).iter().map(|http| http["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let streams = (rpc["client_streaming"] == true, rpc["server_streaming"] == true);
        expected.insert(rpc["path"].as_str().unwrap().to_owned(), (routes, streams));
    }
    let found = own().map(|info| {
        let routes = info.routes.iter().map(|&route| route.to_owned()).collect::<Vec<_>>();
        (info.path.to_owned(), (routes, (info.kind.client_streams(), info.kind.server_streams())))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn each_is_found_by_its_path_and_nothing_else_is() {
    for (index, method) in Method::ALL.into_iter().enumerate() {
        assert_eq!((method.index(), method.info().method), (index, method));
        let path = method.path();
        assert_eq!(path, format!("/{}/{}", method.info().service, method.info().name));
        assert_eq!((Method::of_path(path), method.to_string().as_str()), (Some(method), path));
        assert_eq!(Method::of_route(path), None);
        for wrong in [&path[1..], &path[..path.len() - 1], &format!("{path}/"), &path.to_lowercase()] {
            assert_eq!(Method::of_path(wrong), None, "{wrong}");
        }
    }
    assert_eq!((Method::of_path(""), Method::of_route("")), (None, None));
}

#[test]
fn each_is_found_by_its_routes() {
    for method in Method::ALL {
        for route in method.info().routes {
            assert_eq!((Method::of_route(route), Method::of_path(route)), (Some(method), None));
        }
        assert_eq!(method.info().route(), method.info().routes.first().copied());
    }
    for route in ROUTES {
        assert_eq!(Method::of_route(route.path), Some(route.method));
    }
    assert_eq!(own().map(|info| info.routes.len()).sum::<usize>(), ROUTES.len());
    assert_eq!(Method::LeaseRevoke.info().routes, ["/v3/lease/revoke", "/v3/kv/lease/revoke"]);
    assert_eq!((Method::RangeStream.info().route(), Method::of_route("/v3/kv/range/")), (None, None));
}

#[test]
fn what_the_layers_rely_on() {
    let names = |which: fn(&MethodInfo) -> bool| own().filter(move |info| which(info)).map(|info| info.name);
    let endless = ["Campaign", "LeaseKeepAlive", "Lock", "Observe", "Watch"];
    assert_eq!(names(MethodInfo::is_endless).collect::<BTreeSet<_>>(), endless.into());
    let grow = ["Campaign", "LeaseGrant", "Lock", "Proclaim", "Put", "Txn"];
    assert_eq!(names(MethodInfo::grows).collect::<BTreeSet<_>>(), grow.into());
    assert!(own().filter(|info| info.grows()).all(MethodInfo::writes));
    // A stream is never due at once.
    assert!(Method::ALL.into_iter().all(|m| m.info().kind == Kind::Unary || m.info().span != Span::Brief));
}

#[test]
fn passwords_are_in_confidential_requests_alone() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let has_password = |info: &&MethodInfo| {
        let request = pool.get_message_by_name(info.request).unwrap();
        request.fields().any(|field| field.name().contains("password"))
    };
    let with: Vec<_> = own().filter(has_password).collect();
    assert_eq!(with.len(), 3);
    assert!(with.iter().all(|info| info.confidential), "{with:?}");
    assert!(Method::ALL.into_iter().all(|m| m.info().confidential == (m.info().service == "etcdserverpb.Auth")));
}

#[test]
fn grpc_brings_health_and_reflection() {
    let foreign = Method::ALL.into_iter().filter(|method| method.info().foreign).map(Method::path);
    assert_eq!((Method::HealthWatch.info().kind, Method::HealthList.info().kind), (Kind::ServerStream, Kind::Unary));
    let expected = [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ];
    assert_eq!(foreign.collect::<Vec<_>>(), expected);
}
