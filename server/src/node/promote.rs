//! What only a leader counts of promotions.

use keyport_api::error::Error;

use super::Node;
use crate::gate::Pass;
use crate::membership::Member;

impl Node {
    /// As [`Node::promote_here`], with the metrics that only a leader moves.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn promote_and_count(&self, pass: &Pass, id: u64) -> Result<Vec<Member>, Error> {
        let outcome = self.promote_here(pass, id).await;
        match &outcome {
            Ok(_) => self.metrics().learner_promote_successes.inc(),
            Err(Error::NotLeader) => {}
            Err(error) => self.metrics().learner_promote_failures.with_label_values(&[&reason(*error)]).inc(),
        }
        outcome
    }
}

/// The label that etcd gives a refusal: the text before it is put into an API's words.
fn reason(error: Error) -> String {
    match error {
        Error::MemberNotFound => "membership: ID not found".to_owned(),
        Error::MemberNotLearner => "membership: can only promote a learner member".to_owned(),
        error => error.to_string(),
    }
}
