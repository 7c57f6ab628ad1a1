//! `/debug/pprof/`: profiles of the processor, as `go tool pprof` asks for them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderValue, StatusCode, header};
use keyport_openapi::endpoints::{PROFILE_FORM, PROFILE_FORMS, PROFILE_SECONDS, Parameter, Shape};

use super::{HealthSource, Ops, no_page, parameters};
use crate::http::{Call, plain};
use crate::profiling::{self, Form, ProfileError};

/// As Go's.
const USUAL_SECONDS: u16 = 30;

const OFF: &str = "Profiles are taken with --enable-pprof.\n";

const INDEX: &str = "\
profile  where the processor's time goes: /debug/pprof/profile?seconds=30 for pprof, &format=folded for flame graphs

Other than an etcd, this program has none of these:
allocs, heap     the allocator does not record who asks for memory; /metrics has how much there is
goroutine        there are none; go_goroutines in /metrics counts tasks
threadcreate     threads are few and named: top -H
block, mutex     not recorded
trace            traces go to a collector: --enable-distributed-tracing
cmdline, symbol  /debug/vars has the command line; names are in the profile
";

pub(super) async fn index<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Response {
    if ops.offer.has_profiles { plain::text(StatusCode::OK, INDEX) } else { no_page(OFF) }
}

/// What a Go program has there, and this one has not.
pub(super) async fn other<H: HealthSource>(State(ops): State<Arc<Ops<H>>>, Path(name): Path<String>) -> Response {
    if !ops.offer.has_profiles {
        return no_page(OFF);
    }
    let line =
        INDEX.lines().find(|line| line.split("  ").next().is_some_and(|names| names.split(", ").any(|n| n == name)));
    no_page(&match line.and_then(|line| line.split_once("  ")) {
        Some((_, why)) => format!("There is no profile {name} here: {}.\n", why.trim()),
        None => "/debug/pprof/ says what there is.\n".to_owned(),
    })
}

pub(super) async fn profile<H: HealthSource>(State(ops): State<Arc<Ops<H>>>, request: Request) -> Response {
    if !ops.offer.has_profiles {
        return no_page(OFF);
    }
    let (seconds, form) = match wanted(request.uri().query()) {
        Ok(wanted) => wanted,
        Err(why) => return plain::text(StatusCode::BAD_REQUEST, why),
    };
    tracing::info!(seconds, "taking a profile");
    let taken = tokio::select! {
        taken = profiling::take(Duration::from_secs(u64::from(seconds)), form) => taken,
        () = gone(request.extensions()) => return plain::text(StatusCode::BAD_REQUEST, "nobody waits for it\n"),
    };
    match taken {
        Ok(profile) => sent(profile, form),
        Err(error @ ProfileError::Busy) => plain::text(StatusCode::CONFLICT, format!("{error}\n")),
        Err(error) => {
            tracing::error!(%error, "failed to take a profile");
            plain::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
        }
    }
}

/// Done when the caller has closed the connection. What has streams drops a request with its own.
async fn gone(extensions: &Extensions) {
    let connection = Call::get(extensions).map(|call| Arc::clone(&call.connection));
    let closed = |cx: &mut Context<'_>| connection.as_ref().map_or(Poll::Pending, |c| c.poll_read_closed(cx));
    poll_fn(closed).await;
}

fn wanted(query: Option<&str>) -> Result<(u16, Form), String> {
    let one = |parameter: &Parameter| parameters(query, parameter).next();
    let Shape::Integer(range) = &PROFILE_SECONDS.shape else { return Err(String::new()) };
    let seconds = match one(&PROFILE_SECONDS) {
        None => USUAL_SECONDS,
        Some(text) => {
            let seconds = text.parse().ok().filter(|seconds| range.contains(seconds));
            seconds.ok_or_else(|| format!("seconds is not from {} to {}\n", range.start(), range.end()))?
        }
    };
    let [packed, folded] = PROFILE_FORMS;
    match one(&PROFILE_FORM).as_deref() {
        None => Ok((seconds, Form::Pprof)),
        Some(form) if form == packed => Ok((seconds, Form::Pprof)),
        Some(form) if form == folded => Ok((seconds, Form::Folded)),
        Some(_) => Err(format!("format is neither {packed} nor {folded}\n")),
    }
}

fn sent(profile: Vec<u8>, form: Form) -> Response {
    if form == Form::Folded {
        return plain::text(StatusCode::OK, profile);
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"profile\"")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, profile).into_response()
}
