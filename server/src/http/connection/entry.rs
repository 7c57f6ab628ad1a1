//! Where requests of a connection enter the stack.

use std::sync::Arc;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tower::Service;

use super::super::answered::Answered;
use super::super::unread::Settling;
use super::super::{Call, Connection, Protocol, RequestBody};

/// See the module's text.
pub(super) struct Entry<S> {
    pub(super) connection: Arc<Connection>,
    /// That of the event loop, which the connections on it have in common. Nobody waits for it: they are of one thread.
    pub(super) service: Arc<Mutex<S>>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Entry<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
{
    type Response = Response<Answered<B>>;
    type Error = S::Error;
    /// Less than a kilobyte, if what is behind the layers answers with a box.
    type Future = Answered<Settling<S::Future, Response<B>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let call = Call::of(&request, Arc::clone(&self.connection));
        let answering = self.connection.vigil.answers();
        let is_plain = call.protocol != Protocol::Grpc;
        if is_plain {
            self.connection.vigil.speaks_plainly();
        }
        let waits = is_plain || request.version() < Version::HTTP_2;
        request.extensions_mut().insert(call);
        let answer = self.connection.unread.answer(request, waits, |request| self.service.lock().call(request));
        Answered::new(answer, Some(answering))
    }
}
