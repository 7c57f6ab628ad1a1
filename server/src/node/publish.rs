//! What a member tells its cluster when it starts: its name and where clients reach it.

use std::time::Duration;

use keyport_api::error::Error;
use keyport_api::membershippb::{Attributes, ClusterMemberAttrSetRequest};

use super::Node;
use crate::gate::Pass;

/// Before a failed attempt is repeated.
const RETRY: Duration = Duration::from_millis(200);

impl Node {
    /// Returns once this member's attributes are in the log.
    ///
    /// # Errors
    /// `Stopped`, when the node ends before.
    pub(crate) async fn publish(&self) -> Result<(), Error> {
        let identity = self.identity();
        let known = self.state().membership.get(identity.member_id);
        let published =
            known.is_some_and(|member| member.name == identity.name && member.client_urls == identity.client_urls);
        if !published {
            let attributes = Attributes { name: identity.name.clone(), client_urls: identity.client_urls.clone() };
            let request =
                ClusterMemberAttrSetRequest { member_id: identity.member_id, member_attributes: Some(attributes) };
            self.insist(request).await?;
            tracing::info!(name = identity.name, "published local member to cluster through raft");
        }
        Ok(())
    }

    /// Proposes until it succeeds.
    async fn insist(&self, request: ClusterMemberAttrSetRequest) -> Result<(), Error> {
        let pass = Pass::internal("publishing itself");
        loop {
            match self.propose(&pass, request.clone()).await {
                Ok(_) => return Ok(()),
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(error) => tracing::warn!(%error, "failed to publish; trying again"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
