//! A full database: what would make it grow in any case is refused before its body is read.
//!
//! Whether a transaction would, only its body tells; that is found out where it is applied, as everything is once more.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use keyport_api::error::Error;
use keyport_api::methods::Method;
use tower::{Layer, Service};

use super::super::Call;
use super::super::refusal::refusal;
use super::Answer;

/// Says whether the database is full.
type IsFull = Arc<dyn Fn() -> bool + Send + Sync>;

/// See the module's text.
#[derive(Clone)]
pub struct QuotaLayer(IsFull);

/// See [`QuotaLayer`].
#[derive(Clone)]
pub struct Quota<S> {
    inner: S,
    is_full: IsFull,
}

impl QuotaLayer {
    /// `is_full` is asked for every call that writes keys or leases, and has to be quick.
    pub fn new(is_full: impl Fn() -> bool + Send + Sync + 'static) -> QuotaLayer {
        QuotaLayer(Arc::new(is_full))
    }
}

impl fmt::Debug for QuotaLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaLayer")
    }
}

impl<S: fmt::Debug> fmt::Debug for Quota<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for QuotaLayer {
    type Service = Quota<S>;

    fn layer(&self, inner: S) -> Quota<S> {
        Quota { inner, is_full: Arc::clone(&self.0) }
    }
}

impl<S, B, RB> Service<Request<B>> for Quota<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Answer<S::Future, Response<RB>>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let grows = Call::get(request.extensions())
            .and_then(|call| call.method)
            .is_some_and(|method| method.info().grows() && method != Method::Txn);
        if grows && (self.is_full)() {
            let protocol = super::protocol(&request);
            return Answer::now(refusal(protocol, &Error::NoSpace.into()));
        }
        Answer::Later { answer: self.inner.call(request) }
    }
}
