//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): how often may be asked, and how often still,
//! where the operator has said so. Without a rate it does nothing.
//!
//! What is left is told of the address that asks; of its user and of prefixes of keys only that they are used up, since who
//! asks, and for what, is not known out here.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use keyport_api::error::Error;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::super::Call;
use super::super::refusal::error_told;
use crate::config::{Rate, RatesConfig};
use crate::net::Face;
use crate::rates::AddressRate;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// See the module's text.
#[derive(Clone, Debug)]
pub struct RateFieldsLayer(Option<Arc<Fields>>);

/// See [`RateFieldsLayer`].
#[derive(Clone, Debug)]
pub struct RateFields<S> {
    inner: S,
    fields: Option<Arc<Fields>>,
}

#[derive(Debug)]
struct Fields {
    /// None where only prefixes are counted.
    policy: Option<HeaderValue>,
    address: Option<Arc<AddressRate>>,
}

impl RateFieldsLayer {
    pub(crate) fn new(rates: &RatesConfig, address: Option<Arc<AddressRate>>) -> RateFieldsLayer {
        let RatesConfig { per_user, per_address, prefixes } = rates;
        let is_wanted = per_user.is_some() || per_address.is_some() || !prefixes.is_empty();
        RateFieldsLayer(is_wanted.then(|| {
            let policies = [("address", *per_address), ("user", *per_user)];
            let policies: Vec<_> = policies.iter().filter_map(|(by, rate)| Some(policy(by, (*rate)?))).collect();
            let policy = HeaderValue::try_from(policies.join(", ")).ok().filter(|policy| !policy.is_empty());
            Arc::new(Fields { policy, address })
        }))
    }
}

/// So many requests, and in how many seconds as many come back.
fn policy(by: &str, rate: Rate) -> String {
    format!("\"{by}\";q={};w={}", rate.burst, rate.burst.div_ceil(rate.per_second.max(1)).max(1))
}

impl Fields {
    fn tell<B>(&self, from: Option<IpAddr>, response: &mut Response<B>) {
        let used_up = match error_told(response) {
            Some(Error::UserRateExceeded) => Some("user"),
            Some(Error::PrefixRateExceeded) => Some("prefix"),
            _ => None,
        };
        let left = match (used_up, &self.address, from) {
            (Some(by), ..) => Some(format!("\"{by}\";r=0;t=1")),
            (None, Some(address), Some(from)) => {
                let (requests, seconds) = address.left(from);
                Some(format!("\"address\";r={requests};t={seconds}"))
            }
            (None, ..) => None,
        };
        let headers = response.headers_mut();
        headers.extend(self.policy.clone().map(|policy| (RATE_LIMIT_POLICY, policy)));
        headers.extend(left.and_then(|left| HeaderValue::try_from(left).ok()).map(|left| (RATE_LIMIT, left)));
    }
}

impl<S> Layer<S> for RateFieldsLayer {
    type Service = RateFields<S>;

    fn layer(&self, inner: S) -> RateFields<S> {
        RateFields { inner, fields: self.0.clone() }
    }
}

impl<S, B, RB> Service<Request<B>> for RateFields<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Telling<S::Future>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Telling<S::Future> {
        let told = self.fields.as_ref().and_then(|fields| {
            let call = Call::get(request.extensions())?;
            let is_told = !call.protocol.is_grpc() && call.connection.face != Face::Metrics;
            is_told.then(|| (Arc::clone(fields), call.connection.remote.map(|remote| remote.ip())))
        });
        Telling { answer: self.inner.call(request), told }
    }
}

pin_project! {
    /// An answer under way.
    #[derive(Debug)]
    pub struct Telling<F> {
        #[pin]
        answer: F,
        told: Option<(Arc<Fields>, Option<IpAddr>)>,
    }
}

impl<F, RB, E> Future for Telling<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(cx))?;
        if let Some((fields, from)) = this.told {
            fields.tell(*from, &mut response);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_bursts_and_how_long_they_take_to_come_back() {
        for (per_second, burst, told) in [(100, 500, "q=500;w=5"), (3, 10, "q=10;w=4"), (10, 1, "q=1;w=1")] {
            assert_eq!(policy("address", Rate { per_second, burst }), format!("\"address\";{told}"));
        }
        assert!(RateFieldsLayer::new(&RatesConfig::default(), None).0.is_none());
    }
}
