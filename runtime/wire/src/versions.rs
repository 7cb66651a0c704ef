use tonic::Status;

use crate::pool::Versions;

/// The version of this protocol. It is raised when messages change their meaning.
pub const PROTOCOL: u32 = 1;

impl Versions {
    /// The versions of this build. The caller passes Polars' version, because it links Polars.
    pub fn new(polars: &str) -> Self {
        Self { protocol: PROTOCOL, partita: env!("CARGO_PKG_VERSION").into(), polars: polars.into() }
    }

    /// Refuses a peer whose versions differ from these, because plans sent between processes are not stable
    /// between versions. `peer` names the peer, such as `worker`.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION`, with both versions and the remedy.
    pub fn check(&self, peer: &str, theirs: Option<&Self>) -> Result<(), Status> {
        match theirs {
            Some(theirs) if theirs == self => Ok(()),
            Some(theirs) => Err(Status::failed_precondition(format!(
                "this is {self}, the {peer} is {theirs}; install the same version of Partita on both sides"
            ))),
            None => Err(Status::failed_precondition(format!("the {peer} did not send its version"))),
        }
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Partita {} with Polars {} (protocol {})", self.partita, self.polars, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_of_another_version_is_refused_with_both_versions_named() {
        let ours = Versions::new("0.55.2");
        assert!(ours.check("worker", Some(&ours.clone())).is_ok());
        let theirs = Versions::new("0.54.0");
        let refusal = ours.check("worker", Some(&theirs)).unwrap_err();
        assert_eq!(refusal.code(), tonic::Code::FailedPrecondition);
        assert!(refusal.message().contains("0.55.2") && refusal.message().contains("0.54.0"), "{refusal}");
        assert!(ours.check("session", None).is_err());
    }
}
