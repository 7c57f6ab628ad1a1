//! What the build script wrote, one module a proto package. Lints are off here alone.
#![allow(clippy::all, clippy::pedantic, clippy::nursery, unreachable_pub, missing_debug_implementations)]

macro_rules! package {
    ($name:ident) => {
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
        }
    };
    ($name:ident, json) => {
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".serde.rs"));
        }
    };
}

/// gRPC's own protocol for health checks.
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}

package!(mvccpb, json);
package!(authpb, json);
package!(leasepb, json);
package!(membershippb, json);
package!(raftpb);
package!(walpb);
package!(snappb);
package!(etcdserverpb, json);
package!(v3lockpb, json);
package!(v3electionpb, json);
